// SPDX-License-Identifier: MIT
/*
 * fabricctl run-check: the whole way once. Ordinary memory goes to a device, is computed on there and by its peers,
 * and has to be, byte for byte, what the CPU makes of the same numbers. Talks to software GPUs.
 */
#include "fabricctl.h"
#include "softgpu.h"

#include <err.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <json-c/json.h>

enum { DEVICES_MAX = 64 };

struct check_device {
	const char *name, *region;
	int render_fd, devmem_fd;
	size_t index; /* in the map */
};

struct check {
	uint64_t seed, bytes;
	bool by_daemon, plant;
	struct fabricmap *map;
	struct fabricmap_placement *placement;
	struct check_device devices[DEVICES_MAX];
	size_t n_devices;
	size_t n_words;
	uint64_t *a, *b; /* mapped; what the devices work on */
	uint64_t *expected; /* what the CPU makes of a */
	uint64_t n_failed, n_steps;
	struct json_object *json; /* the result, or NULL for text */
	struct json_object *steps;
};

static int help(void)
{
	puts("usage: fabricctl run-check [--bytes N] [--devices N] [--seed N] [--local] [--json]\n"
	     "\n"
	     "Put memory on devices, compute there and over the links, and compare with the CPU.\n"
	     "\n"
	     "Options:\n"
	     "      --bytes N            memory to put on each device (default 16M)\n"
	     "      --devices N          how many (default 2, or 1 if there are no two)\n"
	     "      --seed N             of the pattern (default: random)\n"
	     "      --local              choose devices here, even if the daemon runs\n"
	     "      --plant-corruption   change one byte before comparing: the check must fail\n"
	     "      --json               as JSON (fabric.run_check/1)\n"
	     "      --help               this text");
	return EXIT_DONE;
}

/* One step: what, on which device, and how it went. */
static void __attribute__((format(printf, 5, 6)))
step(struct check *check, const char *name, const char *device, bool passed, const char *format, ...)
{
	_cleanup_(freep) char *detail = NULL;
	struct json_object *object;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&detail, format, ap) < 0)
		err(EXIT_FAILED, "memory");
	va_end(ap);
	check->n_steps++;
	if (!passed)
		check->n_failed++;
	if (!check->json) {
		printf("%-9s %-12s %s%s\n", name, device, passed ? "" : "FAILED: ", detail);
		fflush(stdout);
		return;
	}
	object = json_append_object(check->steps);
	json_add_string(object, "name", name);
	json_add_string(object, "device", device);
	json_add_bool(object, "passed", passed);
	json_add_string(object, "detail", detail);
}

/* splitmix64: any seed is good, and word i can be had without those before it. */
static uint64_t pattern(uint64_t seed, uint64_t i)
{
	uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t checksum(const uint64_t *words, size_t n_words)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n_words; i++)
		sum += words[i] * (2 * i + 1);
	return sum;
}

static int check_open_devices(struct check *check)
{
	int r;

	check->n_devices = fabricmap_placement_n_devices(check->placement);
	for (size_t i = 0; i < check->n_devices; i++)
		check->devices[i] = (struct check_device){ .render_fd = -1, .devmem_fd = -1 };
	for (size_t i = 0; i < check->n_devices; i++) {
		struct check_device *device = &check->devices[i];
		const struct fabricmap_device *known;
		const char *node;

		device->name = fabricmap_placement_device(check->placement, i);
		device->region = fabricmap_placement_region(check->placement, i);
		known = fabricmap_device_find(check->map, device->name);
		node = known ? fabricmap_device_render_node(known) : NULL;
		if (!node) {
			error_print("run-check: %s: no render node", device->name);
			return -ENODEV;
		}
		for (size_t j = 0; j < fabricmap_n_devices(check->map); j++)
			if (fabricmap_device_at(check->map, j) == known)
				device->index = j;
		device->render_fd = softgpu_open(node);
		if (device->render_fd < 0) {
			r = device->render_fd;
			error_print("run-check: %s: %s: %s%s", device->name, node,
				    r == -EOPNOTSUPP ? "not a software GPU, and this check knows no other" : reason(r),
				    remedy(r));
			return r;
		}
		device->devmem_fd = fabricmap_placement_take_fd(check->placement, i);
		if (device->devmem_fd < 0)
			device->devmem_fd = fabricmap_devmem_open(device->name, device->region);
		if (device->devmem_fd < 0) {
			r = device->devmem_fd;
			error_print("run-check: %s/%s: devmem fd: %s%s", device->name, device->region, reason(r),
				    remedy(r));
			return r;
		}
	}
	return 0;
}

static void check_residency(struct check *check, const struct check_device *device, const uint64_t *words,
			    bool must_be_there)
{
	struct fabricmap_residency residency;
	int r;

	r = fabricmap_devmem_residency(device->devmem_fd, words, check->bytes, &residency);
	if (r < 0) {
		step(check, "residency", device->name, false, "%s", reason(r));
		return;
	}
	step(check, "residency", device->name, !must_be_there || residency.region_bytes == check->bytes,
	     "%llu bytes in %s, %llu elsewhere in the fabric, %llu in system memory, %llu nowhere; %llu dead",
	     (unsigned long long)residency.region_bytes, device->region, (unsigned long long)residency.other_bytes,
	     (unsigned long long)residency.system_bytes, (unsigned long long)residency.absent_bytes,
	     (unsigned long long)residency.dead_bytes);
}

/* ": 4096 pinned, 8192 swapped out", or nothing. */
static char *refused_text(const struct fabricmap_populate *result)
{
	char *text = NULL;
	size_t size;
	FILE *file;

	file = open_memstream(&text, &size);
	if (!file)
		err(EXIT_FAILED, "memory");
	for (size_t i = 0; i < FABRICMAP_N_REFUSED; i++)
		if (result->refused_bytes[i] > 0)
			fprintf(file, "%s %llu %s", ftell(file) > 0 ? "," : ":",
				(unsigned long long)result->refused_bytes[i], fabricmap_refused_name(i));
	if (fclose(file) != 0)
		err(EXIT_FAILED, "memory");
	return text;
}

static void check_populate(struct check *check, const struct check_device *device, const uint64_t *words)
{
	struct fabricmap_populate result;
	_cleanup_(freep) char *refused = NULL;
	uint64_t refused_bytes = 0;
	int r;

	r = fabricmap_devmem_populate(device->devmem_fd, words, check->bytes, 0, &result);
	for (size_t i = 0; i < FABRICMAP_N_REFUSED; i++)
		refused_bytes += result.refused_bytes[i];
	refused = refused_text(&result);
	step(check, "populate", device->name, r == 0 && refused_bytes == 0,
	     "%s%s%llu bytes moved, %llu there already, %llu refused%s", r < 0 ? reason(r) : "", r < 0 ? ": " : "",
	     (unsigned long long)result.moved_bytes, (unsigned long long)result.present_bytes,
	     (unsigned long long)refused_bytes, refused);
	check_residency(check, device, words, true);
}

static bool is_linked(const struct check *check, const struct check_device *accessor, const struct check_device *owner)
{
	const struct fabricmap_link *link = fabricmap_link_find(check->map, accessor->index, owner->index);

	return link && fabricmap_link_is_up(link);
}

/* @owner: where the words are. Over a link they must be read in place. */
static void check_checksum(struct check *check, const struct check_device *device, const struct check_device *owner)
{
	uint64_t expected = checksum(check->expected, check->n_words);
	struct softgpu_result result;
	bool in_place;
	int r;

	r = softgpu_checksum(device->render_fd, check->a, check->n_words, &result);
	if (r < 0) {
		step(check, "checksum", device->name, false, "%s", reason(r));
		return;
	}
	in_place = device == owner		   ? result.local_bytes == check->bytes :
		   is_linked(check, device, owner) ? result.peer_bytes == check->bytes :
						     result.peer_bytes == 0;
	step(check, "checksum", device->name, result.result == expected && in_place,
	     "%016llx, expected %016llx%s; bytes local %llu, peer %llu, system %llu; faults %llu",
	     (unsigned long long)result.result, (unsigned long long)expected,
	     in_place ? "" : ", not read where it should be", (unsigned long long)result.local_bytes,
	     (unsigned long long)result.peer_bytes, (unsigned long long)result.system_bytes,
	     (unsigned long long)result.faults);
}

static void check_add(struct check *check, const struct check_device *device)
{
	struct softgpu_result result;
	int r;

	r = softgpu_add(device->render_fd, check->a, check->b, check->n_words, &result);
	if (r < 0) {
		step(check, "add", device->name, false, "%s", reason(r));
		return;
	}
	for (size_t i = 0; i < check->n_words; i++)
		check->expected[i] += pattern(~check->seed, i);
	step(check, "add", device->name, true, "bytes local %llu, peer %llu, system %llu; faults %llu",
	     (unsigned long long)result.local_bytes, (unsigned long long)result.peer_bytes,
	     (unsigned long long)result.system_bytes, (unsigned long long)result.faults);
}

/* The CPU reads, and thereby brings home. */
static void check_compare(struct check *check)
{
	const unsigned char *got = (const unsigned char *)check->a, *expected = (const unsigned char *)check->expected;
	uint64_t n_wrong = 0, first = 0;

	if (check->plant)
		((unsigned char *)check->a)[pattern(check->seed, 0) % check->bytes] ^= 0x10;
	for (uint64_t i = 0; i < check->bytes; i++)
		if (got[i] != expected[i] && n_wrong++ == 0)
			first = i;
	for (size_t i = 0; i < check->n_words; i++)
		if (check->b[i] != pattern(~check->seed, i))
			n_wrong++;
	if (n_wrong == 0)
		step(check, "compare", "cpu", true, "%llu bytes as the CPU has them",
		     (unsigned long long)(2 * check->bytes));
	else
		step(check, "compare", "cpu", false, "%llu differ, the first at offset %llu",
		     (unsigned long long)n_wrong, (unsigned long long)first);
}

static uint64_t *memory_map(uint64_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int check_run(struct check *check)
{
	const struct check_device *first = &check->devices[0], *last = &check->devices[check->n_devices - 1];

	check->n_words = check->bytes / sizeof(*check->a);
	check->a = memory_map(check->bytes);
	check->b = memory_map(check->bytes);
	check->expected = malloc(check->bytes);
	if (!check->a || !check->b || !check->expected) {
		error_print("run-check: no memory for 3 times %llu bytes (try a smaller --bytes)",
			    (unsigned long long)check->bytes);
		return -ENOMEM;
	}
	for (size_t i = 0; i < check->n_words; i++) {
		check->a[i] = check->expected[i] = pattern(check->seed, i);
		check->b[i] = pattern(~check->seed, i);
	}
	check_populate(check, first, check->a);
	check_checksum(check, first, first);
	for (size_t i = 1; i < check->n_devices; i++) {
		check_checksum(check, &check->devices[i], first);
		/* A read over a link must not have moved anything. */
		check_residency(check, first, check->a, is_linked(check, &check->devices[i], first));
		check_populate(check, first, check->a);
	}
	check_populate(check, last, check->b);
	check_add(check, first);
	check_compare(check);
	return 0;
}

static void check_fini(struct check *check)
{
	for (size_t i = 0; i < check->n_devices; i++) {
		closep(&check->devices[i].render_fd);
		closep(&check->devices[i].devmem_fd);
	}
	if (check->a)
		(void)munmap(check->a, check->bytes); /* cannot fail: it is what mmap() gave */
	if (check->b)
		(void)munmap(check->b, check->bytes);
	free(check->expected);
	fabricmap_placement_free(check->placement);
	fabricmap_unref(check->map);
}

static int check_report(struct check *check)
{
	if (check->json) {
		json_add_bool(check->json, "passed", check->n_failed == 0);
		json_print(check->json, false);
	} else if (check->n_failed > 0) {
		printf("run-check: FAIL: %llu of %llu steps failed, seed %llu\n", (unsigned long long)check->n_failed,
		       (unsigned long long)check->n_steps, (unsigned long long)check->seed);
	} else {
		printf("run-check: PASS: %llu steps, %zu devices, %llu bytes, seed %llu\n",
		       (unsigned long long)check->n_steps, check->n_devices, (unsigned long long)check->bytes,
		       (unsigned long long)check->seed);
	}
	return check->n_failed > 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Choose devices; without a number asked for, one has to do where there are no two. */
static int check_place(struct check *check, enum place_by by, uint64_t count)
{
	uint64_t wanted = count ?: 2;
	int r;

	r = place_devices("run-check", by, wanted, 2 * check->bytes, FABRICMAP_PLACE_HANDLES, NULL, 0,
			  count ? 0 : -ENOSPC, &check->placement, &check->by_daemon, NULL);
	if (r != -ENOSPC || count)
		return r;
	error_print("run-check: no two devices: one only, and no link is tried");
	return place_devices("run-check", by, 1, 2 * check->bytes, FABRICMAP_PLACE_HANDLES, NULL, 0, 0,
			     &check->placement, &check->by_daemon, NULL);
}

static void check_begin_report(struct check *check, bool json)
{
	char seed[32];

	if (!json) {
		printf("run-check: seed %llu, %llu bytes, placed by the %s:", (unsigned long long)check->seed,
		       (unsigned long long)check->bytes, check->by_daemon ? "daemon" : "library");
		for (size_t i = 0; i < check->n_devices; i++)
			printf(" %s", check->devices[i].name);
		putchar('\n');
		return;
	}
	check->json = json_new("fabric.run_check/1");
	json_add_string(check->json, "decided_by", check->by_daemon ? "daemon" : "library");
	/* Seeds above 2^63 do not fit the integers of many readers: as text. */
	(void)snprintf(seed, sizeof(seed), "%llu", (unsigned long long)check->seed);
	json_add_string(check->json, "seed", seed);
	json_add_int(check->json, "bytes", (int64_t)check->bytes);
	check->steps = json_add_array(check->json, "devices");
	for (size_t i = 0; i < check->n_devices; i++)
		json_object_array_add(check->steps, json_object_new_string(check->devices[i].name));
	check->steps = json_add_array(check->json, "steps");
}

int cmd_run_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bytes", required_argument, NULL, 'B' }, { "devices", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },	   { "json", no_argument, NULL, 'j' },
		{ "local", no_argument, NULL, 'l' },	   { "plant-corruption", no_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 's' },  { 0 },
	};
	_cleanup_(check_fini) struct check check = { .bytes = 16 << 20 };
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), arg_devices = 0;
	bool arg_json = false, has_seed = false;
	enum place_by arg_by = PLACE_BY_ANY;
	int c;

	while ((c = getopt_long(argc, argv, "hj", options, NULL)) >= 0) {
		switch (c) {
		case 'B':
			if (size_parse(optarg, &check.bytes) < 0 || check.bytes == 0 || check.bytes > 1ULL << 40)
				return usage_error("run-check", "run-check: --bytes %s: not a size (such as 16M)",
						   optarg);
			check.bytes = (check.bytes + page_bytes - 1) / page_bytes * page_bytes;
			break;
		case 'd':
			if (number_parse(optarg, DEVICES_MAX, &arg_devices) < 0 || arg_devices == 0)
				return usage_error("run-check", "run-check: --devices %s: not from 1 to %d", optarg,
						   DEVICES_MAX);
			break;
		case 'h':
			return help();
		case 'j':
			arg_json = true;
			break;
		case 'l':
			arg_by = PLACE_BY_LIBRARY;
			break;
		case 'p':
			check.plant = true;
			break;
		case 's':
			if (number_parse(optarg, UINT64_MAX, &check.seed) < 0)
				return usage_error("run-check", "run-check: --seed %s: not a number", optarg);
			has_seed = true;
			break;
		default:
			return usage_hint("run-check");
		}
	}
	if (optind < argc)
		return usage_error("run-check", "run-check: one argument too many: %s", argv[optind]);
	/* Small enough to be typed again. */
	if (!has_seed) {
		if (getrandom(&check.seed, sizeof(check.seed), 0) != (ssize_t)sizeof(check.seed))
			err(EXIT_FAILED, "getrandom");
		check.seed >>= 32;
	}
	if (check_place(&check, arg_by, arg_devices) < 0)
		return EXIT_FAILED;
	if (fabricmap_placement_n_devices(check.placement) > DEVICES_MAX ||
	    fabricmap_placement_n_devices(check.placement) == 0) {
		error_print("run-check: the placement has not as many devices as were asked");
		return EXIT_FAILED;
	}
	if (map_open("run-check", NULL, &check.map) < 0 || check_open_devices(&check) < 0)
		return EXIT_FAILED;
	check_begin_report(&check, arg_json);
	if (check_run(&check) < 0) {
		json_object_put(check.json);
		return EXIT_FAILED;
	}
	return check_report(&check);
}
