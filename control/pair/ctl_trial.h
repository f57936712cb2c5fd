/*
 * Trials of signal failback (Fanvil 2.3): control offers a pair's workers to send one live request
 * to a better member; the one that takes the offer says how it went (dataplane/dp_region.h,
 * pair_trials). One offer at a time for each pair. Between two offers there is a pause, longer
 * after each that failed, since a caller waits for each failure. Control thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/probe/ctl_timers.h"

#define CTL_TRIAL_PAUSE_US     1000000u  /* after the first failure */
#define CTL_TRIAL_PAUSE_MAX_US 60000000u /* doubled up to this */
#define CTL_TRIAL_LOST_US \
	70000000ull /* an offer that was taken and not heard of for so long (2*64*T1) is lost */

struct ctl_trial {
	struct ctl_timer timer; /* first: when to look again */
	bool open;              /* an offer is out */
	bool taken;             /* and had been taken at the last look */
	uint8_t slot;           /* that it names, or that was tried last */
	uint32_t number;
	uint64_t look_us; /* when to see whether it is lost */
	uint64_t next_us; /* no offer before */
	uint64_t pause_us;
};

struct ctl_pairs_pair;

/** After a step, before its word is set: offer, or take an offer back. @return whether one is out:
 * the word's trial bit. */
bool ctl_trial_follow(struct ctl_pairs_pair *rp);

/**
 * The worker's word on an offer (DP_EVENT_TRIAL).
 * @return  Whether it was the offer that is out: the machine is to hear of it.
 */
bool ctl_trial_ended(struct ctl_pairs_pair *rp, uint64_t number, unsigned int slot);
