/* SPDX-License-Identifier: MIT */
/*
 * judge - is an answer of the engine's true? Everything that it says is computed again from the machine; what the best
 * is, an oracle says. A wrong answer fails the test, with what is needed to repeat it.
 */
#ifndef PLACEMENT_JUDGE_H
#define PLACEMENT_JUDGE_H

#include "graphs.h"

#include <check.h>

enum {
	JUDGE_SETS_MAX = 16,
};

/* Full counts: SOAK is in the environment. */
bool judge_is_soak(void);
/* FABRIC_SEED, else one of now, which is printed. */
uint64_t judge_seed(void);

/* A question and where it was put. */
struct judge_case {
	const struct machine *machine;
	const bool *busy; /* NULL: none */
	const unsigned int *forbidden; /* NULL: none */
	struct place_ask ask;
	enum objective objective; /* that of the ask */
};

/**
 * judge_answer() - what an answer says of its own set, and of the bound
 * @best: what an oracle knows to be the best; SCORE_NONE: nobody knows
 *
 * Of its bound: it is not below the best, and not below the answer itself. If it is said to be proved, it is the best.
 */
void judge_answer(const struct judge_case *question, const struct place_answer *answer, struct score best);

/* The value of an answer's set. */
struct score judge_score(const struct judge_case *question, const struct place_answer *answer);

/* Asks, and fails the test unless there is an answer or, for an oracle's SCORE_NONE, a refusal. Return: is there one? */
bool judge_ask(const struct judge_case *question, const struct place_pool *pool, struct score best,
	       struct place_answer *ret);

/* The same where no oracle knows the best; there has to be an answer. The caller finishes it. */
void judge_solve(const struct judge_case *question, const struct place_pool *pool, struct place_answer *ret);

/* There is a set of that value: the bound is not below it, nor the answer if it is said to be proved. */
void judge_known(const struct judge_case *question, const struct place_answer *answer, struct score known);

/* For up to 32 devices. */
unsigned int judge_mask(const struct place_answer *answer);

int judge_main(const char *name, const TTest *const *tests, size_t n_tests);

#endif
