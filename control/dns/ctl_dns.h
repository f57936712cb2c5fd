/*
 * The names of a configuration and what DNS says of them: each is looked up when it is new, again
 * when its TTL has run out, and after a failure with growing, jittered pauses. The last good answer
 * stays until a better one comes, across restarts too (a file beside the state file). Lookups run
 * on the control thread's event base; nothing here waits for anything. Control thread.
 */
#pragma once

#include <event2/event.h>
#include <jansson.h>

#include "control/base/ctl_history.h"
#include "control/config/ctl_model.h"
#include "control/dns/ctl_dns_lookup.h"

struct ctl_dns;

struct ctl_dns_params {
	struct event_base *base;
	struct ctl_history *history;
	const char *file;           /* of the answers; NULL: none is kept */
	void (*changed)(void *arg); /* some name's servers have changed; several changes that come
				       together are told once */
	void *arg;
};

/** Reads the file of answers. @return NULL when out of memory. */
struct ctl_dns *ctl_dns_new(const struct ctl_dns_params *p);

/** Ends all lookups. NULL is fine. */
void ctl_dns_free(struct ctl_dns *dns);

/** What is looked up: a name, and how. */
struct ctl_dns_key {
	const char *name; /* as written */
	bool srv;         /* by NAPTR and SRV */
	uint8_t transport;
};

/** The key of a pair's `servers`, or of a member whose address is a name. */
struct ctl_dns_key ctl_dns_key_of_servers(const struct ctl_servers *s);
struct ctl_dns_key ctl_dns_key_of_member(const struct ctl_member *m);

/** Whether a member's address is a name. */
bool ctl_dns_is_name(const struct ctl_member *m);

/**
 * Look up the names of a model from now on, besides those that are looked up already; with its
 * settings. What was known of a name is kept.
 * @return 0, -ENOMEM, or -EINVAL (the settings cannot be used, which is logged; names keep their
 * last answers).
 */
int ctl_dns_want(struct ctl_dns *dns, const struct ctl_model *m);

/** Forget the names that a model has not. */
void ctl_dns_keep(struct ctl_dns *dns, const struct ctl_model *m);

/** Whether each name of a model has been answered for, or has failed, or was known before. */
bool ctl_dns_is_settled(const struct ctl_dns *dns, const struct ctl_model *m);

/** The last good answer, or NULL. Valid until the event loop goes on. */
const struct ctl_dns_result *ctl_dns_find(const struct ctl_dns *dns, const struct ctl_dns_key *key);

/**
 * What a user of a name could not use of its answer; said once, and shown.
 * @param member  NULL: the pair's `servers`.
 * @param text    "": nothing.
 */
void ctl_dns_note(struct ctl_dns *dns, const struct ctl_dns_key *key, const char *pair,
		  const char *member, const char *text);

/** The way to the servers of DNS may be back: names that failed are looked up now. */
void ctl_dns_hurry(struct ctl_dns *dns);

typedef void (*ctl_dns_refreshed_cb)(void *arg);

/**
 * Look a name up now.
 * @param done  Called once, when that is over (it may have failed), perhaps before this returns.
 * @return 0, -ENOENT (no such name), or -ENOMEM; done is called only if 0.
 */
int ctl_dns_refresh(struct ctl_dns *dns, const char *name, ctl_dns_refreshed_cb done, void *arg);

/** New JSON: { resolvers, names: [ { name, by, state, servers, ... } ] }; of one name, or all
 * (NULL). The caller owns it; NULL when out of memory. */
json_t *ctl_dns_json(const struct ctl_dns *dns, const char *name);
