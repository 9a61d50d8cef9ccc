// SPDX-License-Identifier: MIT
/*
 * See memory.h. A location's cost is a sum over those who use it, of integers or of fractions; the list is the least of
 * all locations. Nothing that decides is rounded: what costs the same is a tie, whatever it is the sum of.
 */
#include "place/memory.h"

#include "base/base.h"
#include "model/rule.h"

#include <stdio.h>
#include <string.h>

/*
 * Own memory of which nobody says how fast or how near it is: no record has more bandwidth, and nothing is nearer. So it is
 * first, unless there are figures that say otherwise.
 */
enum {
	OWN_MBPS = TOPOLOGY_RECORD_MBPS_MAX,
	OWN_NS = 0,
};

enum { READ, WRITE, DIRECTIONS };

struct user {
	size_t device, node; /* one of both is TOPOLOGY_NONE */
	int64_t weights[DIRECTIONS];
};

struct figure {
	int64_t value; /* or TOPOLOGY_UNKNOWN */
	bool assumed;
};

/* By direction. */
struct figures {
	struct figure mbps[DIRECTIONS], ns[DIRECTIONS];
	bool reachable;
};

/* A part of what a location costs: weight / mbps. */
struct term {
	int64_t mbps, weight;
};

struct entry {
	struct memory_location location;
	unsigned __int128 ns; /* by latency */
	struct term *terms; /* by bandwidth: by mbps, each once */
	size_t n_terms;
};

/* Of all that is known, for what is not. */
struct extremes {
	int64_t most_ns, least_mbps;
};

struct chooser {
	const struct topology *topology;
	const struct memory_request *request;
	struct user *users;
	/* Memories of a device: the first, and for each the next; TOPOLOGY_NONE ends. */
	size_t *bank_first, *bank_next;
	struct memory_location *locations;
	size_t n_locations, n_reachable;
	struct extremes extremes;
	/* The list, and one that wants to be in it. Their terms are of one array. */
	struct entry entries[MEMORY_LOCATIONS_MAX + 1];
	size_t n_entries;
	struct term *terms, *difference;
};

static void chooser_fini(struct chooser *chooser)
{
	free(chooser->users);
	free(chooser->bank_first);
	free(chooser->bank_next);
	free(chooser->locations);
	free(chooser->terms);
	free(chooser->difference);
}

int memory_objective_from_string(const char *text, enum memory_objective *ret)
{
	if (!strcmp(text, "bandwidth"))
		*ret = MEMORY_BANDWIDTH;
	else if (!strcmp(text, "latency"))
		*ret = MEMORY_LATENCY;
	else
		return -EINVAL;
	return 0;
}

/* 0 is unknown, too: HMAT has it for what was not reported. */
static int64_t known(int64_t value)
{
	return value > 0 ? value : TOPOLOGY_UNKNOWN;
}

/* The rule's: what no link can have says nothing. */
static int64_t known_mbps(int64_t value, int64_t n_records)
{
	return rule_bandwidth_is_possible(value, n_records) ? value : TOPOLOGY_UNKNOWN;
}

static int64_t least_known(int64_t a, int64_t b)
{
	if (a == TOPOLOGY_UNKNOWN || b == TOPOLOGY_UNKNOWN)
		return a == TOPOLOGY_UNKNOWN ? b : a;
	return a < b ? a : b;
}

static const struct figure unknown = { TOPOLOGY_UNKNOWN, false };

/* A figure that nobody better has said. */
static void say(struct figure *figure, int64_t value, bool assumed)
{
	if (figure->value == TOPOLOGY_UNKNOWN)
		*figure = (struct figure){ value, assumed };
}

/* Where the accesses to a memory begin. */
static size_t accesses_first(const struct topology *topology, size_t memory)
{
	size_t low = 0, high = topology->n_accesses;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (topology->accesses[middle].memory < memory)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* What is said of this initiator (HMAT, if it is a node); of several classes the best initiator's (0) goes first. */
static void say_accesses(const struct topology *topology, const struct user *user, size_t memory,
			 struct figures *figures)
{
	for (size_t i = accesses_first(topology, memory);
	     i < topology->n_accesses && topology->accesses[i].memory == memory; i++) {
		const struct topology_access *access = &topology->accesses[i];

		if (access->initiator_device != user->device || access->initiator_node != user->node)
			continue;
		say(&figures->mbps[READ], known_mbps(access->read_bandwidth_mbps, 1), false);
		say(&figures->mbps[WRITE], known_mbps(access->write_bandwidth_mbps, 1), false);
		say(&figures->ns[READ], known(access->read_latency_ns), false);
		say(&figures->ns[WRITE], known(access->write_latency_ns), false);
	}
}

/* ---- regions ---- */

/* "0000:43:00.0/vram0" is the region vram0. */
static bool is_named_after(const struct topology_memory *memory, const struct topology_region *region)
{
	const char *slash = strrchr(memory->name, '/');

	return slash && !strcmp(slash + 1, region->name);
}

/* The next memory of the location's device at or after @bank that is its region: all of them, if none has its name. */
static size_t bank_find(const struct chooser *chooser, const struct memory_location *location, size_t bank)
{
	const struct topology_device *device = &chooser->topology->devices[location->device];
	const struct topology_memory *memories = chooser->topology->memories;
	const struct topology_region *region = &device->regions[location->region];
	bool named = false;

	for (size_t i = chooser->bank_first[location->device]; i != TOPOLOGY_NONE; i = chooser->bank_next[i])
		named |= is_named_after(&memories[i], region);
	while (bank != TOPOLOGY_NONE && named && !is_named_after(&memories[bank], region))
		bank = chooser->bank_next[bank];
	return bank;
}

static void say_banks(const struct chooser *chooser, const struct user *user, const struct memory_location *location,
		      struct figures *figures)
{
	size_t bank = bank_find(chooser, location, chooser->bank_first[location->device]);

	while (bank != TOPOLOGY_NONE) {
		say_accesses(chooser->topology, user, bank, figures);
		bank = bank_find(chooser, location, chooser->bank_next[bank]);
	}
}

/* What the device itself is said to get of its memory, then what the memory has; then a direction is as the other. */
static void say_own(const struct chooser *chooser, const struct memory_location *location, struct figures *figures)
{
	size_t bank = bank_find(chooser, location, chooser->bank_first[location->device]);

	for (; bank != TOPOLOGY_NONE; bank = bank_find(chooser, location, chooser->bank_next[bank]))
		for (size_t i = 0; i < DIRECTIONS; i++)
			say(&figures->mbps[i], known_mbps(chooser->topology->memories[bank].bandwidth_mbps, 1), false);
	for (size_t i = 0; i < DIRECTIONS; i++) {
		say(&figures->mbps[i], figures->mbps[!i].value, true);
		say(&figures->ns[i], figures->ns[!i].value, true);
	}
	for (size_t i = 0; i < DIRECTIONS; i++) {
		say(&figures->mbps[i], OWN_MBPS, true);
		say(&figures->ns[i], OWN_NS, true);
	}
}

static struct figures region_figures(const struct chooser *chooser, const struct user *user,
				     const struct memory_location *location)
{
	const struct topology *topology = chooser->topology;
	struct figures figures = { { unknown, unknown }, { unknown, unknown }, false };
	const struct topology_link *link;
	struct topology_pair pair;
	bool has_link;

	if (user->device == TOPOLOGY_NONE)
		return figures;
	if (user->device == location->device) {
		figures.reachable = true;
		say_banks(chooser, user, location, &figures);
		say_own(chooser, location, &figures);
		return figures;
	}
	link = topology_link_find(topology, user->device, location->device);
	has_link = link && link->up && link->type != TOPOLOGY_LINK_NONE;
	if (has_link) {
		figures.reachable = true;
		say(&figures.mbps[READ], known_mbps(link->read_bandwidth_mbps, link->n_records), false);
		say(&figures.mbps[WRITE], known_mbps(link->write_bandwidth_mbps, link->n_records), false);
		say(&figures.ns[READ], known(link->read_latency_ns), false);
		say(&figures.ns[WRITE], known(link->write_latency_ns), false);
	} else {
		/* Switches join both ways. */
		pair = topology_pair(topology, user->device, location->device);
		figures.reachable = pair.linked;
	}
	say_banks(chooser, user, location, &figures);
	if (figures.mbps[READ].value != TOPOLOGY_UNKNOWN && figures.mbps[WRITE].value != TOPOLOGY_UNKNOWN)
		return figures;
	if (has_link)
		pair = topology_pair(topology, user->device, location->device);
	for (size_t i = 0; i < DIRECTIONS; i++)
		say(&figures.mbps[i], known(pair.bandwidth_mbps), has_link || pair.assumed);
	return figures;
}

/* ---- system memory ---- */

static int64_t numa_node_of(const struct topology *topology, const struct user *user)
{
	return user->node != TOPOLOGY_NONE ? topology->nodes[user->node].numa_node :
					     topology->devices[user->device].numa_node;
}

static bool is_away(const struct topology *topology, const struct user *user, int64_t numa_node)
{
	int64_t own = numa_node_of(topology, user);

	return own != TOPOLOGY_UNKNOWN && numa_node != TOPOLOGY_UNKNOWN && own != numa_node;
}

/* The least PCI link between a device and its CPU, and the CPU link where the memory is at another node. */
static int64_t way_mbps(const struct topology *topology, const struct user *user, const struct topology_memory *memory)
{
	const struct topology_device *device;
	int64_t mbps = TOPOLOGY_UNKNOWN;

	if (user->device != TOPOLOGY_NONE) {
		device = &topology->devices[user->device];
		mbps = device->resolved.uplink_mbps;
		for (size_t at = device->resolved.above; at != TOPOLOGY_NONE;
		     at = topology->nodes[at].resolved.parent) {
			if (topology->nodes[at].kind != TOPOLOGY_NODE_BRIDGE ||
			    topology->nodes[at].resolved.parent == TOPOLOGY_NONE)
				continue;
			mbps = least_known(mbps, topology->nodes[at].resolved.uplink_mbps);
		}
		if (is_away(topology, user, memory->numa_node))
			mbps = least_known(mbps, device->resolved.cpu_link_mbps);
	}
	return mbps;
}

static struct figures memory_figures(const struct topology *topology, const struct user *user, size_t index)
{
	const struct topology_memory *memory = &topology->memories[index];
	struct figures figures = { { unknown, unknown }, { unknown, unknown }, true };
	int64_t way;

	say_accesses(topology, user, index, &figures);
	if (figures.mbps[READ].value != TOPOLOGY_UNKNOWN && figures.mbps[WRITE].value != TOPOLOGY_UNKNOWN)
		return figures;
	/* Half of it reported, or nothing: the memory's own bandwidth and the way bound it from above. */
	way = least_known(way_mbps(topology, user, memory), known_mbps(memory->bandwidth_mbps, 1));
	for (size_t i = 0; i < DIRECTIONS; i++)
		say(&figures.mbps[i], known(way), true);
	return figures;
}

/* ---- costs ---- */

static struct figures figures_of(const struct chooser *chooser, const struct user *user,
				 const struct memory_location *location)
{
	if (location->device != TOPOLOGY_NONE)
		return region_figures(chooser, user, location);
	return memory_figures(chooser->topology, user, location->memory);
}

/* What is assumed of own memory is no measure for others. */
static void note_known(struct extremes *extremes, const struct figures *figures)
{
	for (size_t i = 0; i < DIRECTIONS; i++) {
		if (figures->ns[i].value > extremes->most_ns)
			extremes->most_ns = figures->ns[i].value;
		if (figures->mbps[i].value < OWN_MBPS)
			extremes->least_mbps = least_known(extremes->least_mbps, figures->mbps[i].value);
	}
}

/* By insertion: there are two for each that uses the range. */
static void term_add(struct entry *entry, int64_t mbps, int64_t weight)
{
	size_t at = entry->n_terms;

	while (at > 0 && entry->terms[at - 1].mbps > mbps)
		at--;
	if (at > 0 && entry->terms[at - 1].mbps == mbps) {
		entry->terms[at - 1].weight += weight;
		return;
	}
	memmove(entry->terms + at + 1, entry->terms + at, (entry->n_terms++ - at) * sizeof(*entry->terms));
	entry->terms[at] = (struct term){ mbps, weight };
}

static void add_figure(const struct chooser *chooser, struct entry *entry, struct figure figure, int64_t weight)
{
	bool by_latency = chooser->request->objective == MEMORY_LATENCY;

	if (weight == 0)
		return;
	if (figure.value == TOPOLOGY_UNKNOWN)
		figure.value = by_latency			? chooser->extremes.most_ns :
			       chooser->extremes.least_mbps > 0 ? chooser->extremes.least_mbps :
								  1;
	if (by_latency)
		entry->ns += (unsigned __int128)weight * (uint64_t)figure.value;
	else
		term_add(entry, figure.value, weight);
}

static void value(const struct chooser *chooser, struct entry *entry)
{
	const struct topology *topology = chooser->topology;
	struct memory_location *location = &entry->location;
	int64_t numa_node = location->device != TOPOLOGY_NONE ? topology->devices[location->device].numa_node :
								topology->memories[location->memory].numa_node;
	double weights = 0;

	entry->ns = 0;
	entry->n_terms = 0;
	for (size_t i = 0; i < chooser->request->n_accessors; i++) {
		const struct user *user = &chooser->users[i];
		struct figures figures = figures_of(chooser, user, location);
		const struct figure *used = chooser->request->objective == MEMORY_LATENCY ? figures.ns : figures.mbps;

		for (size_t j = 0; j < DIRECTIONS; j++) {
			weights += (double)user->weights[j];
			location->away += is_away(topology, user, numa_node) ? user->weights[j] : 0;
			location->assumed |= user->weights[j] && (used[j].assumed || used[j].value == TOPOLOGY_UNKNOWN);
			add_figure(chooser, entry, used[j], user->weights[j]);
		}
	}
	location->cost = (double)entry->ns;
	for (size_t i = 0; i < entry->n_terms; i++)
		location->cost += (double)entry->terms[i].weight / (double)entry->terms[i].mbps;
	location->cost /= weights;
}

/*
 * The sign of a sum of fractions (whose weights become what is left of them). All are written down at once, in digits of
 * 64 bits: what is still to come of each is less than one unit of the last digit. A sum that is not 0 is at least 1 by
 * the product of all denominators: it is 0 if that many digits do not tell.
 */
static int sum_sign(struct term *terms, size_t n)
{
	const __int128 base = (__int128)1 << 64;
	__int128 sum = 0;
	size_t n_bits = 0;

	for (size_t i = 0; i < n; i++) {
		n_bits += 64 - (size_t)__builtin_clzll((unsigned long long)terms[i].mbps);
		sum += terms[i].weight / terms[i].mbps;
		terms[i].weight %= terms[i].mbps;
	}
	/* One digit more, for the number of fractions. */
	for (size_t n_digits = 0; n > 0 && n_digits * 64 < n_bits + 128; n_digits++) {
		if (sum >= (__int128)n || sum <= -(__int128)n)
			return sum > 0 ? 1 : -1;
		sum *= base;
		for (size_t i = 0; i < n; i++) {
			sum += terms[i].weight * base / terms[i].mbps;
			terms[i].weight = (int64_t)(terms[i].weight * base % terms[i].mbps);
		}
	}
	return 0;
}

static int cost_compare(const struct chooser *chooser, const struct entry *a, const struct entry *b)
{
	struct term *difference = chooser->difference;
	size_t n = 0;

	if (a->ns != b->ns)
		return a->ns < b->ns ? -1 : 1;
	for (size_t i = 0, j = 0; i < a->n_terms || j < b->n_terms;) {
		if (j == b->n_terms || (i < a->n_terms && a->terms[i].mbps < b->terms[j].mbps)) {
			difference[n++] = a->terms[i++];
		} else if (i == a->n_terms || b->terms[j].mbps < a->terms[i].mbps) {
			difference[n++] = (struct term){ b->terms[j].mbps, -b->terms[j].weight };
			j++;
		} else {
			difference[n] = a->terms[i];
			difference[n].weight -= b->terms[j++].weight;
			n += a->terms[i++].weight != b->terms[j - 1].weight;
		}
	}
	return sum_sign(difference, n);
}

/* ---- the list ---- */

/* In place, by all who use it: the others have no say. */
static bool is_reachable(struct chooser *chooser, const struct memory_location *location)
{
	struct extremes extremes = chooser->extremes;

	for (size_t i = 0; i < chooser->request->n_accessors; i++) {
		const struct user *user = &chooser->users[i];
		struct figures figures;

		if (user->weights[READ] + user->weights[WRITE] == 0)
			continue;
		figures = figures_of(chooser, user, location);
		if (!figures.reachable)
			return false;
		note_known(&extremes, &figures);
	}
	chooser->extremes = extremes;
	return true;
}

static bool is_excluded(const struct memory_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_exclude; i++)
		if (!strcmp(request->exclude[i], name))
			return true;
	return false;
}

static void add(struct chooser *chooser, struct memory_location location)
{
	if (!is_reachable(chooser, &location))
		return;
	chooser->n_reachable++;
	location.fits = location.free_bytes == TOPOLOGY_UNKNOWN ||
			(uint64_t)location.free_bytes >= chooser->request->bytes;
	if (location.free_bytes == 0 && !location.fits)
		return;
	chooser->locations[chooser->n_locations++] = location;
}

static void add_all(struct chooser *chooser)
{
	const struct topology *topology = chooser->topology;

	for (size_t i = 0; i < topology->n_devices; i++) {
		const struct topology_device *device = &topology->devices[i];

		if (device->state != TOPOLOGY_STATE_ONLINE || is_excluded(chooser->request, device->name))
			continue;
		for (size_t j = 0; j < device->n_regions; j++)
			add(chooser, (struct memory_location){
					     .device = i,
					     .region = j,
					     .memory = TOPOLOGY_NONE,
					     .free_bytes = device->regions[j].free_bytes,
				     });
	}
	for (size_t i = 0; i < topology->n_memories; i++) {
		const struct topology_memory *memory = &topology->memories[i];

		/* A device's memory that is no NUMA node is reached through its regions only. */
		if ((memory->device && memory->numa_node == TOPOLOGY_UNKNOWN) ||
		    is_excluded(chooser->request, memory->name))
			continue;
		add(chooser, (struct memory_location){
				     .device = TOPOLOGY_NONE,
				     .region = TOPOLOGY_NONE,
				     .memory = i,
				     .free_bytes = memory->free_bytes != TOPOLOGY_UNKNOWN ? memory->free_bytes :
											    memory->size_bytes,
			     });
	}
}

static bool is_before(const struct chooser *chooser, const struct entry *a, const struct entry *b)
{
	const struct memory_location *x = &a->location, *y = &b->location;
	int difference;

	if (x->fits != y->fits)
		return x->fits;
	difference = cost_compare(chooser, a, b);
	if (difference != 0)
		return difference < 0;
	if (x->away != y->away)
		return x->away < y->away;
	if (x->assumed != y->assumed)
		return y->assumed;
	/* TOPOLOGY_NONE is the largest: regions first. Names are in the order of numbers. */
	if (x->device != y->device)
		return x->device < y->device;
	if (x->region != y->region)
		return x->region < y->region;
	return x->memory < y->memory;
}

/* The best of all locations, sorted; whoever falls out at the end leaves its terms to the next. */
static void list(struct chooser *chooser)
{
	for (size_t i = 0; i < chooser->n_locations; i++) {
		struct entry entry = chooser->entries[chooser->n_entries];
		size_t at = chooser->n_entries;

		entry.location = chooser->locations[i];
		value(chooser, &entry);
		for (; at > 0 && is_before(chooser, &entry, &chooser->entries[at - 1]); at--)
			chooser->entries[at] = chooser->entries[at - 1];
		chooser->entries[at] = entry;
		if (chooser->n_entries < MEMORY_LOCATIONS_MAX)
			chooser->n_entries++;
	}
}

static int fail(char **reason, int error, const char *format, const char *name)
{
	if (reason && asprintf(reason, format, name) < 0) {
		*reason = NULL;
		return -ENOMEM;
	}
	return error;
}

static int find_users(struct chooser *chooser, char **reason)
{
	const struct memory_request *request = chooser->request;
	int64_t weights = 0;

	for (size_t i = 0; i < request->n_accessors; i++) {
		const struct memory_accessor *accessor = &request->accessors[i];
		ssize_t device = topology_device_find(chooser->topology, accessor->name);
		ssize_t node = device < 0 ? topology_node_find(chooser->topology, accessor->name) : -1;

		if (device < 0 && node < 0)
			return fail(reason, -ENODEV, "no such accessor: %s", accessor->name);
		if (accessor->read_weight < 0 || accessor->read_weight > MEMORY_WEIGHT_MAX ||
		    accessor->write_weight < 0 || accessor->write_weight > MEMORY_WEIGHT_MAX)
			return fail(reason, -EINVAL, "%s: weights are 0 to 1000000", accessor->name);
		weights += accessor->read_weight + accessor->write_weight;
		chooser->users[i] = (struct user){
			.device = device < 0 ? TOPOLOGY_NONE : (size_t)device,
			.node = node < 0 ? TOPOLOGY_NONE : (size_t)node,
			.weights = { accessor->read_weight, accessor->write_weight },
		};
	}
	return weights ? 0 : fail(reason, -EINVAL, "nobody reads or writes%s", "");
}

static int check_excluded(const struct chooser *chooser, char **reason)
{
	const struct topology *topology = chooser->topology;
	const struct memory_request *request = chooser->request;

	for (size_t i = 0; i < request->n_exclude; i++) {
		bool found = topology_device_find(topology, request->exclude[i]) >= 0 ||
			     topology_node_find(topology, request->exclude[i]) >= 0;

		for (size_t j = 0; j < topology->n_memories && !found; j++)
			found = !strcmp(topology->memories[j].name, request->exclude[i]);
		if (!found)
			return fail(reason, -ENODEV, "no such device or memory: %s", request->exclude[i]);
	}
	return 0;
}

static int chooser_init(struct chooser *chooser, const struct topology *topology, const struct memory_request *request)
{
	size_t n = topology->n_memories, n_terms = DIRECTIONS * request->n_accessors;

	/* Where nothing is known, own memory is nearer than any other. */
	*chooser = (struct chooser){
		.topology = topology,
		.request = request,
		.extremes = { .most_ns = OWN_NS + 1, .least_mbps = TOPOLOGY_UNKNOWN },
	};
	for (size_t i = 0; i < topology->n_devices; i++)
		n += topology->devices[i].n_regions;
	chooser->users = calloc(request->n_accessors + 1, sizeof(*chooser->users));
	chooser->locations = calloc(n + 1, sizeof(*chooser->locations));
	chooser->bank_first = calloc(topology->n_devices + 1, sizeof(*chooser->bank_first));
	chooser->bank_next = calloc(topology->n_memories + 1, sizeof(*chooser->bank_next));
	chooser->terms = calloc(n_terms + 1, (MEMORY_LOCATIONS_MAX + 1) * sizeof(*chooser->terms));
	chooser->difference = calloc(n_terms + 1, 2 * sizeof(*chooser->difference));
	if (!chooser->users || !chooser->locations || !chooser->bank_first || !chooser->bank_next || !chooser->terms ||
	    !chooser->difference)
		return -ENOMEM;
	for (size_t i = 0; i <= MEMORY_LOCATIONS_MAX; i++)
		chooser->entries[i].terms = chooser->terms + i * n_terms;
	for (size_t i = 0; i < topology->n_devices; i++)
		chooser->bank_first[i] = TOPOLOGY_NONE;
	for (size_t i = topology->n_memories; i-- > 0;) {
		size_t device = topology->memories[i].resolved_device;

		if (device == TOPOLOGY_NONE)
			continue;
		chooser->bank_next[i] = chooser->bank_first[device];
		chooser->bank_first[device] = i;
	}
	return 0;
}

int memory_place(const struct topology *topology, const struct memory_request *request, struct memory_answer *ret,
		 char **ret_reason)
{
	_cleanup_(chooser_fini) struct chooser chooser = { 0 };
	int r;

	if (ret_reason)
		*ret_reason = NULL;
	if (request->n_accessors == 0 || request->n_accessors > MEMORY_ACCESSORS_MAX)
		return fail(ret_reason, -EINVAL, request->n_accessors ? "too many accessors%s" : "no accessor%s", "");
	r = chooser_init(&chooser, topology, request);
	if (r == 0)
		r = find_users(&chooser, ret_reason);
	if (r == 0)
		r = check_excluded(&chooser, ret_reason);
	if (r < 0)
		return r;
	add_all(&chooser);
	if (chooser.n_locations == 0)
		return fail(ret_reason, -ENOSPC,
			    chooser.n_reachable ? "no room in any memory that all of them use in place%s" :
						  "no memory is used in place by all of them%s",
			    "");
	list(&chooser);
	*ret = (struct memory_answer){ .n_locations = chooser.n_entries };
	ret->n_more = chooser.n_locations - chooser.n_entries;
	for (size_t i = 0; i < chooser.n_entries; i++)
		ret->locations[i] = chooser.entries[i].location;
	return 0;
}
