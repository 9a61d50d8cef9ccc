// SPDX-License-Identifier: MIT
#include "machine.h"
#include "place-reference.h"
#include "place/split.h"

#include <math.h>
#include <stdlib.h>

enum { N_MAX = 256 };

static place_cell cells[N_MAX * N_MAX];
static double shares[N_MAX];

static void set(uint32_t n, uint32_t i, uint32_t j, place_cell cell)
{
	cells[i * n + j] = cell;
	cells[j * n + i] = cell;
}

static double rest(uint32_t n, uint32_t i, uint32_t j)
{
	return i == j ? 0 : cell_mbps(cells[i * n + j]) - shares[i] - shares[j];
}

static double product(uint32_t n, const double *x, const double *y)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < n; j++)
			sum += x[i] * rest(n, i, j) * y[j];
	return sum;
}

/* Rows of the rest sum up to nothing; no vector makes more of it than is said, and one makes nearly as much. */
START_TEST(rest_is_bounded)
{
	static double x[N_MAX], y[N_MAX];
	uint64_t seed = 7;

	for (uint32_t round = 0; round < 40; round++) {
		uint32_t n = 3 + chance(&seed, round % 8 ? 60 : N_MAX - 3), range = 1 + chance(&seed, 1000000);
		double most, top = 0;

		for (uint32_t i = 0; i < n; i++) {
			cells[i * n + i] = 0;
			for (uint32_t j = 0; j < i; j++) {
				place_cell cell = (place_cell)chance(&seed, range);

				/* Some are forbidden, some rounds have two boards. */
				if (round % 3 == 1 && (i < n / 2) == (j < n / 2))
					cell += (place_cell)range;
				set(n, i, j, chance(&seed, 9) ? cell : ~cell);
			}
		}
		ck_assert_int_eq(split_find(cells, n, shares, &most), 0);
		ck_assert(isfinite(most) && most >= 0);
		for (uint32_t i = 0; i < n; i++) {
			double sum = 0;

			for (uint32_t j = 0; j < n; j++)
				sum += rest(n, i, j);
			ck_assert(fabs(sum) < 1e-3);
			x[i] = (double)chance(&seed, 2001) - 1000;
		}
		/* Towards the largest eigenvalue: all of them are made positive. */
		for (unsigned int step = 0; step < 150; step++) {
			double length = 0, value = product(n, x, x);

			for (uint32_t i = 0; i < n; i++)
				length += x[i] * x[i];
			ck_assert_msg(value <= most * length, "round %u: %g of %g", round, value / length, most);
			top = value / length > top ? value / length : top;
			for (uint32_t i = 0; i < n; i++) {
				y[i] = most * x[i];
				for (uint32_t j = 0; j < n; j++)
					y[i] += rest(n, i, j) * x[j];
			}
			for (uint32_t i = 0; i < n; i++)
				x[i] = y[i] / sqrt(length) / (most + 1);
		}
		ck_assert_msg(most <= 1.4 * top + 4, "round %u: %g, and there is %g", round, most, top);
	}
}
END_TEST

/* Two boards that nothing joins: what their devices give is alike, and the rest has one large eigenvalue, which is known. */
START_TEST(two_boards)
{
	const uint32_t n = 100, half = n / 2;
	const double mbps = 36000, mean = mbps * (half - 1) / (n - 1), eigenvalue = mbps * (half - 1) + mean;
	double most;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j <= i; j++)
			set(n, i, j, i != j && (i < half) == (j < half) ? (place_cell)mbps : 0);
	ck_assert_int_eq(split_find(cells, n, shares, &most), 0);
	for (uint32_t i = 0; i < n; i++)
		ck_assert(fabs(shares[i] - mean / 2) < 1e-6);
	ck_assert(most >= eigenvalue && most < eigenvalue * 1.06 + 2);
}
END_TEST

/* Stars and the like: pairs that are shares and nothing else leave nothing. */
START_TEST(shares_alone)
{
	const uint32_t n = 50;
	double most;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j <= i; j++)
			set(n, i, j, i == j ? 0 : (place_cell)(1000 * i + 1000 * j));
	ck_assert_int_eq(split_find(cells, n, shares, &most), 0);
	for (uint32_t i = 0; i < n; i++)
		ck_assert(fabs(shares[i] - 1000.0 * i) < 1e-6);
	ck_assert(most < 5);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		rest_is_bounded,
		two_boards,
		shares_alone,
	};

	return machine_run_suite("place-split", tests, sizeof(tests) / sizeof(tests[0]));
}
