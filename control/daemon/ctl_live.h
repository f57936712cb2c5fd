/*
 * What live traffic says of the members: the workers' figures (dataplane/dp_region.h), taken window
 * by window to the pair machine, which sees from them who answers probes and yet fails. Control
 * thread.
 */
#pragma once

#include <event2/event.h>

#include "control/pair/ctl_pairs.h"

#define CTL_LIVE_WINDOW_MS 1000

struct ctl_live;

/** @return NULL when out of memory. What is passed is borrowed. */
struct ctl_live *ctl_live_new(struct event_base *base, const struct dp_region *region,
			      struct ctl_pairs *pairs);
void ctl_live_free(struct ctl_live *l);

/** One window: what has come since the last one goes to the pairs. The timer does this; tests call
 * it. */
void ctl_live_window(struct ctl_live *l);

/** All workers' counters of one member, added up. */
struct dp_member_counters ctl_member_counters(const struct dp_region *r, unsigned int member);
