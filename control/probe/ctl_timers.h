/*
 * Timers with an explicit clock: a queue of deadlines that whoever owns the time runs. The daemon
 * drives one from libevent (ctl_clock.h), the simulator another from virtual time.
 *
 * Timers are embedded in their owners (a pairing heap: no allocation, O(1) to set, O(log n)
 * amortised to take out). Equal deadlines fire in the order in which they were set. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ctl_timer;
typedef void (*ctl_timer_cb)(struct ctl_timer *t, uint64_t now_us);

/** Zeroed, with fire set, it is ready to be used. Must be cancelled before its memory goes. */
struct ctl_timer {
	ctl_timer_cb fire;
	uint64_t at_us; /* 0: not armed */
	uint64_t serial;
	struct ctl_timer *child, *next, *prev; /* prev: of the first child its parent */
};

struct ctl_timers {
	struct ctl_timer *root;
	uint64_t serial;
	uint64_t running_us; /* now of the run under way, else 0 */
	/** What time it is for those who set timers here and have no other clock. May be NULL. */
	uint64_t (*now_us)(void *arg);
	bool stopped;   /* that time stands still */
	uint32_t stops; /* how often it was stopped */
	/** Called before due timers fire: what has happened already must be heard before it is
	 * found missing. May be NULL. */
	void (*before)(void *before_arg);
	void *before_arg;
	/** Called when the earliest deadline has become earlier. May be NULL. */
	void (*sooner)(void *arg, uint64_t at_us);
	void *arg;
};

/** Arm, or arm anew. @param at_us  Not 0; one in the past fires at the next run. */
void ctl_timer_set(struct ctl_timers *ts, struct ctl_timer *t, uint64_t at_us);

/** No-op when it is not armed. */
void ctl_timer_cancel(struct ctl_timers *ts, struct ctl_timer *t);

/** Earliest deadline, 0 when there is none. */
uint64_t ctl_timers_next(const struct ctl_timers *ts);

/** Fire all that are due, except those set meanwhile. @return how many fired. */
unsigned int ctl_timers_run(struct ctl_timers *ts, uint64_t now_us);
