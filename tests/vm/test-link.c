// SPDX-License-Identifier: MIT
/* Links and groups are what the machine says, in whatever order its devices came, and links are as fast as measured. */
#define _GNU_SOURCE
#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gpu.h"

#define SIZE (2 * MIB)
#define MAX_GPUS 64

static char names[MAX_GPUS][DRM_FABRIC_DEVICE_NAME_SIZE];
static size_t n_gpus;

static void load(void)
{
	gpu_restore();
	n_gpus = gpu_names(names, MAX_GPUS);
}

/* Do two functions have a bridge in common? Their paths in sysfs do, beyond the root. */
static bool share_a_bridge(const char *a, const char *b)
{
	char file[128], path_a[PATH_MAX], path_b[PATH_MAX];
	const char *root;
	size_t same = 0;

	snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s", a);
	ck_assert(realpath(file, path_a));
	snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s", b);
	ck_assert(realpath(file, path_b));
	for (size_t i = 0; path_a[i] && path_a[i] == path_b[i]; i++)
		if (path_a[i] == '/')
			same = i;
	/* /sys/devices/pci0000:00 is as far as any two on one root bus agree. */
	root = strstr(path_a, "/pci");
	ck_assert_ptr_nonnull(root);
	root = strchr(root + 1, '/');
	return root && path_a + same > root;
}

/* Processors of which pci_p2pdma knows that they pass peer traffic: AMD from family 17h. */
static bool host_bridge_passes(void)
{
	char text[2048];
	const char *family;

	ck_assert(read_file("/proc/cpuinfo", text, sizeof(text)));
	family = strstr(text, "cpu family\t: ");
	return strstr(text, "AuthenticAMD") && family && atoi(family + strlen("cpu family\t: ")) >= 0x17;
}

static bool host_bridge_links(void)
{
	char text[8];

	ck_assert(read_file("/sys/module/drm_fabric/parameters/host_bridge_links", text, sizeof(text)));
	return text[0] == 'Y';
}

static bool link_attr(size_t a, size_t b, const char *attr, char *buf, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "links/%s/%s", names[b], attr);
	return gpu_attr(names[a], path, buf, size);
}

static const char *expected_type(size_t a, size_t b)
{
	if (share_a_bridge(names[a], names[b]))
		return "pcie_switch";
	return host_bridge_passes() ? "pcie_host_bridge" : "none";
}

static bool expected_up(size_t a, size_t b)
{
	const char *type = expected_type(a, b);

	return !strcmp(type, "pcie_switch") || (!strcmp(type, "pcie_host_bridge") && host_bridge_links());
}

static void check_links(void)
{
	char type[32], state[16], why_not[256], buf[32];
	size_t n_up = 0, n_down = 0;

	ck_assert_uint_gt(n_gpus, 0);
	for (size_t a = 0; a < n_gpus; a++) {
		ck_assert(!link_attr(a, a, "type", type, sizeof(type)));
		for (size_t b = 0; b < n_gpus; b++) {
			bool told;

			if (a == b)
				continue;
			ck_assert(link_attr(a, b, "type", type, sizeof(type)));
			ck_assert(link_attr(a, b, "state", state, sizeof(state)));
			ck_assert_str_eq(type, expected_type(a, b));
			ck_assert_str_eq(state, expected_up(a, b) ? "up" : "down");
			told = link_attr(a, b, "why_not", why_not, sizeof(why_not));
			ck_assert_int_eq(told, !expected_up(a, b));
			if (told)
				ck_assert_uint_gt(strlen(why_not), 0);
			if (told && !strcmp(type, "pcie_host_bridge"))
				ck_assert_ptr_nonnull(strstr(why_not, "host_bridge_links"));
			/* A figure that is unknown is absent, and never 0. */
			if (link_attr(a, b, "read_bandwidth", buf, sizeof(buf)))
				ck_assert_uint_gt(strtoull(buf, NULL, 10), 0);
			if (strcmp(type, "none"))
				ck_assert(link_attr(a, b, "hops", buf, sizeof(buf)) && atoi(buf) > 0);
			n_up += expected_up(a, b);
			n_down += !expected_up(a, b);
		}
	}
	note("%zu devices, %zu links up, %zu down", n_gpus, n_up, n_down);
}

/* The members of @first's group by what is expected, separated by spaces. Returns how many. */
static size_t expected_group(size_t first, const char *type, char *members, size_t size)
{
	bool in[MAX_GPUS] = { false };
	size_t n = 0, len = 0;

	in[first] = true;
	for (bool more = true; more;) {
		more = false;
		for (size_t a = 0; a < n_gpus; a++)
			for (size_t b = 0; in[a] && b < n_gpus; b++)
				if (!in[b] && expected_up(a, b) && !strcmp(expected_type(a, b), type))
					in[b] = more = true;
	}
	for (size_t i = 0; i < n_gpus; i++) {
		if (in[i])
			len += snprintf(members + len, size - len, "%s%s", n++ ? " " : "", names[i]);
		if (in[i] && i < first)
			return 0; /* not the lowest: another's */
	}
	return n > 1 ? n : 0;
}

static void check_groups(void)
{
	static const char *const types[] = { "pcie_switch", "pcie_host_bridge" };
	char members[MAX_GPUS * 32], dir[128], file[192], buf[sizeof(members)];
	size_t n_groups = 0, n_expected = 0, n;

	for (size_t t = 0; t < 2; t++) {
		for (size_t i = 0; i < n_gpus; i++) {
			n = expected_group(i, types[t], members, sizeof(members));
			if (!n)
				continue;
			n_expected++;
			snprintf(dir, sizeof(dir), "/sys/class/drm_fabric_group/%s-%s", types[t], names[i]);
			snprintf(file, sizeof(file), "%s/members", dir);
			ck_assert_msg(read_file(file, buf, sizeof(buf)), "no %s", file);
			ck_assert_str_eq(buf, members);
			snprintf(file, sizeof(file), "%s/n_devices", dir);
			ck_assert(read_file(file, buf, sizeof(buf)));
			ck_assert_uint_eq(strtoull(buf, NULL, 10), n);
			snprintf(file, sizeof(file), "%s/link_type", dir);
			ck_assert(read_file(file, buf, sizeof(buf)));
			ck_assert_str_eq(buf, types[t]);
			note("group %s-%s: %s", types[t], names[i], members);
		}
	}
	n_groups = (size_t)shell("exit $(ls /sys/class/drm_fabric_group | wc -l)");
	ck_assert_uint_eq(n_groups, n_expected);
}

/* proves: every ordered pair has a link of the type and state that the PCI tree implies, and a reason if it is down */
START_TEST(links_of_the_machine)
{
	check_links();
}
END_TEST

/* proves: groups are the connected components of links that are up, named after their lowest member, and no others */
START_TEST(groups_of_the_machine)
{
	check_groups();
}
END_TEST

static void check_accesses(void)
{
	char *a = map_memory(SIZE, true);

	for (size_t owner = 0; owner < n_gpus; owner++) {
		struct gpu *holder = gpu_open_name(names[owner]);

		gpu_open_devmem(holder);
		for (size_t accessor = 0; accessor < n_gpus; accessor++) {
			struct gpu *peer = gpu_open_name(names[accessor]);
			struct drm_softgpu_exec e;
			bool up = accessor == owner || expected_up(accessor, owner);

			pattern_fill(a, SIZE, test_seed() + accessor);
			gpu_populate(holder, a, SIZE);
			e = gpu_exec(peer, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
			ck_assert_uint_eq(e.local_bytes, accessor == owner ? SIZE : 0);
			ck_assert_uint_eq(e.peer_bytes, accessor != owner && up ? SIZE : 0);
			ck_assert_uint_eq(e.system_bytes, up ? 0 : SIZE);
			ck_assert_uint_eq(gpu_residency(holder, a, SIZE).region_bytes, up ? SIZE : 0);
			ck_assert_uint_eq(e.result, checksum(a, SIZE));
			gpu_close(peer);
		}
		gpu_close(holder);
	}
	/* What lives on a device keeps the modules. */
	ck_assert(!munmap(a, SIZE));
}

/* proves: what a link says is what an access does: up reads in place, down goes through system memory */
START_TEST(accesses_follow_links)
{
	check_accesses();
}
END_TEST

/* ---- the order in which devices come ---- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* All files below @dir, without those that count. */
static void snapshot_tree(FILE *out, const char *dir)
{
	char *const roots[] = { (char *)dir, NULL };
	static char text[8192];
	FTSENT *entry;
	FTS *fts;

	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	ck_assert_ptr_nonnull(fts);
	while ((entry = fts_read(fts))) {
		if (entry->fts_info == FTS_D && !strcmp(entry->fts_name, "power"))
			fts_set(fts, entry, FTS_SKIP);
		if (entry->fts_info != FTS_F || !strcmp(entry->fts_name, "generation"))
			continue;
		fprintf(out, "%s", entry->fts_path);
		if (access(entry->fts_accpath, R_OK) || !(entry->fts_statp->st_mode & 0444)) {
			fprintf(out, "\n");
			continue;
		}
		ck_assert_msg(read_file(entry->fts_accpath, text, sizeof(text)), "%s", entry->fts_path);
		fprintf(out, ": %s\n", text);
	}
	fts_close(fts);
}

static char *snapshot(void)
{
	char dir[128], *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < n_gpus; i++) {
		snprintf(dir, sizeof(dir), "/sys/class/drm_fabric/%s/links", names[i]);
		snapshot_tree(out, dir);
	}
	snapshot_tree(out, "/sys/devices/virtual/drm_fabric_group");
	fclose(out);
	return text;
}

static void shuffle(size_t *order, size_t n, uint64_t *random)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = test_random(random) % i, swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
}

/* proves: devices may come in any order, all or some of them anew: links and groups are the same to the byte */
START_TEST(order_does_not_matter)
{
	uint64_t random = test_seed();
	size_t order[MAX_GPUS], n_loops = test_loops(12, 200);
	char *first;

	/* What was measured goes with a device, and would be missed. */
	for (size_t i = 0; i < n_gpus; i++) {
		gpu_unbind(names[i]);
		gpu_bind(names[i]);
	}
	first = snapshot();
	/* The snapshot is of something, or all comparisons succeed. */
	ck_assert(n_gpus < 2 || strstr(first, "/state: "));
	ck_assert(shell("exit $(ls /sys/class/drm_fabric_group | wc -l)") == 0 || strstr(first, "/members: "));
	for (size_t loop = 0; loop < n_loops; loop++) {
		size_t n = loop % 2 ? 1 + test_random(&random) % n_gpus : n_gpus;
		char *again;

		for (size_t i = 0; i < n_gpus; i++)
			order[i] = i;
		shuffle(order, n_gpus, &random);
		for (size_t i = 0; i < n; i++)
			gpu_unbind(names[order[i]]);
		if (n == n_gpus)
			ck_assert_int_eq(shell("exit $(ls /sys/class/drm_fabric_group | wc -l)"), 0);
		shuffle(order, n, &random);
		for (size_t i = 0; i < n; i++)
			gpu_bind(names[order[i]]);
		again = snapshot();
		compare_texts(again, first);
		free(again);
	}
	free(first);
}
END_TEST

/* proves: as long as a device is away nobody has a link to it, and the rest of its group is what the rest implies */
START_TEST(each_device_away_in_turn)
{
	char all[MAX_GPUS][DRM_FABRIC_DEVICE_NAME_SIZE], path[96];
	size_t n_all = n_gpus;

	memcpy(all, names, sizeof(all));
	for (size_t away = 0; away < n_all; away++) {
		gpu_unbind(all[away]);
		n_gpus = gpu_names(names, MAX_GPUS);
		ck_assert_uint_eq(n_gpus, n_all - 1);
		if (n_gpus)
			check_links();
		check_groups();
		snprintf(path, sizeof(path), "links/%s", all[away]);
		for (size_t i = 0; i < n_gpus; i++) {
			char file[256];

			snprintf(file, sizeof(file), "/sys/class/drm_fabric/%.31s/%s", names[i], path);
			ck_assert(access(file, F_OK));
		}
		gpu_bind(all[away]);
	}
}
END_TEST

/* proves: the parameter opens the links through a host bridge that passes peer traffic, and no others */
START_TEST(host_bridge_links_are_opt_in)
{
	ck_assert(!host_bridge_links());
	gpu_reload("host_bridge_links=1");
	load();
	ck_assert(host_bridge_links());
	check_links();
	check_groups();
	check_accesses();
	gpu_reload("");
	load();
	ck_assert(!host_bridge_links());
	check_links();
}
END_TEST

/* ---- measuring ---- */

static void link_file(size_t a, size_t b, const char *attr, char *file, size_t size)
{
	snprintf(file, size, "/sys/class/drm_fabric/%s/links/%s/%s", names[a], names[b], attr);
}

/* Returns 0 or -errno. */
static int try_measure(size_t a, size_t b, const char *value)
{
	char file[192];

	link_file(a, b, "measure", file, sizeof(file));
	return try_write_file(file, value);
}

/* A link that is up, or down. Has the machine none, that is said. */
static bool find_link(bool up, size_t *ret_a, size_t *ret_b)
{
	for (size_t a = 0; a < n_gpus; a++)
		for (size_t b = 0; b < n_gpus; b++) {
			if (a == b || expected_up(a, b) != up)
				continue;
			*ret_a = a;
			*ret_b = b;
			return true;
		}
	note("the machine has no link that is %s", up ? "up" : "down");
	return false;
}

static void measure_state(size_t a, size_t b, char *buf, size_t size)
{
	ck_assert(link_attr(a, b, "measure_state", buf, size));
}

/* What it ends with. */
static void wait_measured(size_t a, size_t b, char *state, size_t size)
{
	uint64_t end = now_ms() + 5000;

	for (;; sleep_ms(2)) {
		measure_state(a, b, state, size);
		if (strcmp(state, "running"))
			return;
		ck_assert_msg(now_ms() < end, "it does not end");
	}
}

static uint64_t link_figure(size_t a, size_t b, const char *attr)
{
	char buf[32];

	return link_attr(a, b, attr, buf, sizeof(buf)) ? strtoull(buf, NULL, 10) : 0;
}

static uint64_t generation(void)
{
	char buf[32];

	ck_assert(read_file("/sys/class/drm_fabric/generation", buf, sizeof(buf)));
	return strtoull(buf, NULL, 10);
}

/* As if nobody had ever measured. */
static void rebind(size_t i)
{
	gpu_unbind(names[i]);
	gpu_bind(names[i]);
}

/* proves: wrong words, a second at a time, and a link that is down are refused, and nothing is published by that */
START_TEST(bad_measuring_is_refused)
{
	char state[64], file[192];
	struct stat st;
	size_t a, b;

	if (find_link(false, &a, &b)) {
		ck_assert_int_eq(try_measure(a, b, "1"), -ENOLINK);
		measure_state(a, b, state, sizeof(state));
		ck_assert_str_eq(state, "never");
	}
	if (!find_link(true, &a, &b))
		return;
	rebind(b);
	link_file(a, b, "measure", file, sizeof(file));
	ck_assert(!stat(file, &st));
	ck_assert_uint_eq(st.st_mode & 0777, 0200);
	ck_assert_int_eq(try_measure(a, b, "0"), -EINVAL);
	ck_assert_int_eq(try_measure(a, b, "fast"), -EINVAL);
	measure_state(a, b, state, sizeof(state));
	ck_assert_str_eq(state, "never");
	ck_assert(!link_attr(a, b, "measured_at_s", state, sizeof(state)));
	ck_assert_int_eq(try_measure(a, b, "1"), 0);
	ck_assert_int_eq(try_measure(a, b, "1"), -EBUSY);
	/* Each link for itself. */
	ck_assert_int_eq(try_measure(b, a, "1"), 0);
	wait_measured(a, b, state, sizeof(state));
	ck_assert_str_eq(state, "ok");
	wait_measured(b, a, state, sizeof(state));
	ck_assert_str_eq(state, "ok");
	/* And again. */
	ck_assert_int_eq(try_measure(a, b, "1"), 0);
	wait_measured(a, b, state, sizeof(state));
	ck_assert_str_eq(state, "ok");
}
END_TEST

/*
 * proves: what was measured is published with its time, for that direction, and announced; the memory it took is given
 * back; it stays while others come and go, and goes with its device
 */
START_TEST(measured_figures_appear_and_stay)
{
	uint64_t free_bytes, before, read, write, begin_s = (uint64_t)time(NULL), begin_ms;
	char state[64], provenance[32];
	struct gpu *owner;
	size_t a, b;

	if (!find_link(true, &a, &b))
		return;
	rebind(a);
	owner = gpu_open_bare(names[b]);
	free_bytes = gpu_figure(owner, "regions/vram0/free_bytes");
	before = generation();
	begin_ms = now_ms();
	ck_assert_int_eq(try_measure(a, b, "1"), 0);
	wait_measured(a, b, state, sizeof(state));
	note("measured in %llu ms", (unsigned long long)(now_ms() - begin_ms));
	ck_assert_str_eq(state, "ok");
	ck_assert_uint_gt(generation(), before);
	read = link_figure(a, b, "read_bandwidth");
	write = link_figure(a, b, "write_bandwidth");
	note("reads %llu MB/s, writes %llu MB/s", (unsigned long long)read, (unsigned long long)write);
	/* Software copies memory: between what a slow computer that is busy and what a very fast one does. */
	ck_assert(read >= 1 && read < 1000000);
	ck_assert(write >= 1 && write < 1000000);
	ck_assert(link_attr(a, b, "provenance", provenance, sizeof(provenance)));
	ck_assert_str_eq(provenance, "measured");
	ck_assert_uint_ge(link_figure(a, b, "measured_at_s"), begin_s);
	ck_assert_uint_le(link_figure(a, b, "measured_at_s"), (uint64_t)time(NULL));
	ck_assert_uint_eq(link_figure(b, a, "measured_at_s"), 0);
	ck_assert_uint_eq(gpu_figure(owner, "regions/vram0/free_bytes"), free_bytes);
	gpu_close(owner);
	for (size_t i = 0; i < n_gpus; i++) {
		if (i == a || i == b)
			continue;
		rebind(i);
		ck_assert_uint_eq(link_figure(a, b, "read_bandwidth"), read);
		ck_assert_uint_eq(link_figure(a, b, "write_bandwidth"), write);
	}
	check_links();
	rebind(b);
	ck_assert_uint_eq(link_figure(a, b, "measured_at_s"), 0);
	measure_state(a, b, state, sizeof(state));
	ck_assert_str_eq(state, "never");
}
END_TEST

/* proves: without a byte free there, or with the owner draining, measuring fails by name and leaves the figures */
START_TEST(failed_measuring_leaves_the_figures)
{
	struct drm_fabric_devmem_populate populate;
	struct gpu *owner;
	char state[64];
	uint64_t read;
	size_t a, b, size;
	char *memory;

	if (!find_link(true, &a, &b))
		return;
	ck_assert_int_eq(try_measure(a, b, "1"), 0);
	wait_measured(a, b, state, sizeof(state));
	ck_assert_str_eq(state, "ok");
	read = link_figure(a, b, "read_bandwidth");

	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, names[b], 0), 0);
	ck_assert_int_eq(try_measure(a, b, "1"), 0);
	wait_measured(a, b, state, sizeof(state));
	ck_assert_str_eq(state, "failed: ESHUTDOWN");
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, names[b], 0), 0);
	ck_assert_uint_eq(link_figure(a, b, "read_bandwidth"), read);

	owner = gpu_open_name(names[b]);
	size = gpu_figure(owner, "regions/vram0/size_bytes");
	if (size > 128 * MIB) {
		note("%zu MiB are too many to fill", size / MIB);
		gpu_close(owner);
		return;
	}
	gpu_open_devmem(owner);
	/* In small pages: one of a large one would not come free by itself. */
	memory = map_memory(size, false);
	memset(memory, 1, size);
	ck_assert_int_eq(gpu_try_populate(owner, memory, size, 0, &populate), 0);
	ck_assert_uint_eq(gpu_figure(owner, "regions/vram0/free_bytes"), 0);
	ck_assert_int_eq(try_measure(a, b, "1"), 0);
	wait_measured(a, b, state, sizeof(state));
	ck_assert_str_eq(state, "failed: ENOSPC");
	ck_assert_uint_eq(link_figure(a, b, "read_bandwidth"), read);
	/* One page is enough. */
	ck_assert(!munmap(memory + 8 * MIB, 4096));
	ck_assert_int_eq(try_measure(a, b, "1"), 0);
	wait_measured(a, b, state, sizeof(state));
	ck_assert_str_eq(state, "ok");
	gpu_close(owner);
	ck_assert(!munmap(memory, size));
}
END_TEST

/* proves: either end may be drained or leave at any moment of a measurement; what it writes hits nobody's memory */
START_TEST(measuring_while_devices_go)
{
	size_t n_loops = test_loops(12, 300), a, b;
	uint64_t random = test_seed();
	struct gpu *owner;
	char *memory;
	char state[64];

	if (!find_link(true, &a, &b))
		return;
	memory = map_memory(SIZE, true);
	for (size_t loop = 0; loop < n_loops; loop++) {
		size_t goes = test_random(&random) % 2 ? a : b;

		pattern_fill(memory, SIZE, loop);
		owner = gpu_open_name(names[b]);
		gpu_open_devmem(owner);
		gpu_populate(owner, memory, SIZE);
		ck_assert_int_eq(try_measure(a, b, "1"), 0);
		sleep_ms(test_random(&random) % 120);
		if (test_random(&random) % 3) {
			gpu_close(owner);
			gpu_unbind(names[goes]);
			gpu_bind(names[goes]);
			measure_state(a, b, state, sizeof(state));
			ck_assert_str_eq(state, "never");
		} else {
			ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, names[b], 0), 0);
			wait_measured(a, b, state, sizeof(state));
			ck_assert(!strcmp(state, "ok") || !strcmp(state, "failed: ESHUTDOWN"));
			ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, names[b], 0), 0);
			gpu_close(owner);
		}
		ck_assert_uint_eq(pattern_differs(memory, SIZE, loop), 0);
	}
	ck_assert(!munmap(memory, SIZE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("link");
	TCase *tcase = tcase_create("link");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_test(tcase, links_of_the_machine);
	tcase_add_test(tcase, groups_of_the_machine);
	tcase_add_test(tcase, accesses_follow_links);
	tcase_add_test(tcase, bad_measuring_is_refused);
	tcase_add_test(tcase, measured_figures_appear_and_stay);
	tcase_add_test(tcase, failed_measuring_leaves_the_figures);
	tcase_add_test(tcase, measuring_while_devices_go);
	tcase_add_test(tcase, order_does_not_matter);
	tcase_add_test(tcase, each_device_away_in_turn);
	tcase_add_test(tcase, host_bridge_links_are_opt_in);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
