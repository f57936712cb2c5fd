/*
 * What the world saw an instance learn about a member: the referee's own count of answers,
 * failures, bursts and ICMP errors, from the probes that were ordered and what became of them.
 */
#include "tests/sim/sim.h"

#define MOST_IN_SECOND 40 /* probes to one member, however much others make it look suspect */

static struct sim_seen *seen_of(const struct sim_probe *pr)
{
	return &pr->in->book[pr->pair].seen[pr->order.slot];
}

static bool is_failback(const struct sim_probe *pr)
{
	return pr->order.n_sends == 0;
}

/* Periodic probes are spread over all of their timeout, those of a burst over one step. */
static bool is_burst(const struct sim_probe *pr)
{
	return !is_failback(pr) && pr->order.spread_us != pr->order.timeout_us;
}

static bool is_overdue(const struct sim_probe *pr)
{
	return sim_mono(pr->in) >= pr->sent_us + pr->order.timeout_us;
}

static bool is_alive_code(const struct ctl_pair_conf *conf, unsigned int code)
{
	for (unsigned int i = 0; i < conf->n_codes; i++) {
		if (conf->codes[i] == code)
			return false;
	}
	return true;
}

void sim_seen_reset(struct sim_seen *s)
{
	/* Failures count in a row, whatever time passes between two probes. */
	*s = (struct sim_seen){ .bad = s->bad,
				.second = s->second,
				.in_second = s->in_second,
				.uneasy_us = s->uneasy_us,
				.failback_us = s->failback_us,
				.live_bad_us = s->live_bad_us };
}

/* REQUIREMENTS 3: events cannot be flooded by an attacker; a doubt costs three probes at most, and
 * the next one waits. */
static void check_pace(struct sim_probe *pr, struct sim_seen *s)
{
	uint64_t second = sim_mono(pr->in) / SEC;

	if (second != s->second)
		s->in_second = 0;
	s->second = second;
	if (++s->in_second > MOST_IN_SECOND)
		sim_fail(pr->in->w, pr->in, pr->pair, "slot %u: more than %u probes in a second",
			 pr->order.slot, MOST_IN_SECOND);
}

/* "every failback-interval an independent probe", and never during the hold. */
static void check_failback(struct sim_probe *pr, struct sim_seen *s)
{
	struct sim_instance *in = pr->in;
	const struct sim_book *b = &in->book[pr->pair];
	const struct ctl_pairs_pair *rp = sim_pair(in, pr->pair);
	uint64_t now = sim_mono(in), since = s->failback_us;

	if (pr->order.slot == rp->conf.order[0] && b->left_us[pr->order.slot] > since)
		since = b->left_us[pr->order.slot];
	if (now < sim_hold_end(in, pr->pair, pr->order.slot))
		sim_fail(in->w, in, pr->pair,
			 "slot %u: a failback probe within the hold (%u flaps)", pr->order.slot,
			 b->flaps);
	if (since != 0 && b->conf_us <= since && now < since + rp->conf.interval_us)
		sim_fail(in->w, in, pr->pair,
			 "slot %u: a failback probe %llu us after the last one or the leave",
			 pr->order.slot, (unsigned long long)(now - since));
	s->failback_us = now;
}

void sim_seen_sent(struct sim_probe *pr)
{
	struct sim_seen *s = seen_of(pr);
	unsigned int k;

	if (is_failback(pr))
		sim_trace(pr->in->w, "instance %u, pair p%u, slot %u: failback probe %u",
			  pr->in->id, pr->pair, pr->order.slot, pr->order.id);
	check_pace(pr, s);
	if (is_failback(pr) && !pr->in->quiet)
		check_failback(pr, s);
	if (!is_burst(pr))
		return;
	s->uneasy_us = pr->in->w->now_us;
	k = (unsigned int)((pr->order.timeout_us - CTL_PAIR_STALL_US) / pr->order.spread_us);
	s->n_burst = k >= CTL_PAIR_BURST ? 0 : s->n_burst;
	if (s->n_burst < CTL_PAIR_BURST)
		s->burst[s->n_burst++] = (struct sim_burst_seen){ .sent_us = pr->sent_us,
								  .step_us = pr->order.spread_us,
								  .id = pr->order.id };
}

static void good(struct sim_instance *in, struct sim_seen *s)
{
	s->good_us = sim_mono(in);
	s->good++;
	s->bad = s->icmp = s->n_burst = 0;
	s->doubt_us = 0;
	s->last_good = true;
}

static void bad(struct sim_instance *in, struct sim_seen *s)
{
	s->bad++;
	s->missed++;
	s->good = 0;
	s->last_good = false;
	s->uneasy_us = in->w->now_us;
}

static void burst_bad(const struct sim_probe *pr, struct sim_seen *s)
{
	s->uneasy_us = pr->in->w->now_us;
	for (unsigned int i = 0; i < s->n_burst; i++) {
		if (s->burst[i].id == pr->order.id)
			s->burst[i].failed = true;
	}
}

void sim_seen_icmp(struct sim_instance *in, unsigned int pair, unsigned int slot, uint64_t id)
{
	struct sim_seen *s = &in->book[pair].seen[slot];

	if (s->icmp == 0 || s->icmp_id != id)
		s->icmp++;
	s->icmp_id = id;
	s->uneasy_us = in->w->now_us;
}

static void failed_at_once(const struct sim_probe *pr, const struct ctl_probe_result *r,
			   struct sim_seen *s)
{
	bool lost = sim_lost(pr->in->book[pr->pair].word);

	s->uneasy_us = pr->in->w->now_us;
	if (is_failback(pr))
		return;
	if (is_burst(pr))
		burst_bad(pr, s);
	else if (lost)
		bad(pr->in, s);
	if (r->code == CTL_ERROR_ICMP)
		sim_seen_icmp(pr->in, pr->pair, pr->order.slot, 1ull << 63 | pr->order.id);
}

void sim_seen_result(const struct sim_probe *pr, const struct ctl_probe_result *r)
{
	struct sim_seen *s = seen_of(pr);
	const struct ctl_pairs_pair *rp = sim_pair(pr->in, pr->pair);

	sim_trace(pr->in->w, "instance %u, pair p%u, slot %u: probe %u %s %u", pr->in->id, pr->pair,
		  pr->order.slot, pr->order.id, r->answered ? "answered" : "failed", r->code);
	if (!r->answered) {
		failed_at_once(pr, r, s);
		return;
	}
	if (is_failback(pr)
	    && (pr->order.method == CTL_PROBE_REGISTER ? r->code / 100 == 2
						       : is_alive_code(&rp->conf, r->code)))
		s->failback_ok_us = sim_mono(pr->in);
	if (is_alive_code(&rp->conf, r->code))
		good(pr->in, s);
	else if (is_burst(pr))
		burst_bad(pr, s);
	else if (!is_failback(pr))
		bad(pr->in, s);
}

static bool is_very_late(const struct sim_probe *pr)
{
	return sim_mono(pr->in) > pr->sent_us + pr->order.timeout_us + CTL_PAIR_STALL_US;
}

/* A probe that is cancelled when its time is over was not answered; but the machine may excuse one
 * whose end it found so late that it cannot have been running (CTL_PAIR_STALL_US). */
void sim_seen_cancel(const struct sim_probe *pr)
{
	struct sim_seen *s = seen_of(pr);

	sim_trace(pr->in->w, "instance %u, pair p%u, slot %u: probe %u %s", pr->in->id, pr->pair,
		  pr->order.slot, pr->order.id, is_overdue(pr) ? "not answered" : "cancelled");
	if (!is_overdue(pr) || is_failback(pr) || is_burst(pr))
		return;
	if (is_very_late(pr)) {
		s->bad++;
		s->missed++;
	} else {
		bad(pr->in, s);
	}
}

/* The machine listens to answers of live traffic only from who is suspect, or while nobody is known
 * alive. */
void sim_seen_live(struct sim_instance *in, unsigned int pair, unsigned int slot, unsigned int code)
{
	struct sim_book *b = &in->book[pair];
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);

	if (!is_alive_code(&rp->conf, code) || rp->st.m[slot].disabled)
		return;
	if (sim_lost(b->word) || rp->st.m[slot].health == CTL_HEALTH_SUSPECT)
		good(in, &b->seen[slot]);
	else
		b->seen[slot].icmp = 0;
}

bool sim_seen_trial(struct sim_instance *in, unsigned int pair, unsigned int slot,
		    unsigned int code)
{
	struct sim_seen *s = &in->book[pair].seen[slot];

	if (!is_alive_code(&sim_pair(in, pair)->conf, code))
		return false;
	good(in, s);
	s->signal_ok_us = sim_mono(in);
	return true;
}

static unsigned int overdue(const struct sim_instance *in, unsigned int pair, unsigned int slot)
{
	unsigned int n = 0;

	for (const struct sim_probe *pr = in->probes; pr != NULL; pr = pr->next)
		n += pr->pair == pair && pr->order.slot == slot && !is_failback(pr) && !is_burst(pr)
		     && is_overdue(pr);
	return n;
}

static bool burst_over(const struct sim_instance *in, const struct sim_seen *s)
{
	const struct sim_burst_seen *last = &s->burst[CTL_PAIR_BURST - 1];

	if (s->n_burst < CTL_PAIR_BURST)
		return false;
	if (sim_mono(in) >= last->sent_us + last->step_us)
		return true;
	for (unsigned int i = 0; i < CTL_PAIR_BURST; i++) {
		if (!s->burst[i].failed)
			return false;
	}
	return true;
}

bool sim_seen_dead(const struct sim_instance *in, unsigned int pair, unsigned int slot)
{
	const struct sim_seen *s = &in->book[pair].seen[slot];
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);

	return s->bad + overdue(in, pair, slot) >= rp->conf.fall || s->icmp >= 2
	       || burst_over(in, s);
}

bool sim_seen_missed(const struct sim_instance *in, unsigned int pair, unsigned int slot)
{
	return in->book[pair].seen[slot].missed + overdue(in, pair, slot) > 0;
}
