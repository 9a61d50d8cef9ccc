// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "dump.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Its minor is given out in the order of arrival. That it is the device's own does not depend on that. */
static void dump_render_node(FILE *out, const char *file, const char *node)
{
	char path[128], is[PATH_MAX], parent[PATH_MAX];
	const char *device = strstr(file, "/drm_fabric/") + strlen("/drm_fabric/");

	snprintf(path, sizeof(path), "/sys/class/drm/%.32s/device", node);
	ck_assert_msg(realpath(path, is), "%s", path);
	snprintf(path, sizeof(path), "/sys/class/drm_fabric/%.*s/device", (int)strcspn(device, "/"), device);
	ck_assert_msg(realpath(path, parent), "%s", path);
	ck_assert_str_eq(is, parent);
	fprintf(out, "its own\n");
}

static void dump_file(FILE *out, const FTSENT *entry, bool all)
{
	static char text[8192];
	char *generation;

	fprintf(out, "%s", entry->fts_path);
	if (!(entry->fts_statp->st_mode & 0444)) {
		fprintf(out, " is written only\n");
		return;
	}
	/* Some of power/ cannot be read while there is no runtime power management. */
	if (!read_file(entry->fts_accpath, text, sizeof(text))) {
		fprintf(out, ": %s\n", strerror(errno));
		return;
	}
	fprintf(out, ": ");
	if (!all && !strcmp(entry->fts_name, "render_node")) {
		dump_render_node(out, entry->fts_path, text);
		return;
	}
	/* It counts, as the file of that name does. */
	generation = all || strcmp(entry->fts_name, "uevent") ? NULL : strstr(text, "DRM_FABRIC_GENERATION=");
	if (generation)
		*generation = '\0';
	fprintf(out, "%s\n", text);
}

static void dump_tree(FILE *out, const char *class, bool all)
{
	char *const roots[] = { (char *)class, NULL };
	char target[256];
	FTSENT *entry;
	ssize_t n;
	FTS *fts;

	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	ck_assert_ptr_nonnull(fts);
	while ((entry = fts_read(fts))) {
		switch (entry->fts_info) {
		case FTS_SL:
			/* The devices of a class are links. Whatever they link to is not ours. */
			n = readlink(entry->fts_accpath, target, sizeof(target));
			ck_assert_int_gt(n, 0);
			fprintf(out, "%s -> %.*s\n", entry->fts_path, (int)n, target);
			if (entry->fts_level == 1)
				fts_set(fts, entry, FTS_FOLLOW);
			break;
		case FTS_F:
			if (all || strcmp(entry->fts_name, "generation"))
				dump_file(out, entry, all);
			break;
		case FTS_D:
			fprintf(out, "%s/\n", entry->fts_path);
			break;
		case FTS_DP:
			break;
		default:
			ck_abort_msg("%s: %d %s", entry->fts_path, entry->fts_info, strerror(entry->fts_errno));
		}
	}
	fts_close(fts);
}

char *dump_fabric(bool all)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	dump_tree(out, "/sys/class/drm_fabric", all);
	dump_tree(out, "/sys/class/drm_fabric_group", all);
	fclose(out);
	return text;
}
