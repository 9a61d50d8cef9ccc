// SPDX-License-Identifier: MIT
/* fabricctl place: which devices for a job? And what other verbs need of it. */
#include "fabricctl.h"

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

static int help(void)
{
	puts("usage: fabricctl place COUNT --bytes N[K|M|G|T] [--exclude DEVICE,...] [--local] [--json]\n"
	     "\n"
	     "Choose COUNT devices, each with N bytes free, as well linked as can be had. Nothing is reserved.\n"
	     "\n"
	     "Options:\n"
	     "      --bytes N      free in one region of each device\n"
	     "      --exclude A,B  devices that may not be chosen; may be given more than once\n"
	     "      --local        decide here, even if the daemon runs\n"
	     "      --json         as JSON (fabric.placement/1)\n"
	     "      --help         this text");
	return EXIT_DONE;
}

void map_unrefp(struct fabricmap **map)
{
	fabricmap_unref(*map);
}

void placement_freep(struct fabricmap_placement **placement)
{
	fabricmap_placement_free(*placement);
}

void client_freep(struct fabricmap_client **client)
{
	fabricmap_client_free(*client);
}

int map_open(const char *verb, const char *root, struct fabricmap **ret)
{
	int r;

	r = fabricmap_open(root, ret);
	if (r < 0) {
		error_print("%s: %s: %s", verb, root ?: "/sys", reason(r));
		return r;
	}
	map_warn(verb, *ret);
	return 0;
}

static int place_here(const char *verb, uint64_t count, uint64_t bytes, const char *const *exclude, size_t n_exclude,
		      int quiet_errno, struct fabricmap_placement **ret)
{
	_cleanup_(map_unrefp) struct fabricmap *map = NULL;
	_cleanup_(freep) char *why_not = NULL;
	int r;

	r = map_open(verb, NULL, &map);
	if (r < 0)
		return r;
	r = fabricmap_place(map, count, bytes, exclude, n_exclude, ret, &why_not);
	if (r == 0 || r == quiet_errno)
		return r;
	/* Without the kernel part there is nothing to choose from, whatever was asked. */
	if (!strcmp(fabricmap_source(map), "partial"))
		error_print("%s: %llu devices: %s%s", verb, (unsigned long long)count, reason(-ENOSYS),
			    remedy(-ENOSYS));
	else
		error_print("%s: %llu devices: %s%s", verb, (unsigned long long)count, why_not ?: reason(r),
			    r == -ENODEV ? remedy(r) : "");
	return r;
}

int place_devices(const char *verb, enum place_by by, uint64_t count, uint64_t bytes, unsigned int flags,
		  const char *const *exclude, size_t n_exclude, int quiet_errno, struct fabricmap_placement **ret,
		  bool *ret_by_daemon)
{
	_cleanup_(client_freep) struct fabricmap_client *client = NULL;
	int r;

	*ret_by_daemon = false;
	if (by == PLACE_BY_LIBRARY)
		return place_here(verb, count, bytes, exclude, n_exclude, quiet_errno, ret);
	r = fabricmap_client_connect(NULL, &client);
	if (r == -ENOENT || r == -ECONNREFUSED) {
		error_print("%s: no daemon: decided here", verb);
		return place_here(verb, count, bytes, exclude, n_exclude, quiet_errno, ret);
	}
	if (r < 0) {
		error_print("%s: the daemon's socket: %s (--local decides without it)", verb, reason(r));
		return r;
	}
	*ret_by_daemon = true;
	r = fabricmap_client_place(client, count, bytes, flags, exclude, n_exclude, ret);
	if (r < 0 && r != quiet_errno)
		error_print("%s: %llu devices: %s%s", verb, (unsigned long long)count, fabricmap_client_error(client),
			    r == -ENODEV ? remedy(r) : "");
	return r;
}

static void print_json(const struct fabricmap_placement *placement, bool by_daemon)
{
	struct json_object *root = json_new("fabric.placement/1"), *array;

	json_add_string(root, "decided_by", by_daemon ? "daemon" : "library");
	json_add_int(root, "generation", fabricmap_placement_generation(placement));
	array = json_add_array(root, "placements");
	for (size_t i = 0; i < fabricmap_placement_n_devices(placement); i++) {
		struct json_object *object = json_append_object(array);

		json_add_string(object, "device", fabricmap_placement_device(placement, i));
		json_add_string(object, "region", fabricmap_placement_region(placement, i));
		json_add_int(object, "free_bytes", fabricmap_placement_free_bytes(placement, i));
		json_add_string(object, "reason", fabricmap_placement_reason(placement, i));
	}
	json_add_bool(root, "linked", fabricmap_placement_is_linked(placement));
	json_add_int(root, "bottleneck_mbps", fabricmap_placement_bottleneck_mbps(placement));
	json_add_bool(root, "exact", fabricmap_placement_is_exact(placement));
	json_print(root, false);
}

static void print_text(const struct fabricmap_placement *placement)
{
	static const char *const heads[] = { "DEVICE", "REGION", "FREE", "WHY" };
	_cleanup_(table_freep) struct table *table = table_new(4);
	int64_t bottleneck_mbps = fabricmap_placement_bottleneck_mbps(placement);
	char text[SIZE_TEXT_SIZE];

	for (size_t i = 0; i < 4; i++)
		table_add(table, heads[i]);
	for (size_t i = 0; i < fabricmap_placement_n_devices(placement); i++) {
		table_add(table, fabricmap_placement_device(placement, i));
		table_add(table, fabricmap_placement_region(placement, i));
		table_add(table, size_text(fabricmap_placement_free_bytes(placement, i), text));
		table_add(table, fabricmap_placement_reason(placement, i));
	}
	table_print(table);
	if (fabricmap_placement_n_devices(placement) < 2)
		return;
	printf("\n%s, bottleneck ", fabricmap_placement_is_linked(placement) ? "All linked" : "Not all linked");
	if (bottleneck_mbps == FABRICMAP_UNKNOWN)
		puts("unknown");
	else
		printf("%lld MB/s\n", (long long)bottleneck_mbps);
	if (!fabricmap_placement_is_exact(placement))
		puts("Not every choice was tried: there may be a better one");
}

/* "a,b" into @names, which point into @list. */
static size_t exclude_split(char *list, const char ***names, size_t n)
{
	char *state = NULL;

	for (char *name = strtok_r(list, ",", &state); name; name = strtok_r(NULL, ",", &state)) {
		*names = reallocarray(*names, n + 1, sizeof(**names));
		if (!*names)
			err(EXIT_FAILED, "memory");
		(*names)[n++] = name;
	}
	return n;
}

int cmd_place(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bytes", required_argument, NULL, 'B' }, { "exclude", required_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },	   { "json", no_argument, NULL, 'j' },
		{ "local", no_argument, NULL, 'l' },	   { 0 },
	};
	_cleanup_(placement_freep) struct fabricmap_placement *placement = NULL;
	_cleanup_(freep) const char **exclude = NULL;
	enum place_by arg_by = PLACE_BY_ANY;
	uint64_t arg_bytes = 0, arg_count;
	bool arg_json = false, has_bytes = false, by_daemon;
	size_t n_exclude = 0;
	int c;

	while ((c = getopt_long(argc, argv, "hj", options, NULL)) >= 0) {
		switch (c) {
		case 'B':
			if (size_parse(optarg, &arg_bytes) < 0)
				return usage_error("place", "place: --bytes %s: not a size (such as 256M)", optarg);
			has_bytes = true;
			break;
		case 'x':
			n_exclude = exclude_split(optarg, &exclude, n_exclude);
			break;
		case 'h':
			return help();
		case 'j':
			arg_json = true;
			break;
		case 'l':
			arg_by = PLACE_BY_LIBRARY;
			break;
		default:
			return usage_hint("place");
		}
	}
	if (optind + 1 != argc)
		return usage_error("place", "place: %s", optind < argc ? "more than one COUNT" : "no COUNT");
	if (number_parse(argv[optind], INT64_MAX, &arg_count) < 0 || arg_count == 0)
		return usage_error("place", "place: %s: not a number of devices", argv[optind]);
	if (!has_bytes)
		return usage_error("place", "place: no --bytes");
	if (place_devices("place", arg_by, arg_count, arg_bytes, 0, exclude, n_exclude, 0, &placement, &by_daemon) < 0)
		return EXIT_FAILED;
	if (arg_json)
		print_json(placement, by_daemon);
	else
		print_text(placement);
	return EXIT_DONE;
}
