// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Makes struct pages for device memory, as drm_fabric does for a region, and nothing else: what
 * that costs at least. Loading it measures.
 */
#include <linux/ioport.h>
#include <linux/ktime.h>
#include <linux/memremap.h>
#include <linux/module.h>

static unsigned long size_bytes = 256UL << 20;
module_param(size_bytes, ulong, 0444);
MODULE_PARM_DESC(size_bytes, "how much memory the pages stand for");

static unsigned long start_ns, end_ns;
module_param(start_ns, ulong, 0444);
MODULE_PARM_DESC(start_ns, "result: when it began, CLOCK_MONOTONIC");
module_param(end_ns, ulong, 0444);
MODULE_PARM_DESC(end_ns, "result: when memremap_pages() had returned, address range included");

static void bench_folio_free(struct folio *folio)
{
}

static vm_fault_t bench_migrate_to_ram(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static const struct dev_pagemap_ops bench_ops = {
	.folio_free = bench_folio_free,
	.migrate_to_ram = bench_migrate_to_ram,
};

static struct dev_pagemap pagemap = {
	.type = MEMORY_DEVICE_PRIVATE,
	.nr_range = 1,
	.ops = &bench_ops,
	.owner = &pagemap,
};

static int __init bench_init(void)
{
	struct resource *res;
	void *addr;

	start_ns = ktime_get_ns();
	res = request_free_mem_region(&iomem_resource, size_bytes, "bench_pagemap");
	if (IS_ERR(res))
		return PTR_ERR(res);
	pagemap.range.start = res->start;
	pagemap.range.end = res->end;
	addr = memremap_pages(&pagemap, NUMA_NO_NODE);
	end_ns = ktime_get_ns();
	if (!IS_ERR(addr))
		memunmap_pages(&pagemap);
	release_mem_region(res->start, resource_size(res));
	return PTR_ERR_OR_ZERO(addr);
}

static void __exit bench_exit(void)
{
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("The least that a pagemap costs, for tests/bench");
MODULE_LICENSE("Dual MIT/GPL");
