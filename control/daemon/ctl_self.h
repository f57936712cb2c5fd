/*
 * Self-probes: once a second an OPTIONS for each port goes through the fast path, since no other
 * probe does. It is written to the port's exception netdev, addressed to the port itself; a worker
 * takes it from there, steers it like what comes from the wire, and answers the same way. What
 * stays unanswered is an event, as is its return. Control thread.
 */
#pragma once

#include <event2/event.h>

#include "control/base/ctl_history.h"
#include "control/snapshot/ctl_snapshot.h"

struct ctl_self;

struct ctl_self_params {
	struct event_base *base;
	const struct dp_region *region;
	const struct ctl_publisher *publisher; /* which listeners there are */
	struct ctl_history *history;
};

/** @param p  Copied; what it points at is borrowed. @return NULL when out of memory. */
struct ctl_self *ctl_self_new(const struct ctl_self_params *p);
void ctl_self_free(struct ctl_self *s);

/** What is known of a port: "ok", "failing", or "unknown" while nothing can be known. */
const char *ctl_self_state(const struct ctl_self *s, unsigned int port);

/** Round trip of the last answer, microseconds; 0: none yet. */
uint64_t ctl_self_rtt_us(const struct ctl_self *s, unsigned int port);
