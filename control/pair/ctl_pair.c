/*
 * The pair machine: one table of pair state and event, each row with its source. See ctl_pair.h.
 *
 * One step handles one event, dispatches what follows from it (active lost, first answer, all
 * missed) through the same table, then settles: drained and gray members are left, failback is
 * considered, the next probes are planned, and wake_us is the earliest deadline.
 */
#include "control/pair/ctl_pair.h"

#include <errno.h>
#include <string.h>

#include "control/pair/ctl_pair_int.h"

#define PROBE_ID (1ull << 63) /* keeps probes' ids apart from live branches' */

/* ---- Probes */

static void on_tick(struct pp *c)
{
	pp_expire(c);
	pp_send_due(c);
}

static void heard(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);

	c->p->heard_us = c->now;
	m->silent = false;
}

static void burst_failed(struct pp *c, unsigned int slot)
{
	struct ctl_pair_burst *b = &pp_m(c, slot)->burst;

	if (++b->failed < CTL_PAIR_BURST)
		return;
	pp_burst_stop(c, slot);
	pp_input(c, slot, PP_SILENT);
}

static void failback_answered(struct pp *c, unsigned int slot, bool is_register, bool alive)
{
	bool success = is_register ? c->ev->code / 100 == 2 : alive;
	char what[CTL_PAIR_TEXT / 4];
	const struct ctl_pair_reason why = { .kind = PP_WHY_LIVE_CODE,
					     .code = c->ev->code,
					     .method = is_register ? SIP_METHOD_REGISTER
								   : SIP_METHOD_OPTIONS };

	if (alive)
		pp_input(c, slot, PP_GOOD);
	pp_failback_answer(c, success, pp_why(&why, what, sizeof(what)));
}

/* RFC 3261 16.3/17.1.2: any final response ends the transaction; whether it means life is
 * unavailable-codes' matter. */
static void on_answer(struct pp *c)
{
	uint8_t slot;
	struct ctl_pair_probe *pr = pp_find(c, c->ev->probe, &slot);
	struct ctl_pair_member *m;
	bool alive = pp_alive_code(c->conf, c->ev->code), is_register, force;
	const struct ctl_pair_reason refusal = { .kind = PP_WHY_CODE, .code = c->ev->code };

	if (pr == NULL)
		return;
	m = pp_m(c, slot);
	is_register = pr->method == CTL_PROBE_REGISTER;
	force = pr->force;
	pr->id = 0;
	heard(c, slot);
	m->voids = 0;
	m->last_code = c->ev->code;
	pp_rtt(m, c->ev->rtt_us);
	if (alive)
		m->has_icmp = m->doubted = false;
	else
		pp_failed(c, slot, &refusal);
	if (pr == &c->p->failback) {
		failback_answered(c, slot, is_register, alive);
	} else if (alive) {
		pp_input(c, slot, PP_GOOD);
	} else if (pp_is_burst(c, slot, pr)) {
		burst_failed(c, slot);
	} else {
		m->bad = refusal;
		m->missed |= force;
		pp_input(c, slot, PP_BAD);
	}
}

static struct ctl_pair_reason error_reason(const struct ctl_pair_event *ev)
{
	static const uint8_t kinds[] = {
		[CTL_ERROR_ICMP] = PP_WHY_ICMP,
		[CTL_ERROR_SEND] = PP_WHY_SEND,
		[CTL_ERROR_STREAM] = PP_WHY_STREAM,
		[CTL_ERROR_TLS] = PP_WHY_TLS,
	};

	return (struct ctl_pair_reason){ .kind = kinds[ev->code & 3], .detail = ev->detail };
}

/* The probe's whole time went by before there was a connection: as good as no answer to it. */
static bool is_timeout(const struct ctl_pair_event *ev)
{
	return (ev->code == CTL_ERROR_STREAM && ev->detail == ETIMEDOUT)
	       || (ev->code == CTL_ERROR_TLS && ev->detail == CTL_TLS_TIMED_OUT);
}

/* Port and protocol unreachable come from the member's own host, and so does what it does to a
 * connection: the way there works. */
static bool is_host_alive(const struct ctl_pair_event *ev)
{
	if (ev->code == CTL_ERROR_TLS)
		return ev->detail != CTL_TLS_OWN_FILES;
	if (ev->code == CTL_ERROR_STREAM)
		return ev->detail == ECONNREFUSED || ev->detail == ECONNRESET || ev->detail == EPIPE
		       || ev->detail == EBADMSG || ev->detail == EMSGSIZE;
	return ev->code == CTL_ERROR_ICMP
	       && (ev->detail == (3u << 8 | 2) || ev->detail == (3u << 8 | 3)
		   || ev->detail == (1u << 8 | 4));
}

/* A probe failed at once. While somebody is believed alive that is a suspicion, and a burst
 * decides; while nobody is, the member has missed its turn. */
static void on_error(struct pp *c)
{
	const struct ctl_pair_reason why = error_reason(c->ev);
	uint8_t slot;
	struct ctl_pair_probe *pr = pp_find(c, c->ev->probe, &slot);
	bool burst;

	if (pr == NULL)
		return;
	burst = pp_is_burst(c, slot, pr);
	pr->id = 0;
	pp_failed(c, slot, &why);
	if (is_host_alive(c->ev))
		heard(c, slot);
	else
		pp_m(c, slot)->silent = true;
	if (pr == &c->p->failback) {
		char text[CTL_PAIR_TEXT / 4];

		pp_failback_answer(c, false, pp_why(&why, text, sizeof(text)));
		return;
	}
	if ((pp_is_lost(c->p) || is_timeout(c->ev)) && !burst) {
		pp_m(c, slot)->bad = why;
		pp_m(c, slot)->missed |= pr->force;
		pp_input(c, slot, PP_BAD);
		return;
	}
	pp_doubt(c, slot, &why, PROBE_ID | c->ev->probe);
	if (burst && pp_m(c, slot)->burst.running)
		burst_failed(c, slot);
}

/* ---- Live traffic */

static bool live_reason(const struct ctl_pair_event *ev, struct ctl_pair_reason *why)
{
	*why = (struct ctl_pair_reason){ .method = ev->method,
					 .code = ev->code,
					 .detail = ev->detail };
	switch (ev->type) {
	case CTL_EV_UNANSWERED: why->kind = PP_WHY_UNANSWERED; return true;
	case CTL_EV_LIVE_CODE:
		why->kind = PP_WHY_LIVE_CODE;
		return (ev->method == SIP_METHOD_REGISTER && (ev->code == 500 || ev->code == 503))
		       || (ev->method == SIP_METHOD_INVITE && ev->code == 503);
	case CTL_EV_ICMP: why->kind = PP_WHY_ICMP; return ctl_pair_icmp_counts(ev->detail);
	default: why->kind = PP_WHY_STREAM; return true;
	}
}

static void on_doubt(struct pp *c)
{
	struct ctl_pair_reason why;

	if (live_reason(c->ev, &why) && !pp_m(c, c->ev->slot)->disabled)
		pp_doubt(c, c->ev->slot, &why, c->ev->id);
}

static void on_alive(struct pp *c)
{
	struct ctl_pair_member *m = pp_m(c, c->ev->slot);

	heard(c, c->ev->slot);
	if (!pp_alive_code(c->conf, c->ev->code))
		return;
	m->has_icmp = m->doubted = false;
	m->last_code = c->ev->code;
	if (m->health == CTL_HEALTH_SUSPECT)
		pp_input(c, c->ev->slot, PP_GOOD);
}

static void on_alive_lost(struct pp *c)
{
	heard(c, c->ev->slot);
	pp_m(c, c->ev->slot)->last_code = c->ev->code;
	if (pp_alive_code(c->conf, c->ev->code) && !pp_m(c, c->ev->slot)->disabled)
		pp_input(c, c->ev->slot, PP_GOOD);
}

static void on_signal(struct pp *c)
{
	unsigned int slot = c->ev->slot;

	if (!pp_is_better(c, slot) || !ctl_pair_signal_open(c->p, c->conf, c->now)
	    || pp_hold_end(c->p, c->conf, slot) > c->now || !pp_alive_code(c->conf, c->ev->code)) {
		on_alive(c);
		return;
	}
	heard(c, slot);
	pp_m(c, slot)->last_code = c->ev->code;
	pp_input(c, slot, PP_GOOD);
	pp_say(c, "failback-signal", "%s answered %u to a live request", pp_name(c, slot),
	       c->ev->code);
	pp_switch(c, slot, PP_BY_MACHINE);
}

/* ---- Our own link */

/* What was decided since the last sign of life from anywhere was decided in the dark. */
static void on_cut(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	struct ctl_pair_undo *u = &p->undo;
	unsigned int from = p->active;

	p->cut = true;
	if (p->pinned || !u->valid || u->at_us <= c->ev->since_us || !p->m[u->active].present
	    || p->m[u->active].disabled || u->active == from)
		return;
	u->valid = false;
	p->active = u->active;
	p->flaps = u->flaps;
	p->returned_us = u->returned_us;
	p->failback_us = u->failback_us;
	p->m[u->active].left_us = u->left_us;
	pp_say(c, "own-link-lost", "all pairs are silent together: %s stays active, not %s",
	       pp_name(c, p->active), pp_name(c, from));
	if (pp_is_lost(p))
		pp_note(c, CTL_PAIR_NONE, ctl_pair_phase_name(p->phase),
			ctl_pair_phase_name(p->phase), c->cause, c->text);
	else
		pp_unknown(c, p->active);
}

static void on_mended(struct pp *c)
{
	c->p->cut = false;
}

/* Who was active is asked first, in a burst; another one's answer waits for its end. */
static void on_mended_lost(struct pp *c)
{
	struct ctl_pair_state *p = c->p;

	c->p->cut = false;
	if (!pp_eligible(p, p->active))
		return;
	p->m[p->active].doubt = (struct ctl_pair_reason){ .kind = PP_WHY_NONE };
	pp_burst_start(c, p->active, c->now + c->conf->m[p->active].phase_us);
}

/* ---- What follows */

static void active_lost(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	unsigned int to = p->pinned || p->cut ? CTL_PAIR_NONE : pp_candidate(c, p->active);
	char span[24];

	if (to != CTL_PAIR_NONE) {
		pp_add(c, "; %s is active, it answered %s ago", pp_name(c, to),
		       pp_span(c->now - p->m[to].good_us, span, sizeof(span)));
		pp_switch(c, to, PP_BY_MACHINE);
		return;
	}
	pp_add(c, "; %s, traffic stays with %s",
	       p->pinned ? "pinned" : "nobody else is known alive", pp_name(c, p->active));
	pp_unknown(c, pp_next_turn(c, p->active, false));
}

static void first_answer(struct pp *c)
{
	struct ctl_pair_state *p = c->p;
	unsigned int slot = c->slot;
	char span[24];

	if (!pp_eligible(p, slot))
		return;
	if (slot != p->active && p->m[p->active].burst.running)
		return;
	pp_say(c, "first-answer", "%s answered %u, round trip %s", pp_name(c, slot),
	       p->m[slot].last_code, pp_span(p->m[slot].last_rtt_us, span, sizeof(span)));
	pp_switch(c, slot, PP_BY_MACHINE);
}

static void all_missed(struct pp *c)
{
	pp_say(c, "all-missed", "every member missed its probe of an oos-force round");
	pp_set_phase(c, CTL_PAIR_OUT_OF_SERVICE);
}

static void nothing(struct pp *c)
{
	(void)c;
}

/* ---- The table */

struct row {
	void (*does)(struct pp *c);
	const char *source;
};

#define S3 "REQUIREMENTS 3, "

/* One rule for all five states; or one while somebody is believed alive, one while nobody is. */
#define ALL(fn, why) KNOWN_LOST(fn, why, fn, why)
#define KNOWN_LOST(known, known_why, lost, lost_why)            \
	{                                                       \
		[CTL_PAIR_UNKNOWN] = { lost, lost_why },        \
		[CTL_PAIR_PRIMARY] = { known, known_why },      \
		[CTL_PAIR_BACKUP] = { known, known_why },       \
		[CTL_PAIR_FALLBACK] = { known, known_why },     \
		[CTL_PAIR_OUT_OF_SERVICE] = { lost, lost_why }, \
	}
/* Live traffic's doubts */
#define DOUBT(why) KNOWN_LOST(on_doubt, why, nothing, S3 "Probes: UNKNOWN asks everybody anyway")

static const struct row rows[CTL_EV_N][CTL_PAIR_PHASE_N] = {
	[CTL_EV_TICK] = ALL(on_tick, "Genesys: oos-check and oos-force timeouts"),
	[CTL_EV_ANSWER] = ALL(on_answer, "Genesys: the server responds to OPTIONS"),
	[CTL_EV_ERROR] = ALL(on_error, S3 "Suspicion: ICMP, connect or send failure, TLS failure"),
	[CTL_EV_UNANSWERED] = DOUBT("Fanvil 2.2.1: Option/Cancel request timeout; " S3 "Suspicion: T1"),
	[CTL_EV_LIVE_CODE] = DOUBT("Fanvil 1.2, Baker: Proxy Unavailable, 500/503; Yealink: 503 to INVITE"),
	[CTL_EV_ICMP] = DOUBT("Fanvil 1.2, Yealink: ICMP destination unreachable; RFC 3261 18.4"),
	[CTL_EV_STREAM] = DOUBT("Yealink: TCP signaling fails if the connection or the send fails"),
	[CTL_EV_ALIVE] = KNOWN_LOST(on_alive, S3 "Suspicion: any answer clears it", on_alive_lost,
				    S3 "Probes: the first to answer becomes active"),
	[CTL_EV_SIGNAL] = KNOWN_LOST(on_signal, "Fanvil 2.3.1, 2.3.2: signal failback",
				     on_alive_lost, S3 "Probes: the first to answer becomes active"),
	[CTL_EV_LIVE] = ALL(pp_live, S3 "Suspicion: degraded, gray-failover"),
	[CTL_EV_CUT] = ALL(on_cut, S3 "Probes: the appliance itself is cut off"),
	[CTL_EV_MENDED] = KNOWN_LOST(on_mended, S3 "Probes: until the first answer",
				     on_mended_lost,
				     S3 "Probes: active members stay until the first answer"),
	[CTL_EV_SWITCH] = ALL(pp_on_switch, S3 "Failback: switch beats the machine's will"),
	[CTL_EV_PIN] = ALL(pp_on_pin, S3 "Failback: pin beats the machine's will"),
	[CTL_EV_UNPIN] = ALL(pp_on_unpin, S3 "Failback: pin beats the machine's will"),
	[CTL_EV_DRAIN] = ALL(pp_on_drain, S3 "Failback: drain: dialogs stay, new ones to the twin"),
	[CTL_EV_DISABLE] = ALL(pp_on_disable, S3 "Failback: disable beats the machine's will"),
	[CTL_EV_ENABLE] = ALL(pp_on_enable, S3 "Failback: enable"),
	[CTL_EV_GONE] = ALL(pp_on_gone, "REQUIREMENTS 4, 8: changes disturb none that stay"),
	[CTL_EV_CHANGE] = ALL(pp_on_change, "REQUIREMENTS 4, 8: changes disturb none that stay"),
	[CTL_EV_ACTIVE_LOST] =
		KNOWN_LOST(active_lost, "Genesys: oos-force; " S3 "Probes: probe-all, UNKNOWN",
			   nothing, S3 "Probes: traffic stays with the last active member"),
	[CTL_EV_FIRST_ANSWER] =
		KNOWN_LOST(nothing, S3 "Probes: an active member that answers is never left",
			   first_answer, "Genesys: until one of them begins to respond"),
	[CTL_EV_ALL_MISSED] = {
		[CTL_PAIR_UNKNOWN] = { all_missed, S3 "Probes: every member missed one round" },
		[CTL_PAIR_PRIMARY] = { nothing, S3 "Probes: rounds are UNKNOWN's" },
		[CTL_PAIR_BACKUP] = { nothing, S3 "Probes: rounds are UNKNOWN's" },
		[CTL_PAIR_FALLBACK] = { nothing, S3 "Probes: rounds are UNKNOWN's" },
		[CTL_PAIR_OUT_OF_SERVICE] = { nothing, S3 "Probes: probing goes on" },
	},
};

void pp_dispatch(struct pp *c, enum ctl_pair_event_type type)
{
	rows[type][c->p->phase].does(c);
}

const char *ctl_pair_rule(unsigned int phase, unsigned int event)
{
	if (phase >= CTL_PAIR_PHASE_N || event >= CTL_EV_N)
		return NULL;
	return rows[event][phase].does != NULL ? rows[event][phase].source : NULL;
}

/* ---- Outside */

void ctl_pair_init(struct ctl_pair_state *p)
{
	memset(p, 0, sizeof(*p));
	p->active = CTL_PAIR_NONE;
	p->phase = CTL_PAIR_UNKNOWN;
}

void pp_begin(struct pp *c, struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
	      const struct ctl_pair_event *ev, uint64_t now_us, struct ctl_pair_actions *out)
{
	out->n_cancels = out->n_sends = out->n_notes = 0;
	c->p = p;
	c->conf = conf;
	c->ev = ev;
	c->now = now_us;
	c->out = out;
	c->stalled = false;
	c->slot = CTL_PAIR_NONE;
	c->cause = "";
	c->text[0] = '\0';
}

/* Events that name a member need one that is there. */
static bool names_nobody(const struct ctl_pair_state *p, const struct ctl_pair_event *ev)
{
	switch (ev->type) {
	case CTL_EV_UNANSWERED:
	case CTL_EV_LIVE_CODE:
	case CTL_EV_ICMP:
	case CTL_EV_STREAM:
	case CTL_EV_ALIVE:
	case CTL_EV_SIGNAL:
	case CTL_EV_LIVE:
	case CTL_EV_DRAIN:
	case CTL_EV_DISABLE:
	case CTL_EV_ENABLE: return ev->slot >= DP_PAIR_MEMBERS || !p->m[ev->slot].present;
	case CTL_EV_CHANGE: return false;
	default: return p->active == CTL_PAIR_NONE;
	}
}

void ctl_pair_step(struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
		   const struct ctl_pair_event *ev, uint64_t now_us, struct ctl_pair_actions *out)
{
	struct pp c;

	pp_begin(&c, p, conf, ev, now_us, out);
	if (names_nobody(p, ev))
		return;
	c.stalled = ev->type == CTL_EV_TICK && p->wake_us != 0
		    && now_us > p->wake_us + CTL_PAIR_STALL_US;
	pp_dispatch(&c, ev->type);
	pp_settle(&c);
}
