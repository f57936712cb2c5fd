/*
 * The pairs at run time: one pure state machine each (control/pair/ctl_pair.h), driven by timers,
 * probers, operators and the data plane's events on the control thread's event base; its decisions
 * go to the region's pair words, the history and the state file.
 */
#pragma once

#include <event2/event.h>
#include <jansson.h>

#include "control/base/ctl_history.h"
#include "control/snapshot/ctl_numbers.h"
#include "dataplane/dp_region.h"

struct ctl_pairs;

struct ctl_pairs_params {
	struct event_base *base;
	struct ctl_history *history;
	const char *state_file; /* NULL: none is kept */
	/* Store a pair's word. Called on the control thread. */
	void (*set_word)(void *arg, unsigned int pair, uint64_t word);
	void *arg;
	_Atomic uint32_t *trials; /* the region's pair_trials, borrowed; NULL: no signal failback */
};

/** @return NULL when out of memory. Reads the state file; a missing one is fine, a broken one is
 * said and set aside. */
struct ctl_pairs *ctl_pairs_new(const struct ctl_pairs_params *p);

/** Stops all probing; writes the state file. */
void ctl_pairs_free(struct ctl_pairs *ps);

/**
 * Put a model in force: pairs and members that stay keep their state and timers, new ones start,
 * others end. Words are set for new pairs and members only by this call, so call it after all
 * workers acked the snapshot.
 *
 * @param model    Borrowed until the next apply or free.
 * @param numbers  Borrowed likewise.
 * @param words    The words in force (a restarted control adopts the active members from valid
 * ones), or NULL.
 * @return         0 or -ENOMEM (the old model stays).
 */
int ctl_pairs_apply(struct ctl_pairs *ps, const struct ctl_model *model,
		    const struct ctl_numbers *numbers, const _Atomic uint64_t *words);

/** Before a reload takes members away from the snapshot: let go of them (words no longer name
 * them). */
void ctl_pairs_retire(struct ctl_pairs *ps, const struct ctl_model *next);

/**
 * The reload for which ctl_pairs_retire() let members go is given up: the model in force takes back
 * its numbers, and its pairs their members. Arguments as for ctl_numbers_assign() and
 * ctl_pairs_apply().
 * @return 0 or -ENOMEM.
 */
int ctl_pairs_go_back(struct ctl_pairs *ps, const struct ctl_model *model,
		      struct ctl_numbers *numbers, uint64_t now_ms, const _Atomic uint64_t *words);

/** The way to all members is gone (the data plane is away), or is back: meanwhile nothing is
 * probed, no timer fires, and no silence counts. */
void ctl_pairs_pause(struct ctl_pairs *ps, bool pause);

/** One window's figures of a member's live requests: how many were judged, how many of them failed,
 * and the mean time to their first response in microseconds, 0 if there was none. */
void ctl_pairs_live(struct ctl_pairs *ps, unsigned int member, uint32_t requests, uint32_t failed,
		    uint32_t delay_us);

/** Call fn for each member that there is, by number. fn may call ctl_pairs_live(). */
void ctl_pairs_each_member(struct ctl_pairs *ps, void (*fn)(void *arg, unsigned int member),
			   void *arg);

/** An event from a worker's ring. */
void ctl_pairs_dataplane_event(struct ctl_pairs *ps, const struct dp_event *ev);

/* Operators' commands. who: shown in the history. err: text for the operator, at least 256 bytes.
 * @return 0, -ENOENT (no such pair or member), -EINVAL (not possible now; err says why). */
int ctl_pairs_switch(struct ctl_pairs *ps, const char *pair, const char *to, const char *who,
		     char *err);
int ctl_pairs_pin(struct ctl_pairs *ps, const char *pair, bool on, const char *who, char *err);
int ctl_pairs_drain(struct ctl_pairs *ps, const char *member, const char *who, char *err);
int ctl_pairs_disable(struct ctl_pairs *ps, const char *member, const char *who, char *err);
int ctl_pairs_enable(struct ctl_pairs *ps, const char *member, const char *who, char *err);

/** New JSON array of all pairs, or one pair's object (NULL when there is none), with members. The
 * caller owns it. */
json_t *ctl_pairs_json(const struct ctl_pairs *ps);
json_t *ctl_pair_json(const struct ctl_pairs *ps, const char *pair);

/** New JSON object: the probers' counters by name. The caller owns it. */
json_t *ctl_pairs_probes_json(const struct ctl_pairs *ps);

/** Member number of a member by name ("east-a", or "east/east-a" where names repeat), or -ENOENT.
 */
int ctl_pairs_member_number(const struct ctl_pairs *ps, const char *member);
