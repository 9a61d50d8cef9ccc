// SPDX-License-Identifier: MIT
/* See memory.h. A location's cost is a sum over those who use it; the list is all locations, sorted. */
#include "place/memory.h"

#include "base/base.h"

#include <stdio.h>
#include <string.h>

/* Own memory of which nobody says how fast it is: faster than anything that has a figure. */
enum { OWN_MBPS = 10000000 };

struct user {
	size_t device, node; /* one of both is TOPOLOGY_NONE */
	int64_t read_weight, write_weight;
};

struct figures {
	int64_t read_mbps, write_mbps, read_ns, write_ns; /* or TOPOLOGY_UNKNOWN */
	bool assumed; /* the bandwidths */
	bool reachable;
};

struct chooser {
	const struct topology *topology;
	const struct memory_request *request;
	struct user *users;
	struct memory_location *locations;
	size_t n_locations, n_reachable;
	int64_t most_ns, least_mbps; /* of all that is known, for what is not */
};

static void chooser_fini(struct chooser *chooser)
{
	free(chooser->users);
	free(chooser->locations);
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

static int64_t least_known(int64_t a, int64_t b)
{
	if (a == TOPOLOGY_UNKNOWN || b == TOPOLOGY_UNKNOWN)
		return a == TOPOLOGY_UNKNOWN ? b : a;
	return a < b ? a : b;
}

/* ---- regions ---- */

static int64_t own_mbps(const struct topology *topology, size_t device)
{
	for (size_t i = 0; i < topology->n_memories; i++)
		if (topology->memories[i].resolved_device == device && topology->memories[i].bandwidth_mbps > 0)
			return topology->memories[i].bandwidth_mbps;
	return TOPOLOGY_UNKNOWN;
}

static struct figures region_figures(const struct topology *topology, const struct user *user, size_t owner)
{
	struct figures figures = { TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN };
	const struct topology_link *link;
	struct topology_pair pair;

	if (user->device == TOPOLOGY_NONE)
		return figures;
	figures.reachable = true;
	if (user->device == owner) {
		figures.read_mbps = own_mbps(topology, owner);
		figures.assumed = figures.read_mbps == TOPOLOGY_UNKNOWN;
		if (figures.assumed)
			figures.read_mbps = OWN_MBPS;
		figures.write_mbps = figures.read_mbps;
		/* Nothing is nearer. */
		figures.read_ns = figures.write_ns = 0;
		return figures;
	}
	link = topology_link_find(topology, user->device, owner);
	if (link && link->up && link->type != TOPOLOGY_LINK_NONE) {
		figures.read_mbps = known(link->read_bandwidth_mbps);
		figures.write_mbps = known(link->write_bandwidth_mbps);
		figures.read_ns = known(link->read_latency_ns);
		figures.write_ns = known(link->write_latency_ns);
	} else {
		/* Switches join both ways. */
		pair = topology_pair(topology, user->device, owner);
		figures.reachable = pair.linked;
		figures.read_mbps = figures.write_mbps = pair.bandwidth_mbps;
		figures.assumed = pair.assumed;
		return figures;
	}
	if (figures.read_mbps == TOPOLOGY_UNKNOWN || figures.write_mbps == TOPOLOGY_UNKNOWN) {
		pair = topology_pair(topology, user->device, owner);
		figures.assumed = true;
		if (figures.read_mbps == TOPOLOGY_UNKNOWN)
			figures.read_mbps = pair.bandwidth_mbps;
		if (figures.write_mbps == TOPOLOGY_UNKNOWN)
			figures.write_mbps = pair.bandwidth_mbps;
	}
	return figures;
}

/* ---- system memory ---- */

/* HMAT: what is said of this initiator; of several classes the best initiator's (0) first. */
static const struct topology_access *access_of(const struct topology *topology, const struct user *user, size_t memory)
{
	const struct topology_access *best = NULL;

	for (size_t i = 0; i < topology->n_accesses; i++) {
		const struct topology_access *access = &topology->accesses[i];

		if (access->memory != memory || access->initiator_device != user->device ||
		    access->initiator_node != user->node)
			continue;
		if (!best || access->access_class < best->access_class)
			best = access;
	}
	return best;
}

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
static int64_t way_mbps(const struct topology *topology, const struct user *user, const struct topology_memory *memory,
			bool *assumed)
{
	const struct topology_device *device;
	int64_t mbps = TOPOLOGY_UNKNOWN;

	if (user->device != TOPOLOGY_NONE) {
		device = &topology->devices[user->device];
		mbps = device->resolved.uplink_mbps;
		*assumed |= device->resolved.uplink_assumed;
		for (size_t at = device->resolved.above; at != TOPOLOGY_NONE;
		     at = topology->nodes[at].resolved.parent) {
			if (topology->nodes[at].kind != TOPOLOGY_NODE_BRIDGE ||
			    topology->nodes[at].resolved.parent == TOPOLOGY_NONE)
				continue;
			mbps = least_known(mbps, topology->nodes[at].resolved.uplink_mbps);
			*assumed |= topology->nodes[at].resolved.uplink_assumed;
		}
		if (is_away(topology, user, memory->numa_node)) {
			mbps = least_known(mbps, device->resolved.cpu_link_mbps);
			*assumed |= device->resolved.cpu_link_assumed;
		}
	}
	return mbps;
}

static struct figures memory_figures(const struct topology *topology, const struct user *user, size_t index)
{
	const struct topology_memory *memory = &topology->memories[index];
	const struct topology_access *access = access_of(topology, user, index);
	struct figures figures = { TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN };
	int64_t way;

	figures.reachable = true;
	if (access) {
		figures.read_mbps = known(access->read_bandwidth_mbps);
		figures.write_mbps = known(access->write_bandwidth_mbps);
		figures.read_ns = known(access->read_latency_ns);
		figures.write_ns = known(access->write_latency_ns);
	}
	if (figures.read_mbps != TOPOLOGY_UNKNOWN && figures.write_mbps != TOPOLOGY_UNKNOWN)
		return figures;
	/* Half of it reported, or nothing: the memory's own bandwidth and the way bound it from above. */
	way = least_known(way_mbps(topology, user, memory, &figures.assumed), known(memory->bandwidth_mbps));
	figures.assumed = true;
	if (figures.read_mbps == TOPOLOGY_UNKNOWN)
		figures.read_mbps = way;
	if (figures.write_mbps == TOPOLOGY_UNKNOWN)
		figures.write_mbps = way;
	return figures;
}

/* ---- the list ---- */

static struct figures figures_of(const struct chooser *chooser, const struct user *user,
				 const struct memory_location *location)
{
	if (location->device != TOPOLOGY_NONE)
		return region_figures(chooser->topology, user, location->device);
	return memory_figures(chooser->topology, user, location->memory);
}

static void note_known(struct chooser *chooser, const struct figures *figures)
{
	const int64_t ns[] = { figures->read_ns, figures->write_ns };
	const int64_t mbps[] = { figures->read_mbps, figures->write_mbps };

	for (size_t i = 0; i < 2; i++) {
		if (ns[i] > chooser->most_ns)
			chooser->most_ns = ns[i];
		chooser->least_mbps = least_known(chooser->least_mbps, mbps[i]);
	}
}

static double bandwidth_cost(const struct chooser *chooser, struct memory_location *location, int64_t weight,
			     int64_t mbps)
{
	if (weight == 0)
		return 0;
	if (mbps == TOPOLOGY_UNKNOWN) {
		location->assumed = true;
		mbps = chooser->least_mbps > 0 ? chooser->least_mbps : 1;
	}
	return (double)weight / (double)mbps;
}

static double latency_cost(const struct chooser *chooser, struct memory_location *location, int64_t weight, int64_t ns)
{
	if (weight == 0)
		return 0;
	if (ns == TOPOLOGY_UNKNOWN) {
		location->assumed = true;
		ns = chooser->most_ns;
	}
	return (double)weight * (double)ns;
}

static void value(const struct chooser *chooser, struct memory_location *location)
{
	double weights = 0;

	for (size_t i = 0; i < chooser->request->n_accessors; i++) {
		const struct user *user = &chooser->users[i];
		struct figures figures = figures_of(chooser, user, location);

		weights += (double)user->read_weight + (double)user->write_weight;
		if (location->memory != TOPOLOGY_NONE &&
		    is_away(chooser->topology, user, chooser->topology->memories[location->memory].numa_node))
			location->away += user->read_weight + user->write_weight;
		if (chooser->request->objective == MEMORY_LATENCY) {
			location->cost += latency_cost(chooser, location, user->read_weight, figures.read_ns) +
					  latency_cost(chooser, location, user->write_weight, figures.write_ns);
			continue;
		}
		if (user->read_weight + user->write_weight > 0)
			location->assumed |= figures.assumed;
		location->cost += bandwidth_cost(chooser, location, user->read_weight, figures.read_mbps) +
				  bandwidth_cost(chooser, location, user->write_weight, figures.write_mbps);
	}
	location->cost /= weights;
}

static bool is_reachable(struct chooser *chooser, const struct memory_location *location)
{
	for (size_t i = 0; i < chooser->request->n_accessors; i++) {
		const struct user *user = &chooser->users[i];
		struct figures figures = figures_of(chooser, user, location);

		if (user->read_weight + user->write_weight == 0)
			continue;
		if (!figures.reachable)
			return false;
	}
	for (size_t i = 0; i < chooser->request->n_accessors; i++) {
		struct figures figures = figures_of(chooser, &chooser->users[i], location);

		if (figures.reachable)
			note_known(chooser, &figures);
	}
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

static int location_compare(const void *a, const void *b)
{
	const struct memory_location *x = a, *y = b;

	if (x->fits != y->fits)
		return x->fits ? -1 : 1;
	if (x->cost != y->cost)
		return x->cost < y->cost ? -1 : 1;
	if (x->away != y->away)
		return x->away < y->away ? -1 : 1;
	if (x->assumed != y->assumed)
		return x->assumed ? 1 : -1;
	/* TOPOLOGY_NONE is the largest: regions first. Names are in the order of numbers. */
	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	if (x->region != y->region)
		return x->region < y->region ? -1 : 1;
	return (x->memory > y->memory) - (x->memory < y->memory);
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

	if (request->n_accessors == 0 || request->n_accessors > MEMORY_ACCESSORS_MAX)
		return fail(reason, -EINVAL, request->n_accessors ? "too many accessors%s" : "no accessor%s", "");
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
			.read_weight = accessor->read_weight,
			.write_weight = accessor->write_weight,
		};
	}
	return weights ? 0 : fail(reason, -EINVAL, "nobody reads or writes%s", "");
}

int memory_place(const struct topology *topology, const struct memory_request *request, struct memory_answer *ret,
		 char **ret_reason)
{
	_cleanup_(chooser_fini) struct chooser chooser = {
		.topology = topology,
		.request = request,
		.least_mbps = TOPOLOGY_UNKNOWN,
	};
	size_t n = topology->n_memories;
	int r;

	if (ret_reason)
		*ret_reason = NULL;
	for (size_t i = 0; i < topology->n_devices; i++)
		n += topology->devices[i].n_regions;
	chooser.users = calloc(request->n_accessors + 1, sizeof(*chooser.users));
	chooser.locations = calloc(n + 1, sizeof(*chooser.locations));
	if (!chooser.users || !chooser.locations)
		return -ENOMEM;
	r = find_users(&chooser, ret_reason);
	if (r < 0)
		return r;
	add_all(&chooser);
	if (chooser.n_locations == 0)
		return fail(ret_reason, -ENOSPC,
			    chooser.n_reachable ? "no room in any memory that all of them use in place%s" :
						  "no memory is used in place by all of them%s",
			    "");
	for (size_t i = 0; i < chooser.n_locations; i++)
		value(&chooser, &chooser.locations[i]);
	qsort(chooser.locations, chooser.n_locations, sizeof(*chooser.locations), location_compare);
	*ret = (struct memory_answer){ 0 };
	ret->n_locations = chooser.n_locations < MEMORY_LOCATIONS_MAX ? chooser.n_locations : MEMORY_LOCATIONS_MAX;
	ret->n_more = chooser.n_locations - ret->n_locations;
	memcpy(ret->locations, chooser.locations, ret->n_locations * sizeof(*ret->locations));
	return 0;
}
