// SPDX-License-Identifier: MIT
/*
 * Trees of sysfs: KFD's, PCI's, NUMA's, with the text of their files from the input. A byte says which file, what follows
 * up to a byte 0xff is its text. Files that the input does not name are as they should be.
 *
 * With -fsanitize=fuzzer it is a fuzzer; with fuzz-main.c it runs the files that it is given.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "source/source.h"

#define KFD "class/kfd/kfd/topology/nodes/"
#define PCI "devices/pci0000:00/0000:00:01.0/0000:05:00.0/"
#define NODE "devices/system/node/"

static const struct {
	const char *path, *text;
} files[] = {
	{ KFD "0/properties", "cpu_cores_count 8\nsimd_count 0\n" },
	{ KFD "1/properties", "simd_count 64\nlocation_id 1280\ndomain 0\ngfx_target_version 90010\nhive_id 1\n" },
	{ KFD "2/properties", "simd_count 64\nlocation_id 1536\ndomain 0\ngfx_target_version 90010\nhive_id 1\n" },
	{ KFD "1/io_links/0/properties", "type 11\nnode_from 1\nnode_to 2\nweight 15\nmax_bandwidth 50000\n" },
	{ KFD "2/io_links/0/properties", "type 11\nnode_from 2\nnode_to 1\nweight 15\nmax_bandwidth 50000\n" },
	{ KFD "1/io_links/1/properties", "type 2\nnode_from 1\nnode_to 0\nweight 20\nmax_bandwidth 32000\n" },
	{ KFD "1/mem_banks/0/properties", "heap_type 1\nsize_in_bytes 1024\nwidth 4096\nmem_clk_max 1600\n" },
	{ PCI "class", "0x030200\n" },
	{ PCI "max_link_speed", "16.0 GT/s PCIe\n" },
	{ PCI "max_link_width", "16\n" },
	{ PCI "numa_node", "0\n" },
	{ NODE "node0/cpumap", "00000000,00000003\n" },
	{ NODE "node0/meminfo", "Node 0 MemTotal:  1024 kB\nNode 0 MemFree:  12 kB\n" },
	{ NODE "node0/access0/initiators/read_bandwidth", "1000\n" },
	{ "devices/system/cpu/modalias", "cpu:type:x86,ven0000fam0006mod008F:feature:,0000\n" },
	{ "devices/system/cpu/cpu0/topology/physical_package_id", "0\n" },
};

enum { N_FILES = sizeof(files) / sizeof(files[0]) };

static const struct {
	const char *path, *target;
} links[] = {
	{ "bus/pci/devices/0000:05:00.0", "../../../devices/pci0000:00/0000:00:01.0/0000:05:00.0" },
	{ NODE "node0/access0/initiators/node0", "../../../node0" },
};

static char root[] = "/tmp/fuzz-tree-XXXXXX";
static int root_fd = -1;

static void must(bool good)
{
	if (!good)
		abort();
}

static void parents_make(const char *path)
{
	char parent[256];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		must(mkdirat(root_fd, parent, 0755) == 0 || errno == EEXIST);
	}
}

static void file_write(size_t i, const void *text, size_t size)
{
	int fd = openat(root_fd, files[i].path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(fd >= 0 && write(fd, text, size) == (ssize_t)size);
	close(fd);
}

static void root_remove(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	must(system(command) == 0);
}

static void root_make(void)
{
	must(mkdtemp(root) != NULL);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(root_fd >= 0);
	(void)atexit(root_remove);
	for (size_t i = 0; i < N_FILES; i++) {
		parents_make(files[i].path);
		file_write(i, files[i].text, strlen(files[i].text));
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		parents_make(links[i].path);
		must(symlinkat(links[i].target, root_fd, links[i].path) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool is_changed[N_FILES] = { 0 };
	struct topology *topology;

	if (root_fd < 0)
		root_make();
	for (size_t at = 0; at < size;) {
		size_t file = data[at++] % N_FILES;
		const uint8_t *end = memchr(data + at, 0xff, size - at);
		size_t length = end ? (size_t)(end - data) - at : size - at;

		file_write(file, data + at, length);
		is_changed[file] = true;
		at += length + 1;
	}
	must(source_read(root, &topology) == 0);
	for (size_t i = 0; i < topology->n_devices; i++)
		for (size_t j = 0; j < i; j++)
			must(topology_pair(topology, i, j).bandwidth_mbps > 0);
	topology_unref(topology);
	for (size_t i = 0; i < N_FILES; i++)
		if (is_changed[i])
			file_write(i, files[i].text, strlen(files[i].text));
	return 0;
}
