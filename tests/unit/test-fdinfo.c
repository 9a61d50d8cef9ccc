// SPDX-License-Identifier: MIT
#include "devmem/fdinfo.h"
#include "machine.h"

#include <errno.h>
#include <stdio.h>

#define HEAD "pos:\t0\nflags:\t02100002\nmnt_id:\t15\nino:\t1057\n"

START_TEST(devmem_fd_is_recognised)
{
	struct fdinfo info;

	ck_assert_int_eq(fdinfo_parse(HEAD "drm-driver:\tdrm_fabric\ndrm-fabric-device:\t0000:43:00.0\n"
					   "drm-fabric-region:\tvram0\ndrm-fabric-devmem-id:\t17\n"
					   "drm-resident-vram0:\t16384 KiB\n",
				      &info),
			 1);
	ck_assert_str_eq(info.device, "0000:43:00.0");
	ck_assert_str_eq(info.region, "vram0");
	ck_assert_int_eq(info.devmem_id, 17);
	ck_assert_int_eq(info.resident_bytes, 16 << 20);
}
END_TEST

START_TEST(other_files_are_not)
{
	struct fdinfo info;

	ck_assert_int_eq(fdinfo_parse("", &info), 0);
	ck_assert_int_eq(fdinfo_parse(HEAD, &info), 0);
	ck_assert_int_eq(fdinfo_parse(HEAD "drm-driver:\txe\ndrm-resident-vram0:\t4 KiB\n", &info), 0);
	ck_assert_int_eq(fdinfo_parse("drm-fabric-devmem-identity:\t3\n", &info), 0);
	ck_assert_int_eq(fdinfo_parse(" drm-fabric-devmem-id:\t3\n", &info), 0);
}
END_TEST

START_TEST(damaged_ones_are_told)
{
	static const char *const texts[] = {
		"drm-fabric-devmem-id:\t17\n",
		"drm-fabric-devmem-id:\t17\ndrm-fabric-device:\t0000:43:00.0\n",
		"drm-fabric-devmem-id:\tx\ndrm-fabric-device:\td\ndrm-fabric-region:\tr\n",
		"drm-fabric-devmem-id:\t-1\ndrm-fabric-device:\td\ndrm-fabric-region:\tr\n",
		"drm-fabric-devmem-id:\t99999999999999999999\ndrm-fabric-device:\td\ndrm-fabric-region:\tr\n",
		"drm-fabric-devmem-id:\t1\ndrm-fabric-device:\t\ndrm-fabric-region:\tr\n",
		"drm-fabric-devmem-id:\t1\ndrm-fabric-device:\td\ndrm-fabric-region:\tlonger than sixteen\n",
	};
	struct fdinfo info;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		ck_assert_msg(fdinfo_parse(texts[i], &info) == -EBADMSG, "%s", texts[i]);
}
END_TEST

START_TEST(units)
{
	static const struct {
		const char *value;
		int64_t bytes;
	} cases[] = {
		{ "7", 7 },
		{ "7 KiB", 7 << 10 },
		{ "7 MiB", 7 << 20 },
		{ "7 GiB", -1 },
		{ "KiB", -1 },
		{ "7KiB", -1 },
		{ "9223372036854775807 KiB", -1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fdinfo info;
		char text[256];

		(void)snprintf(text, sizeof(text),
			       "drm-fabric-devmem-id:\t1\ndrm-fabric-device:\td\ndrm-fabric-region:\tr\n"
			       "drm-resident-r:\t%s\n",
			       cases[i].value);
		ck_assert_int_eq(fdinfo_parse(text, &info), 1);
		ck_assert_int_eq(info.resident_bytes, cases[i].bytes);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { devmem_fd_is_recognised, other_files_are_not, damaged_ones_are_told, units };

	return machine_run_suite("fdinfo", tests, sizeof(tests) / sizeof(tests[0]));
}
