// SPDX-License-Identifier: MIT
/* Answers of the engine, computed again. */
#include "judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool judge_is_soak(void)
{
	return getenv("SOAK") != NULL;
}

uint64_t judge_seed(void)
{
	const char *text = getenv("FABRIC_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);

	fprintf(stderr, "# placement: FABRIC_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

/* For messages: static. */
static const char *words(const struct judge_case *question)
{
	static char text[256];

	(void)snprintf(text, sizeof(text), "%s, %zu devices, %s, least %lld, %zu required, %zu excluded",
		       question->machine->name, question->ask.count, objective_names[question->objective],
		       (long long)question->ask.least_mbps, question->ask.n_required, question->ask.n_excluded);
	return text;
}

static bool contains(const size_t *devices, size_t n, size_t device)
{
	for (size_t i = 0; i < n; i++)
		if (devices[i] == device)
			return true;
	return false;
}

/* A set that may be: free devices in ascending order, candidates, and no pair that must not be. */
static void judge_set(const struct judge_case *question, const size_t *set, size_t n)
{
	const struct place_ask *ask = &question->ask;
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < n; i++) {
		ck_assert_msg(i == 0 || set[i - 1] < set[i], "%s: not ascending", words(question));
		ck_assert_msg(set[i] < question->machine->n, "%s: %zu is no device", words(question), set[i]);
		ck_assert_msg(!question->busy || !question->busy[set[i]], "%s: %zu is busy", words(question), set[i]);
		ck_assert_msg(!contains(ask->excluded, ask->n_excluded, set[i]), "%s: %zu is excluded", words(question),
			      set[i]);
		ck_assert_msg(!ask->candidates || (ask->candidates[set[i] / 64] >> set[i] % 64 & 1),
			      "%s: %zu is no candidate", words(question), set[i]);
		for (size_t j = 0; j < i; j++) {
			ck_assert_msg(!question->forbidden || !(question->forbidden[set[i]] >> set[j] & 1),
				      "%s: %zu and %zu must not be together", words(question), set[j], set[i]);
			if (ask->least_mbps) {
				int64_t mbps = machine_mbps(question->machine, set[i], set[j]);

				least = mbps < least ? mbps : least;
			}
		}
	}
	ck_assert_msg(least >= ask->least_mbps, "%s: a pair of %lld", words(question), (long long)least);
}

struct score judge_score(const struct judge_case *question, const struct place_answer *answer)
{
	return machine_score(question->machine, question->objective, answer->devices, answer->n_devices);
}

static struct score bound_of(const struct judge_case *question, const struct place_answer *answer)
{
	switch (question->objective) {
	case OBJECTIVE_SUM:
		ck_assert_int_eq(answer->bound_bottleneck_mbps, -1);
		return (struct score){ answer->bound_sum_mbps, 0 };
	case OBJECTIVE_BOTTLENECK:
		ck_assert_int_eq(answer->bound_sum_mbps, -1);
		return (struct score){ answer->bound_bottleneck_mbps, 0 };
	default:
		return (struct score){ answer->bound_bottleneck_mbps, answer->bound_sum_mbps };
	}
}

/* Links and guesses among the pairs of the set. */
static void judge_pairs(const struct judge_case *question, const struct place_answer *answer)
{
	size_t n_assumed = 0, n_most;
	bool linked = true;

	for (size_t i = 0; i < answer->n_devices; i++) {
		for (size_t j = i + 1; j < answer->n_devices; j++) {
			size_t a = answer->devices[i], b = answer->devices[j];
			unsigned int flags = graph_pair_of(machine_mbps(question->machine, a, b)).flags;

			linked &= !!(flags & PLACE_PAIR_LINKED);
			if (!(flags & PLACE_PAIR_ASSUMED))
				continue;
			ck_assert_msg(n_assumed >= answer->n_assumed_listed || (answer->assumed[n_assumed][0] == a &&
										answer->assumed[n_assumed][1] == b),
				      "%s: assumed pair %zu is not %zu %zu", words(question), n_assumed, a, b);
			n_assumed++;
		}
	}
	ck_assert_msg(answer->n_assumed == n_assumed, "%s: %zu assumed pairs, not %zu", words(question),
		      answer->n_assumed, n_assumed);
	n_most = n_assumed < PLACE_ASSUMED_MAX ? n_assumed : PLACE_ASSUMED_MAX;
	ck_assert_uint_le(answer->n_assumed_listed, n_most);
	ck_assert(answer->n_devices > 1024 || answer->n_assumed_listed == n_most);
	ck_assert_msg(answer->linked == linked, "%s: linked", words(question));
}

static size_t n_candidates(const struct judge_case *question)
{
	const struct place_ask *ask = &question->ask;
	size_t n = 0;

	for (size_t i = 0; i < question->machine->n; i++)
		n += (!question->busy || !question->busy[i]) && !contains(ask->excluded, ask->n_excluded, i) &&
		     (!ask->candidates || (ask->candidates[i / 64] >> i % 64 & 1));
	return n;
}

void judge_answer(const struct judge_case *question, const struct place_answer *answer, struct score best)
{
	struct score score = judge_score(question, answer), bound = bound_of(question, answer);
	struct score both =
		machine_score(question->machine, OBJECTIVE_BOTTLENECK_THEN_SUM, answer->devices, answer->n_devices);

	ck_assert_msg(answer->n_devices == question->ask.count, "%s: %zu devices", words(question), answer->n_devices);
	judge_set(question, answer->devices, answer->n_devices);
	for (size_t i = 0; i < question->ask.n_required; i++)
		ck_assert_msg(contains(answer->devices, answer->n_devices, question->ask.required[i]),
			      "%s: without %zu", words(question), question->ask.required[i]);
	ck_assert_msg(answer->bottleneck_mbps == both.first && answer->sum_mbps == both.second,
		      "%s: says [%lld, %lld], is [%lld, %lld]", words(question), (long long)answer->bottleneck_mbps,
		      (long long)answer->sum_mbps, (long long)both.first, (long long)both.second);
	ck_assert_msg(!score_less(bound, score), "%s: the bound is below the answer", words(question));
	ck_assert_msg(answer->proved == score_equal(bound, score),
		      answer->proved ? "%s: proved, and another bound" : "%s: as good as the bound, and not proved",
		      words(question));
	judge_pairs(question, answer);
	ck_assert_uint_eq(answer->n_candidates, n_candidates(question));
	ck_assert(answer->tie >= PLACE_TIE_REMAINDER && answer->tie <= PLACE_TIE_FIRST);
	ck_assert_ptr_nonnull(place_tie_to_string(answer->tie));
	if (score_equal(best, SCORE_NONE))
		return;
	judge_known(question, answer, best);
	ck_assert_msg(!score_less(best, score), "%s: better than the best: the oracle is wrong", words(question));
}

void judge_known(const struct judge_case *question, const struct place_answer *answer, struct score known)
{
	struct score score = judge_score(question, answer), bound = bound_of(question, answer);

	ck_assert_msg(!score_less(bound, known), "%s: bound [%lld, %lld], and there is a set of [%lld, %lld]",
		      words(question), (long long)bound.first, (long long)bound.second, (long long)known.first,
		      (long long)known.second);
	ck_assert_msg(!answer->proved || !score_less(score, known),
		      "%s: [%lld, %lld] is said to be proved, and there is a set of [%lld, %lld]", words(question),
		      (long long)score.first, (long long)score.second, (long long)known.first, (long long)known.second);
}

void judge_solve(const struct judge_case *question, const struct place_pool *pool, struct place_answer *ret)
{
	int r = place_solve(pool, &question->ask, ret, NULL);

	ck_assert_msg(r == 0, "%s: %s", words(question), strerror(-r));
	judge_answer(question, ret, SCORE_NONE);
}

bool judge_ask(const struct judge_case *question, const struct place_pool *pool, struct score best,
	       struct place_answer *ret)
{
	struct place_refusal refusal = { 0 };
	int r = place_solve(pool, &question->ask, ret, &refusal);

	if (r == 0) {
		ck_assert_msg(!score_equal(best, SCORE_NONE), "%s: answered, though there is none", words(question));
		judge_answer(question, ret, best);
		return true;
	}
	ck_assert_msg(r == -ENOSPC || r == -EINVAL, "%s: %s", words(question), strerror(-r));
	ck_assert_msg(score_equal(best, SCORE_NONE), "%s: refused (%d), though there is one", words(question),
		      refusal.why);
	ck_assert_uint_eq(refusal.n_candidates, n_candidates(question));
	if (refusal.n_candidates < question->ask.count && refusal.why != PLACE_REFUSED_REQUIRED)
		ck_assert_int_eq(refusal.why, PLACE_REFUSED_FREE);
	if (refusal.why == PLACE_REFUSED_PAIRS)
		judge_set(question, refusal.largest, refusal.n_largest);
	place_refusal_fini(&refusal);
	return false;
}

unsigned int judge_mask(const struct place_answer *answer)
{
	unsigned int mask = 0;

	for (size_t i = 0; i < answer->n_devices; i++)
		mask |= 1U << answer->devices[i];
	return mask;
}

int judge_main(const char *name, const TTest *const *tests, size_t n_tests)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int n_failed;

	for (size_t i = 0; i < n_tests; i++) {
		TCase *tcase = tcase_create(tests[i]->name);

		tcase_set_timeout(tcase, judge_is_soak() ? 1500 : 300);
		tcase_add_test(tcase, tests[i]);
		suite_add_tcase(suite, tcase);
	}
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
