// SPDX-License-Identifier: MIT
/* A list is enough: users are few, and looked up once per connection. */
#include "user.h"

#include <assert.h>
#include <stdlib.h>

#include "manager.h"

struct user *user_get(struct manager *manager, uid_t uid)
{
	struct user *user;

	TAILQ_FOREACH(user, &manager->users, entry) {
		if (user->uid != uid)
			continue;
		user->n_refs++;
		return user;
	}
	user = malloc(sizeof(*user));
	if (!user)
		return NULL;
	*user = (struct user){ .manager = manager, .n_refs = 1, .uid = uid };
	TAILQ_INSERT_TAIL(&manager->users, user, entry);
	return user;
}

struct user *user_unref(struct user *user)
{
	if (!user || --user->n_refs)
		return NULL;
	assert(!user->n_connections[0] && !user->n_connections[1] && !user->n_subscriptions);
	assert(!user->n_requests_running && !user->n_buffered_bytes && !user->n_fds_reserved);
	TAILQ_REMOVE(&user->manager->users, user, entry);
	free(user);
	return NULL;
}
