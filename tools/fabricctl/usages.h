/* SPDX-License-Identifier: MIT */
/* usages - who uses which region, in words and JSON. */
#ifndef FABRICCTL_USAGES_H
#define FABRICCTL_USAGES_H

#include <json-c/json.h>

#include <fabricmap.h>

struct usages;

/* Of all regions of @map, whose names it borrows. 0, -errno; a region that has gone since is left out. */
int usages_read(const struct fabricmap *map, struct usages **ret);
void usages_freep(struct usages **usages);

/* NULL: nothing is known of it, or @usages is NULL. */
const struct fabricmap_usage *usages_find(const struct usages *usages, const char *device, const char *region);
void usages_print(const struct usages *usages);

/* Key "usage"; null: nobody looked, or the kernel does not say. */
void usage_to_json(const struct fabricmap_usage *usage, struct json_object *region);

#endif
