/* SPDX-License-Identifier: MIT */
/* node - the kernel part's device nodes and folders, for devmem and admin. */
#ifndef FABRICMAP_DEVMEM_NODE_H
#define FABRICMAP_DEVMEM_NODE_H

/* An fd; -ENOSYS if there is no such node: the kernel part is absent. */
int node_open(const char *path);

/* An fd of a device's folder in sysfs; -EINVAL, -ENOSYS the kernel part is absent, -ENODEV no such device. */
int node_device_folder(const char *device);

#endif
