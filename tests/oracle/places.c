// SPDX-License-Identifier: MIT
/* Every place is looked at, and each is compared with each. */
#include "places.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t time_of(int64_t weight, int64_t mbps)
{
	if (PLACES_MBPS_UNIT % mbps) {
		fprintf(stderr, "oracle: %lld MB/s is no part of the unit\n", (long long)mbps);
		abort();
	}
	return weight * (PLACES_MBPS_UNIT / mbps);
}

int64_t places_cost(const struct places *places, const struct places_question *question, size_t place)
{
	int64_t cost = 0;

	for (size_t i = 0; i < places->n_users; i++) {
		const struct figures *figures = &places->figures[i][place];
		int64_t reads = question->read_weight[i], writes = question->write_weight[i];

		cost += question->by_latency ?
				reads * figures->read_ns + writes * figures->write_ns :
				time_of(reads, figures->read_mbps) + time_of(writes, figures->write_mbps);
	}
	return cost;
}

bool places_is_guessed(const struct places *places, const struct places_question *question, size_t place)
{
	for (size_t i = 0; i < places->n_users; i++) {
		const struct figures *figures = &places->figures[i][place];

		if (question->read_weight[i] > 0 &&
		    (question->by_latency ? figures->guessed_read_ns : figures->guessed_read_mbps))
			return true;
		if (question->write_weight[i] > 0 &&
		    (question->by_latency ? figures->guessed_write_ns : figures->guessed_write_mbps))
			return true;
	}
	return false;
}

bool places_fits(const struct places *places, const struct places_question *question, size_t place)
{
	int64_t free_bytes = places->places[place].free_bytes;

	return free_bytes < 0 || free_bytes >= question->bytes;
}

static bool would_do(const struct places *places, const struct places_question *question, size_t place)
{
	if (question->excluded[place] || places->places[place].free_bytes == 0)
		return false;
	for (size_t i = 0; i < places->n_users; i++)
		if (question->read_weight[i] + question->write_weight[i] && !places->figures[i][place].reached)
			return false;
	return true;
}

static int64_t away(const struct places *places, const struct places_question *question, size_t place)
{
	int64_t weight = 0;

	for (size_t i = 0; i < places->n_users; i++)
		if (places->user_numa_node[i] >= 0 && places->places[place].numa_node >= 0 &&
		    places->user_numa_node[i] != places->places[place].numa_node)
			weight += question->read_weight[i] + question->write_weight[i];
	return weight;
}

static bool is_better(const struct places *places, const struct places_question *question, size_t a, size_t b)
{
	bool a_fits = places_fits(places, question, a), b_fits = places_fits(places, question, b);
	int64_t a_cost = places_cost(places, question, a), b_cost = places_cost(places, question, b);
	int64_t a_away = away(places, question, a), b_away = away(places, question, b);
	bool a_guessed = places_is_guessed(places, question, a), b_guessed = places_is_guessed(places, question, b);

	if (a_fits != b_fits)
		return a_fits;
	if (a_cost != b_cost)
		return a_cost < b_cost;
	if (a_away != b_away)
		return a_away < b_away;
	if (a_guessed != b_guessed)
		return b_guessed;
	/* Regions come first, and names in their order. */
	return a < b;
}

size_t places_order(const struct places *places, const struct places_question *question, size_t *ret)
{
	size_t n = 0;

	for (size_t place = 0; place < places->n_places; place++) {
		size_t at = n;

		if (!would_do(places, question, place))
			continue;
		for (; at > 0 && is_better(places, question, place, ret[at - 1]); at--)
			ret[at] = ret[at - 1];
		ret[at] = place;
		n++;
	}
	return n;
}
