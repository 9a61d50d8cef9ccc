// SPDX-License-Identifier: MIT
/* fabricctl topo --topology: the pair bandwidths of a topology that is not this machine's, and its memories. */
#include "fabricctl.h"

#include <err.h>
#include <stdio.h>
#include <string.h>

enum {
	MATRIX_SHOWN_MAX = 64,
	CLASSES_DEVICES_MAX = 4096, /* 8 million pairs, a second */
	CLASSES_SHOWN_MAX = 64,
	ACCESSES_SHOWN_MAX = 64,
};

/* Pairs that have everything in common. */
struct pair_class {
	int64_t mbps;
	int is_assumed;
	const char *kind, *source;
	size_t n_pairs;
};

struct pair_classes {
	struct pair_class shown[CLASSES_SHOWN_MAX];
	size_t n, n_other_pairs;
};

static struct pair_class pair_of(const struct fabricmap *map, size_t a, size_t b)
{
	struct pair_class pair = { .n_pairs = 1 };

	pair.mbps = fabricmap_pair(map, a, b, NULL, &pair.is_assumed, &pair.kind, &pair.source);
	return pair;
}

static bool is_same(const struct pair_class *a, const struct pair_class *b)
{
	/* The words are static: equal ones are the same. */
	return a->mbps == b->mbps && a->is_assumed == b->is_assumed && a->kind == b->kind && a->source == b->source;
}

static void class_add(struct pair_classes *classes, const struct pair_class *pair)
{
	for (size_t i = 0; i < classes->n; i++)
		if (is_same(&classes->shown[i], pair)) {
			classes->shown[i].n_pairs++;
			return;
		}
	if (classes->n < CLASSES_SHOWN_MAX)
		classes->shown[classes->n++] = *pair;
	else
		classes->n_other_pairs++;
}

/* The fastest first. */
static int class_compare(const void *a, const void *b)
{
	const struct pair_class *a_class = a, *b_class = b;

	if (a_class->mbps != b_class->mbps)
		return a_class->mbps > b_class->mbps ? -1 : 1;
	if (a_class->is_assumed != b_class->is_assumed)
		return a_class->is_assumed ? 1 : -1;
	return strcmp(a_class->kind ?: "", b_class->kind ?: "") ?: strcmp(a_class->source ?: "", b_class->source ?: "");
}

static void print_matrix(const struct fabricmap *map)
{
	size_t n = fabricmap_n_devices(map);
	_cleanup_(table_freep) struct table *table = table_new(n + 2);
	char text[SIZE_TEXT_SIZE + 2];

	table_add(table, "MB/s");
	for (size_t i = 0; i < n; i++)
		table_add(table, fabricmap_device_name(fabricmap_device_at(map, i)));
	table_add(table, "NUMA");
	for (size_t i = 0; i < n; i++) {
		const struct fabricmap_device *device = fabricmap_device_at(map, i);

		table_add(table, fabricmap_device_name(device));
		for (size_t j = 0; j < n; j++) {
			const struct pair_class pair = pair_of(map, i, j);

			(void)snprintf(text, sizeof(text), "%lld%s", (long long)pair.mbps, pair.is_assumed ? "?" : "");
			table_add(table, i == j ? "X" : text);
		}
		table_add(table, number_text(fabricmap_device_numa_node(device), text));
	}
	table_print(table);
}

static void print_classes(const struct fabricmap *map)
{
	_cleanup_(table_freep) struct table *table = NULL;
	struct pair_classes classes = { 0 };
	size_t n = fabricmap_n_devices(map);
	char text[SIZE_TEXT_SIZE + 2];

	if (n > CLASSES_DEVICES_MAX) {
		printf("%zu devices: too many for a list of pairs (--json has what is known of them)\n", n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++) {
			const struct pair_class pair = pair_of(map, i, j);

			class_add(&classes, &pair);
		}
	qsort(classes.shown, classes.n, sizeof(classes.shown[0]), class_compare);
	table = table_new(4);
	table_add(table, "MB/s");
	table_add(table, "PAIRS");
	table_add(table, "BY");
	table_add(table, "SOURCE");
	for (size_t i = 0; i < classes.n; i++) {
		const struct pair_class *class = &classes.shown[i];

		(void)snprintf(text, sizeof(text), "%lld%s", (long long)class->mbps, class->is_assumed ? "?" : "");
		table_add(table, text);
		table_add(table, number_text((int64_t) class->n_pairs, text));
		table_add(table, class->kind ?: "-");
		table_add(table, class->source ?: "-");
	}
	printf("\nPairs of %zu devices, by rule version 1 of pair bandwidth:\n", n);
	table_print(table);
	if (classes.n_other_pairs > 0)
		printf("and %zu pairs with other figures\n", classes.n_other_pairs);
	puts("\nLegend: MB/s (10^6 bytes/s) of a pair, the lesser of both directions\n"
	     "  ?        a figure had to be guessed\n"
	     "  direct   links of a vendor's fabric between the two\n"
	     "  switch   switches that both are attached to\n"
	     "  pci      the PCI path, or the CPU link on it\n"
	     "  unknown  nothing is known of the way");
}

static void print_memories(const struct fabricmap *map)
{
	static const char *const heads[] = { "MEMORY", "KIND",	"SIZE",	   "INITIATOR", "CLASS",
					     "READ",   "WRITE", "READ NS", "WRITE NS" };
	enum { N_COLUMNS = sizeof(heads) / sizeof(heads[0]) };
	_cleanup_(table_freep) struct table *table = table_new(N_COLUMNS);
	size_t at = 0, n_accesses = fabricmap_n_accesses(map), n_shown = 0;
	char text[SIZE_TEXT_SIZE];

	for (size_t i = 0; i < N_COLUMNS; i++)
		table_add(table, heads[i]);
	for (size_t i = 0; i < fabricmap_n_memories(map) && n_shown < ACCESSES_SHOWN_MAX; i++) {
		const char *name, *kind, *of = NULL, *initiator;
		int64_t size_bytes, own_mbps, class, figures[4];
		bool is_first = true;

		(void)fabricmap_memory(map, i, &name, &kind, &size_bytes, &own_mbps); /* in range */
		/* Accesses are in the order of memories. */
		for (;; at++, is_first = false) {
			bool is_own = at < n_accesses &&
				      fabricmap_access(map, at, &of, &initiator, &class, figures) == 0 &&
				      !strcmp(of, name);

			if (!is_own && !is_first)
				break;
			n_shown++;
			table_add(table, is_first ? name : "");
			table_add(table, is_first ? kind ?: "-" : "");
			table_add(table, is_first ? size_text(size_bytes, text) : "");
			table_add(table, is_own ? initiator : "-");
			table_add(table, is_own ? number_text(class, text) : "-");
			for (size_t j = 0; j < 4; j++) {
				int64_t figure = is_own ? figures[j] : j < 2 ? own_mbps : FABRICMAP_UNKNOWN;

				table_add(table, number_text(figure, text));
			}
			if (!is_own)
				break;
		}
	}
	puts(fabricmap_n_devices(map) ? "\nMemories, MB/s and ns:" : "Memories, MB/s and ns:");
	table_print(table);
	if (n_shown >= ACCESSES_SHOWN_MAX)
		puts("and perhaps more (--json has them)");
}

void topo_pairs_print(const struct fabricmap *map)
{
	size_t n = fabricmap_n_devices(map);

	if (n == 0 && fabricmap_n_memories(map) == 0)
		puts("no devices, no memories");
	if (n > 0 && n <= MATRIX_SHOWN_MAX)
		print_matrix(map);
	if (n > 1)
		print_classes(map);
	if (fabricmap_n_memories(map) > 0)
		print_memories(map);
}
