// SPDX-License-Identifier: MIT
/* Descriptions of sysfs trees, written to a temporary folder. */
#include "tree-maker.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 512 };

char *tree_make(void)
{
	const char *folder = getenv("TMPDIR");
	char *root = NULL;

	ck_assert_int_ge(asprintf(&root, "%s/fabric-tree-XXXXXX", folder ?: "/tmp"), 0);
	ck_assert_ptr_nonnull(mkdtemp(root));
	return root;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void tree_remove(char *root)
{
	(void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* at worst it stays in /tmp */
	free(root);
}

static void make_parents(char *path, size_t root_length)
{
	for (char *slash = strchr(path + root_length + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

static void path_make(char path[PATH_SIZE], const char *root, const char *name)
{
	ck_assert_int_lt(snprintf(path, PATH_SIZE, "%s/%s", root, name), PATH_SIZE);
	make_parents(path, strlen(root));
}

void tree_write_bytes(const char *root, const char *name, const void *bytes, size_t n_bytes)
{
	char path[PATH_SIZE];
	FILE *file;

	path_make(path, root, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, n_bytes, file), n_bytes);
	ck_assert_int_eq(fclose(file), 0);
}

void tree_write(const char *root, const char *name, const char *text)
{
	tree_write_bytes(root, name, text, strlen(text));
}

void tree_link(const char *root, const char *name, const char *target)
{
	char path[PATH_SIZE];

	path_make(path, root, name);
	(void)unlink(path); /* usually it is not there */
	ck_assert_int_eq(symlink(target, path), 0);
}

void tree_folder(const char *root, const char *name)
{
	char path[PATH_SIZE];

	path_make(path, root, name);
	ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
}

void tree_delete(const char *root, const char *name)
{
	char path[PATH_SIZE];

	path_make(path, root, name);
	ck_assert_int_eq(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *tree_device(size_t index)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "devices/pci0000:00/0000:%02zx:00.0/drm_fabric/0000:%02zx:00.0",
		       index + 0x40, index + 0x40);
	return path;
}

static void __attribute__((format(printf, 4, 5)))
write_value(const char *root, const char *folder, const char *name, const char *format, ...)
{
	char path[PATH_SIZE], text[256];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text) - 1, format, ap);
	va_end(ap);
	strcat(text, "\n");
	ck_assert_int_lt(snprintf(path, sizeof(path), "%s/%s", folder, name), (int)sizeof(path));
	tree_write(root, path, text);
}

static void write_device(const char *root, size_t index, size_t n_devices)
{
	char folder[PATH_SIZE / 2], links[PATH_SIZE], entry[64], target[192];

	(void)snprintf(folder, sizeof(folder), "%s", tree_device(index));
	(void)snprintf(entry, sizeof(entry), "class/drm_fabric/0000:%02zx:00.0", index + 0x40);
	(void)snprintf(target, sizeof(target), "../../%.150s", folder);
	tree_link(root, entry, target);
	write_value(root, folder, "state", "online");
	write_value(root, folder, "incarnation", "1");
	write_value(root, folder, "generation", "7");
	write_value(root, folder, "numa_node", "%zu", index / 4);
	write_value(root, folder, "driver", "softgpu");
	write_value(root, folder, "render_node", "renderD%zu", 128 + index);
	write_value(root, folder, "handles", "0");
	write_value(root, folder, "evict_blocked", "none");
	write_value(root, folder, "regions/vram0/size_bytes", "268435456");
	write_value(root, folder, "regions/vram0/free_bytes", "251658240");
	write_value(root, folder, "regions/vram0/resident_bytes", "16777216");
	write_value(root, folder, "regions/vram0/dead_bytes", "8192");
	write_value(root, folder, "regions/vram0/pagemap_state", "active");
	write_value(root, folder, "regions/vram0/pagemap_refs_handles", "0");
	write_value(root, folder, "regions/vram0/pagemap_refs_pages", "4096");
	write_value(root, folder, "regions/vram0/pagemap_refs_mappings", "2");
	for (size_t peer = 0; peer < n_devices; peer++) {
		if (peer == index)
			continue;
		(void)snprintf(links, sizeof(links), "%s/links/0000:%02zx:00.0", folder, peer + 0x40);
		if (peer / 2 == index / 2) {
			write_value(root, links, "type", "pcie_switch");
			write_value(root, links, "state", "up");
			write_value(root, links, "read_bandwidth", "13000");
			write_value(root, links, "write_bandwidth", "12500");
			write_value(root, links, "read_latency", "900");
			write_value(root, links, "hops", "1");
			write_value(root, links, "provenance", "nominal");
		} else {
			write_value(root, links, "type", "pcie_host_bridge");
			write_value(root, links, "state", "down");
			write_value(root, links, "why_not", "no common bridge below the root");
		}
	}
}

void tree_fabric(const char *root, size_t n_devices)
{
	tree_folder(root, "class/drm_fabric");
	tree_folder(root, "class/drm_fabric_group");
	tree_write(root, "class/drm_fabric/generation", "42\n");
	for (size_t i = 0; i < n_devices; i++)
		write_device(root, i, n_devices);
	for (size_t i = 0; i + 1 < n_devices; i += 2) {
		char folder[PATH_SIZE / 2];

		(void)snprintf(folder, sizeof(folder), "class/drm_fabric_group/pcie_switch-0000:%02zx:00.0", i + 0x40);
		write_value(root, folder, "link_type", "pcie_switch");
		write_value(root, folder, "n_devices", "2");
		write_value(root, folder, "members", "0000:%02zx:00.0 0000:%02zx:00.0", i + 0x40, i + 0x41);
		write_value(root, folder, "generation", "5");
	}
}

void tree_unmanaged(const char *root, const char *name, size_t n_devices)
{
	char folder[PATH_SIZE / 2], entry[96], target[192], file[32];

	(void)snprintf(folder, sizeof(folder), "devices/virtual/drm_fabric_unmanaged/%.31s", name);
	(void)snprintf(entry, sizeof(entry), "class/drm_fabric_unmanaged/%.31s", name);
	(void)snprintf(target, sizeof(target), "../../%.150s", folder);
	tree_link(root, entry, target);
	write_value(root, folder, "pci_class", "0x038000");
	write_value(root, folder, "driver", "bochs-drm");
	write_value(root, folder, "numa_node", "1");
	write_value(root, folder, "upstream_bridge", "0000:02:02.0");
	(void)snprintf(folder, sizeof(folder), "devices/virtual/drm_fabric_unmanaged/%.31s/distances", name);
	tree_folder(root, folder);
	for (size_t i = 0; i < n_devices; i++) {
		(void)snprintf(file, sizeof(file), "0000:%02zx:00.0", i + 0x40);
		write_value(root, folder, file, "%zu", 4 + i);
	}
}
