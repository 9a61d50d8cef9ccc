// SPDX-License-Identifier: MIT
/*
 * A program that computes on some devices all the time, in their own memory, and looks whether each result is right.
 * It is there to notice what happens to other devices, which should be nothing.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fabricmap.h>

enum { DEVICES_MAX = 8 };

static const size_t size = 8 * MIB;
static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended = 1;
}

/* sum over i of value * (2 i + 1) */
static uint64_t sum_expected(uint64_t value)
{
	uint64_t n = size / sizeof(uint64_t);

	return value * n * n;
}

static int fail(const char *device, const char *what, int r)
{
	fprintf(stderr, "fabric-demo: %s: %s: %s\n", device, what, strerror(-r));
	return 1;
}

/* One device: fill, add, checksum. Return: 0 right, 1 wrong, -errno. */
static int round_run(int render_fd, uint64_t *words, uint64_t value)
{
	struct drm_softgpu_exec exec;
	int r;

	r = gpu_exec(render_fd, DRM_SOFTGPU_OP_FILL, words, NULL, size, value, &exec);
	if (!r)
		r = gpu_exec(render_fd, DRM_SOFTGPU_OP_ADD, words, words, size, 0, &exec);
	if (!r)
		r = gpu_exec(render_fd, DRM_SOFTGPU_OP_CHECKSUM, NULL, words, size, 0, &exec);
	return r ?: exec.result != sum_expected(2 * value);
}

int work_main(const char *file, size_t n_devices, char **devices)
{
	int render_fds[DEVICES_MAX], devmem_fds[DEVICES_MAX], count_fd, r;
	uint64_t *words[DEVICES_MAX], n_rounds = 0, n_wrong = 0, n_bytes_wrong = 0;
	struct sigaction action = { .sa_handler = on_signal };

	if (n_devices > DEVICES_MAX)
		return 2;
	sigaction(SIGTERM, &action, NULL);
	count_fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (count_fd < 0)
		return fail(file, "open", -errno);
	for (size_t i = 0; i < n_devices; i++) {
		struct fabricmap_populate moved;

		words[i] = memory_new(size);
		render_fds[i] = gpu_open(devices[i]);
		devmem_fds[i] = fabricmap_devmem_open(devices[i], "vram0");
		if (!words[i] || render_fds[i] < 0 || devmem_fds[i] < 0)
			return fail(devices[i], "open", render_fds[i] < 0 ? render_fds[i] : devmem_fds[i]);
		r = fabricmap_devmem_populate(devmem_fds[i], words[i], size, FABRICMAP_POPULATE_STRICT, &moved);
		if (r < 0)
			return fail(devices[i], "populate", r);
	}
	while (!ended) {
		n_rounds++;
		for (size_t i = 0; i < n_devices; i++) {
			r = round_run(render_fds[i], words[i], n_rounds);
			if (r < 0)
				return fail(devices[i], "compute", r);
			n_wrong += (uint64_t)r;
		}
		/* The story reads it at any time: one short write. */
		char text[24];
		int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)n_rounds);

		if (pwrite(count_fd, text, (size_t)n, 0) != n)
			return fail(file, "write", -errno);
	}
	for (size_t i = 0; i < n_devices; i++)
		for (size_t j = 0; j < size; j++)
			n_bytes_wrong += ((unsigned char *)words[i])[j] !=
					 ((unsigned char *)&(uint64_t){ 2 * n_rounds })[j % sizeof(uint64_t)];
	printf("rounds=%llu wrong_sums=%llu wrong=%llu\n", (unsigned long long)n_rounds, (unsigned long long)n_wrong,
	       (unsigned long long)n_bytes_wrong);
	return n_wrong || n_bytes_wrong ? 1 : 0;
}
