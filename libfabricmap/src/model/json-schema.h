/* SPDX-License-Identifier: MIT */
/* json-schema - what reading and writing have in common. */
#ifndef FABRICMAP_MODEL_JSON_SCHEMA_H
#define FABRICMAP_MODEL_JSON_SCHEMA_H

#define TOPOLOGY_JSON_SCHEMA "fabric.topology/1"

#endif
