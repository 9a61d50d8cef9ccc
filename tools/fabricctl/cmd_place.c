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
	puts("usage: fabricctl place COUNT [--bytes N[K|M|G|T]] [--exclude DEVICE,...] [--local] [--json]\n"
	     "       fabricctl place --topology FILE --count COUNT [OPTION...]\n"
	     "\n"
	     "Choose COUNT devices, as well linked as can be had. Nothing is reserved.\n"
	     "\n"
	     "Options:\n"
	     "      --bytes N          free in one region of each device\n"
	     "      --exclude A,B      devices that may not be chosen; may be given more than once\n"
	     "      --local            decide here, even if the daemon runs\n"
	     "      --json             as JSON (fabric.placement/1)\n"
	     "      --help             this text\n"
	     "\n"
	     "With any of these it is decided here, and by bandwidth alone unless --linked is given:\n"
	     "      --count N          instead of COUNT\n"
	     "      --topology FILE    of the machine that this file or captured tree is of; also devices that are not in\n"
	     "                         the fabric\n"
	     "      --objective O      bottleneck-then-sum (default), sum, bottleneck: of pair bandwidths\n"
	     "      --busy A,B         devices that are not free\n"
	     "      --require A,B      devices that have to be chosen\n"
	     "      --linked           only devices that all reach each other in place\n"
	     "      --linked=prefer    such ones, if there are enough that are linked\n"
	     "      --link-type T      any two joined by such a link: xgmi, nvlink, xe_link, cxl, pcie_switch, ...\n"
	     "      --min-mbps N       least bandwidth of any pair\n"
	     "      --group ID         all in that group\n"
	     "      --numa-node N      all at that node\n"
	     "      --same-package     partitions of one device\n"
	     "      --nic NAME         those that no other network card is nearer to");
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
	return 0;
}

/* What was asked, and why it is not to be had. */
static void refused_print(const char *verb, uint64_t count, int r, const char *why_not)
{
	error_print("%s: %llu device%s: %s%s", verb, (unsigned long long)count, count == 1 ? "" : "s",
		    why_not ?: reason(r), why_not ? "" : remedy(r));
}

static int place_here(const char *verb, uint64_t count, uint64_t bytes, const char *const *exclude, size_t n_exclude,
		      int quiet_errno, struct fabricmap_placement **ret, char **ret_why_not)
{
	_cleanup_(map_unrefp) struct fabricmap *map = NULL;
	_cleanup_(freep) char *why_not = NULL;
	int r;

	r = map_open(verb, NULL, &map);
	if (r < 0)
		return r;
	r = fabricmap_place(map, count, bytes, exclude, n_exclude, ret, &why_not);
	map_warn_briefly(verb, NULL, map, r == 0 ? *ret : NULL);
	if (r == 0 || r == quiet_errno)
		return r;
	/* Without the kernel part there is nothing to choose from, whatever was asked. */
	if (!strcmp(fabricmap_source(map), "partial"))
		refused_print(verb, count, -ENOSYS, NULL);
	else
		refused_print(verb, count, r, why_not);
	if (ret_why_not) {
		*ret_why_not = why_not;
		why_not = NULL;
	}
	return r;
}

int place_devices(const char *verb, enum place_by by, uint64_t count, uint64_t bytes, unsigned int flags,
		  const char *const *exclude, size_t n_exclude, int quiet_errno, struct fabricmap_placement **ret,
		  bool *ret_by_daemon, char **ret_why_not)
{
	_cleanup_(client_freep) struct fabricmap_client *client = NULL;
	int r;

	*ret_by_daemon = false;
	if (ret_why_not)
		*ret_why_not = NULL;
	if (by == PLACE_BY_LIBRARY)
		return place_here(verb, count, bytes, exclude, n_exclude, quiet_errno, ret, ret_why_not);
	r = fabricmap_client_connect(NULL, &client);
	if (r == -ENOENT || r == -ECONNREFUSED) {
		error_print("%s: no daemon: decided here", verb);
		return place_here(verb, count, bytes, exclude, n_exclude, quiet_errno, ret, ret_why_not);
	}
	if (r < 0) {
		error_print("%s: the daemon's socket: %s (--local decides without it)", verb, reason(r));
		return r;
	}
	*ret_by_daemon = true;
	r = fabricmap_client_place(client, count, bytes, flags, exclude, n_exclude, ret);
	if (r < 0 && r != quiet_errno)
		error_print("%s: %llu device%s: %s%s", verb, (unsigned long long)count, count == 1 ? "" : "s",
			    fabricmap_client_error(client), r == -ENODEV ? remedy(r) : "");
	/* Without memory it has no words. */
	if (r < 0 && ret_why_not)
		*ret_why_not = strdup(fabricmap_client_error(client));
	return r;
}

static void add_devices(struct json_object *root, const struct fabricmap_placement *placement)
{
	struct json_object *array = json_add_array(root, "placements");

	for (size_t i = 0; i < fabricmap_placement_n_devices(placement); i++) {
		struct json_object *object = json_append_object(array);

		json_add_string(object, "device", fabricmap_placement_device(placement, i));
		json_add_string(object, "region", fabricmap_placement_region(placement, i));
		json_add_int(object, "free_bytes", fabricmap_placement_free_bytes(placement, i));
		json_add_string(object, "reason", fabricmap_placement_reason(placement, i));
		json_add_string(object, "nic", fabricmap_placement_nic(placement, i));
	}
}

static void add_values(struct json_object *root, const char *key, int64_t least_mbps, int64_t sum_mbps)
{
	struct json_object *object = json_add_object(root, key);

	json_add_int(object, "bottleneck_mbps", least_mbps);
	json_add_int(object, "sum_mbps", sum_mbps);
}

static void print_json(const struct fabricmap_placement *placement, bool by_daemon)
{
	struct json_object *root = json_new("fabric.placement/1"), *set, *assumed;
	const char *a, *b;
	int64_t least_mbps, sum_mbps;

	json_add_string(root, "decided_by", by_daemon ? "daemon" : "library");
	json_add_int(root, "generation", fabricmap_placement_generation(placement));
	json_add_bool(root, "found", true);
	set = json_add_array(root, "set");
	for (size_t i = 0; i < fabricmap_placement_n_devices(placement); i++)
		json_append_string(set, fabricmap_placement_device(placement, i));
	add_devices(root, placement);
	json_add_bool(root, "linked", fabricmap_placement_is_linked(placement));
	json_add_int(root, "bottleneck_mbps", fabricmap_placement_bottleneck_mbps(placement));
	json_add_bool(root, "exact", fabricmap_placement_is_exact(placement));
	json_add_bool(root, "proved", fabricmap_placement_is_exact(placement));
	json_add_string(root, "objective", fabricmap_placement_objective(placement));
	fabricmap_placement_value(placement, &least_mbps, &sum_mbps);
	add_values(root, "value", least_mbps, sum_mbps);
	fabricmap_placement_bound(placement, &least_mbps, &sum_mbps);
	add_values(root, "bound", least_mbps, sum_mbps);
	json_add_string(root, "tie_rule", fabricmap_placement_tie_rule(placement));
	json_add_int(root, "n_assumed_pairs", (int64_t)fabricmap_placement_n_assumed(placement));
	assumed = json_add_array(root, "assumed_pairs");
	for (size_t i = 0; fabricmap_placement_assumed(placement, i, &a, &b) == 0; i++) {
		struct json_object *pair = json_append_array(assumed);

		json_append_string(pair, a);
		json_append_string(pair, b);
	}
	json_add_string(root, "reason", NULL);
	json_print(root, false);
}

/* The question was understood, and the answer is no. */
static bool is_refusal(int r)
{
	return r == -ENOSPC || r == -EINVAL || r == -ENODEV || r == -E2BIG;
}

/* The same keys, for whoever reads the output and not the exit status. */
static void print_refusal_json(const char *objective, bool by_daemon, bool proved, const char *why_not)
{
	struct json_object *root = json_new("fabric.placement/1");

	json_add_string(root, "decided_by", by_daemon ? "daemon" : "library");
	json_add_bool(root, "found", false);
	(void)json_add_array(root, "set");
	(void)json_add_array(root, "placements");
	json_add_bool(root, "proved", proved);
	json_add_string(root, "objective", objective);
	add_values(root, "value", FABRICMAP_UNKNOWN, FABRICMAP_UNKNOWN);
	add_values(root, "bound", FABRICMAP_UNKNOWN, FABRICMAP_UNKNOWN);
	json_add_string(root, "tie_rule", NULL);
	json_add_int(root, "n_assumed_pairs", 0);
	(void)json_add_array(root, "assumed_pairs");
	json_add_string(root, "reason", why_not);
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
		table_add(table, fabricmap_placement_region(placement, i) ?: "-");
		table_add(table, fabricmap_placement_region(placement, i) ?
					 size_text(fabricmap_placement_free_bytes(placement, i), text) :
					 "-");
		table_add(table, fabricmap_placement_reason(placement, i) ?: "-");
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
		puts("It is not proved to be the best: there may be a better one");
}

/* "a,b" into @names, which point into @list. */
static size_t names_split(char *list, const char ***names, size_t n)
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

/* What is asked, as far as it is not the daemon's to answer. */
struct ask {
	const char *topology, *objective, *link_type, *group, *nic;
	const char **exclude, **busy, **require;
	size_t n_exclude, n_busy, n_require;
	uint64_t count, bytes, least_mbps, numa_node;
	int linked;
	bool has_count, has_bytes, has_numa_node, same_package;
	bool here; /* an option that only the library knows */
};

static void ask_fini(struct ask *ask)
{
	free(ask->exclude);
	free(ask->busy);
	free(ask->require);
}

static void request_freep(struct fabricmap_request **request)
{
	fabricmap_request_free(*request);
}

static void pool_freep(struct fabricmap_pool **pool)
{
	fabricmap_pool_free(*pool);
}

static int add_names(struct fabricmap_request *request, const char *const *names, size_t n,
		     int (*add)(struct fabricmap_request *request, const char *device))
{
	for (size_t i = 0; i < n; i++) {
		int r = add(request, names[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Return: 0, or as the library; what is wrong with a value has been told. */
static int set_words(struct fabricmap_request *request, const struct ask *ask)
{
	int r = 0;

	if (ask->objective) {
		r = fabricmap_request_set_objective(request, ask->objective);
		if (r == -EINVAL)
			(void)usage_error("place", "place: --objective %s: not bottleneck-then-sum, sum or bottleneck",
					  ask->objective);
	}
	if (r == 0 && ask->link_type) {
		r = fabricmap_request_set_link_type(request, ask->link_type);
		if (r == -EINVAL)
			(void)usage_error("place",
					  "place: --link-type %s: not xgmi, nvlink, xe_link, cxl, pcie_switch, "
					  "pcie_host_bridge or softgpu",
					  ask->link_type);
	}
	return r;
}

/* Everything else that can be wrong in it was looked at when options were read. */
static int request_of(const struct ask *ask, struct fabricmap_request **ret)
{
	_cleanup_(request_freep) struct fabricmap_request *request = NULL;
	int r;

	r = fabricmap_request_new(ask->count, &request);
	if (r < 0)
		return r;
	fabricmap_request_set_bytes(request, ask->bytes);
	fabricmap_request_set_any_device(request, ask->topology != NULL);
	fabricmap_request_set_same_package(request, ask->same_package);
	if (ask->has_numa_node)
		fabricmap_request_set_numa_node(request, (int64_t)ask->numa_node);
	r = fabricmap_request_set_linked(request, ask->linked);
	if (r == 0)
		r = fabricmap_request_set_least_mbps(request, (int64_t)ask->least_mbps);
	if (r == 0)
		r = set_words(request, ask);
	if (r == 0 && ask->group)
		r = fabricmap_request_set_group(request, ask->group);
	if (r == 0 && ask->nic)
		r = fabricmap_request_set_nic(request, ask->nic);
	if (r == 0)
		r = add_names(request, ask->exclude, ask->n_exclude, fabricmap_request_add_excluded);
	if (r == 0)
		r = add_names(request, ask->busy, ask->n_busy, fabricmap_request_add_busy);
	if (r == 0)
		r = add_names(request, ask->require, ask->n_require, fabricmap_request_add_required);
	if (r == 0) {
		*ret = request;
		request = NULL;
	}
	return r;
}

/* By the library alone, with all that a request can have. */
static int place_by_request(const struct ask *ask, bool json)
{
	_cleanup_(map_unrefp) struct fabricmap *map = NULL;
	_cleanup_(pool_freep) struct fabricmap_pool *pool = NULL;
	_cleanup_(request_freep) struct fabricmap_request *request = NULL;
	_cleanup_(placement_freep) struct fabricmap_placement *placement = NULL;
	_cleanup_(freep) char *why_not = NULL;
	int r;

	r = request_of(ask, &request);
	if (r == -EINVAL)
		return EXIT_USAGE;
	if (r == 0 && (ask->topology ? map_load("place", ask->topology, &map) : map_open("place", NULL, &map)) < 0)
		return EXIT_FAILED;
	if (r == 0)
		r = fabricmap_pool_new(map, &pool);
	if (r == 0)
		r = fabricmap_pool_place(pool, request, &placement, &why_not);
	if (map)
		map_warn_briefly("place", ask->topology, map, placement);
	if (r < 0) {
		/* Without the kernel part this machine has nothing to choose from. */
		if (!ask->topology && map && !strcmp(fabricmap_source(map), "partial"))
			refused_print("place", ask->count, -ENOSYS, NULL);
		else
			refused_print("place", ask->count, r, why_not);
		if (json && is_refusal(r))
			print_refusal_json(ask->objective ?: "bottleneck-then-sum", false,
					   pool && fabricmap_pool_refusal_is_proved(pool), why_not);
		return EXIT_FAILED;
	}
	if (json)
		print_json(placement, false);
	else
		print_text(placement);
	return EXIT_DONE;
}

enum {
	OPT_BUSY = 256,
	OPT_BYTES,
	OPT_COUNT,
	OPT_EXCLUDE,
	OPT_GROUP,
	OPT_LINKED,
	OPT_LINK_TYPE,
	OPT_LOCAL,
	OPT_MIN_MBPS,
	OPT_NIC,
	OPT_NUMA_NODE,
	OPT_OBJECTIVE,
	OPT_REQUIRE,
	OPT_SAME_PACKAGE,
	OPT_TOPOLOGY,
};

static const struct option options[] = {
	{ "busy", required_argument, NULL, OPT_BUSY },
	{ "bytes", required_argument, NULL, OPT_BYTES },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "exclude", required_argument, NULL, OPT_EXCLUDE },
	{ "group", required_argument, NULL, OPT_GROUP },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'j' },
	{ "link-type", required_argument, NULL, OPT_LINK_TYPE },
	{ "linked", optional_argument, NULL, OPT_LINKED },
	{ "local", no_argument, NULL, OPT_LOCAL },
	{ "min-mbps", required_argument, NULL, OPT_MIN_MBPS },
	{ "nic", required_argument, NULL, OPT_NIC },
	{ "numa-node", required_argument, NULL, OPT_NUMA_NODE },
	{ "objective", required_argument, NULL, OPT_OBJECTIVE },
	{ "require", required_argument, NULL, OPT_REQUIRE },
	{ "same-package", no_argument, NULL, OPT_SAME_PACKAGE },
	{ "topology", required_argument, NULL, OPT_TOPOLOGY },
	{ 0 },
};

/* Return: EXIT_DONE, or the exit status for what is wrong with it. */
static int read_count(const char *text, struct ask *ask)
{
	if (ask->has_count)
		return usage_error("place", "place: more than one COUNT");
	if (number_parse(text, INT64_MAX, &ask->count) < 0 || ask->count == 0)
		return usage_error("place", "place: %s: not a number of devices (1 or more)", text);
	ask->has_count = true;
	return EXIT_DONE;
}

static int read_number(const char *option, const char *text, uint64_t max, uint64_t *ret)
{
	if (number_parse(text, max, ret) < 0)
		return usage_error("place", "place: --%s %s: not a number up to %llu", option, text,
				   (unsigned long long)max);
	return EXIT_DONE;
}

/* An option that only the library knows. */
static int read_wish(int option, char *value, struct ask *ask)
{
	ask->here = true;
	switch (option) {
	case OPT_TOPOLOGY:
		ask->topology = value;
		return EXIT_DONE;
	case OPT_COUNT:
		return read_count(value, ask);
	case OPT_OBJECTIVE:
		ask->objective = value;
		return EXIT_DONE;
	case OPT_BUSY:
		ask->n_busy = names_split(value, &ask->busy, ask->n_busy);
		return EXIT_DONE;
	case OPT_REQUIRE:
		ask->n_require = names_split(value, &ask->require, ask->n_require);
		return EXIT_DONE;
	case OPT_LINKED:
		if (value && strcmp(value, "prefer") != 0)
			return usage_error("place", "place: --linked=%s: not --linked or --linked=prefer", value);
		ask->linked = value ? FABRICMAP_LINKED_PREFERRED : FABRICMAP_LINKED_REQUIRED;
		return EXIT_DONE;
	case OPT_LINK_TYPE:
		ask->link_type = value;
		return EXIT_DONE;
	case OPT_MIN_MBPS:
		return read_number("min-mbps", value, INT64_MAX, &ask->least_mbps);
	case OPT_GROUP:
		ask->group = value;
		return EXIT_DONE;
	case OPT_NIC:
		ask->nic = value;
		return EXIT_DONE;
	case OPT_NUMA_NODE:
		ask->has_numa_node = true;
		return read_number("numa-node", value, INT32_MAX, &ask->numa_node);
	case OPT_SAME_PACKAGE:
		ask->same_package = true;
		return EXIT_DONE;
	default:
		return usage_hint("place");
	}
}

int cmd_place(int argc, char **argv)
{
	_cleanup_(placement_freep) struct fabricmap_placement *placement = NULL;
	_cleanup_(ask_fini) struct ask ask = { 0 };
	enum place_by arg_by = PLACE_BY_ANY;
	_cleanup_(freep) char *why_not = NULL;
	bool arg_json = false, by_daemon;
	int c, r, status;

	while ((c = getopt_long(argc, argv, "hj", options, NULL)) >= 0) {
		switch (c) {
		case OPT_BYTES:
			if (size_parse(optarg, &ask.bytes) < 0)
				return usage_error("place", "place: --bytes %s: not a size (such as 256M)", optarg);
			ask.has_bytes = true;
			break;
		case OPT_EXCLUDE:
			ask.n_exclude = names_split(optarg, &ask.exclude, ask.n_exclude);
			break;
		case 'h':
			return help();
		case 'j':
			arg_json = true;
			break;
		case OPT_LOCAL:
			arg_by = PLACE_BY_LIBRARY;
			break;
		default:
			status = read_wish(c, optarg, &ask);
			if (status != EXIT_DONE)
				return status;
			break;
		}
	}
	if (optind < argc) {
		status = optind + 1 < argc ? usage_error("place", "place: more than one COUNT") :
					     read_count(argv[optind], &ask);
		if (status != EXIT_DONE)
			return status;
	}
	if (!ask.has_count)
		return usage_error("place", "place: no COUNT: how many devices?");
	if (ask.here)
		return place_by_request(&ask, arg_json);
	if (!ask.has_bytes)
		return usage_error("place", "place: no --bytes: how much memory on each device?");
	r = place_devices("place", arg_by, ask.count, ask.bytes, 0, ask.exclude, ask.n_exclude, 0, &placement,
			  &by_daemon, &why_not);
	if (r < 0) {
		/* Nobody has said whether it is proved. */
		if (arg_json && is_refusal(r))
			print_refusal_json("bottleneck-then-sum", by_daemon, false, why_not);
		return EXIT_FAILED;
	}
	if (arg_json)
		print_json(placement, by_daemon);
	else
		print_text(placement);
	return EXIT_DONE;
}
