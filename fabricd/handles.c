// SPDX-License-Identifier: MIT
/* See handles.h. */
#include "handles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <drm/drm_fabric.h>
#include <xf86drm.h>

#include "credentials.h"
#include "manager.h"
#include "worker.h"

struct handles_job {
	struct handles *handles;
	handles_done_fn done;
	void *userdata;
};

struct handles *handles_new(struct manager *manager, struct credentials *credentials, size_t n)
{
	struct handles *handles;

	handles = calloc(1, sizeof(*handles) + n * sizeof(handles->list[0]));
	if (!handles)
		return NULL;
	handles->manager = manager;
	handles->credentials = credentials;
	handles->n = n;
	for (size_t i = 0; i < n; i++)
		handles->list[i].fd = -1;
	return handles;
}

static void close_handles(struct handles *handles)
{
	for (size_t i = 0; i < handles->n; i++) {
		if (handles->list[i].fd >= 0)
			(void)close(handles->list[i].fd);
		handles->list[i].fd = -1;
	}
}

struct handles *handles_free(struct handles *handles)
{
	if (!handles)
		return NULL;
	close_handles(handles);
	for (size_t i = 0; i < handles->n; i++) {
		free(handles->list[i].device);
		free(handles->list[i].region);
		free(handles->list[i].render_node);
	}
	credentials_free(handles->credentials);
	free(handles);
	return NULL;
}

static void fail(struct handles *handles, const char *what, int error)
{
	(void)snprintf(handles->failure, sizeof(handles->failure), "%s: %s", what, strerror(-error));
}

/* The render node of a PCI address, as libdrm finds it. NULL: not among its devices. */
static const char *node_by_address(drmDevicePtr *devices, int n, const char *device)
{
	for (int i = 0; i < n; i++) {
		char name[32];

		if (devices[i]->bustype != DRM_BUS_PCI || !(devices[i]->available_nodes & 1 << DRM_NODE_RENDER))
			continue;
		(void)snprintf(name, sizeof(name), "%04x:%02x:%02x.%u", devices[i]->businfo.pci->domain,
			       devices[i]->businfo.pci->bus, devices[i]->businfo.pci->dev,
			       devices[i]->businfo.pci->func);
		if (!strcmp(name, device))
			return devices[i]->nodes[DRM_NODE_RENDER];
	}
	return NULL;
}

/* With the daemon's rights, but only if who asks has the right as well. Return: a fd, or a negative errno. */
static int open_render_node(drmDevicePtr *devices, int n, struct handles *handles, const struct handle *handle)
{
	const char *node = node_by_address(devices, n, handle->device);
	struct stat st;
	int fd, r = 0;

	if (!node)
		node = handle->render_node; /* not on PCI: libdrm knows no such bus, the fabric knows the node */
	if (!node) {
		fail(handles, "it has no render node", -ENODEV);
		return -ENODEV;
	}
	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0) {
		fail(handles, node, r);
	} else if (!credentials_may_open(handles->credentials, &st)) {
		r = -EACCES;
		(void)snprintf(handles->failure, sizeof(handles->failure),
			       "your uid may not open %s: mode %04o, uid %ju, gid %ju", node, st.st_mode & 07777,
			       (uintmax_t)st.st_uid, (uintmax_t)st.st_gid);
	}
	if (r < 0 && fd >= 0)
		(void)close(fd);
	return r < 0 ? r : fd;
}

/* Between our look at the topology and now another device may have come in its place. */
static int check_device(const struct handle *handle, int fd)
{
	struct drm_fabric_devmem_info info = { 0 };

	if (ioctl(fd, DRM_FABRIC_DEVMEM_INFO, &info) < 0)
		return -errno;
	return strncmp(info.device, handle->device, sizeof(info.device)) ? -ESTALE : 0;
}

/* The nodes of the fabric. */
struct nodes {
	int fabric_fd;
	int admin_fd; /* -1: we may not */
};

/* On the account of who asks. */
static int open_for(const struct nodes *nodes, int render_fd, uid_t uid, struct handle *handle)
{
	struct drm_fabric_admin_open_devmem argument = { .render_fd = render_fd, .uid = uid };

	strncpy(argument.region, handle->region, sizeof(argument.region) - 1);
	if (ioctl(nodes->admin_fd, DRM_FABRIC_ADMIN_OPEN_DEVMEM, &argument) < 0)
		return -errno;
	handle->fd = argument.fd;
	handle->id = argument.id;
	return 0;
}

/* On the daemon's own. */
static int open_plainly(const struct nodes *nodes, int render_fd, struct handle *handle)
{
	struct drm_fabric_open_devmem argument = { .render_fd = render_fd };

	strncpy(argument.region, handle->region, sizeof(argument.region) - 1);
	if (ioctl(nodes->fabric_fd, DRM_FABRIC_IOCTL_OPEN_DEVMEM, &argument) < 0)
		return -errno;
	handle->fd = argument.fd;
	handle->id = argument.id;
	return 0;
}

static int open_one(struct handles *handles, const struct nodes *nodes, drmDevicePtr *devices, int n,
		    struct handle *handle)
{
	const char *what = "DRM_FABRIC_ADMIN_OPEN_DEVMEM";
	int render_fd, r = -ENOTTY;

	render_fd = open_render_node(devices, n, handles, handle);
	if (render_fd < 0)
		return render_fd;
	if (nodes->admin_fd >= 0)
		r = open_for(nodes, render_fd, handles->credentials->uid, handle);
	/* Not the administrator's node, or of a kernel that does not know it. */
	if (r == -ENOTTY) {
		what = "DRM_FABRIC_IOCTL_OPEN_DEVMEM";
		r = open_plainly(nodes, render_fd, handle);
	}
	(void)close(render_fd);
	if (r == 0)
		r = check_device(handle, handle->fd);
	if (r < 0)
		fail(handles, what, r);
	return r;
}

static int job_run(void *data)
{
	struct handles_job *job = data;
	struct handles *handles = job->handles;
	drmDevicePtr devices[256];
	struct nodes nodes;
	int n, r = 0;

	nodes.fabric_fd = open("/dev/drm_fabric", O_RDWR | O_CLOEXEC);
	if (nodes.fabric_fd < 0) {
		r = -errno;
		fail(handles, "/dev/drm_fabric", r);
		return r;
	}
	nodes.admin_fd = open("/dev/drm_fabric_admin", O_RDWR | O_CLOEXEC);
	n = drmGetDevices2(0, devices, 256);
	if (n > 256)
		n = 256; /* it counts what did not fit */
	for (size_t i = 0; i < handles->n && !r; i++) {
		handles->n_failed = i;
		r = open_one(handles, &nodes, devices, n, &handles->list[i]);
	}
	if (n > 0)
		drmFreeDevices(devices, n);
	if (nodes.admin_fd >= 0)
		(void)close(nodes.admin_fd);
	(void)close(nodes.fabric_fd);
	if (r < 0)
		close_handles(handles);
	return r;
}

static void job_done(void *data, int result)
{
	struct handles_job *job = data;
	struct handles_job copy = *job;

	free(job);
	copy.done(copy.handles, result, copy.userdata);
}

int handles_open(struct handles *handles, handles_done_fn done, void *userdata)
{
	struct handles_job *job;
	int r;

	job = malloc(sizeof(*job));
	if (!job)
		return -ENOMEM;
	*job = (struct handles_job){ .handles = handles, .done = done, .userdata = userdata };
	r = worker_run(handles->manager, job_run, job_done, job);
	if (r < 0)
		free(job);
	return r;
}
