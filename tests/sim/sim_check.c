/*
 * The rules that hold at all times, whatever happens.
 */
#include "tests/sim/sim.h"

#include <string.h>

static bool somebody_is_enabled(const struct ctl_pair_state *p)
{
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (p->m[s].present && !p->m[s].disabled)
			return true;
	}
	return false;
}

static bool somebody_is_eligible(const struct ctl_pair_state *p)
{
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (p->m[s].present && !p->m[s].disabled && (!p->pinned || s == p->active))
			return true;
	}
	return false;
}

static enum ctl_pair_phase role_phase(const struct ctl_pairs_pair *rp, unsigned int slot)
{
	switch (rp->conf.m[slot].role) {
	case DP_ROLE_PRIMARY: return CTL_PAIR_PRIMARY;
	case DP_ROLE_BACKUP: return CTL_PAIR_BACKUP;
	default: return CTL_PAIR_FALLBACK;
	}
}

/* One active member, and one that may be. While a reload is under way, roles are the old ones. */
static void check_active(struct sim_instance *in, unsigned int pair,
			 const struct ctl_pairs_pair *rp)
{
	const struct ctl_pair_state *p = &rp->st;
	bool lost = sim_lost(in->book[pair].word);
	const struct ctl_pair_member *m;

	if (in->words[rp->number] != in->book[pair].word)
		sim_fail(in->w, in, pair, "the word in force is not the one that was set");
	if (p->active == CTL_PAIR_NONE) {
		if (rp->word != 0)
			sim_fail(in->w, in, pair, "a word without an active member");
		return;
	}
	m = &p->m[p->active];
	if (!m->present)
		sim_fail(in->w, in, pair, "the active member is not there");
	if (m->disabled && somebody_is_enabled(p))
		sim_fail(in->w, in, pair, "the active member is disabled, another is not");
	if (!lost && (m->disabled || m->health == CTL_HEALTH_DOWN))
		sim_fail(in->w, in, pair, "the active member is known and %s",
			 ctl_pair_member_name(m));
	if (!lost && p->phase != role_phase(rp, p->active))
		sim_fail(in->w, in, pair, "state %s, but the active member's role is %u",
			 ctl_pair_phase_name(p->phase), rp->conf.m[p->active].role);
	if (strcmp(ctl_pair_phase_name(p->phase), in->book[pair].phase) != 0)
		sim_fail(in->w, in, pair, "state %s, but the last record says %s",
			 ctl_pair_phase_name(p->phase), in->book[pair].phase);
}

/* ---- Timers */

static void deadline(struct sim_instance *in, unsigned int pair, uint64_t wake_us, uint64_t at_us,
		     const char *what)
{
	if (at_us != 0 && (wake_us == 0 || wake_us > at_us))
		sim_fail(in->w, in, pair, "%s is due at %llu, the machine wakes at %llu", what,
			 (unsigned long long)at_us, (unsigned long long)wake_us);
}

static void probe_deadline(struct sim_instance *in, unsigned int pair, uint64_t wake_us,
			   const struct ctl_pair_probe *pr, const char *what)
{
	if (pr->id != 0)
		deadline(in, pair, wake_us, pr->deadline_us, what);
}

/* No deadline is forgotten; and who must be watched is. */
static void check_timers(struct sim_instance *in, unsigned int pair,
			 const struct ctl_pairs_pair *rp)
{
	const struct ctl_pair_state *p = &rp->st;
	uint64_t wake_us = p->wake_us, now = sim_mono(in);

	if (rp->timer.at_us != wake_us
	    && !(wake_us != 0 && wake_us < rp->timer.at_us && rp->timer.at_us <= now + 1))
		sim_fail(in->w, in, pair, "the timer is armed for %llu, not for %llu",
			 (unsigned long long)rp->timer.at_us, (unsigned long long)wake_us);
	deadline(in, pair, wake_us, p->turn_us, "a turn");
	deadline(in, pair, wake_us, p->failback_us, "a failback probe");
	probe_deadline(in, pair, wake_us, &p->failback, "a failback probe's end");
	for (unsigned int i = 0; i < rp->conf.n; i++) {
		const struct ctl_pair_member *m = &p->m[rp->conf.order[i]];

		deadline(in, pair, wake_us, m->next_us, "a periodic probe");
		probe_deadline(in, pair, wake_us, &m->periodic, "a periodic probe's end");
		if (m->burst.running)
			deadline(in, pair, wake_us, m->burst.next_us, "a burst");
		if (m->doubted)
			deadline(in, pair, wake_us, m->cool_us, "a doubt");
	}
	if (p->active == CTL_PAIR_NONE)
		return;
	if (wake_us > now && !rp->trial.open && rp->trial.timer.at_us == 0
	    && ctl_pair_signal_open(p, &rp->conf, now))
		sim_fail(in->w, in, pair, "signal failback is open, but nothing is offered");
	if (sim_lost(in->book[pair].word) && somebody_is_eligible(p) && p->turn_us == 0)
		sim_fail(in->w, in, pair, "nobody is known alive, and nobody is asked");
	if (!sim_lost(in->book[pair].word) && rp->conf.check_us != 0 && rp->conf.n != 0
	    && p->m[p->active].next_us == 0 && p->m[p->active].periodic.id == 0)
		sim_fail(in->w, in, pair, "the active member is not watched");
}

/* A suspicion ends: burst, at most CTL_PAIR_BURST steps. */
static void check_suspects(struct sim_instance *in, unsigned int pair,
			   const struct ctl_pairs_pair *rp)
{
	for (unsigned int i = 0; i < rp->conf.n; i++) {
		unsigned int s = rp->conf.order[i];
		const struct ctl_pair_member *m = &rp->st.m[s];

		if (m->present && m->health == CTL_HEALTH_SUSPECT && !m->burst.running)
			sim_fail(in->w, in, pair, "slot %u is suspect, but nobody asks it", s);
	}
}

static void forget(struct sim_instance *in, unsigned int pair)
{
	struct sim_book *b = &in->book[pair];

	if (b->known)
		memset(b, 0, sizeof(*b));
}

void sim_check(struct sim_instance *in)
{
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		const struct ctl_pairs_pair *rp = sim_pair(in, p);

		if (rp == NULL) {
			forget(in, p);
			continue;
		}
		if (!in->book[p].known)
			sim_book_adopt(in, p);
		sim_judge_end(in, p);
		sim_judge_health(in, p);
		in->w->stats.checks++;
		check_active(in, p, rp);
		check_timers(in, p, rp);
		check_suspects(in, p, rp);
		sim_watch(in, p);
	}
}

/* ---- Dearer ones */

struct walk {
	size_t n_pair_timers, n;
	const struct sim_instance *in;
};

static void walk_heap(struct walk *k, const struct ctl_timer *t, const struct ctl_timer *parent)
{
	for (; t != NULL; t = t->next) {
		if (t->at_us == 0 || (parent != NULL && t->at_us < parent->at_us))
			sim_fail(k->in->w, k->in, SIM_PAIRS, "the timers are out of order");
		k->n++;
		for (unsigned int p = 0; p < SIM_PAIRS; p++) {
			const struct ctl_pairs_pair *rp = sim_pair(k->in, p);

			k->n_pair_timers += rp != NULL && t == &rp->timer;
		}
		walk_heap(k, t->child, t);
	}
}

static unsigned int count_open(const struct ctl_pair_state *p)
{
	unsigned int n = p->failback.id != 0;

	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		n += p->m[s].periodic.id != 0;
		for (unsigned int i = 0; i < CTL_PAIR_BURST; i++)
			n += p->m[s].burst.probe[i].id != 0;
	}
	return n;
}

/* Each probe of the machine's is one of the prober's, and the other way round. */
static void check_probes(struct sim_instance *in, unsigned int pair,
			 const struct ctl_pairs_pair *rp)
{
	unsigned int open = count_open(&rp->st), n = 0, mine = 0;

	for (const struct ctl_pairs_probe *pr = rp->probes; pr != NULL; pr = pr->next)
		n++;
	for (const struct sim_probe *pr = in->probes; pr != NULL; pr = pr->next)
		mine += pr->pair == pair;
	if (open != n || open != mine)
		sim_fail(in->w, in, pair,
			 "%u probes in the state, %u in the runtime, %u on the way", open, n, mine);
}

static void check_cut(struct sim_instance *in)
{
	const struct ctl_cut *c = &in->ps->cut;
	size_t asked = 0, silent = 0;

	for (size_t i = 0; i < in->ps->n_order; i++) {
		asked += in->ps->order[i]->cut.silence != CTL_NOT_ASKED;
		silent += in->ps->order[i]->cut.silence == CTL_SILENT;
	}
	if (asked != c->n_asked || silent != c->n_silent)
		sim_fail(in->w, in, SIM_PAIRS,
			 "own link: %zu of %zu pairs silent, counted %zu of %zu", silent, asked,
			 c->n_silent, c->n_asked);
}

void sim_check_deep(struct sim_instance *in)
{
	struct walk k = { .in = in };
	size_t armed = 0;

	walk_heap(&k, in->timers.root, NULL);
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		const struct ctl_pairs_pair *rp = sim_pair(in, p);

		if (rp == NULL)
			continue;
		armed += rp->timer.at_us != 0;
		check_probes(in, p, rp);
	}
	if (armed != k.n_pair_timers)
		sim_fail(in->w, in, SIM_PAIRS, "%zu pairs' timers are armed, %zu would fire", armed,
			 k.n_pair_timers);
	check_cut(in);
}

/* ---- The end: all is well, so all must be as the settings want it */

/* What is not yet as it should be; NULL: nothing. */
static const char *ill(const struct sim_instance *in, unsigned int pair,
		       const struct ctl_pairs_pair *rp)
{
	const struct ctl_pair_state *p = &rp->st;
	unsigned int returns = CTL_FAILBACK_IMMEDIATE | CTL_FAILBACK_TIMED;

	if (p->active == CTL_PAIR_NONE)
		return "it has no active member";
	if (sim_lost(in->book[pair].word))
		return "nobody is known alive";
	if ((rp->conf.failback & returns) != 0 && !p->manual && p->active != rp->conf.order[0])
		return "the primary has not got it back";
	if (p->m[p->active].health != CTL_HEALTH_UP && rp->conf.check_us != 0)
		return "the active member is not up";
	return p->cut ? "our own link is believed to be lost" : NULL;
}

bool sim_is_healed(const struct sim_instance *in, bool insist)
{
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		const struct ctl_pairs_pair *rp = sim_pair(in, p);
		const char *what = rp != NULL ? ill(in, p, rp) : NULL;

		if (what != NULL && insist)
			sim_fail(in->w, in, p, "all servers are well, but %s", what);
		if (what != NULL)
			return false;
	}
	return true;
}
