/*
 * The clock of the control thread: monotonic microseconds, and one libevent timer that runs a
 * queue of ctl_timers.
 *
 * It can be stopped: then no timer fires, and its time stands still until it goes on, so that what
 * was to happen in 3 s still happens 3 s later. Members are not silent because there is no way to
 * them. And where it finds itself late by 20 ms and more, timers have up to 30 ms more: a machine
 * that stood still did so for those who should have answered, too.
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

/** Its time: CLOCK_MONOTONIC less all the time that it was stopped, microseconds. */
uint64_t ctl_clock_now_us(const struct ctl_clock *c);

/** Stop it, or let it go on. */
void ctl_clock_stop(struct ctl_clock *c, bool stop);

/** CLOCK_MONOTONIC, microseconds. Any thread. */
uint64_t ctl_now_us(void);

/** CLOCK_REALTIME, microseconds. Any thread. */
uint64_t ctl_wall_us(void);
