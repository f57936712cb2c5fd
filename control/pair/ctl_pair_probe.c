/*
 * The pair machine's probes: periodic ones (oos-check), turns (oos-force), bursts, and the plan
 * that says when the next one is due. Every outstanding probe ends in exactly one of: its answer,
 * its error, a cancel.
 */
#include "control/pair/ctl_pair_int.h"

#define PROBE_TIMEOUT_MAX_US 5000000u /* probe-timeout's default is the period, at most this */
#define SENDS_MIN            3u
#define SENDS_MAX            7u
#define SEND_DISTANCE_US     50000u

static uint64_t timeout_for(const struct ctl_pair_conf *conf, uint64_t period_us)
{
	if (conf->timeout_us != 0)
		return conf->timeout_us;
	if (period_us == 0)
		period_us = conf->force_us;
	return period_us < PROBE_TIMEOUT_MAX_US ? period_us : PROBE_TIMEOUT_MAX_US;
}

uint64_t ctl_pair_check_timeout(const struct ctl_pair_conf *conf)
{
	return timeout_for(conf, conf->check_us);
}

uint64_t ctl_pair_force_timeout(const struct ctl_pair_conf *conf)
{
	return timeout_for(conf, conf->force_us);
}

uint64_t ctl_pair_detect_bound(const struct ctl_pair_conf *conf)
{
	uint64_t timeout_us = ctl_pair_check_timeout(conf);
	uint64_t again_us = conf->check_us > timeout_us ? conf->check_us : timeout_us;

	if (conf->check_us == 0)
		return 0;
	return conf->check_us + timeout_us + (conf->fall - 1) * again_us;
}

/* More than the three that are asked for where time allows: the later ones go out only while
 * nothing was answered, and with 1 % loss three would fail a healthy member once in some days. */
unsigned int ctl_pair_sends(uint64_t timeout_us)
{
	uint64_t n = timeout_us / SEND_DISTANCE_US;

	if (n < SENDS_MIN)
		return SENDS_MIN;
	return n > SENDS_MAX ? SENDS_MAX : (unsigned int)n;
}

/* Two round trips, where a round trip is what RFC 6298 would wait for: mean and four deviations. A
 * probe may have to connect first: one round trip more over TCP, three over TLS 1.2. */
uint64_t ctl_pair_burst_step(const struct ctl_pair_member *m)
{
	static const uint8_t trips[] = { [DP_UDP] = 2, [DP_TCP] = 4, [DP_TLS] = 8 };
	uint64_t rtt = m->srtt_us != 0 ? m->srtt_us + 4ull * m->rttvar_us : CTL_PAIR_RTT_GUESS;
	uint64_t step = trips[m->transport] * rtt;
	uint64_t least = m->transport == DP_UDP ? CTL_PAIR_BURST_MIN : CTL_PAIR_BURST_STREAM;

	if (step < least)
		return least;
	return step > CTL_PAIR_BURST_MAX ? CTL_PAIR_BURST_MAX : step;
}

uint64_t ctl_pair_round_us(const struct ctl_pair_conf *conf)
{
	uint64_t period = conf->check_us != 0 ? conf->check_us : conf->force_us;

	return period + ctl_pair_check_timeout(conf);
}

void pp_send(struct pp *c, unsigned int slot, struct ctl_pair_probe *pr, unsigned int n_sends,
	     uint64_t spread_us, uint64_t timeout_us)
{
	struct ctl_pair_send *s = &c->out->sends[c->out->n_sends++];

	if (++c->p->next_probe == 0)
		c->p->next_probe = 1;
	pr->id = c->p->next_probe;
	pr->n_sends = (uint8_t)n_sends;
	pr->sent_us = c->now;
	pr->deadline_us = c->now + timeout_us;
	pr->force = false;
	s->id = pr->id;
	s->slot = (uint8_t)slot;
	s->method = pr->method;
	s->n_sends = (uint8_t)n_sends;
	s->spread_us = spread_us;
	s->timeout_us = timeout_us;
}

void pp_cancel(struct pp *c, struct ctl_pair_probe *pr)
{
	struct ctl_pair_actions *out = c->out;
	uint32_t id = pr->id;

	if (id == 0)
		return;
	pr->id = 0;
	for (unsigned int i = 0; i < out->n_sends; i++) {
		if (out->sends[i].id == id) {
			out->sends[i] = out->sends[--out->n_sends];
			return;
		}
	}
	out->cancels[out->n_cancels++] = id;
}

struct ctl_pair_probe *pp_find(struct pp *c, uint32_t id, uint8_t *slot)
{
	struct ctl_pair_state *p = c->p;

	if (id == 0)
		return NULL;
	if (p->failback.id == id) {
		*slot = p->failback_slot;
		return &p->failback;
	}
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		struct ctl_pair_member *m = &p->m[s];

		*slot = (uint8_t)s;
		if (m->periodic.id == id)
			return &m->periodic;
		for (unsigned int i = 0; i < CTL_PAIR_BURST; i++) {
			if (m->burst.probe[i].id == id)
				return &m->burst.probe[i];
		}
	}
	return NULL;
}

bool pp_is_burst(const struct pp *c, unsigned int slot, const struct ctl_pair_probe *pr)
{
	const struct ctl_pair_burst *b = &c->p->m[slot].burst;

	return pr >= b->probe && pr < b->probe + CTL_PAIR_BURST;
}

/* ---- Bursts */

void pp_burst_start(struct pp *c, unsigned int slot, uint64_t when)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	struct ctl_pair_burst *b = &m->burst;

	pp_burst_stop(c, slot);
	b->running = true;
	b->sent = 0;
	b->failed = 0;
	b->step_us = ctl_pair_burst_step(m);
	b->next_us = when;
}

void pp_burst_stop(struct pp *c, unsigned int slot)
{
	struct ctl_pair_burst *b = &pp_m(c, slot)->burst;

	for (unsigned int i = 0; i < CTL_PAIR_BURST; i++)
		pp_cancel(c, &b->probe[i]);
	b->running = false;
	b->next_us = 0;
}

/* Each probe of a burst is a transaction of three sends within one step, so that no loss of a
 * datagram or two decides. The step is counted from the actual send: a late tick shortens nothing.
 */
static void burst_send(struct pp *c, unsigned int slot)
{
	struct ctl_pair_burst *b = &pp_m(c, slot)->burst;
	struct ctl_pair_probe *pr = &b->probe[b->sent];
	uint64_t left = CTL_PAIR_BURST - b->sent;

	pr->method = CTL_PROBE_OPTIONS;
	pp_send(c, slot, pr, SENDS_MIN, b->step_us, left * b->step_us + CTL_PAIR_STALL_US);
	b->sent++;
	b->next_us = c->now + b->step_us;
}

static void burst_over(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);

	if (c->stalled && m->voids < CTL_PAIR_VOIDS) {
		m->voids++;
		pp_burst_start(c, slot, c->now);
		burst_send(c, slot);
		return;
	}
	m->voids = 0;
	m->silent = m->burst.failed < CTL_PAIR_BURST;
	if (m->burst.failed == 0)
		pp_failed(
			c, slot,
			&(struct ctl_pair_reason){ .kind = PP_WHY_TIMEOUT,
						   .transport = m->transport,
						   .n_sends = CTL_PAIR_BURST * SENDS_MIN,
						   .span_us = CTL_PAIR_BURST * m->burst.step_us });
	pp_burst_stop(c, slot);
	pp_input(c, slot, PP_SILENT);
}

/* ---- Turns: UNKNOWN and OUT-OF-SERVICE */

unsigned int pp_next_turn(const struct pp *c, unsigned int slot, bool self)
{
	unsigned int n = c->conf->n, at = 0;

	while (at < n && c->conf->order[at] != slot)
		at++;
	if (at < n && self && pp_eligible(c->p, slot))
		return slot;
	for (unsigned int i = 1; i <= n; i++) {
		unsigned int s = c->conf->order[(at + i) % n];

		if (pp_eligible(c->p, s))
			return s;
	}
	return CTL_PAIR_NONE;
}

void pp_turns_start(struct pp *c, unsigned int first, uint64_t when)
{
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		struct ctl_pair_member *m = pp_m(c, s);

		m->missed = false;
		m->next_us = 0;
		m->periodic.force = false;
	}
	c->p->turn = (uint8_t)pp_next_turn(c, first, true);
	c->p->turn_us = c->p->turn == CTL_PAIR_NONE ? 0 : when;
}

void pp_turns_stop(struct pp *c)
{
	c->p->turn_us = 0;
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		pp_m(c, s)->missed = false;
		pp_m(c, s)->periodic.force = false;
	}
}

static void force_send(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	uint64_t timeout = ctl_pair_force_timeout(c->conf);

	pp_cancel(c, &m->periodic);
	m->periodic.method = CTL_PROBE_OPTIONS;
	pp_send(c, slot, &m->periodic, ctl_pair_sends(timeout), timeout, timeout);
	m->periodic.force = true;
	m->sent_us = c->now;
}

static void turn_due(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	unsigned int slot = pp_next_turn(c, p->turn, true);

	p->turn_us = 0;
	if (slot == CTL_PAIR_NONE)
		return;
	/* One that is still being asked (probe-timeout longer than a round) goes on being asked. */
	if (p->m[slot].periodic.id == 0 || !p->m[slot].periodic.force)
		force_send(c, slot);
	p->turn = (uint8_t)pp_next_turn(c, slot, false);
	p->turn_us = c->now + c->conf->force_us;
}

/* ---- Time */

static void check_send(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	uint64_t timeout = ctl_pair_check_timeout(c->conf);

	m->periodic.method = CTL_PROBE_OPTIONS;
	pp_send(c, slot, &m->periodic, ctl_pair_sends(timeout), timeout, timeout);
	m->sent_us = c->now;
}

/* It has answered another probe since this one was sent, as when the way is back while one of a
 * burst is under way: that is newer. Who dies right behind that answer is found no later for it. */
static void ask_again(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	bool force = m->periodic.force;
	uint64_t bound = m->good_us + ctl_pair_round_us(c->conf);

	pp_cancel(c, &m->periodic);
	if (force)
		force_send(c, slot);
	else
		check_send(c, slot);
	if (m->periodic.deadline_us > bound)
		m->periodic.deadline_us = bound;
}

static void periodic_over(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	struct ctl_pair_probe *pr = &m->periodic;
	bool force = pr->force;

	if (m->good_us > pr->sent_us) {
		ask_again(c, slot);
		return;
	}
	if (c->stalled && m->voids < CTL_PAIR_VOIDS) {
		m->voids++;
		pp_cancel(c, pr);
		if (force)
			force_send(c, slot);
		else
			check_send(c, slot);
		return;
	}
	m->voids = 0;
	m->bad = (struct ctl_pair_reason){ .kind = PP_WHY_TIMEOUT,
					   .transport = m->transport,
					   .n_sends = pr->n_sends,
					   .span_us = pr->deadline_us - pr->sent_us };
	pp_failed(c, slot, &m->bad);
	pp_cancel(c, pr);
	m->silent = true;
	m->missed |= force;
	pp_input(c, slot, PP_BAD);
}

static bool due(uint64_t deadline_us, uint64_t now_us)
{
	return deadline_us != 0 && deadline_us <= now_us;
}

static void member_expire(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);

	if (m->periodic.id != 0 && due(m->periodic.deadline_us, c->now))
		periodic_over(c, slot);
	if (m->burst.running && m->burst.sent == CTL_PAIR_BURST && due(m->burst.next_us, c->now))
		burst_over(c, slot);
}

/* The active member comes last: who is found silent at the same time must not take over. */
void pp_expire(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	unsigned int active = p->active;

	for (unsigned int i = 0; i < c->conf->n; i++) {
		if (c->conf->order[i] != active)
			member_expire(c, c->conf->order[i]);
	}
	member_expire(c, active);
	if (p->failback.id != 0 && due(p->failback.deadline_us, c->now)) {
		pp_cancel(c, &p->failback);
		if (c->stalled)
			p->failback_us = c->now;
		else
			pp_failback_answer(c, false, "no answer within 64*T1");
	}
}

void pp_send_due(struct pp *c)
{
	struct ctl_pair_state *p = c->p;

	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];
		struct ctl_pair_member *m = pp_m(c, s);

		if (due(m->next_us, c->now)) {
			m->next_us = 0;
			if (m->periodic.id == 0)
				check_send(c, s);
		}
		if (m->burst.running && m->burst.sent < CTL_PAIR_BURST
		    && due(m->burst.next_us, c->now))
			burst_send(c, s);
		if (m->doubted && due(m->cool_us, c->now)) {
			m->doubted = false;
			m->cool_us = 0;
			pp_input(c, s, PP_DOUBT);
		}
	}
	if (due(p->turn_us, c->now))
		turn_due(c);
	if (due(p->failback_us, c->now))
		pp_failback_due(c);
}

/* ---- The plan */

static uint64_t sooner(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

uint64_t pp_period(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
		   unsigned int slot)
{
	const struct ctl_pair_member *m = &p->m[slot];

	if (!m->present || m->disabled || pp_is_lost(p))
		return 0;
	if (slot == p->active)
		return conf->check_us;
	if (p->m[p->active].draining)
		return sooner(conf->check_us, conf->force_us);
	if ((conf->failback & CTL_FAILBACK_IMMEDIATE) != 0
	    && conf->m[slot].rank < conf->m[p->active].rank)
		return conf->check_us != 0 ? conf->check_us : conf->force_us;
	return conf->probe_all ? conf->check_us : 0;
}

/* What was known of a standby that nobody watches any more grows stale: forget it. */
static void unwatch(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	const char *was = ctl_pair_member_name(m);

	m->next_us = 0;
	if (slot == c->p->active || pp_is_lost(c->p))
		return;
	pp_cancel(c, &m->periodic);
	m->last_good = false;
	m->oks = 0;
	if (m->health == CTL_HEALTH_UP)
		m->health = CTL_HEALTH_NEW;
	pp_mark(c, slot, was, NULL);
}

static uint64_t first_after(const struct pp *c, unsigned int slot, uint64_t period_us)
{
	uint64_t sent_us = c->p->m[slot].sent_us;

	if (sent_us == 0)
		return c->now + c->conf->m[slot].phase_us;
	return sent_us + period_us > c->now ? sent_us + period_us : c->now;
}

void pp_plan(struct pp *c)
{
	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];
		struct ctl_pair_member *m = pp_m(c, s);
		uint64_t period = pp_period(c->p, c->conf, s);

		if (period == 0)
			unwatch(c, s);
		else if (m->next_us == 0 && m->periodic.id == 0)
			m->next_us = first_after(c, s, period);
		else if (m->next_us > c->now + period)
			m->next_us = c->now + period;
	}
}

void pp_forget(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);

	pp_burst_stop(c, slot);
	pp_cancel(c, &m->periodic);
	if (c->p->failback_slot == slot)
		pp_cancel(c, &c->p->failback);
	m->health = CTL_HEALTH_NEW;
	m->last_good = m->silent = m->missed = m->doubted = m->has_icmp = m->degraded = false;
	m->recent = (struct ctl_pair_live){ 0 };
	m->fails = m->oks = 0;
	m->voids = 0;
	m->next_us = m->sent_us = m->cool_us = 0;
}

uint64_t pp_earliest(const struct pp *c)
{
	const struct ctl_pair_state *p = c->p;
	uint64_t at = sooner(p->turn_us, p->failback_us);

	if (p->failback.id != 0)
		at = sooner(at, p->failback.deadline_us);
	for (unsigned int i = 0; i < c->conf->n; i++) {
		unsigned int s = c->conf->order[i];
		const struct ctl_pair_member *m = &p->m[s];

		at = sooner(at, m->next_us);
		if (m->periodic.id != 0)
			at = sooner(at, m->periodic.deadline_us);
		if (m->burst.running)
			at = sooner(at, m->burst.next_us);
		if (m->doubted)
			at = sooner(at, m->cool_us);
		at = sooner(at, pp_gray_end(c, s));
	}
	return sooner(at, pp_hold_wake(c));
}
