/*
 * A world for the pairs' runtime: virtual time, and members that live at ports of 192.0.2.1 and
 * answer probes or not. And models built by hand.
 */
#pragma once

#include "control/pair/ctl_pairs_int.h"

#define SEC 1000000ull
#define MS  1000ull

#define WORLD_PORTS 64

enum world_mood { WORLD_ALIVE, WORLD_DEAD, WORLD_ICMP };

struct world {
	uint64_t now_us, wall_us;
	struct ctl_timers timers;
	enum world_mood mood[WORLD_PORTS]; /* by port - 5060 */
	uint16_t code[WORLD_PORTS];
	unsigned int n_sent[WORLD_PORTS];
	void (*vary)(struct ctl_pair *p); /* changes each pair of a model to come; NULL: none */
	unsigned int n_targets, n_probes, n_made; /* targets now, probes now, targets ever */
	void (*lost[WORLD_PORTS])(void *lost_arg);
	void *lost_arg[WORLD_PORTS];
	struct ctl_target_params made; /* the last one's, strings borrowed */
	struct ctl_history *history;
	struct ctl_pairs *ps;
	struct ctl_model *model;
	struct ctl_numbers *numbers;
	_Atomic uint64_t words[DP_MAX_PAIRS];
	_Atomic uint32_t trials[DP_MAX_PAIRS];
	unsigned int failback; /* of the models to come: set of enum ctl_failback */
	bool gray_failover;    /* likewise */
	unsigned int n_words;  /* times that one was set */
	char *state_file;
};

void world_init(struct world *w, const char *state_file);

/** Start the runtime (also after world_stop()). */
void world_start(struct world *w);

/** End the runtime; the world and its words go on. */
void world_stop(struct world *w);
void world_fini(struct world *w);

/** Let time pass. */
void world_run(struct world *w, uint64_t us);

/**
 * A model from text: "east=a:5060,b:5061 west=c:5062,d:5063"; roles by order. oos-check 1 s,
 * oos-force 1 s, hold 10 s, sticky.
 */
struct ctl_model *world_model(const char *text);

/** Retire, number and apply a model, which becomes the world's. words: adopt those in force. */
void world_apply(struct world *w, const char *text, bool adopt);

/** Pair object, borrowed until the next call. */
const json_t *world_pair(struct world *w, const char *name);
const char *world_state(struct world *w, const char *name);
const char *world_active(struct world *w, const char *name);
uint64_t world_word(struct world *w, const char *name);

/** The last event of a pair (NULL: about none), or of all with "*". Borrowed likewise. */
const json_t *world_last_event(struct world *w, const char *pair);
