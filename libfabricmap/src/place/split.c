// SPDX-License-Identifier: MIT
/*
 * See split.h. Lanczos steps say where the largest eigenvalue is, about; that a number is above it is proved by a Cholesky
 * factor of (number * identity - rest), which there is of matrices without negative eigenvalues only: rounding included
 * (Rump, Verification of positive definiteness, BIT 46, 2006).
 */
#include "place/split.h"

#include "base/base.h"

#include <math.h>
#include <string.h>

enum {
	STEPS = 24, /* of noise the guess is then 1 % too small */
	LANES = 8, /* sums that a dot product is made of, so that they need not wait for each other */
};

static void find_shares(const place_cell *cells, uint32_t n, double *ret)
{
	double total = 0;

	for (uint32_t i = 0; i < n; i++) {
		int64_t sum = 0;

		for (uint32_t j = 0; j < n; j++)
			sum += j == i ? 0 : cell_mbps(cells[(size_t)i * n + j]);
		ret[i] = (double)sum;
		total += (double)sum;
	}
	/* The rows of the rest sum up to nothing. */
	total /= 2 * ((double)n - 1);
	for (uint32_t i = 0; i < n; i++)
		ret[i] = (ret[i] - total) / ((double)n - 2);
}

/* @ret = rest * @x */
static void multiply(const place_cell *cells, uint32_t n, const double *shares, const double *x, double *ret)
{
	double sum = 0, shared = 0;

	for (uint32_t i = 0; i < n; i++) {
		sum += x[i];
		shared += shares[i] * x[i];
	}
	for (uint32_t i = 0; i < n; i++) {
		const place_cell *row = &cells[(size_t)i * n];
		double product = 0;

		for (uint32_t j = 0; j < n; j++)
			product += cell_mbps(row[j]) * x[j];
		/* A device is no pair with itself. */
		ret[i] = product - cell_mbps(row[i]) * x[i] - shares[i] * (sum - x[i]) - (shared - shares[i] * x[i]);
	}
}

/* How many eigenvalues of a tridiagonal matrix are above @x, by Sturm's sequence: is there one? */
static bool is_below_one(const double *diagonal, const double *beside, uint32_t n, double x)
{
	double q = 1;

	for (uint32_t i = 0; i < n; i++) {
		q = x - diagonal[i] - (i > 0 ? beside[i - 1] * beside[i - 1] / q : 0);
		if (q <= 0)
			return true;
	}
	return false;
}

static double largest_of(const double *diagonal, const double *beside, uint32_t n)
{
	double low = 0, high = 0;

	for (uint32_t i = 0; i < n; i++)
		high = fmax(high, fabs(diagonal[i]) + (i > 0 ? beside[i - 1] : 0) + (i + 1 < n ? beside[i] : 0));
	for (unsigned int i = 0; i < 40; i++) {
		double middle = (low + high) / 2;

		if (is_below_one(diagonal, beside, n, middle))
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* About as large as the largest eigenvalue, and not larger. 0: there is none above 0 that was found. */
static double guess(const place_cell *cells, uint32_t n, const double *shares, double *space)
{
	double *before = space, *now = space + n, *next = space + 2 * (size_t)n;
	double diagonal[STEPS], beside[STEPS], length = 0;
	uint64_t state = 1;
	uint32_t step;

	for (uint32_t i = 0; i < n; i++) {
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		now[i] = (double)(int64_t)state;
		before[i] = 0;
		length += now[i] * now[i];
	}
	length = sqrt(length);
	for (step = 0; step < STEPS && length > 1e-6; step++) {
		double *free_one = before, dot = 0;

		for (uint32_t i = 0; i < n; i++)
			now[i] /= length;
		multiply(cells, n, shares, now, next);
		for (uint32_t i = 0; i < n; i++)
			dot += now[i] * next[i];
		diagonal[step] = dot;
		dot = 0;
		for (uint32_t i = 0; i < n; i++) {
			next[i] -= diagonal[step] * now[i] + (step > 0 ? length * before[i] : 0);
			dot += next[i] * next[i];
		}
		length = sqrt(dot);
		beside[step] = length;
		before = now;
		now = next;
		next = free_one;
	}
	return largest_of(diagonal, beside, step);
}

/* Of @n numbers, a multiple of LANES. */
static double dot_product(const double *a, const double *b, uint32_t n)
{
	double sums[LANES] = { 0 }, sum = 0;

	for (uint32_t i = 0; i < n; i += LANES)
		for (uint32_t j = 0; j < LANES; j++)
			sums[j] += a[i + j] * b[i + j];
	for (uint32_t i = 0; i < LANES; i++)
		sum += sums[i];
	return sum;
}

static uint32_t padded(uint32_t n)
{
	return (n + LANES - 1) / LANES * LANES;
}

/* Has (@most * identity - rest) a Cholesky factor? @factor: n * padded(n). */
static bool is_above_all(const place_cell *cells, uint32_t n, const double *shares, double most, double *factor)
{
	uint32_t width = padded(n);

	/* What is not written yet counts as 0. */
	memset(factor, 0, (size_t)n * width * sizeof(*factor));
	for (uint32_t i = 0; i < n; i++) {
		double *row = &factor[(size_t)i * width], left;

		for (uint32_t j = 0; j < i; j++) {
			const double *other = &factor[(size_t)j * width];

			left = shares[i] + shares[j] - cell_mbps(cells[(size_t)i * n + j]) -
			       dot_product(row, other, padded(j));
			/* The diagonal holds what to multiply with. */
			row[j] = left * other[j];
		}
		left = most - dot_product(row, row, padded(i));
		if (!(left > 0))
			return false;
		row[i] = 1 / sqrt(left);
	}
	return true;
}

int split_find(const place_cell *cells, uint32_t n, double *ret_shares, double *ret_most)
{
	static const double margins[] = { 1.05, 1.25, 2 };
	_cleanup_(freep) double *factor = NULL, *space = NULL;
	double least;

	find_shares(cells, n, ret_shares);
	*ret_most = INFINITY;
	if (n > SPLIT_MAX)
		return 0;
	factor = malloc((size_t)n * padded(n) * sizeof(*factor));
	space = malloc(3 * (size_t)n * sizeof(*space));
	if (!factor || !space)
		return -ENOMEM;
	least = guess(cells, n, ret_shares, space) + 1;
	for (size_t i = 0; i < sizeof(margins) / sizeof(margins[0]); i++) {
		if (!is_above_all(cells, n, ret_shares, margins[i] * least, factor))
			continue;
		/* Rounding: n * n * 2^-52 of it, and of each pair. */
		*ret_most = margins[i] * least * (1 + 1e-8) + 1;
		break;
	}
	return 0;
}
