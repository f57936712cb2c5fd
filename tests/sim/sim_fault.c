/*
 * What goes wrong: servers, paths, processes, clocks; and what people order meanwhile. Each kind is
 * one row of `faults`: to add one, write what it does, and let sim_heal() undo it.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static uint64_t span(struct sim *w)
{
	return sim_between(&w->rand, 10 * MS, 40 * w->period_us);
}

static struct sim_instance *some_instance(struct sim *w)
{
	return &w->in[sim_below(&w->rand, w->n_instances)];
}

static unsigned int some_pair(struct sim *w)
{
	return (unsigned int)sim_below(&w->rand, w->n_pairs);
}

/* A place of a pair, more often than not one where a member is, most of all the active one's. */
static unsigned int some_host(struct sim *w, const struct sim_instance *in, unsigned int pair)
{
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);
	unsigned int host = SIM_HOSTS;

	if (rp == NULL || rp->conf.n == 0 || sim_chance(&w->rand, 100))
		return (unsigned int)sim_below(&w->rand, SIM_HOSTS);
	if (rp->st.active != CTL_PAIR_NONE && sim_chance(&w->rand, 500))
		host = sim_host_of(rp, rp->st.active);
	else
		host = sim_host_of(rp, rp->conf.order[sim_below(&w->rand, rp->conf.n)]);
	return host < SIM_HOSTS ? host : 0;
}

/* ---- Servers */

void sim_mend_host(struct sim_host *h)
{
	h->mood = SIM_ALIVE;
	h->live = SIM_LIVE_WELL;
	h->options_code = h->register_code = 200;
	h->think_us = 200;
	h->provisional = false;
	h->generation++;
}

static void on_host_mended(struct sim *w, struct sim_event *e)
{
	struct sim_host *h = &w->host[e->pair][e->host];

	if (h->generation != e->value)
		return;
	sim_mend_host(h);
	sim_trace(w, "server p%u/%u is well", e->pair, e->host);
	sim_watch_truth(w);
}

static void break_host(struct sim *w, struct sim_host *h)
{
	static const uint16_t codes[] = { 503, 500, 408, 486, 404, 600 };

	switch (sim_below(&w->rand, w->regime.gray ? 10 : 8)) {
	case 0:
	case 1:
	case 2: h->mood = SIM_SILENT; break;
	case 3: h->mood = SIM_REFUSING; break;
	case 4: h->mood = SIM_UNREACHABLE; break;
	case 5: h->think_us = sim_between(&w->rand, MS, 3 * SEC); break;
	case 6: h->options_code = codes[sim_below(&w->rand, 6)]; break;
	case 7:
		h->register_code = codes[sim_below(&w->rand, 6)];
		h->provisional = sim_chance(&w->rand, 500);
		break;
	case 8: h->live = SIM_LIVE_FAILS; break;
	default: h->live = SIM_LIVE_SILENT; break;
	}
	h->generation++;
}

static void fault_at(struct sim *w, unsigned int pair, unsigned int host, uint64_t for_us)
{
	struct sim_host *h = &w->host[pair][host];
	struct sim_event *e;

	break_host(w, h);
	sim_trace(w, "server p%u/%u: mood %u, live %u, OPTIONS %u, REGISTER %u, after %llu us",
		  pair, host, h->mood, h->live, h->options_code, h->register_code,
		  (unsigned long long)h->think_us);
	if (sim_chance(&w->rand, 100))
		return; /* for good */
	e = sim_at(w, for_us, on_host_mended, 0);
	e->pair = pair;
	e->host = host;
	e->value = h->generation;
}

static void fault_host(struct sim *w)
{
	unsigned int pair = some_pair(w);

	fault_at(w, pair, some_host(w, some_instance(w), pair), span(w));
}

/* A power cut: all servers of a pair, or of all. */
static void fault_hosts(struct sim *w)
{
	unsigned int pair = some_pair(w);
	bool all = sim_chance(&w->rand, 300);
	uint64_t for_us = span(w);

	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		for (unsigned int h = 0; h < SIM_HOSTS; h++) {
			if (all || p == pair)
				fault_at(w, p, h, for_us + sim_below(&w->rand, for_us));
		}
	}
}

/* Whoever was down for good comes back. */
static void fault_none(struct sim *w)
{
	unsigned int pair = some_pair(w);

	for (unsigned int h = 0; h < SIM_HOSTS; h++)
		sim_mend_host(&w->host[pair][h]);
	sim_trace(w, "servers p%u are all well", pair);
}

/* ---- Paths */

void sim_mend_path(struct sim_path *path)
{
	path->cut = false;
	path->loss = path->dup = path->mangle = 0;
	path->jitter_us = 0;
	path->generation++;
}

static void on_path_mended(struct sim *w, struct sim_event *e)
{
	struct sim_path *path = &w->in[e->instance].path[e->pair][e->host];

	if (path->generation != e->value)
		return;
	sim_mend_path(path);
	sim_trace(w, "path %u to p%u/%u is well", e->instance, e->pair, e->host);
	sim_watch_truth(w);
}

static void break_path(struct sim *w, unsigned int instance, unsigned int pair, unsigned int host,
		       bool cut, uint64_t for_us)
{
	struct sim_path *path = &w->in[instance].path[pair][host];
	struct sim_event *e;

	path->cut = cut;
	if (!cut) {
		path->loss = (unsigned int)sim_between(&w->rand, 1, 400);
		path->dup = (unsigned int)sim_below(&w->rand, 200);
		path->mangle = (unsigned int)sim_below(&w->rand, 50);
		path->jitter_us = sim_between(&w->rand, 1, SEC);
		path->delay_us = sim_between(&w->rand, 50, 200 * MS);
	}
	path->generation++;
	sim_trace(w, "path %u to p%u/%u: cut %d, loss %u, delay %llu us", instance, pair, host, cut,
		  path->loss, (unsigned long long)path->delay_us);
	e = sim_at(w, for_us, on_path_mended, 0);
	e->instance = instance;
	e->pair = pair;
	e->host = host;
	e->value = path->generation;
}

static void fault_path(struct sim *w)
{
	struct sim_instance *in = some_instance(w);
	unsigned int pair = some_pair(w);

	break_path(w, in->id, pair, some_host(w, in, pair),
		   w->regime.clean || sim_chance(&w->rand, 400), span(w));
}

/* An instance's own link. */
static void fault_link(struct sim *w)
{
	unsigned int i = some_instance(w)->id;
	uint64_t for_us = span(w);

	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		for (unsigned int h = 0; h < SIM_HOSTS; h++)
			break_path(w, i, p, h, true, for_us);
	}
}

/* ---- Operators */

static void order(struct sim_instance *in, unsigned int pair, bool undo)
{
	struct sim_rand *r = &in->w->rand;
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);
	char name[] = { 'p', (char)('0' + pair), '\0' }, err[CTL_PAIR_TEXT], member[64];
	unsigned int s, what = undo ? 5 : (unsigned int)sim_below(r, 7);

	if (!in->up || rp == NULL || rp->conf.n == 0)
		return;
	s = rp->conf.order[sim_below(r, rp->conf.n)];
	if (rp->m[s].name == NULL)
		return;
	snprintf(member, sizeof(member), "%s/%s", name, rp->m[s].name);
	sim_trace(in->w, "instance %u: order %u about %s", in->id, what, member);
	in->ordered = 1u << pair;
	in->w->stats.orders++;
	switch (what) {
	case 0: ctl_pairs_switch(in->ps, name, rp->m[s].name, "op", err); break;
	case 1: ctl_pairs_switch(in->ps, name, NULL, "op", err); break;
	case 2: ctl_pairs_pin(in->ps, name, true, "op", err); break;
	case 3: ctl_pairs_pin(in->ps, name, false, "op", err); break;
	case 4: ctl_pairs_drain(in->ps, member, "op", err); break;
	case 5: ctl_pairs_enable(in->ps, member, "op", err); break;
	default: ctl_pairs_disable(in->ps, member, "op", err); break;
	}
	sim_judge_end(in, pair);
	in->ordered = 0;
}

void sim_undo_orders(struct sim_instance *in, unsigned int pair)
{
	const char name[] = { 'p', (char)('0' + pair), '\0' };
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);
	char err[CTL_PAIR_TEXT], member[64];

	if (!in->up || rp == NULL)
		return;
	in->ordered = 1u << pair;
	ctl_pairs_pin(in->ps, name, false, "op", err);
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (rp->m[s].name == NULL || !rp->st.m[s].present)
			continue;
		snprintf(member, sizeof(member), "%s/%s", name, rp->m[s].name);
		ctl_pairs_enable(in->ps, member, "op", err);
	}
	sim_judge_end(in, pair);
	in->ordered = 0;
}

static void on_undo(struct sim *w, struct sim_event *e)
{
	sim_undo_orders(&w->in[e->instance], e->pair);
}

static void fault_order(struct sim *w)
{
	struct sim_instance *in = some_instance(w);
	unsigned int pair = some_pair(w);
	struct sim_event *e;

	if (!w->regime.orders || !in->up)
		return;
	order(in, pair, false);
	if (sim_chance(&w->rand, 300))
		return;
	e = sim_at(w, span(w), on_undo, 0);
	e->instance = in->id;
	e->pair = pair;
}

/* ---- The instance itself */

static void on_started(struct sim *w, struct sim_event *e)
{
	struct sim_instance *in = &w->in[e->instance];

	if (!in->up)
		sim_start(in, e->value == 0);
}

/* What the state file and the words kept must be what is there again. */
static void fault_restart(struct sim *w)
{
	struct sim_instance *in = some_instance(w);
	bool killed = sim_chance(&w->rand, 500), reboot = sim_chance(&w->rand, 250);
	struct sim_event *e;

	if (!w->regime.restarts || !in->up)
		return;
	sim_trace(w, "instance %u %s%s", in->id, killed ? "is killed" : "ends",
		  reboot ? ", its host boots anew" : "");
	w->stats.restarts++;
	sim_stop(in, killed);
	if (reboot) {
		memset((void *)in->words, 0, sizeof(in->words));
		ctl_numbers_free(in->numbers);
		in->numbers = NULL;
		in->base_us = 5 * SEC - w->now_us;
		in->lag_us = 0;
	}
	if (sim_chance(&w->rand, 100)) {
		free(in->disk.text);
		in->disk.text = sim_chance(&w->rand, 500) ? strdup("{ \"version\": 1, \"pa") : NULL;
	}
	e = sim_at(w, sim_between(&w->rand, MS, 60 * SEC), on_started, 0);
	e->instance = in->id;
	e->value = reboot;
}

static void on_reload_end(struct sim *w, struct sim_event *e)
{
	struct sim_instance *in = &w->in[e->instance];

	if (in->up && in->epoch == e->epoch && in->next != NULL) {
		sim_trace(w, "instance %u: the new configuration is %s", in->id,
			  e->value ? "given up" : "in force");
		sim_reload_end(in, e->value != 0);
	}
}

static void fault_reload(struct sim *w)
{
	struct sim_instance *in = some_instance(w);
	struct sim_event *e;

	if (!w->regime.reloads || !in->up || in->next != NULL || in->paused)
		return;
	sim_trace(w, "instance %u: a new configuration", in->id);
	sim_reload_begin(in);
	e = sim_at(w, sim_between(&w->rand, 10, 2 * SEC), on_reload_end, 0);
	e->instance = in->id;
	e->epoch = in->epoch;
	e->value = sim_chance(&w->rand, 100);
}

static void on_stall_over(struct sim *w, struct sim_event *e)
{
	struct sim_instance *in = &w->in[e->instance];

	if (in->epoch != e->epoch)
		return;
	in->stall_us = w->now_us;
	sim_watch_restart(in);
}

static void fault_stall(struct sim *w)
{
	struct sim_instance *in = some_instance(w);
	uint64_t for_us = sim_between(&w->rand, MS, 20 * SEC);
	struct sim_event *e;

	if (!w->regime.stalls || in->busy_us > w->now_us)
		return;
	sim_trace(w, "instance %u does not run for %llu us", in->id, (unsigned long long)for_us);
	in->busy_us = w->now_us + for_us;
	e = sim_at(w, for_us, on_stall_over, 0);
	e->instance = in->id;
	e->epoch = in->epoch;
}

static void on_pause_over(struct sim *w, struct sim_event *e)
{
	struct sim_instance *in = &w->in[e->instance];

	if (in->up && in->epoch == e->epoch)
		sim_pause(in, false);
}

static void fault_pause(struct sim *w)
{
	struct sim_instance *in = some_instance(w);
	struct sim_event *e;

	if (!w->regime.pauses || !in->up || in->paused)
		return;
	sim_trace(w, "instance %u has no data plane", in->id);
	sim_pause(in, true);
	e = sim_at(w, span(w), on_pause_over, 0);
	e->instance = in->id;
	e->epoch = in->epoch;
}

static void fault_wall(struct sim *w)
{
	struct sim_instance *in = some_instance(w);
	uint64_t by = sim_between(&w->rand, SEC, 86400 * SEC);

	if (!w->regime.wall)
		return;
	sim_trace(w, "instance %u: the wall clock jumps by %llu us", in->id,
		  (unsigned long long)by);
	in->wall_us = sim_chance(&w->rand, 500) ? in->wall_us + by : in->wall_us - by;
}

static void fault_attack(struct sim *w)
{
	struct sim_instance *in = some_instance(w);

	if (!w->regime.attacks)
		return;
	for (uint64_t n = sim_between(&w->rand, 1, 32); n > 0; n--)
		sim_net_attack(in);
}

/* ---- All of them */

static const struct {
	void (*happen)(struct sim *w);
	unsigned int weight;
} faults[] = {
	{ fault_host, 40 }, { fault_hosts, 3 },  { fault_none, 4 },    { fault_path, 15 },
	{ fault_link, 4 },  { fault_order, 10 }, { fault_restart, 4 }, { fault_reload, 4 },
	{ fault_stall, 5 }, { fault_pause, 3 },  { fault_wall, 2 },    { fault_attack, 8 },
};
#define N_FAULTS (sizeof(faults) / sizeof(faults[0]))

static void on_fault(struct sim *w, struct sim_event *e)
{
	uint64_t all = 0, x;
	unsigned int i = 0;

	(void)e;
	if (w->healing)
		return;
	for (unsigned int k = 0; k < N_FAULTS; k++)
		all += faults[k].weight;
	for (x = sim_below(&w->rand, all); x >= faults[i].weight; i++)
		x -= faults[i].weight;
	w->stats.faults++;
	faults[i].happen(w);
	sim_watch_truth(w);
	sim_at(w, sim_gap(&w->rand, w->regime.fault_us), on_fault, 0);
}

void sim_faults_start(struct sim *w)
{
	sim_at(w, sim_gap(&w->rand, w->regime.fault_us), on_fault, 0);
}
