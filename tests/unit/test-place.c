// SPDX-License-Identifier: MIT
#include "machine.h"
#include "place/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *name_of(unsigned int i)
{
	static char names[64][16];

	(void)snprintf(names[i], sizeof(names[i]), "0000:%02x:00.0", 0x40 + i);
	return names[i];
}

static struct placement *place_ok(const struct topology *topology, uint64_t count, uint64_t bytes)
{
	const struct place_request request = { .count = count, .bytes = bytes };
	struct placement *placement;

	ck_assert_int_eq(place(topology, &request, &placement, NULL), 0);
	ck_assert_uint_eq(placement->n_devices, count);
	return placement;
}

/* Two pairs of linked devices: the answer is a pair, and of equal ones that with the lower names. */
START_TEST(linked_pair_wins)
{
	struct topology_builder *builder = machine_new();
	struct placement *placement;
	struct topology *topology;

	for (unsigned int i = 0; i < 4; i++)
		machine_add(builder, name_of(i), TOPOLOGY_STATE_ONLINE, 500);
	machine_join(builder, name_of(1), name_of(2), TOPOLOGY_LINK_XGMI, 9000);
	machine_join(builder, name_of(0), name_of(3), TOPOLOGY_LINK_XGMI, 9000);
	topology = machine_finish(builder);
	placement = place_ok(topology, 2, 100);
	ck_assert_uint_eq(placement->devices[0].device, 0);
	ck_assert_uint_eq(placement->devices[1].device, 3);
	ck_assert(placement->linked);
	ck_assert(placement->exact);
	/* Below the 12000 that is assumed of pairs without a link, and still better. */
	ck_assert_int_eq(placement->bottleneck_mbps, 9000);
	placement_free(placement);

	placement = place_ok(topology, 3, 100);
	ck_assert(!placement->linked);
	ck_assert_int_eq(placement->bottleneck_mbps, TOPOLOGY_UNKNOWN);
	placement_free(placement);

	placement = place_ok(topology, 1, 100);
	ck_assert_uint_eq(placement->devices[0].device, 0);
	ck_assert(placement->linked);
	ck_assert_int_eq(placement->bottleneck_mbps, TOPOLOGY_UNKNOWN);
	placement_free(placement);
	topology_unref(topology);
}
END_TEST

START_TEST(refusal_says_why_of_each)
{
	const char *const exclude[] = { "0000:43:00.0" };
	const struct place_request request = { .count = 3, .bytes = 600, .exclude = exclude, .n_exclude = 1 };
	struct topology_builder *builder = machine_new();
	struct place_failure failure = { 0 };
	struct placement *placement = NULL;
	struct topology *topology;

	machine_add(builder, name_of(0), TOPOLOGY_STATE_ONLINE, 600);
	machine_add(builder, name_of(1), TOPOLOGY_STATE_DRAINING, 1000);
	machine_add(builder, name_of(2), TOPOLOGY_STATE_ONLINE, 599);
	machine_add(builder, name_of(3), TOPOLOGY_STATE_ONLINE, 1000);
	machine_add(builder, name_of(4), TOPOLOGY_STATE_ONLINE, 1000);
	topology = machine_finish(builder);
	ck_assert_int_eq(place(topology, &request, &placement, &failure), -ENOSPC);
	ck_assert_ptr_null(placement);
	ck_assert_uint_eq(failure.n_available, 2);
	ck_assert_str_eq(failure.reason, "2 devices have 600 bytes free, 3 asked: 0000:41:00.0 (draining), "
					 "0000:42:00.0 (599 free), 0000:43:00.0 (excluded)");
	place_failure_fini(&failure);
	topology_unref(topology);
}
END_TEST

START_TEST(wrong_questions)
{
	const char *const exclude[] = { "0000:99:00.0" };
	const struct place_request none = { .count = 0 };
	const struct place_request stranger = { .count = 1, .exclude = exclude, .n_exclude = 1 };
	const struct place_request too_many = { .count = UINT64_MAX, .bytes = UINT64_MAX };
	struct topology *topology = machine_finish(machine_new());
	struct place_failure failure = { 0 };
	struct placement *placement;

	ck_assert_int_eq(place(topology, &none, &placement, &failure), -EINVAL);
	place_failure_fini(&failure);
	ck_assert_int_eq(place(topology, &stranger, &placement, &failure), -ENODEV);
	ck_assert_str_eq(failure.device, "0000:99:00.0");
	place_failure_fini(&failure);
	ck_assert_int_eq(place(topology, &too_many, &placement, &failure), -ENOSPC);
	place_failure_fini(&failure);
	ck_assert_int_eq(place(topology, &too_many, &placement, NULL), -ENOSPC);
	topology_unref(topology);
}
END_TEST

START_TEST(tightest_region_is_taken)
{
	/* So that larger requests find room later. */
	struct topology_region regions[] = {
		{ .name = (char *)"vram0", .size_bytes = 1000, .free_bytes = 900 },
		{ .name = (char *)"vram1", .size_bytes = 1000, .free_bytes = 300 },
		{ .name = (char *)"vram2", .size_bytes = 1000, .free_bytes = 100 },
	};
	const struct topology_device device = {
		.name = (char *)"0000:40:00.0",
		.state = TOPOLOGY_STATE_ONLINE,
		.regions = regions,
		.n_regions = 3,
	};
	struct topology_builder *builder = machine_new();
	struct placement *placement;
	struct topology *topology;

	ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
	topology = machine_finish(builder);
	placement = place_ok(topology, 1, 200);
	ck_assert_uint_eq(placement->devices[0].region, 1);
	placement_free(placement);
	topology_unref(topology);
}
END_TEST

struct random_machine {
	unsigned int n;
	int64_t mbps[16][16]; /* 0: no link */
	bool online[16];
};

static struct topology *random_build(const struct random_machine *machine, unsigned int rotate)
{
	struct topology_builder *builder = machine_new();

	for (unsigned int i = 0; i < machine->n; i++) {
		unsigned int k = (i + rotate) % machine->n;

		machine_add(builder, name_of(k), machine->online[k] ? TOPOLOGY_STATE_ONLINE : TOPOLOGY_STATE_OFFLINE,
			    500);
		for (unsigned int j = 0; j < k; j++)
			if (machine->mbps[k][j])
				machine_join(builder, name_of(k), name_of(j), TOPOLOGY_LINK_XGMI, machine->mbps[k][j]);
	}
	return machine_finish(builder);
}

/* Another way to the best set: all bit masks, every value from scratch. */
static unsigned int brute_force(const struct random_machine *machine, unsigned int count)
{
	int64_t best[3] = { -1, -1, -1 };
	unsigned int best_mask = 0;

	for (unsigned int mask = 0; mask < 1U << machine->n; mask++) {
		int64_t value[3] = { 0, INT64_MAX, 0 };
		bool usable = (unsigned int)__builtin_popcount(mask) == count, better = false;

		for (unsigned int i = 0; i < machine->n; i++) {
			if (!(mask >> i & 1))
				continue;
			usable &= machine->online[i];
			for (unsigned int j = 0; j < i; j++) {
				int64_t mbps = machine->mbps[i][j] ?: 12000;

				if (!(mask >> j & 1))
					continue;
				value[0] += machine->mbps[i][j] != 0;
				value[1] = mbps < value[1] ? mbps : value[1];
				value[2] += mbps;
			}
		}
		if (!usable)
			continue;
		for (unsigned int i = 0; i < 3; i++)
			if (value[i] != best[i]) {
				better = value[i] > best[i];
				break;
			} else if (i == 2) {
				/* A tie: the set with the lowest device in which they differ. */
				unsigned int differ = mask ^ best_mask;

				better = mask & (differ & -differ);
			}
		if (better) {
			memcpy(best, value, sizeof(best));
			best_mask = mask;
		}
	}
	return best_mask;
}

START_TEST(random_machines_against_brute_force)
{
	/* The exact search finds what trying everything finds, in whatever order devices were added. */
	const char *text = getenv("FABRIC_SEED");
	unsigned int seed = text ? (unsigned int)strtoul(text, NULL, 10) : (unsigned int)time(NULL);

	fprintf(stderr, "# place: FABRIC_SEED=%u\n", seed);
	srand(seed);
	for (unsigned int round = 0; round < 300; round++) {
		struct random_machine machine = { .n = 1 + (unsigned int)rand() % 9 };
		unsigned int n_online = 0, count, expected, mask = 0;
		struct placement *placement;
		struct topology *topology;

		for (unsigned int i = 0; i < machine.n; i++) {
			machine.online[i] = rand() % 6 != 0;
			n_online += machine.online[i];
			for (unsigned int j = 0; j < i; j++)
				machine.mbps[i][j] = machine.mbps[j][i] = rand() % 3 ? 10000 * (1 + rand() % 3) : 0;
		}
		if (n_online == 0)
			continue;
		count = 1 + (unsigned int)rand() % n_online;
		expected = brute_force(&machine, count);
		topology = random_build(&machine, (unsigned int)rand());
		placement = place_ok(topology, count, 500);
		for (size_t i = 0; i < placement->n_devices; i++) {
			mask |= 1U << placement->devices[i].device;
			ck_assert_ptr_nonnull(placement->devices[i].reason);
		}
		ck_assert_msg(mask == expected, "seed %u, round %u: %x, expected %x", seed, round, mask, expected);
		placement_free(placement);
		topology_unref(topology);
	}
}
END_TEST

START_TEST(large_machine_is_heuristic_and_deterministic)
{
	/* 24 devices in cliques of 4 by XGMI: above the exact search, and still one clique. */
	struct topology *topologies[2];
	struct placement *placements[2];

	for (unsigned int turn = 0; turn < 2; turn++) {
		struct topology_builder *builder = machine_new();

		for (unsigned int i = 0; i < 24; i++)
			machine_add(builder, name_of(turn ? 23 - i : i), TOPOLOGY_STATE_ONLINE, 500);
		for (unsigned int i = 0; i < 24; i++)
			for (unsigned int j = 0; j < i; j++)
				if (i % 6 == j % 6)
					machine_join(builder, name_of(i), name_of(j), TOPOLOGY_LINK_XGMI, 36000);
		topologies[turn] = machine_finish(builder);
		placements[turn] = place_ok(topologies[turn], 4, 1);
		ck_assert(!placements[turn]->exact);
		ck_assert(placements[turn]->linked);
		for (unsigned int i = 0; i < 4; i++)
			ck_assert_uint_eq(placements[turn]->devices[i].device, 6 * i);
		placement_free(placements[turn]);
		/* All of them is no question. */
		placements[turn] = place_ok(topologies[turn], 24, 1);
		ck_assert(placements[turn]->exact);
		placement_free(placements[turn]);
		topology_unref(topologies[turn]);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		linked_pair_wins,
		refusal_says_why_of_each,
		wrong_questions,
		tightest_region_is_taken,
		random_machines_against_brute_force,
		large_machine_is_heuristic_and_deterministic,
	};

	return machine_run_suite("place", tests, sizeof(tests) / sizeof(tests[0]));
}
