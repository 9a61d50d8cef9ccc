/* SPDX-License-Identifier: MIT */
/*
 * generators - machines for tests and benchmarks. "synthetic-" machines are nobody's; "byhand-" ones are put down from
 * published facts (who is linked to whom, by how many links), with the rule's bandwidth for a link. Names carry the
 * seed where there is one: the same name is the same machine.
 */
#ifndef ORACLE_GENERATORS_H
#define ORACLE_GENERATORS_H

#include "machine.h"

/* ---- eight and sixteen devices, from facts ---- */

/* The hybrid cube mesh of DGX-1, with P100 (one link each) or V100 (one or two): two sockets of four. */
void generate_cube_mesh(struct machine *machine, bool volta);
struct matrix generate_cube_mesh_matrix(bool volta);
/* Links of a pair. */
int64_t generate_cube_mesh_links(bool volta, size_t a, size_t b);
/* DGX-2H as a dump shows it: two boards of eight behind six switches each, without the trunks between them. */
void generate_two_boards(struct machine *machine);

/* ---- any number of devices, no structure ---- */

void generate_all_equal(struct machine *machine, size_t n);
void generate_star(struct machine *machine, size_t n);
void generate_ring(struct machine *machine, size_t n);
/* A torus of x * y * z devices; z = 1: two dimensions. */
void generate_torus(struct machine *machine, size_t x, size_t y, size_t z);
/* Each pair one of @n_classes bandwidths; 1 of them is "not linked". */
void generate_classes(struct machine *machine, size_t n, size_t n_classes, uint64_t seed);
/* As many different bandwidths as pairs. */
void generate_noise(struct machine *machine, size_t n, uint64_t seed);
/* @k devices, anywhere, whose pairs all have PLANTED_MBPS; all other pairs less. */
void generate_planted(struct machine *machine, size_t n, size_t k, uint64_t seed);

enum {
	PLANTED_MBPS = 96000,
	/* One rack's switches: 18 links of 40100 to each device. */
	RACK_MBPS = 18 * 40100,
};

/* ---- structure ---- */

/* @n_hives of @size, linked inside, without links between them, all below two sockets. */
void generate_hives(struct machine *machine, size_t n_hives, size_t size);
/* Hives whose pairs are by chance: nothing in one is symmetric. */
void generate_noisy_hives(struct machine *machine, size_t n_hives, size_t size, uint64_t seed);
/* Partitions: @n_packages of @size, a wide link within a package, a narrower one to all others; @n_missing are not there. */
void generate_partitions(struct machine *machine, size_t n_packages, size_t size, size_t n_missing, uint64_t seed);
/* 18 trays of 4 behind one switch domain; @n_damaged of the 72 have lost some of their links to it. */
void generate_rack(struct machine *machine, size_t n_damaged, uint64_t seed);
/* So many racks below a tree of four levels whose uplinks differ. */
void generate_racks(struct machine *machine, size_t n_racks, uint64_t seed);
/* @n_meshes cube meshes below a leaf/spine tree of three levels. */
void generate_meshes(struct machine *machine, size_t n_meshes, uint64_t seed);
/* A small one with everything that the two above have: for comparison with every subset. */
void generate_small_tree(struct machine *machine, size_t n, uint64_t seed);

/* @percent of them, drawn by @seed: n entries, the caller's. */
bool *generate_busy(size_t n, unsigned int percent, uint64_t seed);

#endif
