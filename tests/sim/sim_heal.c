/*
 * The end of all faults, and how long it may take then until all is well.
 */
#include "tests/sim/sim.h"
#include "tests/sim/sim_bound.h"

static void heal_instance(struct sim *w, struct sim_instance *in)
{
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		for (unsigned int h = 0; h < SIM_HOSTS; h++) {
			sim_mend_path(&in->path[p][h]);
			in->path[p][h].delay_us = MS;
		}
	}
	in->busy_us = w->now_us;
	if (!in->up)
		sim_start(in, true);
	sim_pause(in, false);
	if (in->next != NULL)
		sim_reload_end(in, false);
	in->stall_us = w->now_us;
	for (unsigned int p = 0; p < SIM_PAIRS; p++)
		sim_undo_orders(in, p);
	sim_watch_restart(in);
}

void sim_heal(struct sim *w)
{
	sim_trace(w, "all faults end");
	w->healing = true;
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		for (unsigned int h = 0; h < SIM_HOSTS; h++)
			sim_mend_host(&w->host[p][h]);
	}
	for (unsigned int i = 0; i < w->n_instances; i++)
		heal_instance(w, &w->in[i]);
	sim_watch_truth(w);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The longest way back that the settings of any pair promise: out of UNKNOWN, out of the hold, and
 * by failback; each may be held up once by what was under way. */
uint64_t sim_heal_us(const struct sim_instance *in)
{
	uint64_t most = 0;

	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		const struct ctl_pairs_pair *rp = sim_pair(in, p);
		uint64_t t;

		if (rp == NULL)
			continue;
		t = sim_bound_search(&rp->conf, rp->conf.n, SEC)
		    + larger(rp->conf.hold_us << rp->st.flaps,
			     (rp->conf.failback & CTL_FAILBACK_TIMED) != 0
				     ? sim_bound_timed(&rp->conf, rp->conf.n)
				     : 0)
		    + sim_bound_timed(&rp->conf, rp->conf.n)
			      * ((rp->conf.failback & CTL_FAILBACK_TIMED) != 0)
		    + sim_bound_immediate(&rp->conf, SEC) + sim_bound_detect(&rp->conf, SEC)
		    + 60 * SEC;
		most = larger(most, t);
	}
	return 2 * most;
}
