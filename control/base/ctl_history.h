/*
 * The history of events: every transition with its time, cause and evidence, bounded per pair and
 * in all, followed by any number of readers. Control thread.
 */
#pragma once

#include <jansson.h>

struct ctl_history;

/** One event; strings are copied. */
struct ctl_event {
	const char *pair;   /* NULL: not about a pair */
	const char *member; /* NULL: not about a member */
	const char *from;   /* state before, e.g. "primary" */
	const char *to;     /* state after, e.g. "backup" */
	const char *cause;  /* stable word: "probe-timeout", "operator", "failback-timed", "reload",
			       ... */
	const char *evidence; /* sentence: which probe, which answer, how many, when */
	const char *who;      /* operator, NULL: the machine itself */
};

struct ctl_history *ctl_history_new(size_t per_pair, size_t total);
void ctl_history_free(struct ctl_history *h);

/** Record, stamp with the wall clock (ISO 8601, UTC, microseconds) and a sequence number, log once,
 * tell followers. */
void ctl_history_add(struct ctl_history *h, const struct ctl_event *e);

/** New array of all (pair NULL) or one pair's events, oldest first; the caller owns it. */
json_t *ctl_history_json(const struct ctl_history *h, const char *pair);

typedef void (*ctl_history_cb)(void *arg, const json_t *event);

/** @return 0 or -ENOMEM. The callback runs on the control thread and borrows the event. */
int ctl_history_follow(struct ctl_history *h, ctl_history_cb cb, void *arg);
void ctl_history_unfollow(struct ctl_history *h, ctl_history_cb cb, void *arg);
