// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Born on PCI: the shared memory device of QEMU (ivshmem-plain). The VRAM is its BAR 2, RAM of the
 * host, so that switches, NUMA nodes, hot-plug and surprise removal are those of the machine.
 */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>

#include "softgpu.h"

#define SOFTGPU_VRAM_BAR	2

static int softgpu_pci_map_vram(struct pci_dev *pdev, struct softgpu_aperture *ret_vram)
{
	phys_addr_t phys = pci_resource_start(pdev, SOFTGPU_VRAM_BAR);
	u64 size = round_down(pci_resource_len(pdev, SOFTGPU_VRAM_BAR), PAGE_SIZE);
	void *kaddr;
	int err;

	if (!(pci_resource_flags(pdev, SOFTGPU_VRAM_BAR) & IORESOURCE_MEM) || !size ||
	    !PAGE_ALIGNED(phys))
		return -ENODEV;

	err = pcim_request_region(pdev, SOFTGPU_VRAM_BAR, "softgpu");
	if (err)
		return err;

	/* RAM: cached is right, and what peers use too. */
	kaddr = devm_memremap(&pdev->dev, phys, size, MEMREMAP_WB);
	if (IS_ERR(kaddr))
		return PTR_ERR(kaddr);

	*ret_vram = (struct softgpu_aperture){ .phys = phys, .size = size, .kaddr = kaddr };
	return 0;
}

static int softgpu_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct softgpu_aperture vram;
	int err;

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	pci_set_master(pdev);

	err = softgpu_pci_map_vram(pdev, &vram);
	if (err)
		return dev_err_probe(&pdev->dev, err, "no VRAM\n");

	return softgpu_device_add(&pdev->dev, &vram);
}

static void softgpu_pci_remove(struct pci_dev *pdev)
{
	softgpu_device_remove(&pdev->dev);
}

/*
 * A channel that is frozen or dead: nothing that the device holds can be read any more, and a reset
 * of the slot would clear it. So there is no slot_reset: it would bring back an empty device under
 * pages that still count on it, where unbinding and a rescan bring back a new one.
 */
static pci_ers_result_t softgpu_pci_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct softgpu_device *sg = pci_get_drvdata(pdev);

	if (state == pci_channel_io_normal)
		return PCI_ERS_RESULT_CAN_RECOVER;
	if (sg)
		softgpu_device_lost(sg);
	return PCI_ERS_RESULT_DISCONNECT;
}

static const struct pci_error_handlers softgpu_pci_error_handlers = {
	.error_detected = softgpu_pci_error_detected,
};

static const struct pci_device_id softgpu_pci_ids[] = {
	/* ivshmem of QEMU */
	{ PCI_DEVICE(0x1af4, 0x1110) },
	{ }
};
MODULE_DEVICE_TABLE(pci, softgpu_pci_ids);

static struct pci_driver softgpu_pci_driver = {
	.name = "softgpu",
	.id_table = softgpu_pci_ids,
	.probe = softgpu_pci_probe,
	.remove = softgpu_pci_remove,
	.shutdown = softgpu_pci_remove,
	.err_handler = &softgpu_pci_error_handlers,
};

int softgpu_pci_register(void)
{
	return pci_register_driver(&softgpu_pci_driver);
}

void softgpu_pci_unregister(void)
{
	pci_unregister_driver(&softgpu_pci_driver);
}
