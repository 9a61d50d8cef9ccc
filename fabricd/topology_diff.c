// SPDX-License-Identifier: MIT
/* Compares by name; both lists are sorted. Pure but for the journal. */
#include "topology_diff.h"

#include <string.h>

#include "base/sum.h"
#include "journal.h"

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static int64_t resident_bytes(const struct topology_device *device)
{
	int64_t total = 0;

	if (!device->n_regions)
		return -1;
	for (size_t i = 0; i < device->n_regions; i++) {
		if (device->regions[i].resident_bytes < 0)
			return -1;
		total = sum_saturated(total, device->regions[i].resident_bytes);
	}
	return total;
}

static bool same_device(const struct topology_device *a, const struct topology_device *b)
{
	if (a->incarnation != b->incarnation || a->numa_node != b->numa_node || !same_text(a->driver, b->driver) ||
	    !same_text(a->render_node, b->render_node) || a->n_regions != b->n_regions ||
	    !same_text(a->upstream_bridge, b->upstream_bridge) || !same_text(a->pci_class, b->pci_class) ||
	    a->n_distances != b->n_distances)
		return false;
	for (size_t i = 0; i < a->n_distances; i++)
		if (strcmp(a->distances[i].device, b->distances[i].device) ||
		    a->distances[i].distance != b->distances[i].distance)
			return false;
	for (size_t i = 0; i < a->n_regions; i++)
		if (strcmp(a->regions[i].name, b->regions[i].name) ||
		    a->regions[i].size_bytes != b->regions[i].size_bytes)
			return false;
	return true;
}

static bool same_link(const struct topology_link *a, const struct topology_link *b)
{
	return a->type == b->type && a->up == b->up && same_text(a->why_not, b->why_not) &&
	       a->read_bandwidth_mbps == b->read_bandwidth_mbps && a->write_bandwidth_mbps == b->write_bandwidth_mbps &&
	       a->read_latency_ns == b->read_latency_ns && a->write_latency_ns == b->write_latency_ns &&
	       a->hops == b->hops && same_text(a->provenance, b->provenance) && a->measured_at_s == b->measured_at_s;
}

static bool same_links(const struct topology *old, size_t i, const struct topology *new, size_t j)
{
	size_t a = old->links_first[i], b = new->links_first[j];

	if (old->links_first[i + 1] - a != new->links_first[j + 1] - b)
		return false;
	for (; a < old->links_first[i + 1]; a++, b++)
		if (strcmp(old->devices[old->links[a].owner].name, new->devices[new->links[b].owner].name) ||
		    !same_link(&old->links[a], &new->links[b]))
			return false;
	return true;
}

static void tell(struct journal *journal, const char *kind, const struct topology_device *device, int64_t generation,
		 bool is_there)
{
	journal_add(journal, &(struct journal_event){
				     .kind = kind,
				     .device = device->name,
				     .state = is_there ? topology_state_to_string(device->state) : NULL,
				     .generation = generation,
				     .resident_bytes = is_there ? resident_bytes(device) : -1,
			     });
}

void topology_diff_tell(struct journal *journal, const struct topology *old, const struct topology *new)
{
	size_t i = 0, j = 0;

	while (i < old->n_devices || j < new->n_devices) {
		int order = i == old->n_devices ? 1 :
			    j == new->n_devices ? -1 :
						  topology_name_compare(old->devices[i].name, new->devices[j].name);

		if (order < 0) {
			tell(journal, "device_removed", &old->devices[i++], new->generation, false);
			continue;
		}
		if (order > 0) {
			tell(journal, "device_added", &new->devices[j++], new->generation, true);
			continue;
		}
		if (old->devices[i].state != new->devices[j].state)
			tell(journal, "state_changed", &new->devices[j], new->generation, true);
		else if (!same_device(&old->devices[i], &new->devices[j]) || !same_links(old, i, new, j))
			tell(journal, "device_changed", &new->devices[j], new->generation, true);
		i++;
		j++;
	}
}
