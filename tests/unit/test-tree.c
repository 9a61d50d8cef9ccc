// SPDX-License-Identifier: MIT
#include "machine.h"
#include "source/tree.h"
#include "tree-maker.h"

#include <errno.h>
#include <unistd.h>

START_TEST(numbers)
{
	static const struct {
		const char *text;
		int r;
		int64_t number;
	} cases[] = {
		{ "0", 0, 0 },	       { "42", 0, 42 },	     { "9223372036854775807", 0, INT64_MAX },
		{ "007", 0, 7 },       { "", -EINVAL, 0 },   { "9223372036854775808", -ERANGE, 0 },
		{ "-1", -ERANGE, 0 },  { "-", -EINVAL, 0 },  { "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },  { "1 ", -EINVAL, 0 }, { "0x1", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t number = -7;

		ck_assert_msg(tree_parse_number(cases[i].text, &number) == cases[i].r, "'%s'", cases[i].text);
		ck_assert_int_eq(number, cases[i].r ? -7 : cases[i].number);
	}
}
END_TEST

START_TEST(walk_agrees_with_openat2)
{
	/* What the kernel does with a path, and what is done where it has no openat2(). */
	static const struct {
		const char *path;
		int r; /* 0: an fd */
	} cases[] = {
		{ "a/b", 0 },		{ "a/./b/", 0 },
		{ "a/b/../b", 0 },	{ "a/..", 0 },
		{ "link/b", 0 },	{ "deep", 0 },
		{ "a/up", 0 },		{ "..", -EXDEV },
		{ "a/../..", -EXDEV },	{ "out", -EXDEV },
		{ "absolute", -EXDEV }, { "loop", -ELOOP },
		{ "missing", -ENOENT }, { "a/missing/b", -ENOENT },
		{ "file", -ENOTDIR },	{ "/a", -EXDEV },
	};
	char *root = tree_make();
	int root_fd;

	tree_folder(root, "a");
	tree_folder(root, "a/b");
	tree_write(root, "file", "x\n");
	tree_link(root, "link", "a");
	tree_link(root, "deep", "link/b");
	tree_link(root, "a/up", "../link/b");
	tree_link(root, "out", "../../../..");
	tree_link(root, "absolute", "/");
	tree_link(root, "loop", "loop");
	root_fd = tree_open(root);
	ck_assert_int_ge(root_fd, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fds[] = { tree_open_folder(root_fd, cases[i].path), tree_open_folder_walk(root_fd, cases[i].path) };

		for (size_t j = 0; j < 2; j++) {
			ck_assert_msg(cases[i].r ? fds[j] == cases[i].r : fds[j] >= 0, "%s, way %zu: %d", cases[i].path,
				      j, fds[j]);
			if (fds[j] >= 0)
				(void)close(fds[j]);
		}
	}
	(void)close(root_fd);
	tree_remove(root);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { numbers, walk_agrees_with_openat2 };

	return machine_run_suite("tree", tests, sizeof(tests) / sizeof(tests[0]));
}
