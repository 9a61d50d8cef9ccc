// SPDX-License-Identifier: MIT
/* See journal.h. Owned by the manager. */
#include "journal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "log.h"
#include "manager.h"
#include "peer.h"
#include "user.h"

struct subscriber {
	TAILQ_ENTRY(subscriber) entry;
	struct journal *journal;
	struct call *call;
	uint64_t next; /* sequence of the event that it gets next */
};

struct journal {
	struct manager *manager;
	TAILQ_HEAD(, subscriber) subscribers;
	uint64_t next; /* sequence of the next event, from 1 */
	size_t n_kept;
	struct wire_buffer *kept[]; /* the reply with event s is at s % n_kept */
};

int journal_new(struct manager *manager, struct journal **ret)
{
	size_t n_kept = manager->config.limits.events_kept;
	struct journal *journal;

	journal = calloc(1, sizeof(*journal) + n_kept * sizeof(journal->kept[0]));
	if (!journal)
		return -ENOMEM;
	journal->manager = manager;
	journal->next = 1;
	journal->n_kept = n_kept;
	TAILQ_INIT(&journal->subscribers);
	*ret = journal;
	return 0;
}

static void subscriber_free(struct subscriber *subscriber)
{
	TAILQ_REMOVE(&subscriber->journal->subscribers, subscriber, entry);
	subscriber->call->gone = NULL;
	subscriber->call->drained = NULL;
	subscriber->call->user->n_subscriptions--;
	call_unref(subscriber->call);
	free(subscriber);
}

struct journal *journal_free(struct journal *journal)
{
	if (!journal)
		return NULL;
	/* Peers go first, and take their subscriptions along. */
	assert(TAILQ_EMPTY(&journal->subscribers));
	for (size_t i = 0; i < journal->n_kept; i++)
		wire_buffer_unref(journal->kept[i]);
	free(journal);
	return NULL;
}

static void subscriber_gone(struct call *call, void *userdata)
{
	(void)call;
	subscriber_free(userdata);
}

/* Gives it what there is, while it takes it. */
static void subscriber_pump(struct subscriber *subscriber)
{
	struct journal *journal = subscriber->journal;
	struct call *call = subscriber->call;

	if (subscriber->next + journal->n_kept < journal->next) {
		log_info("dropped a subscriber of uid %ju, pid %jd: it is %zu events behind", (uintmax_t)call->uid,
			 (intmax_t)call->pid, journal->n_kept);
		call_ref(call);
		subscriber_free(subscriber);
		call_limit_exceeded(call, "events_kept", journal->n_kept);
		call_unref(call);
		return;
	}
	while (call_is_drained(call) && subscriber->next < journal->next) {
		/* As many as fit together: a sendmsg() takes several. */
		for (int i = 0; i < 16 && subscriber->next < journal->next; i++, subscriber->next++) {
			struct wire_buffer *buffer = journal->kept[subscriber->next % journal->n_kept];

			if (buffer)
				call_reply_buffer(call, buffer, true);
		}
	}
}

static void subscriber_drained(struct call *call, void *userdata)
{
	(void)call;
	subscriber_pump(userdata);
}

static struct json_object *event_to_json(const struct journal_event *event, uint64_t sequence)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "sequence", json_int((int64_t)sequence));
	json_object_object_add(json, "kind", json_string(event->kind));
	json_object_object_add(json, "device", json_string(event->device));
	json_object_object_add(json, "state", json_string(event->state));
	json_object_object_add(json, "generation", json_int(event->generation));
	json_object_object_add(json, "resident_bytes",
			       event->resident_bytes < 0 ? NULL : json_int(event->resident_bytes));
	json_object_object_add(json, "reason", json_string(event->reason));
	return json;
}

void journal_add(struct journal *journal, const struct journal_event *event)
{
	const struct wire_method *method = wire_method_find("org.drmfabric.Fabric.Subscribe", NULL);
	struct json_object *parameters = json_object_new_object();
	struct wire_buffer **slot = &journal->kept[journal->next % journal->n_kept];
	struct subscriber *subscriber, *next;
	const char *path = "?";

	json_object_object_add(parameters, "event", event_to_json(event, journal->next));
	*slot = wire_buffer_unref(*slot);
	json_object_get(parameters); /* the path may be inside */
	if (wire_service_reply(method, parameters, true, slot, &path) < 0)
		log_error("event %s of %s is lost (at '%s')", event->kind, event->device, path);
	json_object_put(parameters);
	journal->next++;
	for (subscriber = TAILQ_FIRST(&journal->subscribers); subscriber; subscriber = next) {
		next = TAILQ_NEXT(subscriber, entry);
		subscriber_pump(subscriber);
	}
}

int journal_subscribe(struct journal *journal, struct call *call)
{
	uint64_t limit = journal->manager->config.limits.subscriptions_per_uid;
	struct json_object *parameters;
	struct subscriber *subscriber;

	if (call->user->n_subscriptions >= limit) {
		call_limit_exceeded(call, "subscriptions_per_uid", limit);
		return 0;
	}
	parameters = json_object_new_object();
	subscriber = malloc(sizeof(*subscriber));
	if (!parameters || !subscriber) {
		json_object_put(parameters);
		free(subscriber);
		return -ENOMEM;
	}
	*subscriber = (struct subscriber){ .journal = journal, .call = call_ref(call), .next = journal->next };
	TAILQ_INSERT_TAIL(&journal->subscribers, subscriber, entry);
	call->user->n_subscriptions++;
	call->gone = subscriber_gone;
	call->drained = subscriber_drained;
	call->userdata = subscriber;
	json_object_object_add(parameters, "event", NULL);
	call_reply(call, parameters, true);
	return 0;
}
