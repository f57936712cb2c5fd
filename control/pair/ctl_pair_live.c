/*
 * The pair machine's view of live traffic: a member that answers probes but fails or delays live
 * requests, against its twin or its own past, is degraded (REQUIREMENTS 3, Suspicion). With
 * gray-failover it is left like a dead one.
 *
 * Figures come window by window (CTL_EV_LIVE) and are kept decayed: `recent` halves in about two
 * windows, `past` in about forty; what is bad by itself is no part of the past, which would follow
 * a failure otherwise, and faster than it can be seen when the past is short.
 */
#include "control/pair/ctl_pair_int.h"

#define UNIT          256u
#define RECENT_MIN    (20u * UNIT)  /* requests before recent figures mean anything */
#define PAST_MIN      (100u * UNIT) /* likewise for the past */
#define BAD_PERMILLE  250u          /* failing: a quarter of all requests ... */
#define BAD_TIMES     4u            /* ... and four times what it was or what the twin has */
#define WELL_PERMILLE 100u
#define SLOW_US       500000u  /* delayed: half a second ... */
#define SLOW_TIMES    4u       /* ... and four times what it was or what the twin needs */
#define FADE_US       5000000u /* a pause of so long is as good as another window */
#define WEAR_MIN_US   60000000u

static unsigned int permille(const struct ctl_pair_live *l)
{
	return l->requests != 0 ? (unsigned int)(l->failed * 1000 / l->requests) : 0;
}

static void add(struct ctl_pair_live *l, const struct ctl_pair_event *ev, unsigned int keep,
		unsigned int of)
{
	uint64_t old = l->requests * keep / of, fresh = (uint64_t)ev->requests * UNIT;

	if (old + fresh != 0 && ev->delay_us != 0)
		l->delay_us = l->delay_us == 0
				      ? ev->delay_us
				      : (l->delay_us * old + ev->delay_us * fresh) / (old + fresh);
	l->requests = old + fresh;
	l->failed = l->failed * keep / of + (uint64_t)ev->failed * UNIT;
	if (l->failed > l->requests)
		l->failed = l->requests;
}

static bool worse(const struct ctl_pair_live *now, const struct ctl_pair_live *then,
		  uint64_t then_min)
{
	if (then->requests < then_min)
		return false;
	if (permille(now) >= BAD_PERMILLE && permille(now) >= BAD_TIMES * permille(then))
		return true;
	return then->delay_us != 0 && now->delay_us >= SLOW_US
	       && now->delay_us >= SLOW_TIMES * then->delay_us;
}

static bool is_failing(const struct pp *c, unsigned int slot)
{
	const struct ctl_pair_member *m = &c->p->m[slot];

	if (worse(&m->recent, &m->past, PAST_MIN))
		return true;
	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];

		if (s != slot && c->p->m[s].present
		    && worse(&m->recent, &c->p->m[s].recent, RECENT_MIN))
			return true;
	}
	return false;
}

static void set_degraded(struct pp *c, unsigned int slot, bool on)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	const char *was = ctl_pair_member_name(m);
	char span[24];

	m->degraded = on;
	m->degraded_us = c->now;
	if (!on && m->recent.requests < RECENT_MIN)
		pp_say(c, "gray-failure", "%s: no live requests for a while, tried again",
		       pp_name(c, slot));
	else
		pp_say(c, "gray-failure",
		       "%s: answers probes, %u of 1000 live requests fail, mean delay %s",
		       pp_name(c, slot), permille(&m->recent),
		       pp_span(m->recent.delay_us, span, sizeof(span)));
	pp_mark(c, slot, was, c->cause);
}

/* Figures of long ago say nothing of now: without traffic they fade with time. */
static void fade(struct pp *c, struct ctl_pair_member *m)
{
	uint64_t n = m->live_us != 0 ? (c->now - m->live_us) / FADE_US : 0;

	for (; n > 0 && m->recent.requests != 0; n--) {
		m->recent.requests = m->recent.requests * 3 / 4;
		m->recent.failed = m->recent.failed * 3 / 4;
	}
	m->live_us = c->now;
}

/* A window that would count as a failure were it compared with anything better. */
static bool is_bad(const struct ctl_pair_event *ev)
{
	return (uint64_t)ev->failed * 1000 >= (uint64_t)ev->requests * BAD_PERMILLE
	       || ev->delay_us >= SLOW_US;
}

void pp_live(struct pp *c)
{
	unsigned int slot = c->ev->slot;
	struct ctl_pair_member *m = pp_m(c, slot);

	if (m->health == CTL_HEALTH_DOWN)
		return; /* the dead are not gray: what they fail is not held against them later */
	fade(c, m);
	add(&m->recent, c->ev, 3, 4);
	if (!m->degraded && !is_bad(c->ev))
		add(&m->past, c->ev, 63, 64);
	if (m->recent.requests < RECENT_MIN)
		return;
	if (!m->degraded && m->health == CTL_HEALTH_UP && is_failing(c, slot))
		set_degraded(c, slot, true);
	else if (m->degraded && permille(&m->recent) < WELL_PERMILLE && !is_failing(c, slot))
		set_degraded(c, slot, false);
}

/* Without traffic nothing could ever clear the mark: it wears off, at the pace of the hold. */
uint64_t pp_gray_end(const struct pp *c, unsigned int slot)
{
	const struct ctl_pair_member *m = &c->p->m[slot];
	uint64_t wear_us = c->conf->hold_us << c->p->flaps;

	if (!m->degraded || slot == c->p->active)
		return 0;
	return m->degraded_us + (wear_us > WEAR_MIN_US ? wear_us : WEAR_MIN_US);
}

void pp_gray(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	unsigned int to;

	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];
		uint64_t end = pp_gray_end(c, s);

		if (end != 0 && end <= c->now) {
			p->m[s].recent = (struct ctl_pair_live){ 0 };
			set_degraded(c, s, false);
		}
	}
	if (!c->conf->gray_failover || pp_is_lost(p) || p->pinned || p->cut
	    || !p->m[p->active].degraded)
		return;
	to = pp_candidate(c, p->active);
	if (to == CTL_PAIR_NONE || p->m[to].draining)
		return;
	pp_say(c, "gray-failure", "%s: %u of 1000 live requests fail; %s is active",
	       pp_name(c, p->active), permille(&p->m[p->active].recent), pp_name(c, to));
	pp_switch(c, to, PP_BY_MACHINE);
}
