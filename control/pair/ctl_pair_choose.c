/*
 * The pair machine's choices: who becomes active, and when the pair returns to a better member
 * (failback, hold-down, flap damping).
 *
 * Invariant: in PRIMARY, BACKUP and FALLBACK the active member is present, enabled and not known
 * down; in UNKNOWN and OUT-OF-SERVICE it is whoever was active last, or the best guess.
 */
#include <string.h>

#include "control/pair/ctl_pair_int.h"

bool pp_eligible(const struct ctl_pair_state *p, unsigned int slot)
{
	const struct ctl_pair_member *m = &p->m[slot];

	return m->present && !m->disabled && (!p->pinned || slot == p->active);
}

bool pp_known_good(const struct pp *c, unsigned int slot)
{
	const struct ctl_pair_member *m = &c->p->m[slot];

	if (!m->present || m->disabled || !m->last_good || m->health == CTL_HEALTH_SUSPECT)
		return false;
	return !(c->conf->gray_failover && m->degraded);
}

unsigned int pp_candidate(const struct pp *c, unsigned int except)
{
	unsigned int drained = CTL_PAIR_NONE;

	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];

		if (s == except || !pp_eligible(c->p, s) || !pp_known_good(c, s))
			continue;
		if (!c->p->m[s].draining)
			return s;
		if (drained == CTL_PAIR_NONE)
			drained = s;
	}
	return drained;
}

/* Not known down before known down, not draining before draining, then by rank. */
unsigned int pp_guess(const struct pp *c)
{
	unsigned int best = CTL_PAIR_NONE, best_cost = UINT32_MAX;

	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];
		const struct ctl_pair_member *m = &c->p->m[s];
		unsigned int cost = 2u * (m->health == CTL_HEALTH_DOWN) + m->draining;

		if (m->present && !m->disabled && cost < best_cost) {
			best = s;
			best_cost = cost;
		}
	}
	return best;
}

enum ctl_pair_phase pp_role_phase(const struct pp *c, unsigned int slot)
{
	switch (c->conf->m[slot].role) {
	case DP_ROLE_PRIMARY: return CTL_PAIR_PRIMARY;
	case DP_ROLE_BACKUP: return CTL_PAIR_BACKUP;
	default: return CTL_PAIR_FALLBACK;
	}
}

bool pp_all_missed(const struct pp *c)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];

		if (!pp_eligible(c->p, s))
			continue;
		if (!c->p->m[s].missed)
			return false;
		n++;
	}
	return n > 0;
}

/* ---- Going there */

static void enter(struct pp *c, enum ctl_pair_phase phase, bool moved)
{
	struct ctl_pair_state *p = c->p;
	unsigned int from = p->phase;

	p->phase = (uint8_t)phase;
	if (from == phase && !moved)
		return;
	p->since_us = c->now;
	pp_note(c, CTL_PAIR_NONE, ctl_pair_phase_name(from), ctl_pair_phase_name(phase), c->cause,
		c->text);
}

void pp_set_phase(struct pp *c, enum ctl_pair_phase phase)
{
	bool was_lost = pp_is_lost(c->p);

	enter(c, phase, false);
	if (was_lost && !pp_is_lost(c->p))
		pp_turns_stop(c);
}

void pp_unknown(struct pp *c, unsigned int first)
{
	enter(c, CTL_PAIR_UNKNOWN, false);
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++)
		pp_m(c, s)->doubted = false;
	pp_turns_start(c, first, c->now);
}

/* Kept from the first switch of a silence on: what came after the pair last heard from anybody. */
static void remember(struct pp *c, unsigned int from, enum pp_by by)
{
	struct ctl_pair_state *p = c->p;
	bool machine = by == PP_BY_MACHINE;

	if (machine && p->undo.valid && p->undo.at_us > p->heard_us)
		return;
	p->undo = (struct ctl_pair_undo){ .valid = machine,
					  .active = (uint8_t)from,
					  .flaps = p->flaps,
					  .at_us = c->now,
					  .left_us = p->m[from].left_us,
					  .returned_us = p->returned_us,
					  .failback_us = p->failback_us };
}

static bool has_better(const struct pp *c, unsigned int slot)
{
	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];

		if (c->p->m[s].present && pp_rank(c, s) < pp_rank(c, slot))
			return true;
	}
	return false;
}

/* REQUIREMENTS 3, Failback: the hold counts from the switch away; a switch away within ten minutes
 * of a return is a flap and doubles it. An operator's act is none. */
static void count_flap(struct pp *c, unsigned int from, unsigned int to, enum pp_by by)
{
	struct ctl_pair_state *p = c->p;

	if (pp_rank(c, to) < pp_rank(c, from)) {
		p->returned_us = c->now;
		return;
	}
	p->m[from].left_us = c->now;
	if (by != PP_BY_MACHINE)
		return;
	if (p->returned_us != 0 && c->now - p->returned_us < CTL_PAIR_FLAP_US)
		p->flaps = p->flaps < CTL_PAIR_FLAPS_MAX ? (uint8_t)(p->flaps + 1) : p->flaps;
	else if (!has_better(c, from))
		p->flaps = 0;
}

void pp_switch(struct pp *c, unsigned int to, enum pp_by by)
{
	struct ctl_pair_state *p = c->p;
	unsigned int from = p->active;
	struct ctl_pair_member *m = pp_m(c, to);
	const char *was = ctl_pair_member_name(m);
	bool was_lost = pp_is_lost(p);

	if (from != to) {
		remember(c, from, by);
		count_flap(c, from, to, by);
		for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
			if (pp_rank(c, s) < pp_rank(c, to))
				p->m[s].oks = 0;
		}
		p->active = (uint8_t)to;
		p->manual = by == PP_BY_OPERATOR && has_better(c, to);
		m->next_us = c->now;
	}
	m->fails = 0;
	if (m->last_good && m->health == CTL_HEALTH_DOWN)
		m->health = CTL_HEALTH_UP;
	enter(c, pp_role_phase(c, to), from != to);
	if (was_lost)
		pp_turns_stop(c);
	pp_mark(c, to, was, c->cause);
}

/* ---- Coming back */

bool pp_is_better(const struct pp *c, unsigned int slot)
{
	const struct ctl_pair_member *m = &c->p->m[slot];

	return m->present && !m->disabled && !m->draining
	       && !(c->conf->gray_failover && m->degraded)
	       && pp_rank(c, slot) < pp_rank(c, c->p->active);
}

static bool may_return(const struct pp *c)
{
	const struct ctl_pair_state *p = c->p;

	return !pp_is_lost(p) && p->active != CTL_PAIR_NONE && !p->pinned && !p->manual && !p->cut;
}

uint64_t pp_hold_end(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
		     unsigned int slot)
{
	uint64_t left_us = p->m[slot].left_us;

	return left_us != 0 ? left_us + (conf->hold_us << p->flaps) : 0;
}

/* Failback `immediate`: alive `rise` times since the pair left it. */
static bool proved_alive(const struct pp *c, unsigned int slot)
{
	const struct ctl_pair_member *m = &c->p->m[slot];

	return pp_is_better(c, slot) && pp_known_good(c, slot) && m->health == CTL_HEALTH_UP
	       && m->oks >= c->conf->rise;
}

static void return_immediate(struct pp *c)
{
	if ((c->conf->failback & CTL_FAILBACK_IMMEDIATE) == 0 || !may_return(c))
		return;
	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];

		if (!proved_alive(c, s) || pp_hold_end(c->p, c->conf, s) > c->now)
			continue;
		pp_say(c, "failback-immediate", "%s answered %u probes in a row", pp_name(c, s),
		       c->p->m[s].oks);
		pp_switch(c, s, PP_BY_MACHINE);
		return;
	}
}

/* ---- Failback `timed` */

static unsigned int next_better(const struct pp *c, unsigned int after)
{
	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];

		if (after != CTL_PAIR_NONE && pp_rank(c, s) <= pp_rank(c, after))
			continue;
		if (pp_is_better(c, s))
			return s;
	}
	return CTL_PAIR_NONE;
}

/* One that is held keeps no other from its turn. */
static unsigned int next_free(const struct pp *c, unsigned int after)
{
	unsigned int slot = next_better(c, after);

	while (slot != CTL_PAIR_NONE && pp_hold_end(c->p, c->conf, slot) > c->now)
		slot = next_better(c, slot);
	return slot;
}

/* While a failback mode waits for nothing but the end of a hold, that end is a deadline. */
uint64_t pp_hold_wake(const struct pp *c)
{
	unsigned int modes = c->conf->failback;
	uint64_t at = 0;

	if (!may_return(c))
		return 0;
	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];
		uint64_t end = pp_hold_end(c->p, c->conf, s);
		bool waits = ((modes & CTL_FAILBACK_IMMEDIATE) != 0 && proved_alive(c, s))
			     || ((modes & CTL_FAILBACK_SIGNAL) != 0 && pp_is_better(c, s));

		if (waits && end > c->now && (at == 0 || end < at))
			at = end;
	}
	return at;
}

static bool wants_timed(const struct pp *c)
{
	return (c->conf->failback & CTL_FAILBACK_TIMED) != 0 && may_return(c)
	       && next_better(c, CTL_PAIR_NONE) != CTL_PAIR_NONE;
}

static void failback_send(struct pp *c, unsigned int slot)
{
	struct ctl_pair_state *p = c->p;

	p->failback_us = 0;
	p->failback_slot = (uint8_t)slot;
	p->failback.method = c->conf->m[slot].registers ? CTL_PROBE_REGISTER : CTL_PROBE_OPTIONS;
	pp_send(c, slot, &p->failback, 0, 0, 64ull * CTL_PAIR_T1_US);
}

static uint64_t first_hold_end(const struct pp *c)
{
	unsigned int s = next_better(c, CTL_PAIR_NONE);
	uint64_t at = UINT64_MAX;

	for (; s != CTL_PAIR_NONE; s = next_better(c, s)) {
		if (pp_hold_end(c->p, c->conf, s) < at)
			at = pp_hold_end(c->p, c->conf, s);
	}
	return at;
}

void pp_failback_due(struct pp *c)
{
	unsigned int slot = next_free(c, CTL_PAIR_NONE);

	c->p->failback_us = 0;
	if (!wants_timed(c) || c->p->failback.id != 0)
		return;
	if (slot != CTL_PAIR_NONE)
		failback_send(c, slot);
	else
		c->p->failback_us = first_hold_end(c);
}

void pp_failback_answer(struct pp *c, bool success, const char *why)
{
	struct ctl_pair_state *p = c->p;
	unsigned int slot = p->failback_slot, next;

	if (!wants_timed(c))
		return;
	/* A flap since it was sent may have made the hold longer. */
	if (success && pp_is_better(c, slot) && pp_hold_end(p, c->conf, slot) > c->now) {
		p->failback_us = pp_hold_end(p, c->conf, slot);
		return;
	}
	if (success && pp_is_better(c, slot)) {
		pp_say(c, "failback-timed", "%s: the failback probe was answered: %s",
		       pp_name(c, slot), why);
		pp_switch(c, slot, PP_BY_MACHINE);
		return;
	}
	pp_say(c, "failback-failed", "%s: the failback probe failed: %s", pp_name(c, slot), why);
	pp_note(c, CTL_PAIR_NONE, ctl_pair_phase_name(p->phase), ctl_pair_phase_name(p->phase),
		c->cause, c->text);
	next = next_free(c, slot);
	if (next != CTL_PAIR_NONE)
		failback_send(c, next);
	else
		p->failback_us = c->now + c->conf->interval_us;
}

static void arm_timed(struct pp *c)
{
	struct ctl_pair_state *p = c->p;

	if (!wants_timed(c)) {
		p->failback_us = 0;
		if (!pp_is_lost(p))
			pp_cancel(c, &p->failback);
		return;
	}
	if (p->failback.id != 0 && !pp_is_better(c, p->failback_slot))
		pp_cancel(c, &p->failback);
	if (p->failback.id == 0 && p->failback_us == 0)
		p->failback_us = c->now + c->conf->interval_us;
	/* It waits for the end of a hold: that of another member, which has come since, may be
	 * earlier. */
	if (p->failback_us > c->now + c->conf->interval_us && p->failback_us > first_hold_end(c))
		p->failback_us = c->now + c->conf->interval_us;
}

/* ---- After every event */

/* REQUIREMENTS 3: a drained member's new dialogs go to the twin, as soon as one is alive. */
static void leave_drained(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	unsigned int to;

	if (pp_is_lost(p) || p->pinned || !p->m[p->active].draining)
		return;
	to = pp_candidate(c, p->active);
	if (to == CTL_PAIR_NONE || p->m[to].draining)
		return;
	pp_say(c, "operator", "%s is draining; %s answers", pp_name(c, p->active), pp_name(c, to));
	pp_switch(c, to, PP_BY_ORDER);
}

void pp_settle(struct pp *c)
{
	if (c->p->active != CTL_PAIR_NONE) {
		leave_drained(c);
		pp_gray(c);
		return_immediate(c);
		arm_timed(c);
		pp_plan(c);
	}
	c->p->wake_us = pp_earliest(c);
}

/* ---- What others may know */

enum ctl_silence ctl_pair_silence(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf)
{
	enum ctl_silence silence = CTL_NOT_ASKED;

	for (unsigned int i = 0; i < conf->n; i++) {
		unsigned int s = conf->order[i];
		bool asked = pp_is_lost(p) ? pp_eligible(p, s) : pp_period(p, conf, s) != 0;

		if (!p->m[s].present || p->m[s].disabled || !asked)
			continue;
		if (!p->m[s].silent)
			return CTL_HEARD;
		silence = CTL_SILENT;
	}
	return silence;
}

uint64_t ctl_pair_hold_until(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf)
{
	uint64_t end = 0;

	for (unsigned int i = 0; i < conf->n && conf->order[i] != p->active; i++) {
		uint64_t e = pp_hold_end(p, conf, conf->order[i]);

		if (e > end)
			end = e;
	}
	return end;
}

unsigned int ctl_pair_signal_slot(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
				  unsigned int after, uint64_t now_us)
{
	struct pp c = { .p = (struct ctl_pair_state *)(uintptr_t)p, .conf = conf, .now = now_us };
	unsigned int slot;

	if ((conf->failback & CTL_FAILBACK_SIGNAL) == 0 || !may_return(&c))
		return CTL_PAIR_NONE;
	if (after != CTL_PAIR_NONE && !p->m[after].present)
		after = CTL_PAIR_NONE;
	slot = next_free(&c, after);
	return slot != CTL_PAIR_NONE ? slot : next_free(&c, CTL_PAIR_NONE);
}

bool ctl_pair_signal_open(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
			  uint64_t now_us)
{
	return ctl_pair_signal_slot(p, conf, CTL_PAIR_NONE, now_us) != CTL_PAIR_NONE;
}
