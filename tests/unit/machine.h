/* SPDX-License-Identifier: MIT */
/* machine - topologies by description, for tests of what works on them. A failure fails the test. */
#ifndef MACHINE_H
#define MACHINE_H

#include "model/model.h"

#include <check.h>

/* A suite of one case, run as TAP. Return: exit code. */
int machine_run_suite(const char *name, const TTest *const *tests, size_t n_tests);

/* The same of a case with loops. */
int machine_run_tcase(const char *name, TCase *tcase);

/* The pair of the first two devices, both ways round; the origin if @expected has one. @what says what was tried. */
void machine_check_pair(const struct topology *topology, const char *what, const struct topology_pair *expected);

/* There is a warning with that beginning; if it is NULL, there is none at all. */
void machine_check_warnings(const struct topology *topology, const char *what, const char *warning);

/* A builder of a topology whose source is the kernel. */
struct topology_builder *machine_new(void);

/* A device with one region vram0 with that much free of 1000. */
void machine_add(struct topology_builder *builder, const char *name, enum topology_state state, int64_t free_bytes);

/* One direction; -1 for an unknown bandwidth. */
void machine_link(struct topology_builder *builder, const char *accessor, const char *owner,
		  enum topology_link_type type, bool up, int64_t read_mbps, int64_t write_mbps);

/* Both directions alike. */
void machine_join(struct topology_builder *builder, const char *a, const char *b, enum topology_link_type type,
		  int64_t mbps);

/* Frees the builder. */
struct topology *machine_finish(struct topology_builder *builder);

/* A warning that begins with that. */
bool machine_has_warning(const struct topology *topology, const char *beginning);

#endif
