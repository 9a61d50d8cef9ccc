/* SPDX-License-Identifier: MIT */
/* softgpu - one software GPU with an address space, to compute with. */
#ifndef FABRICCTL_SOFTGPU_H
#define FABRICCTL_SOFTGPU_H

#include <stddef.h>
#include <stdint.h>

struct softgpu_result {
	uint64_t result, local_bytes, peer_bytes, system_bytes, faults;
};

/* Open a render node and mirror this process. Return: an fd, -EOPNOTSUPP not a software GPU, others of its ioctls. */
int softgpu_open(const char *render_node);

/* Sum over i of word[i] * (2 i + 1), modulo 2^64. */
int softgpu_checksum(int fd, const uint64_t *words, size_t n_words, struct softgpu_result *ret);

/* dst[i] += src[i]. */
int softgpu_add(int fd, uint64_t *dst, const uint64_t *src, size_t n_words, struct softgpu_result *ret);

#endif
