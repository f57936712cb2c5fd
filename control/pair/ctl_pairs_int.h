/*
 * Inside the pairs' runtime. Everything outside (time, probes) comes through struct ctl_pairs_io,
 * so that the simulator runs this very code. Only for control/pair/ and tests/sim.
 */
#pragma once

#include "control/pair/ctl_cut.h"
#include "control/pair/ctl_pair.h"
#include "control/pair/ctl_pairs.h"
#include "control/pair/ctl_state_file.h"
#include "control/pair/ctl_trial.h"
#include "control/probe/ctl_probe.h"

/** The world as the runtime sees it. */
struct ctl_pairs_io {
	struct ctl_timers *timers;
	uint64_t (*now_us)(void *arg);  /* monotonic */
	uint64_t (*wall_us)(void *arg); /* since 1970 */
	/* As in control/probe/ctl_probe.h. */
	void *(*target_new)(void *arg, const struct ctl_target_params *params);
	void (*target_free)(void *arg, void *target);
	void *(*send)(void *arg, void *target, const struct ctl_pair_send *order, ctl_probe_cb cb,
		      void *cb_arg);
	void (*cancel)(void *arg, void *probe);
	const uint64_t *(*counts)(void *arg); /* CTL_PROBE_COUNTS of them; may be NULL */
	void *arg;
};

/** A target with its users: the member, and each probe under way. */
struct ctl_pairs_pair;

struct ctl_pairs_target {
	void *target;
	unsigned int refs;
	struct ctl_pairs_pair *pair; /* whose member it was made for */
	uint8_t slot;
};

struct ctl_pairs_probe {
	struct ctl_pairs_probe *next;
	struct ctl_pairs_pair *pair;
	struct ctl_pairs_target *target;
	void *probe;
	uint32_t id;
};

struct ctl_pairs_member {
	char *name; /* owned; NULL: the slot is free */
	struct dp_endpoint at;
	uint64_t params_hash; /* of what its target was made from */
	struct ctl_pairs_target *target;
};

/** One pair at run time. */
struct ctl_pairs_pair {
	struct ctl_timer timer; /* first: the machine's wake_us */
	struct ctl_pairs *ps;
	struct ctl_pairs_pair *next; /* in its bucket */
	char *name;
	unsigned int number;
	bool in_model; /* of the apply under way */
	struct ctl_pair_state st;
	struct ctl_pair_conf conf;
	struct ctl_pairs_member m[DP_PAIR_MEMBERS];
	struct ctl_pairs_probe *probes;
	struct ctl_cut_pair cut;
	struct ctl_trial trial;
	uint64_t word;               /* as last set; 0: none */
	struct ctl_pair_saved saved; /* as last taken for the state file */
};

#define CTL_PAIRS_BUCKETS 4096u

struct ctl_pairs {
	struct ctl_pairs_io io;
	struct ctl_history *history;
	void (*set_word)(void *arg, unsigned int pair, uint64_t word);
	void *arg;
	_Atomic uint32_t *trials; /* the region's, by pair number; NULL: none are offered */
	struct ctl_pairs_pair *buckets[CTL_PAIRS_BUCKETS];
	struct ctl_pairs_pair *by_number[DP_MAX_PAIRS];
	size_t n_order;
	struct ctl_pairs_pair **order; /* as in the model */
	struct ctl_cut cut;
	struct ctl_state *state; /* of the file, for pairs yet to come */
	struct ctl_writer *writer;
	struct ctl_timer save_timer;
	struct ctl_pair_actions out; /* of the step under way */
	/* Set when ctl_pairs_new() made them. */
	struct ctl_clock *clock;
	struct ctl_prober *prober;
};

unsigned int ctl_pairs_bucket(const char *name);

/** As ctl_pairs_new(), with a world of its own. params->base is not used. */
struct ctl_pairs *ctl_pairs_new_io(const struct ctl_pairs_params *params,
				   const struct ctl_pairs_io *io);

struct ctl_pairs_pair *ctl_pairs_find(const struct ctl_pairs *ps, const char *name);

/** Find a member by "member" or "pair/member". @return 0 or -ENOENT. */
int ctl_pairs_find_member(const struct ctl_pairs *ps, const char *name,
			  struct ctl_pairs_pair **pair, unsigned int *slot);

void ctl_pairs_step(struct ctl_pairs_pair *rp, const struct ctl_pair_event *ev);

/** Carry out what is in ps->out, and what follows from the state. */
void ctl_pairs_carry_out(struct ctl_pairs_pair *rp);

/** Our own link, after a step. */
void ctl_pairs_follow_cut(struct ctl_pairs_pair *rp);

/** Start a new pair from the word in force (0: none) and the state file. */
void ctl_pairs_adopt(struct ctl_pairs_pair *rp, uint32_t slots, uint64_t word);

/** Wall-clock microseconds of a monotonic time; 0 of 0. */
uint64_t ctl_pairs_wall(const struct ctl_pairs *ps, uint64_t mono_us);

void ctl_pairs_unref(struct ctl_pairs *ps, struct ctl_pairs_target *t);

/** End a pair: probes, targets, timer, word. */
void ctl_pairs_pair_free(struct ctl_pairs_pair *rp);

/** Write the state file soon. */
void ctl_pairs_dirty(struct ctl_pairs *ps);

/** All pairs as the state file's text; free() it. NULL when out of memory. */
char *ctl_pairs_state_text(const struct ctl_pairs *ps);
