// SPDX-License-Identifier: MIT
/*
 * Placement of memory beside every place of machines whose figures are all known, but for what devices get of their own
 * memory; and what may be said without them.
 */
#include "judge.h"
#include "place/memory.h"
#include "places.h"
#include "topologies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_SIZE = 32,
};

static int64_t one_of(struct random *random, const int64_t *values, size_t n)
{
	return values[random_below(random, n)];
}

/* A machine: devices with one region each, then system memory. Users are the devices, then the CPUs of two sockets. */
struct bench {
	struct places places;
	size_t n_devices, n_memories;
	int64_t bank_mbps[PLACES_USERS_MAX]; /* of the devices' memory, or TOPOLOGY_UNKNOWN */
};

static void user_name(const struct bench *bench, size_t user, char *ret)
{
	if (user < bench->n_devices)
		topology_plan_name(user, ret);
	else
		(void)snprintf(ret, NAME_SIZE, "cpu%zu", user - bench->n_devices);
}

static void place_name(const struct bench *bench, size_t place, char *ret)
{
	if (place < bench->n_devices)
		topology_plan_name(place, ret);
	else
		(void)snprintf(ret, NAME_SIZE, "node%zu", place - bench->n_devices);
}

/*
 * Few different figures, so that many places cost the same, as sums of different fractions that floating point does not
 * have.
 */
static struct figures draw_figures(struct random *random)
{
	static const int64_t mbps[] = { 10000, 12000, 15000, 20000, 30000, 60000 }, ns[] = { 80, 100, 130, 250 };

	return (struct figures){
		.reached = true,
		.read_mbps = one_of(random, mbps, 6),
		.write_mbps = one_of(random, mbps, 6),
		.read_ns = one_of(random, ns, 4),
		.write_ns = one_of(random, ns, 4),
	};
}

/*
 * A device's own memory. An access of its own says everything, or what reads get; or the memory's bandwidth is all that is
 * said; or nothing is.
 */
static void draw_own(struct bench *bench, size_t device, struct random *random)
{
	struct figures *own = &bench->places.figures[device][device];

	bench->bank_mbps[device] = TOPOLOGY_UNKNOWN;
	switch (random_below(random, 4)) {
	case 0:
		/* It counts for nothing beside an access. */
		bench->bank_mbps[device] = 60000;
		break;
	case 1:
		own->write_mbps = own->read_mbps;
		own->write_ns = own->read_ns;
		own->guessed_write_mbps = own->guessed_write_ns = true;
		break;
	case 2:
		bench->bank_mbps[device] = own->write_mbps = own->read_mbps;
		own->read_ns = own->write_ns = 0;
		own->guessed_read_ns = own->guessed_write_ns = true;
		break;
	default:
		own->read_mbps = own->write_mbps = 10000000;
		own->read_ns = own->write_ns = 0;
		own->guessed_read_mbps = own->guessed_write_mbps = true;
		own->guessed_read_ns = own->guessed_write_ns = true;
		break;
	}
}

static void draw(struct bench *bench, struct random *random)
{
	static const int64_t free_bytes[] = { 0, 100, 300, 500, 900 };
	struct places *places = &bench->places;

	memset(bench, 0, sizeof(*bench));
	bench->n_devices = random_below(random, 5);
	bench->n_memories = 1 + random_below(random, 7);
	places->n_places = bench->n_devices + bench->n_memories;
	places->n_users = bench->n_devices + 2;
	for (size_t i = 0; i < places->n_places; i++)
		places->places[i] = (struct place){
			.is_region = i < bench->n_devices,
			.free_bytes = one_of(random, free_bytes, 5),
			.numa_node = i < bench->n_devices ? (int64_t)random_below(random, 3) - 1 :
							    (int64_t)(i - bench->n_devices),
		};
	for (size_t i = 0; i < places->n_users; i++) {
		places->user_numa_node[i] = i < bench->n_devices ? places->places[i].numa_node :
								   (int64_t)(i - bench->n_devices);
		for (size_t j = 0; j < places->n_places; j++) {
			places->figures[i][j] = draw_figures(random);
			if (j >= bench->n_devices)
				continue;
			if (i == j)
				draw_own(bench, i, random);
			/* CPUs do not use regions; devices those that they are linked to, which goes both ways. */
			places->figures[i][j].reached =
				i == j || (i < bench->n_devices &&
					   (j < i ? places->figures[j][i].reached : random_below(random, 3) > 0));
		}
	}
}

static void add_access(struct topology_builder *builder, const char *memory, const char *initiator,
		       const struct figures *figures)
{
	const struct topology_access access = {
		.initiator = (char *)initiator,
		.access_class = 0,
		.read_bandwidth_mbps = figures->guessed_read_mbps ? TOPOLOGY_UNKNOWN : figures->read_mbps,
		.write_bandwidth_mbps = figures->guessed_write_mbps ? TOPOLOGY_UNKNOWN : figures->write_mbps,
		.read_latency_ns = figures->guessed_read_ns ? TOPOLOGY_UNKNOWN : figures->read_ns,
		.write_latency_ns = figures->guessed_write_ns ? TOPOLOGY_UNKNOWN : figures->write_ns,
	};

	ck_assert_int_eq(topology_builder_add_access(builder, memory, &access), 0);
}

static void add_memory(struct topology_builder *builder, const char *name, const struct place *place,
		       const char *device, int64_t mbps)
{
	const struct topology_memory memory = {
		.name = (char *)name,
		.kind = TOPOLOGY_MEMORY_DRAM,
		.numa_node = device ? TOPOLOGY_UNKNOWN : place->numa_node,
		.size_bytes = 1000,
		.free_bytes = place->free_bytes,
		.bandwidth_mbps = mbps,
		.device = (char *)device,
	};

	ck_assert_int_eq(topology_builder_add_memory(builder, &memory), 0);
}

static void add_device(struct topology_builder *builder, const struct bench *bench, size_t i)
{
	const struct place *place = &bench->places.places[i];
	struct topology_region region = {
		.name = (char *)"vram0",
		.size_bytes = 1000,
		.free_bytes = place->free_bytes,
		.resident_bytes = 1000 - place->free_bytes,
	};
	char name[NAME_SIZE], memory[NAME_SIZE];
	const struct topology_device device = {
		.name = name,
		.state = TOPOLOGY_STATE_ONLINE,
		.incarnation = 1,
		.numa_node = place->numa_node,
		.regions = &region,
		.n_regions = 1,
	};

	user_name(bench, i, name);
	(void)snprintf(memory, sizeof(memory), "vram%zu", i);
	ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
	add_memory(builder, memory, place, name, bench->bank_mbps[i]);
	/* What its memory's bandwidth says is no access. */
	if (bench->bank_mbps[i] == TOPOLOGY_UNKNOWN || !bench->places.figures[i][i].guessed_read_ns)
		add_access(builder, memory, name, &bench->places.figures[i][i]);
	for (size_t j = 0; j < bench->n_devices; j++) {
		const struct figures *figures = &bench->places.figures[i][j];
		const struct topology_link link = {
			.type = TOPOLOGY_LINK_XGMI,
			.up = true,
			.read_bandwidth_mbps = figures->read_mbps,
			.write_bandwidth_mbps = figures->write_mbps,
			.read_latency_ns = figures->read_ns,
			.write_latency_ns = figures->write_ns,
			.hops = TOPOLOGY_UNKNOWN,
			.measured_at_s = TOPOLOGY_UNKNOWN,
		};
		char owner[NAME_SIZE];

		user_name(bench, j, owner);
		if (i != j && figures->reached)
			ck_assert_int_eq(topology_builder_add_link(builder, name, owner, &link), 0);
	}
}

static void add_cpu(struct topology_builder *builder, size_t i)
{
	char name[NAME_SIZE];
	const struct topology_node node = {
		.name = name,
		.kind = TOPOLOGY_NODE_CPU,
		.uplink = { TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN },
		.numa_node = (int64_t)i,
		.socket = (int64_t)i,
		.model = TOPOLOGY_UNKNOWN,
		.port_mbps = TOPOLOGY_UNKNOWN,
	};

	(void)snprintf(name, sizeof(name), "cpu%zu", i);
	ck_assert_int_eq(topology_builder_add_node(builder, &node), 0);
}

static struct topology *topology_of(const struct bench *bench)
{
	struct topology_builder *builder;
	struct topology *topology;

	ck_assert_int_eq(topology_builder_new(TOPOLOGY_SOURCE_KERNEL, 1, &builder), 0);
	for (size_t i = 0; i < 2; i++)
		add_cpu(builder, i);
	for (size_t i = 0; i < bench->n_devices; i++)
		add_device(builder, bench, i);
	for (size_t i = bench->n_devices; i < bench->places.n_places; i++) {
		char name[NAME_SIZE], initiator[NAME_SIZE];

		place_name(bench, i, name);
		add_memory(builder, name, &bench->places.places[i], NULL, TOPOLOGY_UNKNOWN);
		for (size_t j = 0; j < bench->places.n_users; j++) {
			user_name(bench, j, initiator);
			add_access(builder, name, initiator, &bench->places.figures[j][i]);
		}
	}
	ck_assert_int_eq(topology_builder_finish(builder, &topology), 0);
	topology_builder_free(builder);
	return topology;
}

/* A question as both are asked it. */
struct asked {
	struct places_question question;
	struct memory_request request;
	struct memory_accessor accessors[PLACES_USERS_MAX];
	char accessor_names[PLACES_USERS_MAX][NAME_SIZE];
	char exclude_names[PLACES_MAX][NAME_SIZE];
	const char *exclude[PLACES_MAX];
};

static void ask_random(struct asked *asked, const struct bench *bench, struct random *random)
{
	static const int64_t bytes[] = { 50, 200, 400, 700, 2000 };
	size_t users[PLACES_USERS_MAX], n_accessors = 1 + random_below(random, bench->places.n_users);

	memset(asked, 0, sizeof(*asked));
	for (size_t i = 0; i < bench->places.n_users; i++)
		users[i] = i;
	random_shuffle(random, users, bench->places.n_users);
	asked->question.by_latency = random_below(random, 2);
	asked->question.bytes = one_of(random, bytes, 5);
	for (size_t i = 0; i < n_accessors; i++) {
		int64_t reads = (int64_t)random_below(random, 4), writes = (int64_t)random_below(random, 3) + !reads;

		user_name(bench, users[i], asked->accessor_names[i]);
		asked->accessors[i] = (struct memory_accessor){ asked->accessor_names[i], reads, writes };
		asked->question.read_weight[users[i]] = reads;
		asked->question.write_weight[users[i]] = writes;
	}
	asked->request = (struct memory_request){
		.bytes = (uint64_t)asked->question.bytes,
		.objective = asked->question.by_latency ? MEMORY_LATENCY : MEMORY_BANDWIDTH,
		.accessors = asked->accessors,
		.n_accessors = n_accessors,
		.exclude = asked->exclude,
	};
	for (size_t i = 0; i < bench->places.n_places; i++) {
		if (random_below(random, 6))
			continue;
		place_name(bench, i, asked->exclude_names[i]);
		asked->exclude[asked->request.n_exclude++] = asked->exclude_names[i];
		asked->question.excluded[i] = true;
	}
}

/* The place that a location is. */
static size_t place_of(const struct bench *bench, const struct topology *topology,
		       const struct memory_location *location)
{
	for (size_t i = 0; i < bench->places.n_places; i++) {
		char name[NAME_SIZE];
		const char *other = location->device == TOPOLOGY_NONE ? topology->memories[location->memory].name :
									topology->devices[location->device].name;

		place_name(bench, i, name);
		if (!strcmp(name, other))
			return i;
	}
	ck_abort_msg("a location that is none");
	return SIZE_MAX;
}

static void compare(const struct bench *bench, const struct topology *topology, const struct asked *asked,
		    uint64_t seed, uint64_t round)
{
	size_t order[PLACES_MAX], n = places_order(&bench->places, &asked->question, order), n_listed;
	struct memory_answer answer;
	char *reason = NULL;
	int r = memory_place(topology, &asked->request, &answer, &reason);

	if (n == 0) {
		ck_assert_msg(r == -ENOSPC, "seed %llu, machine %llu: %d, and there is no place",
			      (unsigned long long)seed, (unsigned long long)round, r);
		ck_assert_ptr_nonnull(reason);
		free(reason);
		return;
	}
	ck_assert_msg(r == 0, "seed %llu, machine %llu: %s, and there are %zu places", (unsigned long long)seed,
		      (unsigned long long)round, reason ?: "no reason", n);
	n_listed = n < MEMORY_LOCATIONS_MAX ? n : MEMORY_LOCATIONS_MAX;
	ck_assert_uint_eq(answer.n_locations, n_listed);
	ck_assert_uint_eq(answer.n_more, n - n_listed);
	for (size_t i = 0; i < n_listed; i++) {
		const struct memory_location *location = &answer.locations[i];
		size_t place = place_of(bench, topology, location);

		ck_assert_msg(
			place == order[i],
			"seed %llu, machine %llu, by %s, %lld bytes: location %zu is place %zu (%lld), not %zu (%lld)",
			(unsigned long long)seed, (unsigned long long)round,
			asked->question.by_latency ? "latency" : "bandwidth", (long long)asked->question.bytes, i,
			place, (long long)places_cost(&bench->places, &asked->question, place), order[i],
			(long long)places_cost(&bench->places, &asked->question, order[i]));
		ck_assert(location->fits == places_fits(&bench->places, &asked->question, place));
		ck_assert_int_eq(location->free_bytes, bench->places.places[place].free_bytes);
		ck_assert(location->assumed == places_is_guessed(&bench->places, &asked->question, place));
	}
}

/* Bandwidth, latency, too little room, out of reach, excluded: the whole list, and that there is none. */
START_TEST(lists_are_what_looking_at_all_places_says)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (uint64_t round = 0; round < (judge_is_soak() ? 20000 : 300); round++) {
		struct topology *topology;
		struct bench bench;

		draw(&bench, &random);
		topology = topology_of(&bench);
		for (unsigned int turn = 0; turn < 10; turn++) {
			struct asked asked;

			ask_random(&asked, &bench, &random);
			compare(&bench, topology, &asked, seed, round);
		}
		topology_unref(topology);
	}
}
END_TEST

/* The order in which accessors are named has no influence, not even on places that cost the same. */
START_TEST(order_of_accessors_has_no_influence)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (uint64_t round = 0; round < (judge_is_soak() ? 20000 : 300); round++) {
		struct memory_answer answers[2];
		struct topology *topology;
		struct bench bench;
		struct asked asked;
		int r[2];

		draw(&bench, &random);
		topology = topology_of(&bench);
		ask_random(&asked, &bench, &random);
		r[0] = memory_place(topology, &asked.request, answers, NULL);
		for (size_t i = 0, j = asked.request.n_accessors - 1; i < j; i++, j--) {
			struct memory_accessor accessor = asked.accessors[i];

			asked.accessors[i] = asked.accessors[j];
			asked.accessors[j] = accessor;
		}
		r[1] = memory_place(topology, &asked.request, answers + 1, NULL);
		ck_assert_int_eq(r[0], r[1]);
		for (size_t i = 0; r[0] == 0 && i < answers[0].n_locations; i++)
			ck_assert_msg(answers[0].locations[i].device == answers[1].locations[i].device &&
					      answers[0].locations[i].memory == answers[1].locations[i].memory,
				      "seed %llu, machine %llu: another list in another order",
				      (unsigned long long)seed, (unsigned long long)round);
		topology_unref(topology);
	}
}
END_TEST

/* A figure that nobody knows: said so, and no better than the least that is known. */
START_TEST(unknown_is_said_and_not_preferred)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (uint64_t round = 0; round < (judge_is_soak() ? 2000 : 200); round++) {
		static const struct memory_accessor cpu = { "cpu0", 1, 1 };
		struct memory_request request = { .bytes = 10, .accessors = &cpu, .n_accessors = 1 };
		bool seen_assumed = false;
		struct memory_answer answer;
		struct topology *topology;
		struct bench bench;
		size_t unknown;

		draw(&bench, &random);
		for (size_t i = 0; i < bench.places.n_places; i++)
			bench.places.places[i].free_bytes = 500;
		unknown = bench.n_devices + random_below(&random, bench.n_memories);
		bench.places.figures[bench.n_devices][unknown].read_ns = TOPOLOGY_UNKNOWN;
		bench.places.figures[bench.n_devices][unknown].write_ns = 0;
		topology = topology_of(&bench);
		request.objective = MEMORY_LATENCY;
		ck_assert_int_eq(memory_place(topology, &request, &answer, NULL), 0);
		ck_assert_uint_eq(answer.n_locations, bench.n_memories);
		for (size_t i = 0; i < answer.n_locations; i++) {
			bool assumed = place_of(&bench, topology, &answer.locations[i]) == unknown;

			ck_assert(answer.locations[i].assumed == assumed);
			seen_assumed |= assumed;
			/* What comes after it is as bad as anything that is known, and away from who asks. */
			ck_assert(!seen_assumed || assumed ||
				  (answer.locations[i].cost == answer.locations[i - 1].cost &&
				   answer.locations[i].away >= answer.locations[i - 1].away));
		}
		topology_unref(topology);
	}
}
END_TEST

START_TEST(wrong_questions)
{
	static const struct memory_accessor nobody = { "0000:99:00.0", 1, 0 }, idle = { "cpu0", 0, 0 },
					    heavy = { "cpu0", MEMORY_WEIGHT_MAX + 1, 0 }, negative = { "cpu0", -1, 2 };
	const struct memory_accessor *const wrong[] = { &nobody, &idle, &heavy, &negative };
	const int results[] = { -ENODEV, -EINVAL, -EINVAL, -EINVAL };
	struct random random = { 1 };
	struct topology *topology;
	struct bench bench;

	draw(&bench, &random);
	topology = topology_of(&bench);
	for (size_t i = 0; i < 4; i++) {
		const struct memory_request request = { .bytes = 10, .accessors = wrong[i], .n_accessors = 1 };
		struct memory_answer answer;
		char *reason = NULL;

		ck_assert_int_eq(memory_place(topology, &request, &answer, &reason), results[i]);
		ck_assert_ptr_nonnull(reason);
		free(reason);
	}
	topology_unref(topology);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		lists_are_what_looking_at_all_places_says,
		order_of_accessors_has_no_influence,
		unknown_is_said_and_not_preferred,
		wrong_questions,
	};

	return judge_main("placement-memory", tests, sizeof(tests) / sizeof(tests[0]));
}
