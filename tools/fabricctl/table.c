// SPDX-License-Identifier: MIT
/* Text in columns, as wide as their widest cell. */
#include "fabricctl.h"

#include <err.h>
#include <stdio.h>
#include <string.h>

struct table {
	size_t n_columns, n_cells, size;
	char **cells;
};

struct table *table_new(size_t n_columns)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		err(EXIT_FAILED, "memory");
	table->n_columns = n_columns;
	return table;
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
	return NULL;
}

void table_freep(struct table **table)
{
	table_free(*table);
}

void table_add(struct table *table, const char *text)
{
	if (table->n_cells >= table->size) {
		table->size = table->size ? table->size * 2 : 64;
		table->cells = reallocarray(table->cells, table->size, sizeof(*table->cells));
		if (!table->cells)
			err(EXIT_FAILED, "memory");
	}
	table->cells[table->n_cells] = strdup(text);
	if (!table->cells[table->n_cells])
		err(EXIT_FAILED, "memory");
	table->n_cells++;
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < table->n_cells; i += table->n_columns) {
		size_t length = strlen(table->cells[i]);

		if (length > width)
			width = length;
	}
	return width;
}

void table_print(const struct table *table)
{
	size_t blanks = 0;
	size_t *widths;

	widths = calloc(table->n_columns, sizeof(*widths));
	if (!widths)
		err(EXIT_FAILED, "memory");
	for (size_t i = 0; i < table->n_columns; i++)
		widths[i] = column_width(table, i);
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t column = i % table->n_columns, length = strlen(table->cells[i]);

		/* Blanks wait for something to come after them. */
		if (length > 0)
			printf("%*s%s", (int)blanks, "", table->cells[i]);
		blanks = (length > 0 ? 0 : blanks) + widths[column] - length + 2;
		if (column + 1 == table->n_columns) {
			putchar('\n');
			blanks = 0;
		}
	}
	free(widths);
}
