/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Splitting large pages that several processes map: see split.c.
 */
#ifndef FABRIC_SPLIT_H
#define FABRIC_SPLIT_H

#include <linux/mm_types.h>

struct fabric_pagemap;
struct vm_fault;

void fabric_split_init(struct fabric_pagemap *pm);
bool fabric_split_first(struct vm_fault *vmf, vm_fault_t *ret);
bool fabric_split_is_due(struct mm_struct *mm, unsigned long address);
unsigned int fabric_split_n_refused(void);

#endif /* FABRIC_SPLIT_H */
