/*
 * The pair machine's members: what an answer, a failure, a doubt or a proof does to one member's
 * health, as a table.
 */
#include "control/pair/ctl_pair_int.h"

/* RFC 6298 2.2, 2.3. */
void pp_rtt(struct ctl_pair_member *m, uint32_t rtt_us)
{
	if (rtt_us == 0)
		return;
	m->last_rtt_us = rtt_us;
	if (m->srtt_us == 0) {
		m->srtt_us = rtt_us;
		m->rttvar_us = rtt_us / 2;
		return;
	}
	uint32_t off = m->srtt_us > rtt_us ? m->srtt_us - rtt_us : rtt_us - m->srtt_us;

	m->rttvar_us = (uint32_t)((3ull * m->rttvar_us + off) / 4);
	m->srtt_us = (uint32_t)((7ull * m->srtt_us + rtt_us) / 8);
	if (m->srtt_us == 0)
		m->srtt_us = 1;
}

void pp_mark(struct pp *c, unsigned int slot, const char *from, const char *cause)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	const char *to = ctl_pair_member_name(m);

	if (to == from)
		return;
	m->changed_us = c->now;
	if (cause != NULL)
		pp_note(c, slot, from, to, cause, c->text);
}

/* ---- What the table's rows do */

static void good(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	const char *was = ctl_pair_member_name(m);
	bool was_down = m->health == CTL_HEALTH_DOWN;

	m->fails = 0;
	m->oks += m->oks < UINT32_MAX;
	m->last_good = true;
	m->good_us = c->now;
	if (m->burst.running) {
		pp_burst_stop(c, slot);
		m->cleared++;
		m->cool_us = c->now + CTL_PAIR_COOL_US;
	}
	if (!was_down || m->oks >= c->conf->rise)
		m->health = CTL_HEALTH_UP;
	if (was_down && m->health == CTL_HEALTH_UP) {
		pp_say(c, "probe-answered", "%s answered %u, %u of %u probes in a row",
		       pp_name(c, slot), m->last_code, m->oks, c->conf->rise);
		pp_mark(c, slot, was, c->cause);
	}
	pp_mark(c, slot, was, NULL);
}

/* Somebody answers while nobody was known alive: that decides. */
static void good_then_first(struct pp *c, unsigned int slot)
{
	good(c, slot);
	if (pp_is_lost(c->p)) {
		c->slot = (uint8_t)slot;
		pp_dispatch(c, CTL_EV_FIRST_ANSWER);
	}
}

static void down(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	const char *was = ctl_pair_member_name(m);
	char span[24];

	pp_burst_stop(c, slot);
	m->health = CTL_HEALTH_DOWN;
	m->last_good = m->doubted = m->has_icmp = false;
	m->recent = (struct ctl_pair_live){ 0 }; /* what it failed dying is not held against it */
	m->oks = 0;
	if (m->fails < c->conf->fall)
		m->fails = c->conf->fall;
	if (m->good_us != 0)
		pp_add(c, "; last good answer %s ago",
		       pp_span(c->now - m->good_us, span, sizeof(span)));
	pp_mark(c, slot, was, c->cause);
	if (slot == c->p->active && !pp_is_lost(c->p))
		pp_dispatch(c, CTL_EV_ACTIVE_LOST);
}

static void fail(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	char why[CTL_PAIR_TEXT / 2];

	m->oks = 0;
	m->last_good = false;
	m->fails += m->fails < UINT32_MAX;
	if (m->health != CTL_HEALTH_DOWN && m->fails >= c->conf->fall) {
		pp_say(c, pp_cause(&m->bad), "%s: %s (probe %u of %u)", pp_name(c, slot),
		       pp_why(&m->bad, why, sizeof(why)), m->fails, c->conf->fall);
		down(c, slot);
	}
	if (pp_is_lost(c->p) && pp_all_missed(c))
		pp_dispatch(c, CTL_EV_ALL_MISSED);
}

static void suspect(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	const char *was = ctl_pair_member_name(m);

	m->health = CTL_HEALTH_SUSPECT;
	m->suspicions++;
	pp_burst_start(c, slot, c->now);
	pp_mark(c, slot, was, NULL);
}

static void proven(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	char why[CTL_PAIR_TEXT / 2];

	pp_say(c, "icmp", "%s: %s, twice, for different branches", pp_name(c, slot),
	       pp_why(&m->doubt, why, sizeof(why)));
	down(c, slot);
}

/* A burst ended without a good answer. While nobody is known alive it only settles whether the
 * active member speaks first. */
static void burst_silent(struct pp *c, unsigned int slot)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	char why[CTL_PAIR_TEXT / 2], span[24];

	pp_say(c, pp_cause(&m->doubt), "%s: %s, then no good answer to %d probes in %s",
	       pp_name(c, slot), pp_why(&m->doubt, why, sizeof(why)), CTL_PAIR_BURST,
	       pp_span(CTL_PAIR_BURST * m->burst.step_us, span, sizeof(span)));
	down(c, slot);
	if (!pp_is_lost(c->p))
		return;
	c->slot = (uint8_t)pp_candidate(c, slot);
	if (c->slot != CTL_PAIR_NONE)
		pp_dispatch(c, CTL_EV_FIRST_ANSWER);
}

static void nothing(struct pp *c, unsigned int slot)
{
	(void)c;
	(void)slot;
}

/* ---- The table */

struct row {
	void (*does)(struct pp *c, unsigned int slot);
	const char *source;
};

#define S3 "REQUIREMENTS 3, "
static const struct row rows[CTL_HEALTH_N][PP_INPUT_N] = {
	[CTL_HEALTH_NEW] = {
		[PP_GOOD] = { good_then_first, "Genesys: the server responds to OPTIONS" },
		[PP_BAD] = { fail, S3 "Probes: `fall` failed probes" },
		[PP_DOUBT] = { suspect, S3 "Suspicion: makes the member suspect, a burst decides" },
		[PP_PROOF] = { proven, S3 "Suspicion: two ICMP errors for different branches" },
		[PP_SILENT] = { burst_silent, S3 "Suspicion: down if nothing came" },
	},
	[CTL_HEALTH_UP] = {
		[PP_GOOD] = { good_then_first, "Genesys: the server responds to OPTIONS" },
		[PP_BAD] = { fail, S3 "Probes: `fall` failed probes" },
		[PP_DOUBT] = { suspect, S3 "Suspicion: makes the member suspect, a burst decides" },
		[PP_PROOF] = { proven, S3 "Suspicion: two ICMP errors for different branches" },
		[PP_SILENT] = { burst_silent, S3 "Suspicion: down if nothing came" },
	},
	[CTL_HEALTH_SUSPECT] = {
		[PP_GOOD] = { good_then_first, S3 "Suspicion: any answer clears it" },
		[PP_BAD] = { fail, S3 "Probes: `fall` failed probes" },
		[PP_DOUBT] = { nothing, S3 "Suspicion: one burst at a time" },
		[PP_PROOF] = { proven, S3 "Suspicion: two ICMP errors for different branches" },
		[PP_SILENT] = { burst_silent, S3 "Suspicion: down if nothing came within one more "
						 "interval after the third probe" },
	},
	[CTL_HEALTH_DOWN] = {
		[PP_GOOD] = { good_then_first, S3 "Probes: `rise`" },
		[PP_BAD] = { fail, S3 "Probes: probing goes on" },
		[PP_DOUBT] = { nothing, S3 "Suspicion: of who is down already, none" },
		[PP_PROOF] = { nothing, S3 "Suspicion: of who is down already, none" },
		[PP_SILENT] = { burst_silent, S3 "own link: active members stay until the first answer" },
	},
};

void pp_input(struct pp *c, unsigned int slot, enum pp_input input)
{
	rows[c->p->m[slot].health][input].does(c, slot);
}

const char *ctl_pair_member_rule(unsigned int health, unsigned int input)
{
	if (health >= CTL_HEALTH_N || input >= PP_INPUT_N)
		return NULL;
	return rows[health][input].does != NULL ? rows[health][input].source : NULL;
}

/* A doubt that follows a cleared suspicion at once waits a little: else whoever can make a server
 * answer 500 could have it probed without end. */
void pp_doubt(struct pp *c, unsigned int slot, const struct ctl_pair_reason *why, uint64_t id)
{
	struct ctl_pair_member *m = pp_m(c, slot);
	bool icmp = why->kind == PP_WHY_ICMP;

	if (m->health != CTL_HEALTH_SUSPECT && m->health != CTL_HEALTH_DOWN && !m->doubted)
		m->doubt = *why;
	if (icmp && m->has_icmp && m->icmp_id != id) {
		m->doubt = *why;
		pp_input(c, slot, PP_PROOF);
		return;
	}
	if (icmp && m->health != CTL_HEALTH_DOWN) {
		m->has_icmp = true;
		m->icmp_id = id;
	}
	if (m->cool_us > c->now && m->health != CTL_HEALTH_SUSPECT && m->health != CTL_HEALTH_DOWN)
		m->doubted = true;
	else
		pp_input(c, slot, PP_DOUBT);
}

bool ctl_pair_icmp_counts(uint32_t icmp)
{
	static const uint16_t failures[] = {
		3 << 8 | 0, 3 << 8 | 1, 3 << 8 | 2,  3 << 8 | 3,
		3 << 8 | 6, 3 << 8 | 7, 3 << 8 | 11, 3 << 8 | 12, /* IPv4 */
		1 << 8 | 0, 1 << 8 | 3, 1 << 8 | 4,               /* IPv6 */
	};

	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (failures[i] == icmp)
			return true;
	}
	return false;
}
