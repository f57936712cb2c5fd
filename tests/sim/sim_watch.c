/*
 * The rules about time: what must have happened by now. Each is held against what really is (which
 * servers live and can be reached) and against the bounds that the settings promise (sim_bound.h).
 *
 * A wait begins anew when anything but servers and paths changes: an order, a reload, a restart, a
 * stall of the process, the active member or the pair's state.
 */
#include "tests/sim/sim.h"

#include <string.h>

#include "tests/sim/sim_bound.h"

#define GOOD_RTT_US (100 * MS) /* slower than this is not held against anybody */
#define SLACK_US    (5 * MS)

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- What is true */

static enum sim_truth truth_of(const struct sim_host *h, const struct sim_path *path,
			       const struct ctl_pair_conf *conf, uint64_t rtt_us)
{
	uint64_t least = ctl_pair_check_timeout(conf);

	if (path->cut || h->mood != SIM_ALIVE)
		return SIM_BAD;
	if (ctl_pair_force_timeout(conf) < least)
		least = ctl_pair_force_timeout(conf);
	if (path->loss != 0 || path->mangle != 0 || h->options_code != 200
	    || h->register_code != 200 || h->live != SIM_LIVE_WELL || rtt_us > GOOD_RTT_US
	    || 2 * rtt_us >= least)
		return SIM_MURKY;
	return SIM_GOOD;
}

static void renew(struct sim_instance *in, unsigned int pair, unsigned int slot)
{
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);
	unsigned int host = sim_host_of(rp, slot);
	struct sim_book *b = &in->book[pair];
	uint64_t now = in->w->now_us, rtt;
	enum sim_truth truth;

	if (host >= SIM_HOSTS)
		return;
	const struct sim_host *h = &in->w->host[pair][host];
	const struct sim_path *path = &in->path[pair][host];

	rtt = 2 * (path->delay_us + path->jitter_us) + h->think_us;
	truth = truth_of(h, path, &rp->conf, rtt);
	b->flight_us[slot] = later(b->flight_us[slot], now + b->rtt_us[slot]);
	b->rtt_us[slot] = rtt;
	if (truth == b->truth[slot])
		return;
	b->truth[slot] = truth;
	b->truth_us[slot] = truth == SIM_BAD ? later(now, b->flight_us[slot]) : now;
}

void sim_watch_truth(struct sim *w)
{
	for (unsigned int i = 0; i < w->n_instances; i++) {
		for (unsigned int p = 0; p < SIM_PAIRS; p++) {
			if (sim_pair(&w->in[i], p) == NULL)
				continue;
			for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++)
				renew(&w->in[i], p, s);
		}
	}
}

/* ---- What begins a wait anew */

static uint64_t flags_of(const struct ctl_pair_state *p)
{
	uint64_t f = p->active | (uint64_t)p->phase << 8 | (uint64_t)p->pinned << 16
		     | (uint64_t)p->manual << 17 | (uint64_t)p->cut << 18;

	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		unsigned int marks = p->m[s].present;

		marks |= (unsigned int)p->m[s].disabled << 1;
		marks |= (unsigned int)p->m[s].draining << 2;
		marks |= (unsigned int)p->m[s].degraded << 3;
		f = f * 1099511628211ull + marks;
	}
	return f;
}

void sim_watch_restart(struct sim_instance *in)
{
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		in->book[p].steady_us = in->w->now_us;
		in->book[p].conf_us = sim_mono(in);
	}
	sim_watch_truth(in->w);
}

/* A probe that was sent under other settings ends when those said. */
void sim_watch_reload(struct sim_instance *in)
{
	uint64_t now = sim_mono(in);

	sim_watch_restart(in);
	for (const struct sim_probe *pr = in->probes; pr != NULL; pr = pr->next) {
		struct sim_book *b = &in->book[pr->pair];
		uint64_t end = pr->sent_us + pr->order.timeout_us;

		b->settled_us = later(b->settled_us, in->w->now_us + (end > now ? end - now : 0));
		b->steady_us = b->settled_us;
	}
}

void sim_book_adopt(struct sim_instance *in, unsigned int pair)
{
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);
	struct sim_book *b = &in->book[pair];

	if (rp == NULL) {
		memset(b, 0, sizeof(*b));
		return;
	}
	b->known = true;
	b->moving = false;
	b->word = rp->word;
	b->steady_us = in->w->now_us;
	b->conf_us = b->active_us = sim_mono(in);
	b->returned_us = rp->st.returned_us;
	b->flaps = rp->st.flaps;
	snprintf(b->phase, sizeof(b->phase), "%s", ctl_pair_phase_name(rp->st.phase));
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		sim_seen_reset(&b->seen[s]);
		b->seen[s].failback_us = 0;
		b->seen[s].bad = 0;
		b->seen[s].health = rp->st.m[s].present ? rp->st.m[s].health : 0;
		b->left_us[s] = rp->st.m[s].left_us;
		renew(in, pair, s);
	}
}

/* ---- Deadlines */

struct watch {
	struct sim_instance *in;
	unsigned int pair;
	const struct sim_book *b;
	const struct ctl_pairs_pair *rp;
	uint64_t now_us, late_us;
};

/* What the machine excuses after the process did not run (CTL_PAIR_VOIDS). */
static uint64_t excuse(const struct watch *k, uint64_t since_us)
{
	const struct ctl_pair_conf *conf = &k->rp->conf;
	uint64_t t = later(ctl_pair_check_timeout(conf), ctl_pair_force_timeout(conf));

	return k->in->stall_us != 0 && k->in->stall_us >= since_us ? (CTL_PAIR_VOIDS + 1) * t : 0;
}

static void must(const struct watch *k, uint64_t since_us, uint64_t bound_us, const char *what)
{
	/* Every probe of a row has a timer for its sending and one for its end. */
	uint64_t timers = 2ull * (k->rp->conf.fall + k->rp->conf.rise + k->rp->conf.n);
	uint64_t late = timers * k->late_us + SLACK_US + bound_us / 1000 + excuse(k, since_us);

	if (k->now_us > since_us + bound_us + late)
		sim_fail(k->in->w, k->in, k->pair, "%s for %llu us; the settings promise %llu us",
			 what, (unsigned long long)(k->now_us - since_us),
			 (unsigned long long)bound_us);
}

static bool eligible(const struct ctl_pair_state *p, unsigned int slot)
{
	return p->m[slot].present && !p->m[slot].disabled && (!p->pinned || slot == p->active);
}

static uint64_t calm(const struct watch *k, unsigned int slot)
{
	return later(later(k->b->steady_us, k->b->truth_us[slot]), k->b->seen[slot].uneasy_us);
}

/* A dead active member is left. */
static void watch_dead(const struct watch *k)
{
	unsigned int active = k->rp->st.active;
	const struct sim_book *b = k->b;
	uint64_t since = later(b->steady_us, b->truth_us[active]);
	uint64_t bound = sim_bound_detect(&k->rp->conf, b->rtt_us[active]);

	if (b->truth[active] != SIM_BAD)
		return;
	if (bound != 0)
		must(k, since, bound, "traffic has gone to a dead member");
	if (b->seen[active].doubt_us >= since)
		must(k, b->seen[active].doubt_us, sim_bound_suspect() - CTL_PAIR_T1_US,
		     "traffic has gone to a member that was said to be dead");
}

/* While nobody is known alive: whoever answers gets the pair, and if nobody does, all are told. */
static void watch_search(const struct watch *k)
{
	const struct ctl_pair_state *p = &k->rp->st;
	uint64_t all_since = k->b->steady_us;
	unsigned int n = 0, n_bad = 0;

	for (unsigned int i = 0; i < k->rp->conf.n; i++)
		n += eligible(p, k->rp->conf.order[i]);
	for (unsigned int i = 0; i < k->rp->conf.n; i++) {
		unsigned int s = k->rp->conf.order[i];

		if (!eligible(p, s))
			continue;
		if (k->b->truth[s] == SIM_GOOD)
			must(k, later(k->b->steady_us, k->b->truth_us[s]),
			     sim_bound_search(&k->rp->conf, n, k->b->rtt_us[s]),
			     "nobody is active although a member answers");
		if (k->b->truth[s] != SIM_BAD)
			continue;
		n_bad++;
		all_since = later(all_since, k->b->truth_us[s]);
	}
	if (p->phase == CTL_PAIR_UNKNOWN && n_bad == n && n > 0)
		must(k, all_since, sim_bound_missed(&k->rp->conf, n),
		     "nobody answers, but the pair is not out of service");
}

/* World time of the end of a slot's hold. */
static uint64_t hold_end(const struct watch *k, unsigned int slot)
{
	uint64_t end = sim_hold_end(k->in, k->pair, slot), now = sim_mono(k->in);

	return end > now ? k->now_us + (end - now) : k->now_us - (now - end);
}

/* A better member that is well gets the pair back as the failback mode says. */
static void watch_return(const struct watch *k)
{
	const struct ctl_pair_state *p = &k->rp->st;
	const struct ctl_pair_conf *conf = &k->rp->conf;
	unsigned int n_better = 0;

	if (p->pinned || p->manual || p->cut)
		return;
	while (n_better < conf->n && conf->order[n_better] != p->active)
		n_better++;
	for (unsigned int i = 0; i < conf->n && conf->order[i] != p->active; i++) {
		unsigned int s = conf->order[i];
		uint64_t since;

		if (!p->m[s].present || p->m[s].disabled || p->m[s].draining || p->m[s].degraded
		    || k->b->truth[s] != SIM_GOOD)
			continue;
		since = later(calm(k, s), hold_end(k, s));
		if ((conf->failback & CTL_FAILBACK_IMMEDIATE) != 0)
			must(k, since, sim_bound_immediate(conf, k->b->rtt_us[s]),
			     "a better member answers and is not returned to");
		else if ((conf->failback & CTL_FAILBACK_TIMED) != 0)
			must(k, since, sim_bound_timed(conf, n_better),
			     "a better member answers and is not returned to");
	}
}

void sim_watch(struct sim_instance *in, unsigned int pair)
{
	struct sim_book *b = &in->book[pair];
	const struct ctl_pairs_pair *rp = sim_pair(in, pair);
	const struct watch k = { .in = in,
				 .pair = pair,
				 .b = b,
				 .rp = rp,
				 .now_us = in->w->now_us,
				 .late_us = in->w->regime.late_us };
	uint64_t flags = flags_of(&rp->st);

	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (!rp->st.m[s].present)
			b->left_us[s] = 0; /* whoever comes next begins anew */
	}
	b->manual = rp->st.manual;
	if (flags != b->flags)
		b->steady_us = later(in->w->now_us, b->settled_us);
	b->flags = flags;
	if (in->paused || in->busy_us > in->w->now_us || rp->st.active == CTL_PAIR_NONE)
		return;
	if (sim_lost(b->word)) {
		watch_search(&k);
		return;
	}
	watch_dead(&k);
	watch_return(&k);
}
