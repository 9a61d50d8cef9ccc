// SPDX-License-Identifier: MIT
/*
 * A range of ordinary memory, and what becomes of it. One process and one thread: it answers each line on stdin with
 * one line, "ok" and name=value words, or "error" and the reason.
 *
 * A second copy of the range stays in system memory, where no device is told of it: that is what the range is compared
 * with, byte by byte. A byte that was found wrong counts once.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fabricmap.h>

enum { DEVICES_MAX = 8, WORDS_MAX = 4 };

struct place {
	char device[FABRICMAP_DEVICE_NAME_SIZE];
	int devmem_fd; /* -1: no handle */
	int render_fd; /* -1: not used for computing yet */
};

struct memory {
	size_t size;
	uint64_t seed, sum;
	unsigned char *data, *copy;
	struct place places[DEVICES_MAX];
	size_t n_places;
};

static int say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	return 0;
}

static int say_error(const char *what, int r)
{
	return say("error %s: %s", what, strerror(-r));
}

static struct place *place_get(struct memory *memory, const char *device)
{
	struct place *place;

	for (size_t i = 0; i < memory->n_places; i++)
		if (!strcmp(memory->places[i].device, device))
			return &memory->places[i];
	if (memory->n_places == DEVICES_MAX)
		return NULL;
	place = &memory->places[memory->n_places++];
	*place = (struct place){ .devmem_fd = -1, .render_fd = -1 };
	snprintf(place->device, sizeof(place->device), "%s", device);
	return place;
}

/* place COUNT [EXCLUDE]: ask the daemon for devices, and take the handles that come with them. */
static int cmd_place(struct memory *memory, char **words)
{
	const char *exclude[] = { words[2] };
	struct fabricmap_placement *placement;
	struct fabricmap_client *client;
	char names[DEVICES_MAX * FABRICMAP_DEVICE_NAME_SIZE] = "";
	int r;

	r = fabricmap_client_connect(NULL, &client);
	if (r < 0)
		return say_error("the daemon", r);
	r = fabricmap_client_place(client, strtoull(words[1] ?: "1", NULL, 0), memory->size, FABRICMAP_PLACE_HANDLES,
				   exclude, words[2] ? 1 : 0, &placement);
	if (r < 0) {
		say("error %s", fabricmap_client_error(client));
		fabricmap_client_free(client);
		return 0;
	}
	for (size_t i = 0; i < fabricmap_placement_n_devices(placement) && i < DEVICES_MAX; i++) {
		struct place *place = place_get(memory, fabricmap_placement_device(placement, i));

		if (!place)
			break;
		if (place->devmem_fd >= 0)
			close(place->devmem_fd);
		place->devmem_fd = fabricmap_placement_take_fd(placement, i);
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? "," : "", place->device);
	}
	say("ok devices=%s linked=%d", names, fabricmap_placement_is_linked(placement));
	fabricmap_placement_free(placement);
	fabricmap_client_free(client);
	return 0;
}

/* fill: with what the seed gives; no two words alike. */
static int cmd_fill(struct memory *memory, char **words)
{
	uint64_t start = now_ms(), *data = (uint64_t *)memory->data, *copy = (uint64_t *)memory->copy;

	(void)words;
	memory->sum = 0;
	for (size_t i = 0; i < memory->size / sizeof(*data); i++) {
		uint64_t x = memory->seed + i * 0x9e3779b97f4a7c15u;

		x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
		data[i] = copy[i] = x ^ (x >> 27);
		memory->sum += data[i] * (2 * i + 1);
	}
	return say("ok sum=%016llx ms=%llu", (unsigned long long)memory->sum, (unsigned long long)(now_ms() - start));
}

/* move DEVICE: into its memory, through the handle from the daemon. */
static int cmd_move(struct memory *memory, char **words)
{
	struct place *place = place_get(memory, words[1] ?: "");
	struct fabricmap_populate result = { 0 };
	uint64_t start = now_ms(), refused = 0;
	int r;

	r = place ? fabricmap_devmem_populate(place->devmem_fd, memory->data, memory->size, 0, &result) : -ENODEV;
	if (r < 0)
		return say_error("populate", r);
	for (size_t i = 0; i < FABRICMAP_N_REFUSED; i++)
		refused += result.refused_bytes[i];
	return say("ok moved=%llu present=%llu refused=%llu ms=%llu", (unsigned long long)result.moved_bytes,
		   (unsigned long long)result.present_bytes, (unsigned long long)refused,
		   (unsigned long long)(now_ms() - start));
}

/* sum DEVICE: the device computes the checksum of the range, wherever the range is. */
static int cmd_sum(struct memory *memory, char **words)
{
	struct place *place = place_get(memory, words[1] ?: "");
	struct drm_softgpu_info info = { 0 };
	struct drm_softgpu_exec exec;
	uint64_t start = now_ms();
	int r;

	if (!place)
		return say_error("sum", -ENODEV);
	if (place->render_fd < 0)
		place->render_fd = gpu_open(place->device);
	if (place->render_fd < 0)
		return say_error("render node", place->render_fd);
	r = gpu_exec(place->render_fd, DRM_SOFTGPU_OP_CHECKSUM, NULL, memory->data, memory->size, 0, &exec);
	if (!r && ioctl(place->render_fd, DRM_IOCTL_SOFTGPU_INFO, &info))
		r = -errno;
	if (r < 0)
		return say_error("checksum", r);
	return say("ok sum=%016llx right=%d local=%llu peer=%llu system=%llu peer_ever=%llu ms=%llu",
		   (unsigned long long)exec.result, exec.result == memory->sum, (unsigned long long)exec.local_bytes,
		   (unsigned long long)exec.peer_bytes, (unsigned long long)exec.system_bytes,
		   (unsigned long long)info.peer_bytes, (unsigned long long)(now_ms() - start));
}

/* where DEVICE: how the page table has it now; moves nothing. */
static int cmd_where(struct memory *memory, char **words)
{
	struct place *place = place_get(memory, words[1] ?: "");
	struct fabricmap_residency result;
	int r;

	r = place ? fabricmap_devmem_residency(place->devmem_fd, memory->data, memory->size, &result) : -ENODEV;
	if (r < 0)
		return say_error("residency", r);
	return say("ok here=%llu elsewhere=%llu system=%llu absent=%llu", (unsigned long long)result.region_bytes,
		   (unsigned long long)result.other_bytes, (unsigned long long)result.system_bytes,
		   (unsigned long long)result.absent_bytes);
}

/* compare: every byte, by the CPU. What is still on a device comes home for it. */
static int cmd_compare(struct memory *memory, char **words)
{
	const size_t step = 4096;
	uint64_t start = now_ms(), n_wrong = 0;

	(void)words;
	for (size_t i = 0; i < memory->size; i += step) {
		if (!memcmp(memory->data + i, memory->copy + i, step))
			continue;
		for (size_t j = i; j < i + step; j++)
			n_wrong += memory->data[j] != memory->copy[j];
		memcpy(memory->copy + i, memory->data + i, step);
	}
	return say("ok compared=%zu wrong=%llu ms=%llu", memory->size, (unsigned long long)n_wrong,
		   (unsigned long long)(now_ms() - start));
}

/* told DEVICE: what its handle has told since it was asked last. */
static int cmd_told(struct memory *memory, char **words)
{
	struct place *place = place_get(memory, words[1] ?: "");
	struct fabricmap_devmem_event event;
	char text[256] = "";

	if (!place || place->devmem_fd < 0)
		return say_error("events", -ENODEV);
	for (int i = 0; i < 8; i++) {
		struct pollfd ready = { .fd = place->devmem_fd, .events = POLLIN };

		if (poll(&ready, 1, 0) <= 0 || fabricmap_devmem_read_event(place->devmem_fd, &event) <= 0)
			break;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? "," : "", event.type ?: "?");
	}
	return say("ok events=%s", *text ? text : "none");
}

static int dispatch(struct memory *memory, char **words)
{
	static const struct {
		const char *name;
		int (*run)(struct memory *memory, char **words);
	} commands[] = {
		{ "place", cmd_place }, { "fill", cmd_fill },	    { "move", cmd_move }, { "sum", cmd_sum },
		{ "where", cmd_where }, { "compare", cmd_compare }, { "told", cmd_told },
	};

	for (size_t i = 0; words[0] && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(words[0], commands[i].name))
			return commands[i].run(memory, words);
	return say("error no such command");
}

int memory_main(size_t size, uint64_t seed)
{
	struct memory memory = { .size = size, .seed = seed, .data = memory_new(size), .copy = memory_new(size) };
	char line[256];

	if (!size || !memory.data || !memory.copy) {
		fprintf(stderr, "fabric-demo: no memory for twice %zu MiB\n", size / MIB);
		return 1;
	}
	while (fgets(line, sizeof(line), stdin)) {
		char *words[WORDS_MAX + 1] = { NULL }, *state = NULL;

		for (size_t i = 0; i < WORDS_MAX; i++)
			words[i] = strtok_r(i ? NULL : line, " \n", &state);
		dispatch(&memory, words);
	}
	return 0;
}
