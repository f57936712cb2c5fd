/*
 * Whether a worker may act on silence: not before it has heard what came while it had no time to
 * listen.
 *
 * A worker that was not scheduled (a virtual machine whose processor was taken away), or that is
 * behind its queues, finds timers due whose answers wait in those queues, or are still to come from
 * servers that were held up by the same thing. So timers wait: after a gap in its rounds for as
 * long as the gap was, and while a queue gives whole bursts; neither for longer than
 * DP_STALL_MOST_US, so that nothing waits for ever where there is more than can be done.
 *
 * Pure; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** Between two rounds: a gap. More than the longest wait of a worker without packets
 * (DP_REST_WAIT_US), so that resting is none. */
#define DP_STALL_GAP_US 10000

#define DP_STALL_MOST_US 50000

/** All zero to begin with. */
struct dp_stall {
	uint64_t round_us;  /* when the last round began */
	uint64_t until_us;  /* no timers before that */
	uint64_t behind_us; /* since when rounds have found whole bursts; 0: the last one did not */
};

/** A round begins. @param now_us  Monotonic microseconds, as in all that follows. */
static inline void dp_stall_begin(struct dp_stall *s, uint64_t now_us)
{
	uint64_t gap_us = now_us - s->round_us;

	if (s->round_us && gap_us >= DP_STALL_GAP_US)
		s->until_us = now_us + (gap_us < DP_STALL_MOST_US ? gap_us : DP_STALL_MOST_US);
	s->round_us = now_us;
}

/**
 * The round's queues were looked at.
 * @param whole  One gave as much as was asked for: there may be more in it.
 * @return       Whether timers may run.
 */
static inline bool dp_stall_over(struct dp_stall *s, bool whole)
{
	if (!whole)
		s->behind_us = 0;
	else if (!s->behind_us)
		s->behind_us = s->round_us;
	if (s->round_us < s->until_us)
		return false;
	return !whole || s->round_us - s->behind_us >= DP_STALL_MOST_US;
}
