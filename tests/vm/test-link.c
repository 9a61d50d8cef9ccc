// SPDX-License-Identifier: MIT
/* Links and groups are what the machine says, in whatever order its devices came. */
#define _GNU_SOURCE
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

/* Says the first line that differs. */
static void compare(const char *is, const char *was)
{
	size_t at = 0;

	if (!strcmp(is, was))
		return;
	while (is[at] == was[at])
		at++;
	while (at && is[at - 1] != '\n')
		at--;
	ck_abort_msg("is %.*s, was %.*s", (int)strcspn(is + at, "\n"), is + at, (int)strcspn(was + at, "\n"), was + at);
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
	char *first = snapshot();

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
		compare(again, first);
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

int main(void)
{
	Suite *suite = suite_create("link");
	TCase *tcase = tcase_create("link");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 12);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_test(tcase, links_of_the_machine);
	tcase_add_test(tcase, groups_of_the_machine);
	tcase_add_test(tcase, accesses_follow_links);
	tcase_add_test(tcase, order_does_not_matter);
	tcase_add_test(tcase, each_device_away_in_turn);
	tcase_add_test(tcase, host_bridge_links_are_opt_in);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}
