/*
 * The simulator's queue, clocks and main loop.
 */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/probe/ctl_probe.h"

#define DEEP_EVERY 64u /* events between dearer checks */
#define BEGIN_US   (1000 * SEC)

/* ---- The queue: a binary heap by time, then by order of arrival */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->serial < b->serial;
}

static void sift_up(struct sim *w, size_t i)
{
	while (i > 0 && before(w->queue[i], w->queue[(i - 1) / 2])) {
		struct sim_event *e = w->queue[i];

		w->queue[i] = w->queue[(i - 1) / 2];
		w->queue[(i - 1) / 2] = e;
		i = (i - 1) / 2;
	}
}

static void sift_down(struct sim *w, size_t i)
{
	for (;;) {
		size_t least = i;

		for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < w->n_queue; c++) {
			if (before(w->queue[c], w->queue[least]))
				least = c;
		}
		if (least == i)
			return;
		struct sim_event *e = w->queue[i];

		w->queue[i] = w->queue[least];
		w->queue[least] = e;
		i = least;
	}
}

struct sim_event *sim_at(struct sim *w, uint64_t in_us,
			 void (*fire)(struct sim *w, struct sim_event *e), size_t text)
{
	struct sim_event *e = calloc(1, sizeof(*e) + text + 1);

	if (w->n_queue == w->queue_room) {
		w->queue_room = 2 * w->queue_room + 64;
		w->queue = realloc(w->queue, w->queue_room * sizeof(*w->queue));
	}
	if (e == NULL || w->queue == NULL)
		abort();
	e->at_us = w->now_us + in_us;
	e->serial = ++w->serial;
	e->fire = fire;
	w->queue[w->n_queue++] = e;
	sift_up(w, w->n_queue - 1);
	return e;
}

static struct sim_event *take(struct sim *w)
{
	struct sim_event *e = w->queue[0];

	w->queue[0] = w->queue[--w->n_queue];
	sift_down(w, 0);
	return e;
}

/* ---- Saying */

static void print_time(const struct sim *w, FILE *to)
{
	fprintf(to, "%" PRIu64 ".%06" PRIu64 " s", w->now_us / SEC, w->now_us % SEC);
}

static void dump(const struct sim_instance *in, unsigned int pair);

void sim_fail(struct sim *w, const struct sim_instance *in, unsigned int pair, const char *format,
	      ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "seed %" PRIu64 ", ", w->opt.seed);
	print_time(w, stderr);
	if (in != NULL)
		fprintf(stderr, ", instance %u", in->id);
	if (in != NULL && pair < SIM_PAIRS)
		fprintf(stderr, ", pair p%u", pair);
	fprintf(stderr, ": ");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	if (in != NULL && pair < SIM_PAIRS && sim_pair(in, pair) != NULL)
		dump(in, pair);
	fprintf(stderr, "replay: scripts/sim --seed %" PRIu64 " --events %" PRIu64 " --trace\n",
		w->opt.seed, w->opt.budget);
	fflush(stderr);
	_exit(1);
}

void sim_trace(struct sim *w, const char *format, ...)
{
	va_list ap;

	if (!w->opt.trace)
		return;
	print_time(w, stdout);
	printf(" ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
}

void sim_digest(struct sim *w, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		w->digest = (w->digest ^ ((const uint8_t *)bytes)[i]) * 1099511628211ull;
}

/* What an instance knows, for whoever looks for the reason. */
static void dump(const struct sim_instance *in, unsigned int pair)
{
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);
	const struct ctl_pair_state *p = &rp->st;
	uint64_t now = sim_mono(in);

	fprintf(stderr,
		"  monotonic %" PRIu64 ": %s, active %u%s%s%s, flaps %u; wake %+" PRId64
		", turn %+" PRId64 ", failback %+" PRId64 " probe %u\n",
		now, ctl_pair_phase_name(p->phase), p->active, p->pinned ? ", pinned" : "",
		p->manual ? ", manual" : "", p->cut ? ", cut" : "", p->flaps,
		(int64_t)(p->wake_us - now), p->turn_us ? (int64_t)(p->turn_us - now) : 0,
		p->failback_us ? (int64_t)(p->failback_us - now) : 0, p->failback.id);
	for (unsigned int i = 0; i < rp->conf.n; i++) {
		unsigned int s = rp->conf.order[i];
		const struct ctl_pair_member *m = &p->m[s];

		fprintf(stderr,
			"  slot %u %s %s: %s%s, fails %u, oks %u, left %+" PRId64 ", next %+" PRId64
			", probe %u; truth %d\n",
			s, rp->m[s].name ? rp->m[s].name : "-", m->present ? "" : "(gone)",
			ctl_pair_member_name(m), m->last_good ? ", good" : "", m->fails, m->oks,
			m->left_us ? (int64_t)(m->left_us - now) : 0,
			m->next_us ? (int64_t)(m->next_us - now) : 0, m->periodic.id,
			in->book[pair].truth[s]);
	}
}

/* ---- Clocks */

uint64_t sim_mono(const struct sim_instance *in)
{
	return in->paused ? in->paused_us : in->base_us + in->w->now_us - in->lag_us;
}

/* World time of an instance's next timers; UINT64_MAX: none. */
static uint64_t next_timer(const struct sim_instance *in)
{
	uint64_t at = ctl_timers_next(&in->timers), world;

	if (!in->up || in->paused || at == 0)
		return UINT64_MAX;
	world = at + in->lag_us - in->base_us + in->late_us; /* modulo 2^64 */
	if ((int64_t)world < 0)
		world = 0;
	if (world < in->busy_us)
		world = in->busy_us;
	return world > in->w->now_us ? world : in->w->now_us;
}

/* ---- Who is who */

unsigned int sim_pair_index(const char *name)
{
	return name != NULL && name[0] == 'p' ? (unsigned int)(name[1] - '0') : SIM_PAIRS;
}

struct ctl_pairs_pair *sim_pair(const struct sim_instance *in, unsigned int pair)
{
	const char name[] = { 'p', (char)('0' + pair), '\0' };

	return in->ps != NULL ? ctl_pairs_find(in->ps, name) : NULL;
}

unsigned int sim_host_of(const struct ctl_pairs_pair *rp, unsigned int slot)
{
	return rp->m[slot].name != NULL ? rp->m[slot].at.ip.b[15] : SIM_HOSTS;
}

unsigned int sim_slot_of(const struct sim_instance *in, unsigned int pair, const char *member)
{
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);
	unsigned int s = 0;

	while (rp != NULL && s < DP_PAIR_MEMBERS
	       && (rp->m[s].name == NULL || strcmp(rp->m[s].name, member) != 0))
		s++;
	return rp != NULL ? s : DP_PAIR_MEMBERS;
}

/* ---- The loop */

static void after(struct sim *w, struct sim_instance *in)
{
	if (!in->up)
		return;
	sim_check(in);
	if (w->stats.events % DEEP_EVERY == 0)
		sim_check_deep(in);
}

#define STILL_MOST 100000u /* events at one and the same time: more is a loop without end */

static void pass(struct sim *w, uint64_t to_us)
{
	w->still = to_us > w->now_us ? 0 : w->still + 1;
	if (w->still > STILL_MOST)
		sim_fail(w, NULL, SIM_PAIRS, "time stands still");
	for (unsigned int i = 0; i < w->n_instances; i++) {
		if (w->in[i].up)
			w->stats.pair_us += (to_us - w->now_us) * w->in[i].ps->n_order;
	}
	w->now_us = to_us;
}

/* @return false when nothing is going to happen until then. */
static bool one(struct sim *w, uint64_t until_us)
{
	uint64_t at = w->n_queue != 0 ? w->queue[0]->at_us : UINT64_MAX, timers = UINT64_MAX;
	struct sim_instance *in = NULL;

	for (unsigned int i = 0; i < w->n_instances; i++) {
		uint64_t t = next_timer(&w->in[i]);

		if (t < timers) {
			timers = t;
			in = &w->in[i];
		}
	}
	if (at > until_us && timers > until_us)
		return false;
	w->stats.events++;
	if (timers < at) {
		pass(w, timers);
		sim_run_timers(in);
		after(w, in);
		return true;
	}
	struct sim_event *e = take(w);

	pass(w, e->at_us);
	e->fire(w, e);
	for (unsigned int i = 0; i < w->n_instances; i++)
		after(w, &w->in[i]);
	free(e);
	return true;
}

static void draw_regime(struct sim *w)
{
	struct sim_regime *g = &w->regime;
	struct sim_rand *r = &w->rand;

	g->slow = sim_chance(r, 750);
	g->clean = sim_chance(r, 300);
	g->gray = sim_chance(r, 300);
	g->stalls = sim_chance(r, 300);
	g->pauses = sim_chance(r, 150);
	g->restarts = sim_chance(r, 350);
	g->orders = sim_chance(r, 600);
	g->reloads = sim_chance(r, 350);
	g->attacks = sim_chance(r, 500);
	g->wall = sim_chance(r, 300);
	g->late_us = sim_chance(r, 500) ? sim_between(r, 1, 20 * MS) : 0;
	w->n_instances = sim_chance(r, 300) ? 2 : 1;
	w->n_pairs = 1 + (unsigned int)sim_below(r, SIM_PAIRS);
}

/* Once the settings are known: faults come at a pace that the probes can follow, live requests at
 * any. */
static void draw_pace(struct sim *w)
{
	struct sim_rand *r = &w->rand;

	w->regime.fault_us = sim_between(r, 2 * w->period_us, 200 * w->period_us);
	if (sim_chance(r, 700))
		w->regime.request_us = sim_between(r, w->period_us / 4 + 1, 20 * w->period_us);
	if (w->regime.gray && sim_chance(r, w->regime.slow ? 300 : 700))
		w->regime.request_us = sim_between(r, 50 * MS, SEC);
}

static void init_world(struct sim *w, const struct sim_options *opt)
{
	memset(w, 0, sizeof(*w));
	w->opt = *opt;
	w->now_us = BEGIN_US;
	w->digest = 14695981039346656037ull;
	sim_rand_init(&w->rand, opt->seed);
	draw_regime(w);
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		for (unsigned int h = 0; h < SIM_HOSTS; h++)
			w->host[p][h] = (struct sim_host){ .options_code = 200,
							   .register_code = 200,
							   .think_us = 200,
							   .digest = sim_chance(&w->rand, 500) };
	}
	for (unsigned int i = 0; i < w->n_instances; i++) {
		struct sim_instance *in = &w->in[i];

		in->w = w;
		in->id = i;
		in->base_us = (i + 1) * 5000 * SEC;
		in->wall_us = 1700000000 * SEC;
		snprintf(in->disk.path, sizeof(in->disk.path), "%s/%u.json", opt->dir, i);
		for (unsigned int p = 0; p < SIM_PAIRS; p++) {
			for (unsigned int h = 0; h < SIM_HOSTS; h++)
				in->path[p][h].delay_us = sim_between(&w->rand, 100, 20 * MS);
		}
	}
}

static void run(struct sim *w, uint64_t until_us, uint64_t budget)
{
	while (w->stats.events < budget && one(w, until_us))
		;
	if (until_us != UINT64_MAX)
		pass(w, until_us);
}

/* All faults have ended: run until all is well, at most as long as the settings allow. */
static void heal(struct sim *w)
{
	uint64_t end_us = w->now_us;
	bool healed = false;

	sim_heal(w);
	for (unsigned int i = 0; i < w->n_instances; i++) {
		uint64_t t = w->now_us + sim_heal_us(&w->in[i]);

		end_us = t > end_us ? t : end_us;
	}
	while (!healed && w->now_us < end_us) {
		run(w, w->now_us + 10 * SEC, UINT64_MAX);
		healed = true;
		for (unsigned int i = 0; i < w->n_instances; i++)
			healed &= sim_is_healed(&w->in[i], false);
	}
	for (unsigned int i = 0; i < w->n_instances; i++)
		sim_is_healed(&w->in[i], true);
}

void sim_play(struct sim *w, const struct sim_options *opt)
{
	init_world(w, opt);
	for (unsigned int i = 0; i < w->n_instances; i++)
		sim_start(&w->in[i], false);
	draw_pace(w);
	sim_faults_start(w);
	sim_traffic_start(w);
	run(w, UINT64_MAX, opt->budget);
	heal(w);
	for (unsigned int i = 0; i < w->n_instances; i++) {
		sim_stop(&w->in[i], false);
		free(w->in[i].disk.text);
		free(w->in[i].last_request);
	}
	while (w->n_queue != 0)
		free(take(w));
	free(w->queue);
}
