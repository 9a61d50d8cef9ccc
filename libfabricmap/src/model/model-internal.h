/* SPDX-License-Identifier: MIT */
/* Inside of the model. */
#ifndef FABRICMAP_MODEL_INTERNAL_H
#define FABRICMAP_MODEL_INTERNAL_H

#include "model/model.h"

void topology_region_fini(struct topology_region *region);
void topology_link_fini(struct topology_link *link);
void topology_group_fini(struct topology_group *group);

#endif
