/* SPDX-License-Identifier: MIT */
/*
 * model - what is known about the devices of a machine at one moment.
 *
 * A topology is made by a builder, and nothing in it changes afterwards; references may be held and dropped by any
 * thread. It knows nothing of where its facts come from. Unknown numbers are TOPOLOGY_UNKNOWN (-1), unknown strings
 * NULL; neither is ever 0 or "".
 */
#ifndef FABRICMAP_MODEL_H
#define FABRICMAP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct json_object;

enum {
	TOPOLOGY_UNKNOWN = -1,
	/* Rule of pair bandwidth that topology_pair() follows. */
	TOPOLOGY_PAIR_RULE = 1,
	/* Limits on what is taken in from outside. Storage and loading are linear in what there is, never n * n. */
	TOPOLOGY_DEVICES_MAX = 16384,
	TOPOLOGY_NODES_MAX = 65536,
	TOPOLOGY_LINKS_MAX = 1 << 21,
	TOPOLOGY_ATTACHMENTS_MAX = 1 << 20,
	TOPOLOGY_MEMORIES_MAX = 65536,
	TOPOLOGY_WARNINGS_MAX = 256,
	/* Bridges above one another. */
	TOPOLOGY_DEPTH_MAX = 64,
	/* Of one link record, by the rule; what is beyond is impossible. */
	TOPOLOGY_RECORD_COUNT_MAX = 255,
	TOPOLOGY_RECORD_MBPS_MAX = 10000000,
	/*
	 * Of a pair, whatever its records come to together: more than any one record may say, by bandwidth or by count
	 * (255 x 48000). Sums over 32,768 devices are still exact as double, and those over 16 in 32 bits.
	 */
	TOPOLOGY_PAIR_MBPS_MAX = (1 << 24) - 1,
};

/* No index. */
#define TOPOLOGY_NONE ((size_t)-1)

enum topology_source {
	TOPOLOGY_SOURCE_KERNEL = 1, /* "kernel": the fabric's sysfs */
	TOPOLOGY_SOURCE_PARTIAL, /* "partial": the kernel part is absent */
};

/* Text forms: the names in small letters, as in sysfs and in the Varlink interface. */
enum topology_state {
	TOPOLOGY_STATE_ONLINE = 1,
	TOPOLOGY_STATE_DRAINING,
	TOPOLOGY_STATE_EVICTING,
	TOPOLOGY_STATE_OFFLINE,
	TOPOLOGY_STATE_LOST, /* it does not answer any more */
	TOPOLOGY_STATE_UNBOUND, /* its driver was taken off by a removal; the bus still has it */
	TOPOLOGY_STATE_UNMANAGED, /* a GPU or accelerator whose driver, if it has one, has not joined the fabric */
};

enum topology_link_type {
	TOPOLOGY_LINK_NONE = 1,
	TOPOLOGY_LINK_PCIE_SWITCH,
	TOPOLOGY_LINK_PCIE_HOST_BRIDGE,
	TOPOLOGY_LINK_XGMI,
	TOPOLOGY_LINK_NVLINK,
	TOPOLOGY_LINK_XE_LINK,
	TOPOLOGY_LINK_CXL,
	TOPOLOGY_LINK_SOFTGPU,
};

/* Whether there are struct pages for a region. Text forms likewise. */
enum topology_pagemap {
	TOPOLOGY_PAGEMAP_UNKNOWN = 0,
	TOPOLOGY_PAGEMAP_ABSENT,
	TOPOLOGY_PAGEMAP_ACTIVE,
	TOPOLOGY_PAGEMAP_IDLE,
	TOPOLOGY_PAGEMAP_DEAD, /* only dead pages keep it */
};

/* Who says so. In the order in which they are believed where they contradict each other. */
enum topology_origin {
	TOPOLOGY_ORIGIN_UNKNOWN = 0,
	TOPOLOGY_ORIGIN_FABRIC, /* the fabric's sysfs */
	TOPOLOGY_ORIGIN_NVML,
	TOPOLOGY_ORIGIN_PCI, /* sysfs of the PCI bus */
	TOPOLOGY_ORIGIN_KFD,
	TOPOLOGY_ORIGIN_NUMA, /* sysfs of NUMA nodes and CPUs */
	TOPOLOGY_ORIGIN_HWLOC,
	TOPOLOGY_ORIGIN_NCCL,
	TOPOLOGY_ORIGIN_JSON, /* a file of our own schema that does not say */
};

/* How it is known, best first. */
enum topology_confidence {
	TOPOLOGY_CONFIDENCE_UNKNOWN = 0,
	TOPOLOGY_CONFIDENCE_MEASURED,
	TOPOLOGY_CONFIDENCE_REPORTED,
	TOPOLOGY_CONFIDENCE_DERIVED, /* from what was reported: count x the default of a known generation */
	TOPOLOGY_CONFIDENCE_ASSUMED,
};

struct topology_fact {
	enum topology_origin origin; /* TOPOLOGY_ORIGIN_UNKNOWN: the fact itself is unknown */
	enum topology_confidence confidence;
};

/* Facts of a device that have a source of their own. */
enum topology_fact_kind {
	TOPOLOGY_FACT_NUMA_NODE,
	TOPOLOGY_FACT_ARCH,
	TOPOLOGY_FACT_HIVE,
	TOPOLOGY_FACT_PARENT,
	TOPOLOGY_FACT_CPU,
	TOPOLOGY_FACT_PCI_LINK,
	TOPOLOGY_FACT_CPU_LINK,
	TOPOLOGY_FACTS_N,
};

/* What is neither a device nor memory. */
enum topology_node_kind {
	TOPOLOGY_NODE_CPU = 1, /* the CPUs of a NUMA node or of a package */
	TOPOLOGY_NODE_BRIDGE, /* of PCI, or any other inner node of a tree of devices */
	TOPOLOGY_NODE_SWITCH, /* of a vendor's fabric: devices are attached to it */
	TOPOLOGY_NODE_NIC,
	TOPOLOGY_NODE_INITIATOR, /* uses memory, has no CPUs and is no device that we know */
};

enum topology_memory_kind {
	TOPOLOGY_MEMORY_UNKNOWN = 0,
	TOPOLOGY_MEMORY_DRAM,
	TOPOLOGY_MEMORY_HBM,
	TOPOLOGY_MEMORY_CXL,
	TOPOLOGY_MEMORY_NVM,
};

/* Which case of the rule gave a pair its figure. */
enum topology_pair_kind {
	TOPOLOGY_PAIR_SELF = 0,
	TOPOLOGY_PAIR_DIRECT, /* 1: direct links of a vendor's fabric */
	TOPOLOGY_PAIR_SWITCH, /* 2: switches that both are attached to */
	TOPOLOGY_PAIR_PCI, /* 3: the PCI path, or a figure that a source has for it */
	TOPOLOGY_PAIR_UNKNOWN, /* 4: nothing is known */
};

/* 0 for a text that is none of them. */
enum topology_origin topology_origin_from_string(const char *text);
enum topology_confidence topology_confidence_from_string(const char *text);
enum topology_node_kind topology_node_kind_from_string(const char *text);
enum topology_memory_kind topology_memory_kind_from_string(const char *text);
enum topology_state topology_state_from_string(const char *text);
enum topology_link_type topology_link_type_from_string(const char *text);
enum topology_pagemap topology_pagemap_from_string(const char *text);

/* Static; NULL for 0 and values out of range. */
const char *topology_origin_to_string(enum topology_origin origin);
const char *topology_confidence_to_string(enum topology_confidence confidence);
const char *topology_node_kind_to_string(enum topology_node_kind kind);
const char *topology_memory_kind_to_string(enum topology_memory_kind kind);
/* "direct", "switch", "pci", "unknown"; of itself NULL. */
const char *topology_pair_kind_to_string(enum topology_pair_kind kind);
/* "numa_node" and so on; TOPOLOGY_FACTS_N for a text that is none of them. */
const char *topology_fact_kind_to_string(enum topology_fact_kind kind);
enum topology_fact_kind topology_fact_kind_from_string(const char *text);
const char *topology_state_to_string(enum topology_state state);
const char *topology_link_type_to_string(enum topology_link_type type);
const char *topology_pagemap_to_string(enum topology_pagemap state);
const char *topology_source_to_string(enum topology_source source);

struct topology_region {
	char *name;
	int64_t size_bytes, free_bytes, resident_bytes;
	/* Not part of the topology's JSON. */
	int64_t dead_bytes; /* or TOPOLOGY_UNKNOWN */
	enum topology_pagemap pagemap;
	int64_t pagemap_refs_handles, pagemap_refs_pages, pagemap_refs_mappings;
};

/* From an unmanaged device to one of the fabric, as the kernel counts it: less is nearer. */
struct topology_distance {
	char *device;
	int64_t distance;
};

/* A PCI link, or any other to what is above in a tree. 0 and TOPOLOGY_UNKNOWN are unknown. */
struct topology_uplink {
	int64_t speed_mtps; /* MT/s: 2500, 5000, 8000, ... 64000 */
	int64_t width; /* lanes */
	int64_t bandwidth_mbps; /* a figure for the link as a whole: goes before speed and width */
};

/*
 * A device. Builders take names and ignore what is "resolved": topology_builder_finish() fills that in.
 */
struct topology_device {
	char *name; /* bus name: 0000:43:00.0; of a partition 0000:43:00.0/p1 */
	char *driver; /* may be NULL */
	enum topology_state state;
	int64_t incarnation; /* or TOPOLOGY_UNKNOWN */
	int64_t numa_node; /* or TOPOLOGY_UNKNOWN */
	char *render_node; /* "/dev/dri/renderD128" or NULL */
	int64_t n_handles; /* or TOPOLOGY_UNKNOWN */
	struct topology_region *regions; /* by name */
	size_t n_regions;
	/* Of unmanaged devices only. */
	char *upstream_bridge; /* 0000:40:01.0, or NULL */
	char *pci_class; /* 0x030200, or NULL */
	struct topology_distance *distances; /* by device; those that the kernel knows */
	size_t n_distances;
	char *arch; /* generation: "gfx90a", "sm90", or NULL */
	char *hive; /* devices of one hive have the same text; or NULL */
	char *parent; /* node above it, or NULL */
	char *cpu; /* node of kind cpu that it is at; or NULL */
	struct topology_uplink pci_link; /* to what is above it */
	/* A link of a vendor's fabric to its CPU, which it uses instead of PCI. Type 0: none. */
	struct {
		enum topology_link_type type;
		int64_t bandwidth_mbps, count; /* as in a link */
	} cpu_link;
	struct topology_fact facts[TOPOLOGY_FACTS_N];
	/* Resolved. */
	struct {
		size_t parent; /* node, or TOPOLOGY_NONE */
		size_t cpu; /* node of cpu, or else the one of numa_node, or TOPOLOGY_NONE */
		size_t package; /* first device of the same package: partitions of one device share it */
		size_t hive; /* first device of the same hive, or TOPOLOGY_NONE */
		/* Case 3 of the rule: from here up. */
		size_t above; /* node; TOPOLOGY_NONE: the root */
		int64_t uplink_mbps;
		bool uplink_assumed, has_path;
		/* Devices of different sockets have the CPU link between them. TOPOLOGY_UNKNOWN: not known. */
		int64_t socket;
		int64_t cpu_link_mbps; /* from its socket to others */
		bool cpu_link_assumed;
	} resolved;
};

/* A CPU, bridge, switch or NIC. Names are of one name space, apart from that of devices. */
struct topology_node {
	char *name; /* bus name, "node0", or what the source calls it */
	enum topology_node_kind kind;
	char *parent; /* node above, or NULL */
	struct topology_uplink uplink; /* to the parent */
	int64_t numa_node; /* or TOPOLOGY_UNKNOWN */
	/* Of CPUs. Sockets with the same number are the same; unknown: each CPU node is a socket. */
	int64_t socket;
	char *vendor; /* as CPUID has it: "GenuineIntel", or "POWER9"; or NULL */
	int64_t model; /* or TOPOLOGY_UNKNOWN */
	/* Of NICs. */
	int64_t port_mbps; /* or TOPOLOGY_UNKNOWN */
	struct topology_fact fact;
	/* Resolved, as in a device. */
	struct {
		size_t parent;
		size_t depth; /* number of nodes above it */
		int64_t uplink_mbps;
		bool uplink_assumed;
	} resolved;
};

/* A device at a switch of a vendor's fabric. */
struct topology_attachment {
	size_t device, node;
	enum topology_link_type type;
	/* As in a link. */
	int64_t count, n_records;
	int64_t to_bandwidth_mbps, from_bandwidth_mbps; /* from the device to the switch, and back */
	struct topology_fact fact;
	/* Resolved: by the rule. */
	int64_t to_mbps, from_mbps;
	bool assumed;
};

/* Memory that is not a region of a device, or that a source knows as a NUMA node. */
struct topology_memory {
	char *name; /* "node0" */
	enum topology_memory_kind kind;
	int64_t numa_node; /* or TOPOLOGY_UNKNOWN */
	int64_t size_bytes, free_bytes; /* or TOPOLOGY_UNKNOWN */
	int64_t bandwidth_mbps; /* of the memory itself, as its banks say; or TOPOLOGY_UNKNOWN */
	char *device; /* whose it is, or NULL */
	struct topology_fact fact;
	size_t resolved_device; /* or TOPOLOGY_NONE */
};

/* How an initiator reaches a memory. Numbers may be TOPOLOGY_UNKNOWN. */
struct topology_access {
	size_t memory;
	char *initiator; /* a node or a device */
	int64_t access_class; /* as in sysfs: 0 the best initiator, 1 the best CPU; or TOPOLOGY_UNKNOWN */
	int64_t read_bandwidth_mbps, write_bandwidth_mbps;
	int64_t read_latency_ns, write_latency_ns;
	struct topology_fact fact;
	size_t initiator_node, initiator_device; /* resolved; at most one is not TOPOLOGY_NONE */
};

/* One direction: how accessor reaches the memory of owner. Numbers may be TOPOLOGY_UNKNOWN. */
struct topology_link {
	size_t accessor, owner; /* index into the topology's devices */
	enum topology_link_type type;
	bool up;
	char *why_not; /* may be NULL */
	int64_t read_bandwidth_mbps, write_bandwidth_mbps;
	int64_t read_latency_ns, write_latency_ns;
	int64_t hops;
	char *provenance; /* may be NULL */
	int64_t measured_at_s; /* the bandwidths, in seconds since 1970; TOPOLOGY_UNKNOWN: they were not measured */
	/*
	 * Lanes or links of it; 0: not known, and taken as 1. Bandwidths and count are of n_records records together
	 * (0: one). A bandwidth of 0 is one that was reported, and means nothing; TOPOLOGY_UNKNOWN: none was.
	 */
	int64_t count, n_records;
	/* What a source says of the PCI path beside a link of a vendor's fabric. */
	bool has_pci_record;
	int64_t pci_bandwidth_mbps;
	struct topology_fact fact;
	/* Resolved. */
	int64_t bandwidth_mbps; /* D(accessor -> owner) by case 1 of the rule, if mutual and of a vendor's fabric */
	int64_t pci_mbps; /* the figure for the PCI path, or 0 */
	bool assumed, pci_assumed; /* they had to be guessed */
	bool mutual; /* it and its way back are up, and both or neither are of a vendor's fabric */
	bool pci_mutual; /* both directions have a figure for the PCI path, which may be 0 */
};

struct topology_group {
	char *id;
	enum topology_link_type type;
	size_t *members; /* index into the topology's devices, ascending */
	size_t n_members;
};

struct topology {
	unsigned int n_refs; /* atomic */
	enum topology_source source;
	int64_t generation;
	struct topology_device *devices; /* by topology_name_compare() */
	size_t n_devices;
	struct topology_link *links; /* by accessor, then owner */
	size_t n_links;
	size_t *links_first; /* n_devices + 1: where an accessor's links begin */
	struct topology_node *nodes; /* by topology_name_compare() */
	size_t n_nodes;
	struct topology_attachment *attachments; /* by device, then node; at most one of each pair */
	size_t n_attachments;
	size_t *attachments_first; /* n_devices + 1: where a device's attachments begin */
	struct topology_memory *memories; /* by name */
	size_t n_memories;
	struct topology_access *accesses; /* by memory, then initiator, then class */
	size_t n_accesses;
	struct topology_group *groups; /* by id */
	size_t n_groups;
	char **warnings; /* in the order in which they were found */
	size_t n_warnings;
};

/* Of one that was put together by hand: frees what it has. */
void topology_device_fini(struct topology_device *device);

struct topology *topology_ref(struct topology *topology);
struct topology *topology_unref(struct topology *topology);
void topology_unrefp(struct topology **topology);

/**
 * topology_name_compare() - the order of devices
 *
 * PCI addresses by domain, bus, device, function and partition ("0000:43:00.0", "0000:43:00.0/p1") as numbers, before
 * all other names; those as strverscmp() has them.
 *
 * Return: as strcmp(). 0 for equal names only.
 */
int topology_name_compare(const char *a, const char *b);

/* Index of a device by its name, -ENODEV if there is none. */
ssize_t topology_device_find(const struct topology *topology, const char *name);

/* NULL if there is no record of that direction. */
const struct topology_link *topology_link_find(const struct topology *topology, size_t accessor, size_t owner);

/* Index of a node, of a memory, by its name; -ENOENT if there is none. */
ssize_t topology_node_find(const struct topology *topology, const char *name);
ssize_t topology_memory_find(const struct topology *topology, const char *name);

/* XGMI, NVLink, Xe Link, CXL, softgpu: what case 1 of the rule counts. */
bool topology_link_type_is_fabric(enum topology_link_type type);

/* The node that the PCI paths of two devices meet in, TOPOLOGY_NONE if only the root is common. */
size_t topology_common_node(const struct topology *topology, size_t a, size_t b);

/* Index of the first group with that device, -ENOENT if it is in none. */
ssize_t topology_device_group(const struct topology *topology, size_t device);

/**
 * struct topology_pair - two devices, without direction
 * @bandwidth_mbps: pair bandwidth W by rule version 1
 * @linked: each reaches the other's memory in place
 * @assumed: a figure that was used had to be guessed, whether or not it is the least
 * @kind: which case of the rule it is
 * @origin: who says so; TOPOLOGY_ORIGIN_UNKNOWN where nobody does
 */
struct topology_pair {
	int64_t bandwidth_mbps;
	bool linked;
	bool assumed;
	enum topology_pair_kind kind;
	enum topology_origin origin;
};

/**
 * topology_pair() - pair bandwidth
 *
 * The lesser of both directions; each is the first that there is of
 *
 * 1. direct links of a vendor's fabric: their figures, or count times the default of the class,
 * 2. switches that both are attached to: the sum over them of the lesser of both attachments,
 * 3. the PCI path: the least of the links on it, or the figure that a source has for the pair; between sockets not more
 *    than the CPU link,
 * 4. 16 lanes of PCIe 3, and not more than the CPU link: assumed.
 *
 * A link that is up in one direction only counts in neither. Time: logarithmic in the links of @a, linear in switches
 * and bridges above the two; allocates nothing.
 *
 * Return: the pair; for @a == @b bandwidth 0, linked, not assumed.
 */
struct topology_pair topology_pair(const struct topology *topology, size_t a, size_t b);

/* ---- JSON: the type Topology of uapi/org.drmfabric.Fabric.varlink, "fabric.topology/1" ---- */

/* New objects, the caller's; NULL if memory is short. */
struct json_object *topology_to_json(const struct topology *topology);
struct json_object *topology_device_to_json(const struct topology_device *device);
struct json_object *topology_region_to_json(const struct topology_region *region);
struct json_object *topology_link_to_json(const struct topology *topology, const struct topology_link *link);
struct json_object *topology_group_to_json(const struct topology *topology, const struct topology_group *group);

/**
 * topology_from_json() - read a topology back
 * @object: of any origin: everything in it is checked
 *
 * Unknown keys are ignored. Links and groups that name devices which are not there are left out, with a warning; so are
 * devices in a state and links and groups of a type that this build does not know: whoever wrote it is newer.
 *
 * Return: 0, -EPROTONOSUPPORT another schema, -EBADMSG not of that shape, -E2BIG over a limit, -ENOMEM.
 */
int topology_from_json(struct json_object *object, struct topology **ret);

/* The same; @ret_error says what is wrong and where: "devices[3]: numa_node: ...". The caller frees it. Not of -ENOMEM. */
int topology_from_json_explain(struct json_object *object, struct topology **ret, char **ret_error);

/* ---- builder ---- */

struct topology_builder;

int topology_builder_new(enum topology_source source, int64_t generation, struct topology_builder **ret);
struct topology_builder *topology_builder_free(struct topology_builder *builder);
void topology_builder_freep(struct topology_builder **builder);

/* Whose facts those are that are added from now on and do not say; TOPOLOGY_ORIGIN_FABRIC in the beginning. */
void topology_builder_set_origin(struct topology_builder *builder, enum topology_origin origin);

/* Add everything that @topology has (its warnings too), for a new one that has more. */
int topology_builder_add_topology(struct topology_builder *builder, const struct topology *topology);

/**
 * topology_builder_add_device() - add a device
 * @device: copied, with its regions and distances
 *
 * A device that is unmanaged gives way to one of the same name that is not, whichever comes first: a function that
 * joins or leaves the fabric may for a moment be seen as both.
 *
 * Return: 0, -EEXIST there is one of that name, -E2BIG too many, -ENOMEM.
 */
int topology_builder_add_device(struct topology_builder *builder, const struct topology_device *device);

/**
 * topology_builder_add_link() - add one direction
 * @accessor, @owner: names; the devices may be added later
 * @link: copied; its accessor and owner are ignored
 *
 * Links with an end that is not there in the end, to itself, or a second time, are left out with a warning.
 */
int topology_builder_add_link(struct topology_builder *builder, const char *accessor, const char *owner,
			      const struct topology_link *link);

/**
 * topology_builder_add_node() - add a CPU, bridge, switch or NIC
 * @node: copied; what is resolved is ignored
 *
 * Return: 0, -EEXIST there is one of that name, -E2BIG too many, -ENOMEM.
 */
int topology_builder_add_node(struct topology_builder *builder, const struct topology_node *node);

/**
 * topology_builder_add_attachment() - attach a device to a switch
 * @device, @node: names; they may be added later
 * @attachment: copied; its device and node are ignored
 *
 * Attachments with an end that is not there in the end, and all but the first of a pair, are left out with a warning.
 */
int topology_builder_add_attachment(struct topology_builder *builder, const char *device, const char *node,
				    const struct topology_attachment *attachment);

/* Add a memory: as topology_builder_add_node(). */
int topology_builder_add_memory(struct topology_builder *builder, const struct topology_memory *memory);

/* Add an access to a memory by name: as topology_builder_add_attachment(). */
int topology_builder_add_access(struct topology_builder *builder, const char *memory,
				const struct topology_access *access);

int topology_builder_add_group(struct topology_builder *builder, const char *id, enum topology_link_type type,
			       const char *const *members, size_t n_members);

/* A text that is there already is not added again; over TOPOLOGY_WARNINGS_MAX they are only counted. */
int topology_builder_warn(struct topology_builder *builder, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * topology_builder_finish() - sort, resolve names, check
 * @builder: is empty afterwards and can only be freed
 *
 * Warnings that it adds begin with "dangling link", "double link", "one-sided link" (not for links of a device of the
 * fabric without regions: nothing is in the other direction), "dangling member", "dangling attachment", "double
 * attachment", "dangling parent", "cyclic parents", "dangling memory", "dangling access", "impossible link", "impossible
 * PCI link", "asymmetric link", "missing links" (a device has fewer than most of its kind).
 */
int topology_builder_finish(struct topology_builder *builder, struct topology **ret);

#endif
