// SPDX-License-Identifier: MIT
/* Who uses which region, as the kernel counts it: each region asked by itself. */
#include "usages.h"

#include "fabricctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the kernel is asked about regions, each by itself. */
struct usages {
	struct usage {
		const char *device;
		const char *region;
		struct fabricmap_usage *usage;
	} * list;
	size_t n;
};

void usages_freep(struct usages **usages)
{
	if (!*usages)
		return;
	for (size_t i = 0; i < (*usages)->n; i++)
		fabricmap_usage_free((*usages)->list[i].usage);
	free((*usages)->list);
	free(*usages);
}

const struct fabricmap_usage *usages_find(const struct usages *usages, const char *device, const char *region)
{
	for (size_t i = 0; usages && i < usages->n; i++)
		if (!strcmp(usages->list[i].device, device) && !strcmp(usages->list[i].region, region))
			return usages->list[i].usage;
	return NULL;
}

static int usages_add(struct usages *usages, const char *device, const char *region)
{
	struct usage usage = { .device = device, .region = region }, *grown;
	int r;

	r = fabricmap_usage_read(device, region, &usage.usage);
	/* It has gone since, or the kernel part does not count. */
	if (r == -ENODEV || r == -ENOENT || r == -ENOSYS)
		return 0;
	if (r < 0)
		return r;
	grown = reallocarray(usages->list, usages->n + 1, sizeof(*grown));
	if (!grown) {
		fabricmap_usage_free(usage.usage);
		return -ENOMEM;
	}
	usages->list = grown;
	usages->list[usages->n++] = usage;
	return 0;
}

int usages_read(const struct fabricmap *map, struct usages **ret)
{
	_cleanup_(usages_freep) struct usages *usages = calloc(1, sizeof(*usages));
	int r;

	if (!usages)
		return -ENOMEM;
	for (size_t i = 0; i < fabricmap_n_devices(map); i++) {
		const struct fabricmap_device *device = fabricmap_device_at(map, i);

		for (size_t j = 0; j < fabricmap_device_n_regions(device); j++) {
			r = usages_add(usages, fabricmap_device_name(device),
				       fabricmap_region_name(fabricmap_device_region_at(device, j)));
			if (r < 0)
				return r;
		}
	}
	*ret = usages;
	usages = NULL;
	return 0;
}

static void add_user(struct table *table, const struct usage *usage, const struct fabricmap_user *user)
{
	char text[SIZE_TEXT_SIZE];

	table_add(table, usage->device);
	table_add(table, usage->region);
	table_add(table, user->kind ?: "-");
	table_add(table, number_text(user->pid, text));
	table_add(table, number_text(user->uid, text));
	table_add(table, number_text(user->devmem_id, text));
	table_add(table, number_text(user->grant_id, text));
	table_add(table, size_text(user->reserved_bytes, text));
	table_add(table, size_text(user->bytes, text));
	table_add(table, size_text(user->dead_bytes, text));
	table_add(table, strcmp(user->kind ?: "", "handle") ? "" :
			 user->is_revoked ? "revoked" :
			 user->is_open	  ? "open" :
					    "closed");
}

void usages_print(const struct usages *usages)
{
	static const char *const heads[] = { "DEVICE", "REGION",   "USER",  "PID",  "UID",  "HANDLE",
					     "GRANT",  "RESERVED", "BYTES", "DEAD", "STATE" };
	enum { N_COLUMNS = sizeof(heads) / sizeof(heads[0]) };
	_cleanup_(table_freep) struct table *table = table_new(N_COLUMNS);
	char text[SIZE_TEXT_SIZE], reserved[SIZE_TEXT_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < N_COLUMNS; i++)
		table_add(table, heads[i]);
	for (size_t i = 0; i < usages->n; i++)
		for (size_t j = 0; j < fabricmap_usage_n(usages->list[i].usage); j++, n++)
			add_user(table, &usages->list[i], fabricmap_usage_at(usages->list[i].usage, j));
	if (n > 0) {
		puts("\nMemory, through handles and by process:");
		table_print(table);
	}
	for (size_t i = 0; i < usages->n; i++) {
		const struct fabricmap_usage *usage = usages->list[i].usage;
		size_t n_handles = fabricmap_usage_n_hidden_handles(usage);
		int64_t bytes = fabricmap_usage_hidden_bytes(usage);

		if (n_handles > 0 || bytes > 0)
			printf("\n%s/%s: of others: %zu handles, %s reserved, %s in use\n", usages->list[i].device,
			       usages->list[i].region, n_handles,
			       size_text(fabricmap_usage_hidden_reserved_bytes(usage), reserved),
			       size_text(bytes, text));
	}
}

static void user_to_json(const struct fabricmap_user *user, struct json_object *array)
{
	struct json_object *object = json_append_object(array);

	json_add_string(object, "kind", user->kind);
	json_add_bool(object, "open", user->is_open);
	json_add_bool(object, "revoked", user->is_revoked);
	json_add_int(object, "pid", user->pid);
	json_add_int(object, "uid", user->uid);
	json_add_int(object, "devmem_id", user->devmem_id);
	json_add_int(object, "grant_id", user->grant_id);
	json_add_int(object, "reserved_bytes", user->reserved_bytes);
	json_add_int(object, "bytes", user->bytes);
	json_add_int(object, "dead_bytes", user->dead_bytes);
}

void usage_to_json(const struct fabricmap_usage *usage, struct json_object *region)
{
	struct json_object *object, *array;

	if (!usage) {
		json_add_string(region, "usage", NULL);
		return;
	}
	object = json_add_object(region, "usage");
	json_add_int(object, "bytes", fabricmap_usage_bytes(usage));
	json_add_int(object, "hidden_bytes", fabricmap_usage_hidden_bytes(usage));
	json_add_int(object, "n_hidden_handles", (int64_t)fabricmap_usage_n_hidden_handles(usage));
	json_add_int(object, "hidden_reserved_bytes", fabricmap_usage_hidden_reserved_bytes(usage));
	array = json_add_array(object, "users");
	for (size_t i = 0; i < fabricmap_usage_n(usage); i++)
		user_to_json(fabricmap_usage_at(usage, i), array);
}
