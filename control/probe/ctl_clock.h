/*
 * The clock of the control thread: monotonic microseconds, and one libevent timer that runs a
 * queue of ctl_timers.
 */
#pragma once

#include <event2/event.h>

#include "control/probe/ctl_timers.h"

struct ctl_clock;

/** @return NULL when out of memory. */
struct ctl_clock *ctl_clock_new(struct event_base *base);

/** Its timers must be cancelled. */
void ctl_clock_free(struct ctl_clock *c);

/** The queue. Borrowed. */
struct ctl_timers *ctl_clock_timers(struct ctl_clock *c);

/** CLOCK_MONOTONIC, microseconds. Any thread. */
uint64_t ctl_now_us(void);

/** CLOCK_REALTIME, microseconds. Any thread. */
uint64_t ctl_wall_us(void);
