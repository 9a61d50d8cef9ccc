// SPDX-License-Identifier: MIT
/* org.drmfabric.Admin: on the admin socket only. Who may connect to that may do all of this. */
#include "bring_back.h"
#include "holders.h"
#include "manager.h"
#include "peer.h"
#include "removal.h"

static int handle_remove(struct call *call)
{
	int64_t drain_ms = (int64_t)call->manager->config.limits.drain_ms;

	(void)call_int(call, "drain_ms", &drain_ms); /* else as configured */
	if (drain_ms < 0 || drain_ms > UINT32_MAX) {
		call_error_string(call, "org.varlink.service.InvalidParameter", "parameter", "drain_ms");
		return 0;
	}
	return removal_start(call, call_string(call, "device"), (uint32_t)drain_ms);
}

static int handle_cancel_remove(struct call *call)
{
	return removal_cancel(call, call_string(call, "device"));
}

static int handle_bring_back(struct call *call)
{
	return bring_back_start(call, call_string(call, "device"));
}

static int handle_list_holders(struct call *call)
{
	return holders_list(call, call_string(call, "device"));
}

const struct method_handler service_admin_methods[] = {
	{ .method = "org.drmfabric.Admin.Remove", .handle = handle_remove, .admin = true, .acts = true },
	{ .method = "org.drmfabric.Admin.CancelRemove", .handle = handle_cancel_remove, .admin = true, .acts = true },
	{ .method = "org.drmfabric.Admin.BringBack", .handle = handle_bring_back, .admin = true, .acts = true },
	{ .method = "org.drmfabric.Admin.ListHolders", .handle = handle_list_holders, .admin = true },
	{ 0 },
};
