// SPDX-License-Identifier: MIT
/* See admin_job.h. */
#include "admin_job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm/drm_fabric.h>

#include "manager.h"
#include "worker.h"

struct admin_job {
	unsigned long request;
	struct drm_fabric_admin_device argument;
	admin_job_done_fn done;
	void *userdata;
};

static int job_run(void *data)
{
	struct admin_job *job = data;
	int fd, r = 0;

	fd = open("/dev/drm_fabric_admin", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, job->request, &job->argument) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static void job_done(void *data, int result)
{
	struct admin_job *job = data;
	admin_job_done_fn done = job->done;
	void *userdata = job->userdata;

	free(job);
	done(userdata, result);
}

int admin_job_start(struct manager *manager, unsigned long request, const char *device, uint32_t timeout_ms,
		    admin_job_done_fn done, void *userdata)
{
	struct admin_job *job;
	int r;

	/* The devices of a captured tree are not this machine's, whatever they are called. */
	if (manager->config.root)
		return -ENXIO;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->request = request;
	job->argument.timeout_ms = timeout_ms;
	strncpy(job->argument.device, device, sizeof(job->argument.device) - 1);
	job->done = done;
	job->userdata = userdata;
	r = worker_run(manager, job_run, job_done, job);
	if (r < 0)
		free(job);
	return r;
}
