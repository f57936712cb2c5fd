/*
 * The pair machine under orders: operators' switch, pin, drain, disable and enable, and members
 * that a configuration brings, moves or takes away. They beat the machine's own will.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/pair/ctl_pair_int.h"

/* A switch without a name goes to the best other member, one known alive if there is one. */
static unsigned int other_member(const struct pp *c)
{
	const struct ctl_pair_state *p = c->p;
	unsigned int best = CTL_PAIR_NONE;

	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];
		const struct ctl_pair_member *m = &p->m[s];

		if (s == p->active || !m->present || m->disabled || m->draining)
			continue;
		if (pp_known_good(c, s))
			return s;
		if (best == CTL_PAIR_NONE || p->m[best].health == CTL_HEALTH_DOWN)
			best = s;
	}
	return best;
}

static int refuse(char *err, const char *format, const char *name)
{
	snprintf(err, CTL_PAIR_TEXT, format, name);
	return -EINVAL;
}

static int refuses_switch(const struct pp *c, char *err)
{
	const struct ctl_pair_state *p = c->p;
	unsigned int to = c->ev->slot == CTL_PAIR_NONE ? other_member(c) : c->ev->slot;

	if (to == CTL_PAIR_NONE || !p->m[to].present)
		return refuse(err, "there is no other member to switch to%s", "");
	if (to == p->active)
		return refuse(err, "%s is the active member already", pp_name(c, to));
	if (p->m[to].disabled)
		return refuse(err, "%s is disabled: enable it first", pp_name(c, to));
	if (p->m[to].draining)
		return refuse(err, "%s is draining: enable it first", pp_name(c, to));
	if (p->m[to].health == CTL_HEALTH_DOWN && !pp_is_lost(p) && !pp_known_good(c, to))
		return refuse(err, "%s is down: the pair would leave it at once", pp_name(c, to));
	return 0;
}

int ctl_pair_refuses(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
		     const struct ctl_pair_event *ev, char *err)
{
	const struct pp c = { .p = (struct ctl_pair_state *)(uintptr_t)p, .conf = conf, .ev = ev };

	if (p->active == CTL_PAIR_NONE)
		return refuse(err, "the pair has no members%s", "");
	switch (ev->type) {
	case CTL_EV_SWITCH: return refuses_switch(&c, err);
	case CTL_EV_DRAIN:
	case CTL_EV_DISABLE:
		if (p->pinned && ev->slot == p->active)
			return refuse(err, "the pair is pinned to %s: unpin it first",
				      pp_name(&c, ev->slot));
		return 0;
	default: return 0;
	}
}

/* Begin the rounds anew after the set of members that count has changed; a pair all of whose
 * members are disabled stays out of service. */
static void ask_again(struct pp *c, unsigned int first)
{
	if (!pp_is_lost(c->p) || pp_next_turn(c, first, true) == CTL_PAIR_NONE)
		return;
	if (c->p->phase == CTL_PAIR_OUT_OF_SERVICE)
		pp_unknown(c, first);
	else
		pp_turns_start(c, first, c->now);
}

void pp_on_switch(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	unsigned int to = c->ev->slot == CTL_PAIR_NONE ? other_member(c) : c->ev->slot;

	if (to == CTL_PAIR_NONE || to == p->active || !p->m[to].present || p->m[to].disabled)
		return;
	pp_say(c, "operator", "switch from %s to %s", pp_name(c, p->active), pp_name(c, to));
	if (!pp_is_lost(p)) {
		pp_switch(c, to, PP_BY_OPERATOR);
		return;
	}
	pp_note(c, CTL_PAIR_NONE, ctl_pair_phase_name(p->phase), ctl_pair_phase_name(p->phase),
		c->cause, c->text);
	p->m[p->active].left_us = c->now;
	p->active = (uint8_t)to;
	p->undo.valid = false;
	p->manual = false;
	pp_turns_start(c, to, c->now);
}

void pp_on_pin(struct pp *c)
{
	struct ctl_pair_state *p = c->p;

	if (p->pinned)
		return;
	p->pinned = true;
	pp_say(c, "operator", "pinned to %s", pp_name(c, p->active));
	pp_note(c, CTL_PAIR_NONE, ctl_pair_phase_name(p->phase), ctl_pair_phase_name(p->phase),
		c->cause, c->text);
	if (pp_is_lost(p))
		pp_turns_start(c, p->active, c->now);
}

void pp_on_unpin(struct pp *c)
{
	struct ctl_pair_state *p = c->p;

	if (!p->pinned)
		return;
	p->pinned = false;
	pp_say(c, "operator", "no longer pinned to %s", pp_name(c, p->active));
	pp_note(c, CTL_PAIR_NONE, ctl_pair_phase_name(p->phase), ctl_pair_phase_name(p->phase),
		c->cause, c->text);
	ask_again(c, p->active);
}

void pp_on_drain(struct pp *c)
{
	struct ctl_pair_member *m = pp_m(c, c->ev->slot);
	const char *was = ctl_pair_member_name(m);

	if (!m->present || m->draining)
		return;
	m->draining = true;
	pp_say(c, "operator", "%s: its dialogs stay, new ones go elsewhere",
	       pp_name(c, c->ev->slot));
	m->changed_us = c->now;
	pp_note(c, c->ev->slot, was, "draining", c->cause, c->text);
}

/* The active member must go although nobody else is known alive. */
static void leave_blindly(struct pp *c, const char *gone)
{
	struct ctl_pair_state *p = c->p;
	unsigned int to = pp_guess(c);

	if (to == CTL_PAIR_NONE) {
		pp_add(c, "; no other member is left");
		pp_set_phase(c, CTL_PAIR_OUT_OF_SERVICE);
		pp_turns_stop(c);
		return;
	}
	pp_add(c, "; %s is tried instead of %s", pp_name(c, to), gone);
	p->m[p->active].left_us = c->now;
	p->active = (uint8_t)to;
	p->undo.valid = false;
	p->manual = false;
	if (p->phase == CTL_PAIR_UNKNOWN) /* traffic moves, the state does not */
		pp_note(c, CTL_PAIR_NONE, ctl_pair_phase_name(p->phase),
			ctl_pair_phase_name(p->phase), c->cause, c->text);
	pp_unknown(c, to);
}

static void leave(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	unsigned int from = p->active;
	unsigned int to = pp_is_lost(p) ? CTL_PAIR_NONE : pp_candidate(c, from);

	if (to == CTL_PAIR_NONE) {
		leave_blindly(c, pp_name(c, from));
		return;
	}
	pp_add(c, "; %s takes over", pp_name(c, to));
	pp_switch(c, to, PP_BY_ORDER);
}

void pp_on_disable(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	unsigned int slot = c->ev->slot;
	struct ctl_pair_member *m = pp_m(c, slot);
	const char *was = ctl_pair_member_name(m);

	if (!m->present || m->disabled)
		return;
	pp_forget(c, slot);
	m->disabled = true;
	pp_say(c, "operator", "%s gets nothing any more", pp_name(c, slot));
	pp_mark(c, slot, was, c->cause);
	if (slot == p->active)
		leave(c);
	else if (p->phase == CTL_PAIR_UNKNOWN && pp_all_missed(c))
		pp_dispatch(c, CTL_EV_ALL_MISSED);
}

void pp_on_enable(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	unsigned int slot = c->ev->slot;
	struct ctl_pair_member *m = pp_m(c, slot);
	const char *was = ctl_pair_member_name(m);
	bool was_disabled = m->disabled;

	if (!m->present || !(m->disabled || m->draining))
		return;
	m->disabled = m->draining = false;
	pp_say(c, "operator", "%s may be used again", pp_name(c, slot));
	m->changed_us = c->now;
	pp_note(c, slot, was, ctl_pair_member_name(m), c->cause, c->text);
	if (!was_disabled)
		return;
	m->next_us = c->now;
	if (p->m[p->active].disabled) {
		p->active = (uint8_t)slot;
		p->undo.valid = false;
	}
	ask_again(c, slot);
}

/* ---- Configuration */

/* Who stays when the active member is no longer there and nobody can take over: the best one that
 * is disabled, for operators to enable it. */
static unsigned int best_disabled(const struct pp *c)
{
	for (unsigned int i = 0; i < c->conf->n; i++) {
		if (c->p->m[c->conf->order[i]].present)
			return c->conf->order[i];
	}
	return CTL_PAIR_NONE;
}

void pp_on_gone(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	bool active_gone = false, was_out;

	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if ((c->ev->slots >> s & 1) == 0 || !p->m[s].present)
			continue;
		pp_forget(c, s);
		p->m[s].present = false;
		active_gone |= s == p->active;
	}
	if (active_gone) {
		p->pinned = false;
		pp_say(c, "reload", "%s is no longer a member", pp_name(c, p->active));
		was_out = p->phase == CTL_PAIR_OUT_OF_SERVICE;
		leave(c);
		if (!p->m[p->active].present)
			p->active = (uint8_t)best_disabled(c);
		if (was_out && p->phase == CTL_PAIR_OUT_OF_SERVICE) /* no change to record it */
			pp_note(c, CTL_PAIR_NONE, ctl_pair_phase_name(p->phase),
				ctl_pair_phase_name(p->phase), c->cause, c->text);
	} else if (p->phase == CTL_PAIR_UNKNOWN && pp_all_missed(c)) {
		pp_dispatch(c, CTL_EV_ALL_MISSED);
	}
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if ((c->ev->slots >> s & 1) != 0)
			memset(&p->m[s], 0, sizeof(p->m[s]));
	}
}

static void first_members(struct pp *c)
{
	struct ctl_pair_state *p = c->p;

	p->active = (uint8_t)pp_guess(c);
	pp_set_phase(c, CTL_PAIR_UNKNOWN);
	p->since_us = c->now;
	p->undo.valid = false;
	if (p->active != CTL_PAIR_NONE)
		pp_turns_start(c, p->active, c->now + c->conf->m[p->active].phase_us);
}

/* Traffic does not stay with who is disabled when somebody comes who is not. */
static void newcomers_asked(struct pp *c)
{
	struct ctl_pair_state *p = c->p;

	if (p->m[p->active].disabled && pp_guess(c) != CTL_PAIR_NONE) {
		p->active = (uint8_t)pp_guess(c);
		p->undo.valid = false;
	}
	ask_again(c, p->active);
}

void pp_on_change(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	uint64_t force_us = c->conf->force_us;

	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];
		struct ctl_pair_member *m = pp_m(c, s);

		m->transport = c->conf->m[s].transport;
		if ((c->ev->slots >> s & 1) == 0)
			continue;
		if (m->present)
			pp_forget(c, s);
		else
			memset(m, 0, sizeof(*m));
		m->transport = c->conf->m[s].transport;
		m->present = true;
		m->changed_us = c->now;
		m->srtt_us = m->rttvar_us = m->last_rtt_us = 0;
		m->past = (struct ctl_pair_live){ 0 };
	}
	if (p->failback_us > c->now + c->conf->interval_us)
		p->failback_us = c->now + c->conf->interval_us;
	if (p->turn_us > c->now + force_us)
		p->turn_us = c->now + force_us;
	pp_say(c, "reload", "the members or their settings have changed");
	if (p->active == CTL_PAIR_NONE)
		first_members(c);
	else if (!pp_is_lost(p))
		pp_set_phase(c, pp_role_phase(c, p->active));
	else if (c->ev->slots != 0)
		newcomers_asked(c);
}
