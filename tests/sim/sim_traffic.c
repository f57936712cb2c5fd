/*
 * Live traffic: what the data plane would see of requests to the active member, told to the
 * runtime as dataplane/steer tells it (unanswered for T1, 5xx, proven ICMP errors, answers of
 * suspect members), windows of figures, and the requests that signal failback tries on a better
 * member.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define WINDOW_US (5 * SEC)
#define T1_US     CTL_PAIR_T1_US

#define NO_RESPONSE_US (4 * SEC) /* a trial without an answer */

static const uint8_t methods[] = { SIP_METHOD_INVITE, SIP_METHOD_REGISTER, SIP_METHOD_OPTIONS };

/* ---- Events of the data plane */

/** A record of a worker's ring, read when the process gets to run. */
struct told {
	struct dp_event ev;
	unsigned int pair;
	uint16_t code; /* of an answer */
};

static void note_doubt(struct sim_instance *in, unsigned int pair, unsigned int slot)
{
	struct sim_book *b = &in->book[pair];
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);

	if (b->truth[slot] == SIM_BAD && b->truth_us[slot] <= in->w->now_us && !sim_lost(b->word)
	    && slot == rp->st.active && b->seen[slot].doubt_us == 0)
		b->seen[slot].doubt_us = in->w->now_us;
}

/* "any final response that is not an unavailable-codes one returns the pair" */
static void trial_ended(struct sim_instance *in, const struct told *t, unsigned int slot)
{
	const struct ctl_pairs_pair *rp = sim_pair(in, t->pair);
	bool open = rp->trial.open && rp->trial.number == t->ev.id && rp->trial.slot == slot
		    && t->ev.time_ns + 5 * SEC * 1000 >= sim_mono(in) * 1000;
	bool good = open && t->code != 0 && sim_seen_trial(in, t->pair, slot, t->code);
	bool back = good && ctl_pair_signal_open(&rp->st, &rp->conf, sim_mono(in))
		    && rp->conf.m[slot].rank < rp->conf.m[rp->st.active].rank
		    && !rp->st.m[slot].disabled && !rp->st.m[slot].draining
		    && !(rp->conf.gray_failover && rp->st.m[slot].degraded)
		    && sim_mono(in) >= sim_hold_end(in, t->pair, slot);

	ctl_pairs_dataplane_event(in->ps, &t->ev);
	if (back && rp->st.active != slot)
		sim_fail(in->w, in, t->pair,
			 "a live request succeeded at slot %u, which did not "
			 "get the pair back",
			 slot);
}

static void on_told(struct sim *w, struct sim_event *e)
{
	struct sim_instance *in = &w->in[e->instance];
	struct told t;
	unsigned int slot;

	memcpy(&t, e->text, sizeof(t));
	slot = t.ev.member % DP_PAIR_MEMBERS;
	if (!in->up || in->epoch != e->epoch || sim_pair(in, t.pair) == NULL)
		return;
	if (in->busy_us > w->now_us || in->paused) {
		struct sim_event *again =
			sim_at(w, in->paused ? SEC : in->busy_us - w->now_us, on_told, sizeof(t));

		again->instance = e->instance;
		again->epoch = e->epoch;
		memcpy(again->text, &t, sizeof(t));
		return;
	}
	if (sim_pair(in, t.pair)->number == t.ev.member / DP_PAIR_MEMBERS
	    && t.ev.time_ns + 5 * SEC * 1000 >= sim_mono(in) * 1000
	    && sim_pair(in, t.pair)->st.m[slot].present) {
		if (t.ev.type == DP_EVENT_ALIVE)
			sim_seen_live(in, t.pair, slot, t.code);
		else if (t.ev.type == DP_EVENT_ICMP)
			sim_seen_icmp(in, t.pair, slot, t.ev.id);
		else if (t.ev.type == DP_EVENT_UNANSWERED)
			note_doubt(in, t.pair, slot);
	}
	w->stats.steps++;
	if (t.ev.type == DP_EVENT_TRIAL
	    && sim_pair(in, t.pair)->number * DP_PAIR_MEMBERS + slot == t.ev.member)
		trial_ended(in, &t, slot);
	else
		ctl_pairs_dataplane_event(in->ps, &t.ev);
}

static void tell(struct sim_instance *in, unsigned int pair, uint64_t in_us, unsigned int type,
		 unsigned int slot, uint32_t value, uint16_t code, uint64_t id)
{
	struct sim *w = in->w;
	struct told t = { .pair = pair, .code = code };
	struct sim_event *e = sim_at(w, in_us, on_told, sizeof(t));

	t.ev.type = type;
	t.ev.time_ns = (sim_mono(in) + in_us) * 1000;
	t.ev.member = sim_pair(in, pair)->number * DP_PAIR_MEMBERS + slot;
	t.ev.value = value;
	t.ev.id = id != 0 ? id : sim_rand_next(&w->rand) >> 1;
	e->instance = in->id;
	e->epoch = in->epoch;
	memcpy(e->text, &t, sizeof(t));
}

/* What nobody should take for a record: other numbers, other types, long ago. */
static void tell_nonsense(struct sim_instance *in)
{
	static struct ctl_pair_state was[SIM_PAIRS];
	struct sim_rand *r = &in->w->rand;
	struct dp_event ev = { .time_ns = sim_mono(in) * 1000,
			       .type = DP_EVENT_UNANSWERED,
			       .member = 0 };

	switch (sim_below(r, 4)) {
	case 0: ev.member = (uint32_t)sim_between(r, DP_MAX_MEMBERS, UINT32_MAX); break;
	case 1: ev.type = (uint32_t)sim_between(r, DP_EVENT_LINK + 1, UINT32_MAX); break;
	case 2: ev.time_ns -= 6 * SEC * 1000; break;
	default: ev.member = DP_MAX_MEMBERS - 1; break;
	}
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		if (sim_pair(in, p) != NULL)
			was[p] = sim_pair(in, p)->st;
	}
	in->w->stats.forged++;
	ctl_pairs_dataplane_event(in->ps, &ev);
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		const struct ctl_pairs_pair *rp = sim_pair(in, p);

		if (rp != NULL && memcmp(&was[p], &rp->st, sizeof(rp->st)) != 0)
			sim_fail(in->w, in, p, "a nonsensical event changed the state");
	}
}

/* ---- One request */

struct fate {
	bool answered, icmp;
	uint16_t code;
	uint64_t delay_us;
};

static struct fate send_to(struct sim_instance *in, unsigned int pair, unsigned int host,
			   unsigned int method)
{
	struct sim *w = in->w;
	const struct sim_host *h = &w->host[pair][host];
	const struct sim_path *path = &in->path[pair][host];
	struct fate f = { .code = 200, .delay_us = 2 * path->delay_us + h->think_us };
	bool lost =
		path->cut || sim_chance(&w->rand, path->loss) || sim_chance(&w->rand, path->loss);

	if (lost || h->mood == SIM_SILENT)
		return f;
	if (h->mood != SIM_ALIVE) {
		f.icmp = sim_chance(&w->rand, 500);
		return f;
	}
	if (h->live == SIM_LIVE_SILENT)
		return f;
	f.answered = true;
	if (h->live == SIM_LIVE_FAILS)
		f.code = method == SIP_METHOD_REGISTER && sim_chance(&w->rand, 500) ? 500 : 503;
	return f;
}

static bool is_suspicious(unsigned int method, unsigned int code)
{
	return (method == SIP_METHOD_REGISTER && (code == 500 || code == 503))
	       || (method == SIP_METHOD_INVITE && code == 503);
}

/* As steer_response.c's learn(): a 5xx says more than that there was an answer. */
static void tell_fate(struct sim_instance *in, unsigned int pair, unsigned int slot,
		      unsigned int method, const struct fate *f)
{
	uint64_t word = in->words[sim_pair(in, pair)->number];
	bool known_bad = dp_word_down(word, slot) || dp_word_suspect(word, slot);

	if (f->icmp) {
		uint64_t id = sim_rand_next(&in->w->rand) >> 1 | 1;

		tell(in, pair, f->delay_us, DP_EVENT_ICMP, slot, 3 << 8 | 3, 0, id);
		if (sim_chance(&in->w->rand, 400)) /* another one about the same branch: no proof */
			tell(in, pair, 2 * f->delay_us, DP_EVENT_ICMP, slot, 3 << 8 | 3, 0, id);
	}
	if (!f->answered || f->delay_us > T1_US)
		tell(in, pair, T1_US, DP_EVENT_UNANSWERED, slot, method, 0, 0);
	if (!f->answered)
		return;
	if (is_suspicious(method, f->code))
		tell(in, pair, f->delay_us, DP_EVENT_RESPONSE_5XX, slot,
		     (uint32_t)f->code << 8 | method, f->code, 0);
	else if (known_bad || f->delay_us > T1_US)
		tell(in, pair, f->delay_us, DP_EVENT_ALIVE, slot, f->code, f->code, 0);
}

/* A worker takes the offer of a trial (dataplane/dp_region.h, pair_trials), sends a live request to
 * the member that it names, and says how it went; unless the worker ends before. */
static bool try_signal(struct sim_instance *in, unsigned int pair, unsigned int method)
{
	struct sim *w = in->w;
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);
	uint32_t offer = in->trials[rp->number];
	unsigned int slot = dp_trial_slot(offer);
	struct fate f;

	if ((in->words[rp->number] & DP_WORD_TRIAL) == 0 || (offer & DP_TRIAL_TAKEN) != 0
	    || method == SIP_METHOD_OPTIONS || sim_host_of(rp, slot) >= SIM_HOSTS)
		return false;
	in->trials[rp->number] |= DP_TRIAL_TAKEN;
	w->stats.trials++;
	if (sim_chance(&w->rand, 10))
		return true;
	f = send_to(in, pair, sim_host_of(rp, slot), method);
	tell(in, pair, f.answered ? f.delay_us : NO_RESPONSE_US, DP_EVENT_TRIAL, slot,
	     (f.answered ? (uint32_t)f.code << 8 : 0) | method, f.answered ? f.code : 0,
	     dp_trial_number(offer));
	return true;
}

static void request(struct sim_instance *in, unsigned int pair)
{
	struct sim *w = in->w;
	unsigned int method = methods[sim_below(&w->rand, 3)], slot;
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);
	uint64_t word = rp != NULL ? in->words[rp->number] : 0;
	struct sim_book *b = &in->book[pair];
	struct fate f;

	w->stats.requests++;
	if ((word & DP_WORD_VALID) == 0 || (word & DP_WORD_OUT_OF_SERVICE) != 0)
		return;
	if (try_signal(in, pair, method))
		return;
	slot = dp_word_active(in->words[rp->number]);
	if (sim_host_of(rp, slot) >= SIM_HOSTS)
		return;
	f = send_to(in, pair, sim_host_of(rp, slot), method);
	tell_fate(in, pair, slot, method, &f);
	b->live[slot].requests++;
	b->live[slot].failed += !f.answered || f.code >= 500;
	b->live[slot].delay_us += f.delay_us;
}

static void on_request(struct sim *w, struct sim_event *e)
{
	struct sim_instance *in = &w->in[e->instance];

	if (in->up)
		request(in, e->pair);
	if (w->regime.attacks && sim_chance(&w->rand, 20) && in->up && !in->paused)
		tell_nonsense(in);
	e = sim_at(w, sim_gap(&w->rand, w->regime.request_us), on_request, 0);
	e->instance = in->id;
	e->pair = (unsigned int)sim_below(&w->rand, w->n_pairs);
}

/* ---- Windows */

static void tell_window(struct sim_instance *in, unsigned int pair, unsigned int slot)
{
	struct sim_book *b = &in->book[pair];
	uint32_t requests = b->live[slot].requests, failed = b->live[slot].failed, delay_us;
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);

	if (requests == 0 || !rp->st.m[slot].present)
		return;
	delay_us = (uint32_t)(b->live[slot].delay_us / requests);
	memset(&b->live[slot], 0, sizeof(b->live[slot]));
	if (4 * failed >= requests || delay_us >= 500 * MS)
		b->seen[slot].live_bad_us = sim_mono(in);
	in->w->stats.steps++;
	ctl_pairs_live(in->ps, rp->number * DP_PAIR_MEMBERS + slot, requests, failed, delay_us);
	sim_judge_end(in, pair);
}

static void on_window(struct sim *w, struct sim_event *e)
{
	(void)e;
	for (unsigned int i = 0; i < w->n_instances; i++) {
		struct sim_instance *in = &w->in[i];

		for (unsigned int p = 0; p < SIM_PAIRS; p++) {
			for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
				if (in->up && !in->paused && sim_pair(in, p) != NULL)
					tell_window(in, p, s);
			}
		}
	}
	sim_at(w, WINDOW_US, on_window, 0);
}

void sim_traffic_start(struct sim *w)
{
	if (w->regime.request_us == 0)
		return;
	for (unsigned int i = 0; i < w->n_instances; i++) {
		struct sim_event *e =
			sim_at(w, sim_gap(&w->rand, w->regime.request_us), on_request, 0);

		e->instance = i;
	}
	if (w->regime.gray)
		sim_at(w, WINDOW_US, on_window, 0);
}
