// SPDX-License-Identifier: MIT
/* The public library as a scheduler uses it. */
#include "tree-maker.h"

#include <check.h>
#include <drm/drm_fabric.h>
#include <errno.h>
#include <fabricmap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fabricmap *map_of(size_t n_devices)
{
	struct fabricmap *map;
	char *root = tree_make();

	tree_fabric(root, n_devices);
	ck_assert_int_eq(fabricmap_open(root, &map), 0);
	tree_remove(root);
	return map;
}

START_TEST(walk_over_everything)
{
	struct fabricmap *map = map_of(4), *again;
	const struct fabricmap_link *link;
	const int64_t *matrix;
	char *text;

	ck_assert_uint_eq(fabricmap_n_devices(map), 4);
	ck_assert_ptr_null(fabricmap_device_at(map, 4));
	ck_assert_ptr_eq(fabricmap_device_find(map, "0000:42:00.0"), fabricmap_device_at(map, 2));
	ck_assert_ptr_null(fabricmap_device_find(map, "0000:42:00.1"));
	ck_assert_uint_eq(fabricmap_n_links(map), 12);
	for (size_t i = 0; i < fabricmap_n_links(map); i++) {
		link = fabricmap_link_at(map, i);
		ck_assert_ptr_eq(fabricmap_link_find(map, fabricmap_link_accessor(link), fabricmap_link_owner(link)),
				 link);
	}
	ck_assert_uint_eq(fabricmap_n_groups(map), 2);
	ck_assert_uint_eq(fabricmap_group_member(fabricmap_group_at(map, 1), 0), 2);
	ck_assert_uint_eq(fabricmap_group_member(fabricmap_group_at(map, 1), 9), (size_t)-1);
	ck_assert_uint_eq(fabricmap_bandwidth(map, &matrix), 4);
	ck_assert_int_eq(matrix[0 * 4 + 0], 0);
	ck_assert_int_eq(matrix[0 * 4 + 1], 12500);
	ck_assert_int_eq(matrix[1 * 4 + 0], 12500);
	ck_assert_int_eq(matrix[0 * 4 + 2], FABRICMAP_UNKNOWN);
	text = fabricmap_to_json(map);
	ck_assert_int_eq(fabricmap_open_json(text, &again), 0);
	ck_assert_uint_eq(fabricmap_n_devices(again), 4);
	ck_assert_ptr_null(
		fabricmap_region_pagemap_state(fabricmap_device_region_at(fabricmap_device_at(again, 0), 0)));
	ck_assert_int_eq(fabricmap_open_json("{\"schema\"", &again), -EBADMSG);
	ck_assert_int_eq(fabricmap_open_json("{} {}", &again), -EBADMSG);
	free(text);
	fabricmap_unref(again);
	fabricmap_unref(fabricmap_ref(map));
	ck_assert_ptr_null(fabricmap_unref(map));
}
END_TEST

START_TEST(placement_in_process)
{
	const char *const exclude[] = { "0000:40:00.0" };
	struct fabricmap *map = map_of(4);
	struct fabricmap_placement *placement;
	char *reason = (char *)"untouched";

	ck_assert_int_eq(fabricmap_place(map, 2, 1000, exclude, 1, &placement, &reason), 0);
	ck_assert_ptr_null(reason);
	ck_assert_str_eq(fabricmap_placement_device(placement, 0), "0000:42:00.0");
	ck_assert_str_eq(fabricmap_placement_device(placement, 1), "0000:43:00.0");
	ck_assert_ptr_null(fabricmap_placement_device(placement, 2));
	ck_assert_int_eq(fabricmap_placement_is_linked(placement), 1);
	ck_assert_int_eq(fabricmap_placement_bottleneck_mbps(placement), 12500);
	ck_assert_int_eq(fabricmap_placement_generation(placement), 42);
	ck_assert_int_eq(fabricmap_placement_devmem_id(placement, 0), FABRICMAP_UNKNOWN);
	fabricmap_placement_free(placement);
	ck_assert_int_eq(fabricmap_place(map, 5, 1, NULL, 0, &placement, &reason), -ENOSPC);
	ck_assert_ptr_nonnull(reason);
	free(reason);
	ck_assert_int_eq(fabricmap_place(map, 5, 1, NULL, 0, &placement, NULL), -ENOSPC);
	fabricmap_unref(map);
}
END_TEST

/* As text: a tree of so many is slow to write. */
static struct fabricmap *unlinked_map_of(size_t n_devices)
{
	struct fabricmap *map;
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	ck_assert_ptr_nonnull(file);
	fputs("{\"schema\":\"fabric.topology/1\",\"generation\":1,\"source\":\"kernel\",\"devices\":[", file);
	for (size_t i = 0; i < n_devices; i++)
		fprintf(file,
			"%s{\"name\":\"d%zu\",\"state\":\"online\",\"regions\":[{\"name\":\"vram0\",\"size_bytes\":9,"
			"\"free_bytes\":9,\"resident_bytes\":0}]}",
			i > 0 ? "," : "", i);
	fputs("],\"links\":[],\"groups\":[],\"warnings\":[]}", file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(fabricmap_open_json(text, &map), 0);
	free(text);
	return map;
}

/* The rule for ties is named, and 40 devices that are all alike are no riddle. */
START_TEST(placement_tells_how_it_chose)
{
	static const struct {
		size_t n_devices;
		const char *tie_rule;
	} cases[] = { { 16, "remainder-cut-names" }, { 17, "cut-names" }, { 40, "best-fit" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fabricmap *map = unlinked_map_of(cases[i].n_devices);
		struct fabricmap_placement *placement;
		int64_t least_mbps, sum_mbps;
		const char *a, *b;

		ck_assert_int_eq(fabricmap_place(map, 3, 1, NULL, 0, &placement, NULL), 0);
		ck_assert_int_eq(fabricmap_placement_is_exact(placement), 1);
		ck_assert_str_eq(fabricmap_placement_tie_rule(placement), cases[i].tie_rule);
		ck_assert_str_eq(fabricmap_placement_objective(placement), "bottleneck-then-sum");
		fabricmap_placement_value(placement, &least_mbps, &sum_mbps);
		ck_assert_int_eq(least_mbps, 12000);
		ck_assert_int_eq(sum_mbps, 36000);
		fabricmap_placement_bound(placement, &least_mbps, &sum_mbps);
		ck_assert_int_eq(least_mbps, 12000);
		ck_assert_int_eq(sum_mbps, 36000);
		ck_assert_uint_eq(fabricmap_placement_n_assumed(placement), 3);
		ck_assert_int_eq(fabricmap_placement_assumed(placement, 2, &a, &b), 0);
		ck_assert_str_eq(a, "d1");
		ck_assert_str_eq(b, "d2");
		ck_assert_int_eq(fabricmap_placement_assumed(placement, 3, &a, &b), -ENOENT);
		ck_assert_ptr_null(fabricmap_placement_nic(placement, 0));
		fabricmap_placement_free(placement);
		fabricmap_unref(map);
	}
}
END_TEST

/* Four devices, 1-2-3 in a group: what the free ones are good for. */
START_TEST(what_if_by_names)
{
	const char *const one[] = { "0000:42:00.0" }, *const stranger[] = { "0000:99:00.0" };
	struct fabricmap_fragmentation fragmentation;
	struct fabricmap_change changes[8];
	struct fabricmap *map = map_of(4);
	struct fabricmap_pool *pool;
	struct fabricmap_sets *sets;

	ck_assert_int_eq(fabricmap_pool_new(map, &pool), 0);
	ck_assert_int_eq(fabricmap_pool_components(pool, 0, &sets), 0);
	ck_assert_int_eq(fabricmap_sets_is_complete(sets), 1);
	ck_assert_uint_gt(fabricmap_sets_n(sets), 1);
	ck_assert_uint_ge(fabricmap_sets_size(sets, 0), fabricmap_sets_size(sets, 1));
	ck_assert_ptr_nonnull(fabricmap_sets_device(sets, 0, 0));
	ck_assert_ptr_null(fabricmap_sets_device(sets, 0, 4));
	ck_assert_ptr_null(fabricmap_sets_device(sets, 9, 0));
	fabricmap_sets_free(sets);
	ck_assert_int_eq(fabricmap_pool_cliques(pool, 1, 0, 100, &sets), 0);
	ck_assert_uint_eq(fabricmap_sets_size(sets, 0), 2);
	fabricmap_sets_free(sets);
	ck_assert_int_eq(fabricmap_pool_fragmentation(pool, 1, 0, &fragmentation), 0);
	ck_assert_uint_eq(fragmentation.n_free, 4);
	ck_assert_uint_eq(fragmentation.largest, 2);
	ck_assert_uint_eq(fragmentation.largest_proved, 1);
	ck_assert_uint_eq(fragmentation.permille, 500);
	ck_assert_int_eq(fabricmap_pool_removal(pool, one, 1, "bottleneck", changes, 8), 3);
	ck_assert_uint_eq(changes[2].count, 4);
	ck_assert_int_ne(changes[2].least_before_mbps, FABRICMAP_UNKNOWN);
	ck_assert_int_eq(changes[2].least_after_mbps, FABRICMAP_UNKNOWN);
	ck_assert_int_eq(fabricmap_pool_removal(pool, stranger, 1, "sum", changes, 8), -ENODEV);
	ck_assert_int_eq(fabricmap_pool_removal(pool, one, 1, "all", changes, 8), -EINVAL);
	fabricmap_pool_free(pool);
	fabricmap_unref(map);
}
END_TEST

/* Leases that lose a device keep the rest, and are offered the best that is free. */
START_TEST(removal_and_leases)
{
	static const char *const first[] = { "0000:40:00.0", "0000:41:00.0" }, *const second[] = { "0000:42:00.0" };
	static const char *const gone[] = { "0000:41:00.0" }, *const stranger[] = { "0000:99:00.0" };
	const struct fabricmap_lease leases[] = { { second, 1 }, { first, 2 } }, of_stranger = { stranger, 1 };
	const struct fabricmap_lease twice = { (const char *const[]){ first[0], first[0] }, 2 };
	struct fabricmap *map = map_of(4);
	struct fabricmap_removal *removal;
	struct fabricmap_change change;
	struct fabricmap_pool *pool;
	size_t lease;

	ck_assert_int_eq(fabricmap_pool_new(map, &pool), 0);
	/* Nobody holds what is free. */
	ck_assert_int_eq(fabricmap_removal_new(pool, gone, 1, "sum", leases, 2, &removal), -EINVAL);
	ck_assert_int_eq(fabricmap_pool_take(pool, first, 2), 0);
	ck_assert_int_eq(fabricmap_pool_take(pool, second, 1), 0);
	ck_assert_int_eq(fabricmap_removal_new(pool, gone, 1, "sum", leases, 2, &removal), 0);
	ck_assert_uint_eq(fabricmap_removal_n_leases(removal), 1);
	ck_assert_int_eq(fabricmap_removal_lease(removal, 0, &lease, &change), 0);
	ck_assert_uint_eq(lease, 1);
	ck_assert_uint_eq(change.count, 2);
	ck_assert_int_ne(change.sum_before_mbps, FABRICMAP_UNKNOWN);
	ck_assert_int_ne(change.sum_after_mbps, FABRICMAP_UNKNOWN);
	ck_assert_str_eq(fabricmap_removal_device(removal, 0, 0), "0000:40:00.0");
	ck_assert_str_eq(fabricmap_removal_device(removal, 0, 1), "0000:43:00.0");
	ck_assert_ptr_null(fabricmap_removal_device(removal, 0, 2));
	ck_assert_ptr_null(fabricmap_removal_device(removal, 1, 0));
	ck_assert_int_eq(fabricmap_removal_lease(removal, 1, &lease, &change), -ENOENT);
	ck_assert_ptr_null(fabricmap_removal_free(removal));
	/* With the last free device taken there is nothing in its place. */
	ck_assert_int_eq(fabricmap_pool_take(pool, (const char *const[]){ "0000:43:00.0" }, 1), 0);
	ck_assert_int_eq(fabricmap_removal_new(pool, gone, 1, "sum", leases, 2, &removal), 0);
	ck_assert_int_eq(fabricmap_removal_lease(removal, 0, &lease, &change), 0);
	ck_assert_int_eq(change.sum_after_mbps, FABRICMAP_UNKNOWN);
	ck_assert_ptr_null(fabricmap_removal_device(removal, 0, 0));
	fabricmap_removal_free(removal);
	ck_assert_int_eq(fabricmap_removal_new(pool, gone, 1, "sum", NULL, 0, &removal), 0);
	ck_assert_uint_eq(fabricmap_removal_n_leases(removal), 0);
	fabricmap_removal_free(removal);
	ck_assert_int_eq(fabricmap_removal_new(pool, gone, 1, "all", leases, 2, &removal), -EINVAL);
	ck_assert_int_eq(fabricmap_removal_new(pool, stranger, 1, "sum", leases, 2, &removal), -ENODEV);
	ck_assert_int_eq(fabricmap_removal_new(pool, gone, 1, "sum", &of_stranger, 1, &removal), -ENODEV);
	ck_assert_int_eq(fabricmap_removal_new(pool, gone, 1, "sum", &twice, 1, &removal), -EINVAL);
	fabricmap_pool_free(pool);
	fabricmap_unref(map);
}
END_TEST

START_TEST(memory_by_names)
{
	static const struct fabricmap_accessor user = { "0000:41:00.0", 1, 1 }, nobody = { "cpu99", 1, 1 };
	struct fabricmap *map = map_of(4);
	struct fabricmap_locations *locations;
	char *reason;

	ck_assert_int_eq(fabricmap_place_memory(map, 1, "bandwidth", &user, 1, NULL, 0, &locations, &reason), 0);
	ck_assert_ptr_null(reason);
	ck_assert_str_eq(fabricmap_locations_device(locations, 0), "0000:41:00.0");
	ck_assert_str_eq(fabricmap_locations_region(locations, 0), "vram0");
	ck_assert_ptr_null(fabricmap_locations_node(locations, 0));
	ck_assert_int_eq(fabricmap_locations_fits(locations, 0), 1);
	ck_assert_int_eq(fabricmap_locations_is_assumed(locations, 0), 1);
	ck_assert_int_gt(fabricmap_locations_free_bytes(locations, 0), 0);
	ck_assert_ptr_null(fabricmap_locations_device(locations, fabricmap_locations_n(locations)));
	fabricmap_locations_free(locations);
	ck_assert_int_eq(fabricmap_place_memory(map, 1, "latency", &nobody, 1, NULL, 0, &locations, &reason), -ENODEV);
	ck_assert_str_eq(reason, "no such accessor: cpu99");
	free(reason);
	ck_assert_int_eq(fabricmap_place_memory(map, 1, "fast", &user, 1, NULL, 0, &locations, NULL), -EINVAL);
	fabricmap_unref(map);
}
END_TEST

START_TEST(pool_takes_and_gives)
{
	const char *const first[] = { "0000:40:00.0", "0000:41:00.0" }, *const stranger[] = { "0000:99:00.0" };
	struct fabricmap *map = map_of(4);
	struct fabricmap_placement *placement;
	struct fabricmap_request *request;
	struct fabricmap_pool *pool;
	char *reason;

	ck_assert_int_eq(fabricmap_pool_new(map, &pool), 0);
	ck_assert_int_eq(fabricmap_request_new(2, &request), 0);
	ck_assert_int_eq(fabricmap_request_set_objective(request, "sum"), 0);
	ck_assert_int_eq(fabricmap_request_set_objective(request, "most"), -EINVAL);
	ck_assert_int_eq(fabricmap_request_set_linked(request, 3), -EINVAL);
	ck_assert_int_eq(fabricmap_request_set_link_type(request, "rope"), -EINVAL);
	ck_assert_int_eq(fabricmap_request_set_least_mbps(request, -1), -EINVAL);
	fabricmap_request_set_bytes(request, 1);
	ck_assert_int_eq(fabricmap_pool_take(pool, first, 2), 0);
	ck_assert_int_eq(fabricmap_pool_take(pool, first, 1), -EBUSY);
	ck_assert_int_eq(fabricmap_pool_take(pool, stranger, 1), -ENODEV);
	ck_assert_int_eq(fabricmap_pool_place(pool, request, &placement, &reason), 0);
	ck_assert_ptr_null(reason);
	ck_assert_str_eq(fabricmap_placement_device(placement, 0), "0000:42:00.0");
	ck_assert_str_eq(fabricmap_placement_device(placement, 1), "0000:43:00.0");
	ck_assert_str_eq(fabricmap_placement_objective(placement), "sum");
	fabricmap_placement_free(placement);
	ck_assert_int_eq(fabricmap_request_add_busy(request, "0000:42:00.0"), 0);
	ck_assert_int_eq(fabricmap_pool_place(pool, request, &placement, &reason), -ENOSPC);
	ck_assert_str_eq(reason, "1 device has 1 bytes free, 2 asked: 0000:40:00.0 (busy), 0000:41:00.0 (busy), "
				 "0000:42:00.0 (busy); largest linked free set: 0000:43:00.0");
	free(reason);
	ck_assert_int_eq(fabricmap_request_add_required(request, "0000:99:00.0"), 0);
	ck_assert_int_eq(fabricmap_pool_place(pool, request, &placement, NULL), -ENODEV);
	ck_assert_int_eq(fabricmap_pool_give(pool, first, 2), 0);
	ck_assert_int_eq(fabricmap_pool_give(pool, first, 2), -EALREADY);
	ck_assert_int_eq(fabricmap_pool_update(pool, map), 0);
	fabricmap_request_free(request);
	fabricmap_pool_free(pool);
	fabricmap_unref(map);
}
END_TEST

START_TEST(holders_of_a_made_proc)
{
	/* Two fds of one handle are one holder; other files and processes are none; names are made harmless. */
	static const char info[] = "pos:\t0\ndrm-fabric-device:\t0000:40:00.0\ndrm-fabric-region:\tvram0\n"
				   "drm-fabric-devmem-id:\t3\ndrm-resident-vram0:\t8 KiB\n";
	struct fabricmap_holders *holders;
	char *root = tree_make();

	tree_write(root, "12/fdinfo/4", info);
	tree_write(root, "12/fdinfo/5", info);
	tree_write(root, "12/fdinfo/6", "pos:\t0\n");
	tree_write(root, "12/comm", "tr\033ain\n");
	tree_write(root, "12/status", "Name:\ttrain\nUid:\t1000\t0\t0\t0\n");
	tree_write(root, "7/fdinfo/9", info);
	tree_write(root, "self/fdinfo/9", info);
	tree_folder(root, "13");
	/* The first thread has ended, two go on. */
	tree_folder(root, "14");
	tree_folder(root, "14/fdinfo");
	tree_folder(root, "14/task");
	tree_folder(root, "14/task/14");
	tree_folder(root, "14/task/14/fdinfo");
	tree_write(root, "14/task/15/fdinfo/4", info);
	tree_write(root, "14/task/16/fdinfo/4", info);
	ck_assert_int_eq(fabricmap_holders_scan(root, NULL, &holders), 0);
	ck_assert_uint_eq(fabricmap_holders_n(holders), 3);
	ck_assert_int_eq(fabricmap_holders_pid(holders, 2), 14);
	ck_assert_int_eq(fabricmap_holders_pid(holders, 0), 7);
	ck_assert_str_eq(fabricmap_holders_comm(holders, 0), "?");
	ck_assert_int_eq(fabricmap_holders_uid(holders, 0), FABRICMAP_UNKNOWN);
	ck_assert_int_eq(fabricmap_holders_pid(holders, 1), 12);
	ck_assert_str_eq(fabricmap_holders_comm(holders, 1), "tr?ain");
	ck_assert_int_eq(fabricmap_holders_uid(holders, 1), 1000);
	ck_assert_int_eq(fabricmap_holders_devmem_id(holders, 1), 3);
	ck_assert_int_eq(fabricmap_holders_resident_bytes(holders, 1), 8192);
	ck_assert_ptr_null(fabricmap_holders_device(holders, 3));
	fabricmap_holders_free(holders);
	ck_assert_int_eq(fabricmap_holders_scan(root, "0000:41:00.0", &holders), 0);
	ck_assert_uint_eq(fabricmap_holders_n(holders), 0);
	fabricmap_holders_free(holders);
	ck_assert_int_eq(fabricmap_holders_scan("/nonexistent/proc", NULL, &holders), -ENOENT);
	tree_remove(root);
}
END_TEST

START_TEST(wrong_arguments_and_fds)
{
	struct fabricmap_devmem_info info;
	struct fabricmap_residency residency;
	struct fabricmap_devmem_event event;
	struct fabricmap_usage *usage;
	uint64_t bytes = 0;
	struct fabricmap_to_system home;
	struct fabricmap_reach reach;

	ck_assert_int_eq(fabricmap_devmem_open("../../etc", "vram0"), -EINVAL);
	ck_assert_int_eq(fabricmap_devmem_open("", "vram0"), -EINVAL);
	ck_assert_int_eq(fabricmap_devmem_open(".hidden", "vram0"), -EINVAL);
	ck_assert_int_eq(fabricmap_devmem_open_render(0, "a region of too long a name"), -EINVAL);
	ck_assert_int_eq(fabricmap_devmem_info(-1, &info), -EBADF);
	ck_assert_int_eq(fabricmap_devmem_residency(-1, NULL, 0, &residency), -EBADF);
	ck_assert_int_eq(fabricmap_devmem_to_system(-1, NULL, 0, &home), -EBADF);
	ck_assert_uint_eq(home.moved_bytes + home.dead_bytes, 0);
	ck_assert_int_eq(fabricmap_devmem_to_system(-1, NULL, 0, NULL), -EBADF);
	ck_assert_int_eq(fabricmap_devmem_reach(-1, -1, &reach), -EBADF);
	ck_assert_int_eq(fabricmap_devmem_read_event(-1, &event), -EBADF);
	ck_assert_int_eq(fabricmap_devmem_populate(-1, NULL, 0, 0, NULL), -EBADF);
	ck_assert_int_eq(fabricmap_devmem_reserve(-1, 0, NULL), -EBADF);
	ck_assert_int_eq(fabricmap_devmem_reserve(-1, 0, &bytes), -EBADF);
	ck_assert_int_eq(fabricmap_devmem_grant(-1, -1, &bytes), -EBADF);
	ck_assert_int_eq(fabricmap_giver_revoke(-1, 1, 0, NULL), -EBADF);
	ck_assert_int_eq(fabricmap_usage_read("../../etc", "vram0", &usage), -EINVAL);
	ck_assert_int_eq(fabricmap_usage_read("0000:43:00.0", "", &usage), -EINVAL);
	ck_assert_int_eq(fabricmap_prefer(NULL, 4096, NULL, FABRICMAP_MAX_LOCATIONS + 1), -EINVAL);
	ck_assert_int_eq(fabricmap_admin_remove("a/b", 0, 0, NULL, NULL), -EINVAL);
	ck_assert_int_eq(fabricmap_admin_remove("0000:40:00.0", 0, 99, NULL, NULL), -EINVAL);
	ck_assert_int_eq(fabricmap_admin_cancel("..\n"), -EINVAL);
	ck_assert_int_eq(fabricmap_admin_abandon("..\n"), -EINVAL);
	ck_assert_int_eq(fabricmap_admin_bring_back(""), -EINVAL);
}
END_TEST

/* Events come by read(2): any file will do to tell what they are taken for. */
START_TEST(events_in_words)
{
	static const struct {
		uint32_t type, reason;
		const char *type_name, *reason_name;
	} cases[] = {
		{ DRM_FABRIC_EVENT_DRAINING, DRM_FABRIC_REASON_ADMIN, "draining", "admin" },
		{ DRM_FABRIC_EVENT_CANCELLED, DRM_FABRIC_REASON_NONE, "cancelled", NULL },
		{ DRM_FABRIC_EVENT_EVICTING, DRM_FABRIC_REASON_SUSPEND, "evicting", "suspend" },
		{ DRM_FABRIC_EVENT_REVOKED, DRM_FABRIC_REASON_DRIVER, "revoked", "driver" },
		{ DRM_FABRIC_EVENT_REVOKED, DRM_FABRIC_REASON_GRANT, "revoked", "grant" },
		{ DRM_FABRIC_EVENT_LOST, DRM_FABRIC_REASON_COPY, "lost", "copy" },
		{ DRM_FABRIC_EVENT_LOST, DRM_FABRIC_REASON_ABANDONED, "lost", "abandoned" },
		{ DRM_FABRIC_EVENT_LOST, DRM_FABRIC_REASON_LOST, "lost", "lost" },
		{ DRM_FABRIC_EVENT_BACK, DRM_FABRIC_REASON_NONE, "back", NULL },
		{ 4711, 4712, NULL, NULL },
	};
	struct fabricmap_devmem_event event;
	int fds[2];

	ck_assert(!pipe(fds));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct drm_fabric_event raw = {
			.type = cases[i].type,
			.reason = cases[i].reason,
			.size_bytes = sizeof(raw),
			.seq = 1,
			.time_ns = 2,
			.deadline_ns = 3,
			.bytes = 4,
			.incarnation = 5,
		};

		ck_assert_int_eq(write(fds[1], &raw, sizeof(raw)), sizeof(raw));
		ck_assert_int_eq(fabricmap_devmem_read_event(fds[0], &event), 1);
		ck_assert_pstr_eq(event.type, cases[i].type_name);
		ck_assert_pstr_eq(event.reason, cases[i].reason_name);
		ck_assert_uint_eq(event.sequence, 1);
		ck_assert_uint_eq(event.time_ns, 2);
		ck_assert_uint_eq(event.deadline_ns, 3);
		ck_assert_uint_eq(event.bytes, 4);
		ck_assert_uint_eq(event.incarnation, 5);
	}
	ck_assert_int_eq(write(fds[1], "short", 5), 5);
	ck_assert_int_eq(fabricmap_devmem_read_event(fds[0], &event), -EBADMSG);
	ck_assert(!close(fds[1]));
	ck_assert_int_eq(fabricmap_devmem_read_event(fds[0], &event), 0);
	ck_assert(!close(fds[0]));
}
END_TEST

START_TEST(reasons_in_words)
{
	for (size_t i = 0; i < FABRICMAP_N_REFUSED; i++)
		for (size_t j = 0; j < i && strcmp(fabricmap_refused_name(i), "unknown"); j++)
			ck_assert_str_ne(fabricmap_refused_name(i), fabricmap_refused_name(j));
	ck_assert_str_eq(fabricmap_refused_name(DRM_FABRIC_REFUSED_BUSY), "busy");
	ck_assert_str_eq(fabricmap_refused_name(DRM_FABRIC_REFUSED_PINNED), "pinned");
	ck_assert_str_eq(fabricmap_refused_name(DRM_FABRIC_REFUSED_DEAD), "dead");
	ck_assert_str_eq(fabricmap_refused_name(DRM_FABRIC_REFUSED_RESERVED), "reserved");
	ck_assert_str_eq(fabricmap_refused_name(DRM_FABRIC_REFUSED_RESERVED + 1), "unknown");
	ck_assert_str_eq(fabricmap_refused_name(SIZE_MAX), "unknown");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("public");
	TCase *tcase = tcase_create("public");
	SRunner *runner;
	int n_failed;

	tcase_add_test(tcase, walk_over_everything);
	tcase_add_test(tcase, placement_in_process);
	tcase_add_test(tcase, placement_tells_how_it_chose);
	tcase_add_test(tcase, pool_takes_and_gives);
	tcase_add_test(tcase, what_if_by_names);
	tcase_add_test(tcase, removal_and_leases);
	tcase_add_test(tcase, memory_by_names);
	tcase_add_test(tcase, holders_of_a_made_proc);
	tcase_add_test(tcase, wrong_arguments_and_fds);
	tcase_add_test(tcase, events_in_words);
	tcase_add_test(tcase, reasons_in_words);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
