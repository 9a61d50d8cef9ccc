// SPDX-License-Identifier: MIT
#include "made.h"

#include <stdio.h>
#include <string.h>

void made_begin_anew(void)
{
	gpu_reload("");
}

static void name_of(size_t i, char *name)
{
	snprintf(name, DRM_FABRIC_DEVICE_NAME_SIZE, "softgpu%zu", i);
}

void made_device(size_t i)
{
	gpu_bus("new_device", "%zu %zu", i, MADE_VRAM);
}

void made_link_one_way(size_t a, size_t b)
{
	gpu_bus("link", "softgpu%zu softgpu%zu xgmi 50000 40000 700", a, b);
}

void made_link_both_ways(size_t a, size_t b)
{
	made_link_one_way(a, b);
	made_link_one_way(b, a);
}

struct gpu *made_open(size_t i)
{
	char name[DRM_FABRIC_DEVICE_NAME_SIZE];

	name_of(i, name);
	return gpu_open_name(name);
}

bool made_link_attr(size_t a, size_t b, const char *attr, char *buf, size_t size)
{
	char path[96], name[DRM_FABRIC_DEVICE_NAME_SIZE];

	name_of(a, name);
	snprintf(path, sizeof(path), "links/softgpu%zu/%s", b, attr);
	return gpu_attr(name, path, buf, size);
}

void made_check_link(size_t a, size_t b, const char *attr, const char *value)
{
	char buf[256];

	ck_assert_msg(made_link_attr(a, b, attr, buf, sizeof(buf)), "softgpu%zu -> softgpu%zu: no %s", a, b, attr);
	ck_assert_str_eq(buf, value);
}

bool made_group_members(const char *group, char *buf, size_t size)
{
	char file[128];

	snprintf(file, sizeof(file), "/sys/class/drm_fabric_group/%s/members", group);
	return read_file(file, buf, size);
}

void made_check_read(size_t accessor, size_t owner, bool in_place, char *a, uint64_t seed)
{
	struct gpu *reader = made_open(accessor), *holder = made_open(owner);
	struct drm_softgpu_exec e;

	gpu_open_devmem(holder);
	pattern_fill(a, MADE_READ, seed);
	gpu_populate(holder, a, MADE_READ);
	e = gpu_exec(reader, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, MADE_READ, 0);
	ck_assert_uint_eq(e.local_bytes, 0);
	ck_assert_uint_eq(e.peer_bytes, in_place ? MADE_READ : 0);
	ck_assert_uint_eq(e.system_bytes, in_place ? 0 : MADE_READ);
	ck_assert_uint_eq(gpu_residency(holder, a, MADE_READ).region_bytes, in_place ? MADE_READ : 0);
	ck_assert_uint_eq(e.result, checksum(a, MADE_READ));
	ck_assert_uint_eq(pattern_differs(a, MADE_READ, seed), 0);
	gpu_close(reader);
	gpu_close(holder);
}

TCase *made_tcase(Suite *suite, const char *name, unsigned int soak_timeout_s)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, test_is_soak() ? soak_timeout_s : 60);
	tcase_add_unchecked_fixture(tcase, NULL, made_begin_anew);
	suite_add_tcase(suite, tcase);
	return tcase;
}
