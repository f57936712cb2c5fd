/*
 * Watching the data plane: its event rings, read every 5 ms, and its workers' heartbeats. Control
 * thread.
 */
#pragma once

#include <event2/event.h>

#include "control/base/ctl_history.h"
#include "control/net/ctl_mirror.h"
#include "control/pair/ctl_pairs.h"

struct ctl_watch;

struct ctl_watch_params {
	struct event_base *base;
	struct dp_region *region; /* all borrowed */
	struct ctl_mirror *mirror;
	struct ctl_pairs *pairs;
	struct ctl_history *history;
};

/** Begin with what is written from now on. @return NULL when out of memory. */
struct ctl_watch *ctl_watch_new(const struct ctl_watch_params *p);
void ctl_watch_free(struct ctl_watch *w);

/** Events that were overwritten before they were read, of one worker. */
uint64_t ctl_watch_missed(const struct ctl_watch *w, unsigned int worker);

/** Milliseconds since a worker last went round its loop; UINT64_MAX: it never did. */
uint64_t ctl_worker_silent_ms(const struct dp_region *r, unsigned int worker);
