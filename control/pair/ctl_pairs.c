/*
 * The pairs' runtime: one machine each, its timer, its probes, its word. Control thread.
 */
#include "control/pair/ctl_pairs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/base/ctl_log.h"
#include "control/pair/ctl_pairs_int.h"
#include "control/probe/ctl_clock.h"

#define SAVE_DELAY_US 50000u      /* changes within this time are written together */
#define EVENT_AGE_NS  5000000000u /* a data plane's event older than this says nothing */

/* ---- Looking up */

unsigned int ctl_pairs_bucket(const char *name)
{
	return dp_key(name, strlen(name)) % CTL_PAIRS_BUCKETS;
}

struct ctl_pairs_pair *ctl_pairs_find(const struct ctl_pairs *ps, const char *name)
{
	struct ctl_pairs_pair *rp = ps->buckets[ctl_pairs_bucket(name)];

	while (rp != NULL && strcmp(rp->name, name) != 0)
		rp = rp->next;
	return rp;
}

/* ---- Probes */

void ctl_pairs_unref(struct ctl_pairs *ps, struct ctl_pairs_target *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	ps->io.target_free(ps->io.arg, t->target);
	free(t);
}

static struct ctl_pairs_probe *take_probe(struct ctl_pairs_pair *rp, uint32_t id)
{
	struct ctl_pairs_probe **at = &rp->probes, *pr;

	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	pr = *at;
	if (pr != NULL)
		*at = pr->next;
	return pr;
}

static void end_probe(struct ctl_pairs_pair *rp, struct ctl_pairs_probe *pr)
{
	ctl_pairs_unref(rp->ps, pr->target);
	free(pr);
}

static void on_probe(void *arg, const struct ctl_probe_result *r)
{
	struct ctl_pairs_probe *pr = arg;
	struct ctl_pairs_pair *rp = pr->pair;
	const struct ctl_pair_event ev = { .type = r->answered ? CTL_EV_ANSWER : CTL_EV_ERROR,
					   .probe = pr->id,
					   .code = r->code,
					   .detail = r->detail,
					   .rtt_us = r->rtt_us };

	take_probe(rp, pr->id);
	end_probe(rp, pr);
	ctl_pairs_step(rp, &ev);
}

static void send_probe(struct ctl_pairs_pair *rp, const struct ctl_pair_send *order)
{
	struct ctl_pairs *ps = rp->ps;
	struct ctl_pairs_target *t = rp->m[order->slot].target;
	struct ctl_pairs_probe *pr = calloc(1, sizeof(*pr));

	if (pr != NULL)
		pr->probe = ps->io.send(ps->io.arg, t->target, order, on_probe, pr);
	if (pr == NULL || pr->probe == NULL) {
		ctl_log(LOG_ERR, "out of memory: no probe to %s of pair %s",
			rp->m[order->slot].name, rp->name);
		free(pr);
		return;
	}
	pr->pair = rp;
	pr->id = order->id;
	pr->target = t;
	t->refs++;
	pr->next = rp->probes;
	rp->probes = pr;
}

static void cancel_probe(struct ctl_pairs_pair *rp, uint32_t id)
{
	struct ctl_pairs_probe *pr = take_probe(rp, id);

	if (pr == NULL)
		return;
	rp->ps->io.cancel(rp->ps->io.arg, pr->probe);
	end_probe(rp, pr);
}

/* ---- Our own link */

static void tell_all(struct ctl_pairs *ps, const struct ctl_pair_event *ev)
{
	for (size_t i = 0; i < ps->n_order; i++)
		ctl_pairs_step(ps->order[i], ev);
}

static void note_cut(struct ctl_pairs *ps, const char *from, const char *to, const char *cause,
		     const char *text)
{
	const struct ctl_event e = { .from = from, .to = to, .cause = cause, .evidence = text };

	ctl_history_add(ps->history, &e);
}

static void judge_cut(struct ctl_pairs *ps)
{
	size_t n = 0;

	for (size_t i = 0; i < ps->n_order; i++)
		n += ctl_cut_went_together(&ps->cut, &ps->order[i]->cut);
	if (!ctl_cut_judge(&ps->cut, n))
		return;
	const struct ctl_pair_event ev = { .type = CTL_EV_CUT, .since_us = ps->cut.heard_us };

	note_cut(ps, "connected", "cut-off", "own-link-lost",
		 "every member of all pairs went silent within one probe period: this appliance "
		 "itself is cut off; active members stay as they are");
	tell_all(ps, &ev);
}

static void mend(struct ctl_pairs *ps)
{
	const struct ctl_pair_event ev = { .type = CTL_EV_MENDED };

	note_cut(ps, "cut-off", "connected", "own-link-back", "a member has answered again");
	tell_all(ps, &ev);
}

static bool is_life(const struct ctl_pair_event *ev)
{
	return ev->type == CTL_EV_ANSWER || ev->type == CTL_EV_ALIVE || ev->type == CTL_EV_SIGNAL;
}

void ctl_pairs_follow_cut(struct ctl_pairs_pair *rp)
{
	struct ctl_pairs *ps = rp->ps;
	uint64_t heard_us = rp->st.heard_us, now_us = ps->io.now_us(ps->io.arg);

	if (ps->cut.on && heard_us > ps->cut.heard_us && ctl_cut_heard(&ps->cut, heard_us))
		mend(ps);
	if (ctl_cut_update(&ps->cut, &rp->cut, ctl_pair_silence(&rp->st, &rp->conf), heard_us,
			   ctl_pair_round_us(&rp->conf), now_us))
		judge_cut(ps);
}

/* ---- Steps */

static void note(struct ctl_pairs_pair *rp, const struct ctl_pair_note *n)
{
	const struct ctl_event e = {
		.pair = rp->name,
		.member = n->slot < DP_PAIR_MEMBERS ? rp->m[n->slot].name : NULL,
		.from = n->from,
		.to = n->to,
		.cause = n->cause,
		.evidence = n->text,
		.who = n->who,
	};

	ctl_history_add(rp->ps->history, &e);
}

static void keep_word(struct ctl_pairs_pair *rp)
{
	uint64_t word = ctl_pair_word(&rp->st, &rp->conf);

	if (ctl_trial_follow(rp))
		word |= DP_WORD_TRIAL;
	if (word == rp->word)
		return;
	rp->word = word;
	rp->ps->set_word(rp->ps->arg, rp->number, word);
}

/* The phase is not kept: after a restart without a word the state is UNKNOWN. */
static void keep_saved(struct ctl_pairs_pair *rp)
{
	struct ctl_pair_saved saved;

	ctl_pair_save(&rp->st, &saved);
	saved.phase = 0;
	if (memcmp(&saved, &rp->saved, sizeof(saved)) == 0)
		return;
	rp->saved = saved;
	ctl_pairs_dirty(rp->ps);
}

/* The word goes first: it is what calls depend on. */
void ctl_pairs_carry_out(struct ctl_pairs_pair *rp)
{
	struct ctl_pairs *ps = rp->ps;
	struct ctl_pair_actions *out = &ps->out;

	keep_word(rp);
	for (unsigned int i = 0; i < out->n_cancels; i++)
		cancel_probe(rp, out->cancels[i]);
	for (unsigned int i = 0; i < out->n_sends; i++)
		send_probe(rp, &out->sends[i]);
	for (unsigned int i = 0; i < out->n_notes; i++)
		note(rp, &out->notes[i]);
	if (rp->st.wake_us != 0)
		ctl_timer_set(ps->io.timers, &rp->timer, rp->st.wake_us);
	else
		ctl_timer_cancel(ps->io.timers, &rp->timer);
	keep_saved(rp);
}

void ctl_pairs_step(struct ctl_pairs_pair *rp, const struct ctl_pair_event *ev)
{
	struct ctl_pairs *ps = rp->ps;
	uint64_t now_us = ps->io.now_us(ps->io.arg);

	if (ps->cut.on && is_life(ev) && ctl_cut_heard(&ps->cut, now_us))
		mend(ps);
	ctl_pair_step(&rp->st, &rp->conf, ev, now_us, &ps->out);
	ctl_pairs_carry_out(rp);
	ctl_pairs_follow_cut(rp);
}

/* ---- Events of the data plane */

static bool to_pair_event(const struct dp_event *ev, struct ctl_pair_event *to)
{
	memset(to, 0, sizeof(*to));
	to->slot = (uint8_t)(ev->member % DP_PAIR_MEMBERS);
	switch (ev->type) {
	case DP_EVENT_UNANSWERED:
		to->type = CTL_EV_UNANSWERED;
		to->method = (uint8_t)ev->value;
		return true;
	case DP_EVENT_RESPONSE_5XX:
		to->type = CTL_EV_LIVE_CODE;
		to->method = (uint8_t)(ev->value & 255);
		to->code = (uint16_t)(ev->value >> 8);
		return true;
	case DP_EVENT_ICMP:
		to->type = CTL_EV_ICMP;
		to->detail = ev->value;
		to->id = ev->id;
		return true;
	case DP_EVENT_ALIVE:
		to->type = CTL_EV_ALIVE;
		to->code = (uint16_t)ev->value;
		return true;
	case DP_EVENT_TRIAL:
		to->type = ev->value >> 8 != 0 ? CTL_EV_SIGNAL : CTL_EV_UNANSWERED;
		to->method = (uint8_t)(ev->value & 255);
		to->code = (uint16_t)(ev->value >> 8);
		return true;
	default: return false;
	}
}

/* What would change nothing costs no step: doubts can come as fast as requests. */
static bool says_nothing_new(const struct ctl_pairs_pair *rp, const struct ctl_pair_event *ev)
{
	const struct ctl_pair_member *m = &rp->st.m[ev->slot];

	if (ev->type != CTL_EV_UNANSWERED && ev->type != CTL_EV_LIVE_CODE)
		return false;
	return m->health == CTL_HEALTH_SUSPECT || m->health == CTL_HEALTH_DOWN || m->doubted;
}

void ctl_pairs_dataplane_event(struct ctl_pairs *ps, const struct dp_event *ev)
{
	uint64_t now_ns = ps->io.now_us(ps->io.arg) * 1000;
	struct ctl_pairs_pair *rp;
	struct ctl_pair_event to;

	if (ev->member >= DP_MAX_MEMBERS || ev->time_ns + EVENT_AGE_NS < now_ns
	    || !to_pair_event(ev, &to))
		return;
	rp = ps->by_number[ev->member / DP_PAIR_MEMBERS];
	if (rp == NULL)
		return;
	/* After the step that follows, the word no longer offers it. */
	if (ev->type == DP_EVENT_TRIAL && !ctl_trial_ended(rp, ev->id, to.slot))
		return;
	if (ev->type == DP_EVENT_TRIAL || !says_nothing_new(rp, &to))
		ctl_pairs_step(rp, &to);
}

void ctl_pairs_live(struct ctl_pairs *ps, unsigned int member, uint32_t requests, uint32_t failed,
		    uint32_t delay_us)
{
	const struct ctl_pair_event ev = { .type = CTL_EV_LIVE,
					   .slot = (uint8_t)(member % DP_PAIR_MEMBERS),
					   .requests = requests,
					   .failed = failed,
					   .delay_us = delay_us };
	struct ctl_pairs_pair *rp = ps->by_number[member / DP_PAIR_MEMBERS];

	if (rp != NULL && rp->st.m[ev.slot].present)
		ctl_pairs_step(rp, &ev);
}

void ctl_pairs_each_member(struct ctl_pairs *ps, void (*fn)(void *arg, unsigned int member),
			   void *arg)
{
	for (size_t i = 0; i < ps->n_order; i++) {
		const struct ctl_pairs_pair *rp = ps->order[i];

		for (unsigned int k = 0; k < rp->conf.n; k++)
			fn(arg, rp->number * DP_PAIR_MEMBERS + rp->conf.order[k]);
	}
}

/* ---- The state file */

static void on_save(struct ctl_timer *t, uint64_t now_us)
{
	struct ctl_pairs *ps =
		(struct ctl_pairs *)((char *)t - offsetof(struct ctl_pairs, save_timer));
	char *text = ctl_pairs_state_text(ps);

	(void)now_us;
	if (text != NULL)
		ctl_writer_put(ps->writer, text);
	else
		ctl_log(LOG_ERR, "out of memory: the state file is not up to date");
}

void ctl_pairs_dirty(struct ctl_pairs *ps)
{
	if (ps->writer != NULL && ps->save_timer.at_us == 0)
		ctl_timer_set(ps->io.timers, &ps->save_timer,
			      ps->io.now_us(ps->io.arg) + SAVE_DELAY_US);
}

/* ---- Life */

void ctl_pairs_pair_free(struct ctl_pairs_pair *rp)
{
	struct ctl_pairs *ps = rp->ps;
	struct ctl_pairs_pair **at = &ps->buckets[ctl_pairs_bucket(rp->name)];

	ctl_timer_cancel(ps->io.timers, &rp->timer);
	ctl_timer_cancel(ps->io.timers, &rp->trial.timer);
	while (rp->probes != NULL)
		cancel_probe(rp, rp->probes->id);
	ctl_cut_remove(&ps->cut, &rp->cut);
	while (*at != NULL && *at != rp)
		at = &(*at)->next;
	if (*at == rp)
		*at = rp->next;
	if (ps->by_number[rp->number] == rp)
		ps->by_number[rp->number] = NULL;
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		ctl_pairs_unref(ps, rp->m[s].target);
		free(rp->m[s].name);
	}
	free(rp->name);
	free(rp);
}

struct ctl_pairs *ctl_pairs_new_io(const struct ctl_pairs_params *params,
				   const struct ctl_pairs_io *io)
{
	struct ctl_pairs *ps = calloc(1, sizeof(*ps));

	if (ps == NULL)
		return NULL;
	ps->io = *io;
	ps->history = params->history;
	ps->set_word = params->set_word;
	ps->trials = params->trials;
	ps->arg = params->arg;
	ps->save_timer.fire = on_save;
	if (params->state_file == NULL)
		return ps;
	ps->state = ctl_state_read(params->state_file);
	ps->writer = ctl_writer_new(params->state_file);
	if (ps->writer == NULL) {
		ctl_pairs_free(ps);
		return NULL;
	}
	return ps;
}

/* Words stay as they are: the data plane goes on without us. */
void ctl_pairs_free(struct ctl_pairs *ps)
{
	if (ps == NULL)
		return;
	if (ps->save_timer.at_us != 0) {
		ctl_timer_cancel(ps->io.timers, &ps->save_timer);
		on_save(&ps->save_timer, 0);
	}
	ctl_writer_free(ps->writer);
	for (size_t i = 0; i < ps->n_order; i++)
		ctl_pairs_pair_free(ps->order[i]);
	free(ps->order);
	ctl_state_free(ps->state);
	ctl_prober_free(ps->prober);
	ctl_clock_free(ps->clock);
	free(ps);
}

/* ---- The real world */

static uint64_t real_now(void *arg)
{
	return ctl_prober_now_us(arg);
}

static uint64_t real_wall(void *arg)
{
	(void)arg;
	return ctl_wall_us();
}

static void *real_target_new(void *arg, const struct ctl_target_params *params)
{
	return ctl_target_new(arg, params);
}

static void real_target_free(void *arg, void *target)
{
	(void)arg;
	ctl_target_free(target);
}

static void *real_send(void *arg, void *target, const struct ctl_pair_send *order, ctl_probe_cb cb,
		       void *cb_arg)
{
	(void)arg;
	return ctl_probe_send(target, order, cb, cb_arg);
}

static void real_cancel(void *arg, void *probe)
{
	(void)arg;
	ctl_probe_cancel(probe);
}

static const uint64_t *real_counts(void *arg)
{
	return ctl_prober_counts(arg);
}

void ctl_pairs_pause(struct ctl_pairs *ps, bool pause)
{
	ctl_clock_stop(ps->clock, pause);
}

struct ctl_pairs *ctl_pairs_new(const struct ctl_pairs_params *params)
{
	struct ctl_clock *clock = ctl_clock_new(params->base);
	struct ctl_prober *prober =
		clock != NULL ? ctl_prober_new(params->base, ctl_clock_timers(clock)) : NULL;
	struct ctl_pairs *ps = NULL;

	if (prober != NULL) {
		const struct ctl_pairs_io io = {
			.timers = ctl_clock_timers(clock),
			.now_us = real_now,
			.wall_us = real_wall,
			.target_new = real_target_new,
			.target_free = real_target_free,
			.send = real_send,
			.cancel = real_cancel,
			.counts = real_counts,
			.arg = prober,
		};

		ps = ctl_pairs_new_io(params, &io);
	}
	if (ps == NULL) {
		ctl_prober_free(prober);
		ctl_clock_free(clock);
		return NULL;
	}
	ps->clock = clock;
	ps->prober = prober;
	return ps;
}
