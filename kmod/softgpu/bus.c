// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Born anywhere: software GPUs that are made and linked at run time, on a bus of their own, after
 * the model of netdevsim. Their VRAM is RAM: contiguous, so that it has a physical address that
 * peers map, and theirs from new_device to del_device, as a card has its VRAM also while no driver
 * is bound.
 *
 * softgpu_bus_lock guards the list of births. new_device holds it to the end. del_device does not:
 * it may wait for memory for as long as remove() does. What it has begun to delete stays in the
 * list until the name is free.
 *
 * The device is a platform device but for its bus: what is wanted of that is a release that is in
 * the kernel. The fabric holds a device for as long as anybody has a handle on it, and that may be
 * longer than this module is there.
 */
#define pr_fmt(fmt) "softgpu: " fmt

#include <linux/gfp.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/wait.h>

#include "softgpu.h"

#define SOFTGPU_BUS_VRAM_MAX	SZ_1G

/**
 * struct softgpu_birth - a device of this bus: its platform data, freed with it
 * @link: in births
 * @pdev: the device
 * @id: of its name
 * @vram: its memory
 * @leaving: somebody is deleting it
 * @err: what probe() said last
 */
struct softgpu_birth {
	struct list_head link;
	struct platform_device *pdev;
	unsigned int id;
	struct softgpu_aperture vram;
	bool leaving;
	int err;
};

static DEFINE_MUTEX(softgpu_bus_lock);
static LIST_HEAD(births);
static DECLARE_WAIT_QUEUE_HEAD(births_waitq);
/* The module is there to stay. */
static bool softgpu_bus_open;

static const struct bus_type softgpu_bus;

static struct softgpu_birth *softgpu_birth_find(unsigned int id)
{
	struct softgpu_birth *birth;

	lockdep_assert_held(&softgpu_bus_lock);

	list_for_each_entry(birth, &births, link)
		if (birth->id == id)
			return birth;
	return NULL;
}

/* @node: or NUMA_NO_NODE */
static int softgpu_bus_alloc_vram(struct softgpu_aperture *vram, u64 size, int node)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	struct page *page;

	if (node == NUMA_NO_NODE)
		node = numa_mem_id();
	else
		gfp |= __GFP_THISNODE;

	/* Cleared by who gives it out, as any VRAM. */
	page = alloc_contig_pages(size >> PAGE_SHIFT, gfp, node, NULL);
	if (!page)
		return -ENOMEM;

	vram->phys = page_to_phys(page);
	vram->size = size;
	vram->kaddr = page_address(page);
	return 0;
}

static void softgpu_bus_free_vram(struct softgpu_aperture *vram)
{
	free_contig_range(PHYS_PFN(vram->phys), vram->size >> PAGE_SHIFT);
}

static int softgpu_birth_new(unsigned int id, u64 size, int node)
{
	struct platform_device *pdev;
	struct softgpu_birth *birth;
	struct softgpu_aperture vram;
	int err;

	lockdep_assert_held(&softgpu_bus_lock);

	pdev = platform_device_alloc("softgpu", id);
	if (!pdev)
		return -ENOMEM;

	birth = kzalloc_obj(*birth);
	if (!birth) {
		err = -ENOMEM;
		goto put_device;
	}
	pdev->dev.platform_data = birth;
	birth->pdev = pdev;
	birth->id = id;

	err = softgpu_bus_alloc_vram(&vram, size, node);
	if (err) {
		pr_err("new_device: no %llu bytes of contiguous memory\n", size);
		goto put_device;
	}
	birth->vram = vram;

	pdev->dev.bus = &softgpu_bus;
	set_dev_node(&pdev->dev, node);
	err = dev_set_name(&pdev->dev, "softgpu%u", id);
	if (!err)
		err = device_add(&pdev->dev);
	if (err)
		goto free_vram;

	/* The driver is bound by now, or has said why not. */
	err = birth->err;
	if (err) {
		device_del(&pdev->dev);
		goto free_vram;
	}

	list_add_tail(&birth->link, &births);
	return 0;

free_vram:
	softgpu_bus_free_vram(&vram);
put_device:
	put_device(&pdev->dev);
	return err;
}

/* @birth is leaving, and it is the caller who deletes it. */
static void softgpu_birth_delete(struct softgpu_birth *birth)
{
	struct platform_device *pdev = birth->pdev;

	/* Unbinds the driver: from then on nothing touches the VRAM. */
	device_del(&pdev->dev);
	softgpu_bus_free_vram(&birth->vram);

	scoped_guard(mutex, &softgpu_bus_lock)
		list_del(&birth->link);
	wake_up_all(&births_waitq);

	put_device(&pdev->dev);
}

static int softgpu_new_device(char **argv, int argc)
{
	int node = NUMA_NO_NODE;
	unsigned int id;
	u64 size;

	if (argc < 2 || argc > 3 || kstrtouint(argv[0], 10, &id) || id > INT_MAX ||
	    kstrtou64(argv[1], 10, &size) || (argc == 3 && kstrtoint(argv[2], 10, &node))) {
		pr_err("new_device: not of the form \"ID VRAM_BYTES [NUMA_NODE]\"\n");
		return -EINVAL;
	}
	if (!size || !PAGE_ALIGNED(size) || size > SOFTGPU_BUS_VRAM_MAX) {
		pr_err("new_device: VRAM_BYTES must be a multiple of %lu, up to 1 GiB\n",
		       PAGE_SIZE);
		return -EINVAL;
	}
	if (argc == 3 && (node < 0 || node >= MAX_NUMNODES || !node_state(node, N_MEMORY))) {
		pr_err("new_device: there is no node %d that has memory\n", node);
		return -EINVAL;
	}

	guard(mutex)(&softgpu_bus_lock);

	if (!softgpu_bus_open)
		return -ENODEV;
	if (softgpu_birth_find(id))
		return -EEXIST;
	return softgpu_birth_new(id, size, node);
}

static int softgpu_del_device(char **argv, int argc)
{
	struct softgpu_birth *birth;
	unsigned int id;

	if (argc != 1 || kstrtouint(argv[0], 10, &id)) {
		pr_err("del_device: not of the form \"ID\"\n");
		return -EINVAL;
	}

	scoped_guard(mutex, &softgpu_bus_lock) {
		birth = softgpu_birth_find(id);
		if (!birth)
			return -ENODEV;
		if (birth->leaving)
			return -EALREADY;
		birth->leaving = true;
	}
	softgpu_birth_delete(birth);
	return 0;
}

/* Calls @act with the words that were written. */
static ssize_t softgpu_bus_store(const char *buf, size_t count, int (*act)(char **argv, int argc))
{
	char **argv;
	int argc, err;

	/* Something is behind a 0. */
	if (strlen(buf) != count)
		return -EINVAL;

	argv = argv_split(GFP_KERNEL, buf, &argc);
	if (!argv)
		return -ENOMEM;
	err = act(argv, argc);
	argv_free(argv);
	return err ?: count;
}

static ssize_t new_device_store(const struct bus_type *bus, const char *buf, size_t count)
{
	return softgpu_bus_store(buf, count, softgpu_new_device);
}
static BUS_ATTR_WO(new_device);

static ssize_t del_device_store(const struct bus_type *bus, const char *buf, size_t count)
{
	return softgpu_bus_store(buf, count, softgpu_del_device);
}
static BUS_ATTR_WO(del_device);

static int softgpu_link(char **argv, int argc)
{
	int err = softgpu_link_declare(argv, argc);

	if (err == -EINVAL)
		pr_err("link: not of the form \"ACCESSOR OWNER none|TYPE READ_MBPS WRITE_MBPS [LATENCY_NS]\"\n");
	return err;
}

static ssize_t link_store(const struct bus_type *bus, const char *buf, size_t count)
{
	return softgpu_bus_store(buf, count, softgpu_link);
}
static BUS_ATTR_WO(link);

static int softgpu_unlink(char **argv, int argc)
{
	int err = softgpu_link_forget(argv, argc);

	if (err == -EINVAL)
		pr_err("unlink: not of the form \"ACCESSOR OWNER\"\n");
	return err;
}

static ssize_t unlink_store(const struct bus_type *bus, const char *buf, size_t count)
{
	return softgpu_bus_store(buf, count, softgpu_unlink);
}
static BUS_ATTR_WO(unlink);

static struct attribute *softgpu_bus_attrs[] = {
	&bus_attr_new_device.attr,
	&bus_attr_del_device.attr,
	&bus_attr_link.attr,
	&bus_attr_unlink.attr,
	NULL,
};
ATTRIBUTE_GROUPS(softgpu_bus);

static int softgpu_bus_probe(struct device *dev)
{
	struct softgpu_birth *birth = dev_get_platdata(dev);

	birth->err = softgpu_device_add(dev, &birth->vram);
	return birth->err;
}

static void softgpu_bus_remove(struct device *dev)
{
	softgpu_device_remove(dev);
}

static const struct bus_type softgpu_bus = {
	.name = "softgpu",
	.bus_groups = softgpu_bus_groups,
	.probe = softgpu_bus_probe,
	.remove = softgpu_bus_remove,
};

static struct device_driver softgpu_bus_driver = {
	.name = "softgpu",
	.bus = &softgpu_bus,
	.owner = THIS_MODULE,
	/* new_device says how it went. */
	.probe_type = PROBE_FORCE_SYNCHRONOUS,
	.shutdown = softgpu_device_remove,
};

static void softgpu_bus_set_open(bool open)
{
	guard(mutex)(&softgpu_bus_lock);
	softgpu_bus_open = open;
}

int softgpu_bus_register(void)
{
	int err;

	err = bus_register(&softgpu_bus);
	if (err)
		return err;
	err = driver_register(&softgpu_bus_driver);
	if (err) {
		bus_unregister(&softgpu_bus);
		return err;
	}
	softgpu_bus_set_open(true);
	return 0;
}

/* One that nobody deletes yet, now the caller's to delete; NULL if there is none. */
static struct softgpu_birth *softgpu_birth_claim(void)
{
	struct softgpu_birth *birth;

	guard(mutex)(&softgpu_bus_lock);

	list_for_each_entry(birth, &births, link) {
		if (!birth->leaving) {
			birth->leaving = true;
			return birth;
		}
	}
	return NULL;
}

void softgpu_bus_unregister(void)
{
	struct softgpu_birth *birth;

	softgpu_bus_set_open(false);
	while ((birth = softgpu_birth_claim()))
		softgpu_birth_delete(birth);
	/* A del_device that is under way wakes this up, and bus_unregister() waits for its end. */
	wait_event_idle(births_waitq, list_empty(&births));

	driver_unregister(&softgpu_bus_driver);
	bus_unregister(&softgpu_bus);
}
