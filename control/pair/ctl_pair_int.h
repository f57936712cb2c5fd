/*
 * Inside the pair machine: one step's context and what its files call of each other. Only for
 * control/pair/ctl_pair*.c.
 */
#pragma once

#include "control/pair/ctl_pair.h"

/** One step. */
struct pp {
	struct ctl_pair_state *p;
	const struct ctl_pair_conf *conf;
	const struct ctl_pair_event *ev;
	uint64_t now;
	struct ctl_pair_actions *out;
	bool stalled; /* this tick comes so late that outstanding probes prove nothing */
	/* Of the decision under way */
	uint8_t slot;
	const char *cause;
	char text[CTL_PAIR_TEXT];
};

/** What probes and traffic say of one member. */
enum pp_input {
	PP_GOOD,   /* a good answer to a probe */
	PP_BAD,    /* a probe failed: no answer, or an unavailable code */
	PP_DOUBT,  /* a sign of trouble from live traffic or ICMP */
	PP_PROOF,  /* a second proven ICMP error, for another branch, and no answer in between */
	PP_SILENT, /* nothing good came in the whole of a burst */
	PP_INPUT_N,
};
_Static_assert((int)PP_INPUT_N == CTL_PAIR_INPUTS, "ctl_pair.h tells the tests");

enum pp_reason_kind {
	PP_WHY_NONE,
	PP_WHY_TIMEOUT, /* n_sends over span_us */
	PP_WHY_CODE,    /* code, answered to a probe */
	PP_WHY_ICMP,    /* detail */
	PP_WHY_SEND,    /* detail: errno */
	PP_WHY_STREAM,  /* detail: errno */
	PP_WHY_TLS,
	PP_WHY_UNANSWERED, /* method */
	PP_WHY_LIVE_CODE,  /* method, code */
};

static inline struct ctl_pair_member *pp_m(const struct pp *c, unsigned int slot)
{
	return &c->p->m[slot];
}

static inline bool pp_is_lost(const struct ctl_pair_state *p)
{
	return p->phase == CTL_PAIR_UNKNOWN || p->phase == CTL_PAIR_OUT_OF_SERVICE;
}

static inline bool pp_alive_code(const struct ctl_pair_conf *conf, unsigned int code)
{
	for (unsigned int i = 0; i < conf->n_codes; i++) {
		if (conf->codes[i] == code)
			return false;
	}
	return true;
}

static inline unsigned int pp_rank(const struct pp *c, unsigned int slot)
{
	return c->conf->m[slot].rank;
}

/** Whose will a switch is. */
enum pp_by {
	PP_BY_MACHINE,  /* its own: counts as a flap, and is undone when our own link was lost */
	PP_BY_OPERATOR, /* `switch`: no failback until this member fails */
	PP_BY_ORDER,    /* what follows from drain, disable and reload */
};

/* ctl_pair.c */
void pp_begin(struct pp *c, struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
	      const struct ctl_pair_event *ev, uint64_t now_us, struct ctl_pair_actions *out);
void pp_dispatch(struct pp *c, enum ctl_pair_event_type type);

/* ctl_pair_probe.c: probes, bursts and turns */
void pp_send(struct pp *c, unsigned int slot, struct ctl_pair_probe *pr, unsigned int n_sends,
	     uint64_t spread_us, uint64_t timeout_us);
void pp_cancel(struct pp *c, struct ctl_pair_probe *pr);
/** The outstanding probe `id` and its member's slot, or NULL. */
struct ctl_pair_probe *pp_find(struct pp *c, uint32_t id, uint8_t *slot);
bool pp_is_burst(const struct pp *c, unsigned int slot, const struct ctl_pair_probe *pr);
void pp_burst_start(struct pp *c, unsigned int slot, uint64_t when);
void pp_burst_stop(struct pp *c, unsigned int slot);
/** Whose turn comes after `slot`'s, or from it on (self). CTL_PAIR_NONE: nobody's. */
unsigned int pp_next_turn(const struct pp *c, unsigned int slot, bool self);
void pp_turns_start(struct pp *c, unsigned int first, uint64_t when);
void pp_turns_stop(struct pp *c);
void pp_expire(struct pp *c);
void pp_send_due(struct pp *c);
/** Distance of a member's periodic probes now, 0: it is not watched. */
uint64_t pp_period(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
		   unsigned int slot);
void pp_plan(struct pp *c);
void pp_forget(struct pp *c, unsigned int slot);
uint64_t pp_earliest(const struct pp *c);

/* ctl_pair_member.c: one member's health */
void pp_input(struct pp *c, unsigned int slot, enum pp_input input);
/** @param id  With PP_WHY_ICMP: the branch that the error is about. */
void pp_doubt(struct pp *c, unsigned int slot, const struct ctl_pair_reason *why, uint64_t id);
void pp_rtt(struct ctl_pair_member *m, uint32_t rtt_us);
void pp_mark(struct pp *c, unsigned int slot, const char *from, const char *cause);

/** A probe of a member's has failed, whatever follows from it. */
static inline void pp_failed(struct pp *c, unsigned int slot, const struct ctl_pair_reason *why)
{
	pp_m(c, slot)->last_bad = *why;
	pp_m(c, slot)->last_bad_us = c->now;
}

/* ctl_pair_choose.c: which member, and when back */
/** May the machine use it at all: there, not disabled, and the pinned one when one is pinned. */
bool pp_eligible(const struct ctl_pair_state *p, unsigned int slot);
bool pp_known_good(const struct pp *c, unsigned int slot);
/** Best member known good, not `except`; drained ones last. CTL_PAIR_NONE: there is none. */
unsigned int pp_candidate(const struct pp *c, unsigned int except);
/** Best guess when nobody is known good. */
unsigned int pp_guess(const struct pp *c);
void pp_switch(struct pp *c, unsigned int to, enum pp_by by);
void pp_set_phase(struct pp *c, enum ctl_pair_phase phase);
void pp_unknown(struct pp *c, unsigned int first);
enum ctl_pair_phase pp_role_phase(const struct pp *c, unsigned int slot);
bool pp_all_missed(const struct pp *c);
void pp_failback_answer(struct pp *c, bool success, const char *why);
void pp_failback_due(struct pp *c);
void pp_settle(struct pp *c);
uint64_t pp_hold_end(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
		     unsigned int slot);
/** Earliest end of a hold that the machine waits for, 0: none. */
uint64_t pp_hold_wake(const struct pp *c);
/** A member ranked above the active one, that failback may return to. */
bool pp_is_better(const struct pp *c, unsigned int slot);

/* ctl_pair_live.c */
void pp_live(struct pp *c);
void pp_gray(struct pp *c);
/** When a degraded mark without traffic wears off; 0: not marked. */
uint64_t pp_gray_end(const struct pp *c, unsigned int slot);

/* ctl_pair_oper.c */
void pp_on_switch(struct pp *c);
void pp_on_pin(struct pp *c);
void pp_on_unpin(struct pp *c);
void pp_on_drain(struct pp *c);
void pp_on_disable(struct pp *c);
void pp_on_enable(struct pp *c);
void pp_on_gone(struct pp *c);
void pp_on_change(struct pp *c);

/* ctl_pair_text.c */
void pp_note(struct pp *c, unsigned int slot, const char *from, const char *to, const char *cause,
	     const char *text);
void pp_say(struct pp *c, const char *cause, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void pp_add(struct pp *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *pp_name(const struct pp *c, unsigned int slot);
const char *pp_cause(const struct ctl_pair_reason *r);
/** Text of a reason into buf. @return buf. */
const char *pp_why(const struct ctl_pair_reason *r, char *buf, size_t size);
const char *pp_span(uint64_t us, char *buf, size_t size);
