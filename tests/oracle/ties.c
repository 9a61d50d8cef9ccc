// SPDX-License-Identifier: MIT
/*
 * The tie rule by its words: every best set is looked at, and what remains of each is known for all masks beforehand
 * (the best of a mask is the mask itself or the best of one that lacks one of its devices).
 */
#include "ties.h"

#include <stdlib.h>

struct ties {
	unsigned int n;
	struct ties_question question;
	int64_t *sum, *least;
	bool *forbidden;
	struct score *best; /* by mask, without regard to what is required */
};

struct ties *ties_new(const struct matrix *matrix, const unsigned int *forbidden)
{
	struct ties *ties = calloc(1, sizeof(*ties));
	size_t n_masks = (size_t)1 << matrix->n;

	if (!ties || matrix->n > TIES_MAX)
		abort();
	ties->n = (unsigned int)matrix->n;
	ties->sum = calloc(n_masks, sizeof(*ties->sum));
	ties->least = calloc(n_masks, sizeof(*ties->least));
	ties->best = calloc(n_masks, sizeof(*ties->best));
	ties->forbidden = calloc(n_masks, sizeof(*ties->forbidden));
	if (!ties->sum || !ties->least || !ties->best || !ties->forbidden)
		abort();
	for (unsigned int mask = 0; mask < n_masks; mask++) {
		ties->least[mask] = INT64_MAX;
		for (unsigned int a = mask; a; a &= a - 1) {
			if (forbidden && (forbidden[__builtin_ctz(a)] & mask))
				ties->forbidden[mask] = true;
			for (unsigned int b = a & (a - 1); b; b &= b - 1) {
				int64_t mbps = matrix_at(matrix, (size_t)__builtin_ctz(a), (size_t)__builtin_ctz(b));

				ties->sum[mask] += mbps;
				if (mbps < ties->least[mask])
					ties->least[mask] = mbps;
			}
		}
	}
	return ties;
}

struct ties *ties_free(struct ties *ties)
{
	if (!ties)
		return NULL;
	free(ties->sum);
	free(ties->least);
	free(ties->best);
	free(ties->forbidden);
	free(ties);
	return NULL;
}

static unsigned int count_of(unsigned int mask)
{
	return (unsigned int)__builtin_popcount(mask);
}

static bool is_allowed(const struct ties *ties, unsigned int mask)
{
	return !ties->forbidden[mask] && ties->least[mask] >= ties->question.least_mbps;
}

/* SCORE_NONE for what is no answer, whatever is required. */
static struct score value_of(const struct ties *ties, unsigned int mask)
{
	if (count_of(mask) != ties->question.k || !is_allowed(ties, mask))
		return SCORE_NONE;
	return score_of(ties->question.objective, ties->question.k, ties->least[mask], ties->sum[mask]);
}

void ties_ask(struct ties *ties, const struct ties_question *question)
{
	ties->question = *question;
	for (unsigned int mask = 0; mask < 1U << ties->n; mask++) {
		ties->best[mask] = value_of(ties, mask);
		for (unsigned int rest = count_of(mask) > question->k ? mask : 0; rest; rest &= rest - 1) {
			struct score without = ties->best[mask & ~(rest & -rest)];

			if (score_less(ties->best[mask], without))
				ties->best[mask] = without;
		}
	}
}

struct score ties_value(const struct ties *ties, unsigned int free)
{
	struct score best = SCORE_NONE;

	if (!ties->question.required)
		return ties->best[free];
	for (unsigned int set = free; set; set = (set - 1) & free)
		if ((set & ties->question.required) == ties->question.required && score_less(best, value_of(ties, set)))
			best = value_of(ties, set);
	return best;
}

/* (1): 0 if too few remain. */
static struct score left_over(const struct ties *ties, unsigned int remaining)
{
	struct score best = ties->best[remaining];

	return score_equal(best, SCORE_NONE) ? (struct score){ 0, 0 } : best;
}

static bool better(const struct ties *ties, unsigned int free, unsigned int set, unsigned int than)
{
	struct score remains = left_over(ties, free & ~set), remains_than = left_over(ties, free & ~than);
	int64_t cut = ties->sum[free] - ties->sum[set] - ties->sum[free & ~set];
	int64_t cut_than = ties->sum[free] - ties->sum[than] - ties->sum[free & ~than];
	unsigned int differ = set ^ than;

	if (!score_equal(remains, remains_than))
		return score_less(remains_than, remains);
	if (cut != cut_than)
		return cut < cut_than;
	/* Of two sorted lists of one length that is lower which has the lowest of the devices that one of them has. */
	return set & (differ & -differ);
}

unsigned int ties_set(const struct ties *ties, unsigned int free)
{
	struct score best = ties_value(ties, free);
	unsigned int chosen = 0, required = ties->question.required;

	if (score_equal(best, SCORE_NONE))
		return 0;
	for (unsigned int set = free; set; set = (set - 1) & free)
		if ((set & required) == required && score_equal(value_of(ties, set), best) &&
		    (!chosen || better(ties, free, set, chosen)))
			chosen = set;
	return chosen;
}

unsigned int ties_largest(const struct ties *ties, unsigned int free)
{
	unsigned int most = 0;

	for (unsigned int set = free; set; set = (set - 1) & free)
		if (count_of(set) > most && is_allowed(ties, set))
			most = count_of(set);
	return most;
}
