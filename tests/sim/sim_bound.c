#include "tests/sim/sim_bound.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t burst(void)
{
	return (uint64_t)CTL_PAIR_BURST * CTL_PAIR_BURST_MAX;
}

/* probe-timeout, or its default: the period, at most 5 s (REQUIREMENTS 3, Probes). */
static uint64_t timeout(const struct ctl_pair_conf *conf, uint64_t period_us)
{
	if (conf->timeout_us != 0)
		return conf->timeout_us;
	return period_us < 5000000 ? period_us : 5000000;
}

uint64_t sim_bound_detect(const struct ctl_pair_conf *conf, uint64_t rtt_us)
{
	uint64_t t = timeout(conf, conf->check_us);

	if (conf->check_us == 0)
		return 0;
	return rtt_us + conf->check_us + (conf->fall - 1) * larger(conf->check_us, t) + t;
}

uint64_t sim_bound_suspect(void)
{
	return CTL_PAIR_T1_US + CTL_PAIR_COOL_US + burst();
}

uint64_t sim_bound_search(const struct ctl_pair_conf *conf, unsigned int n, uint64_t rtt_us)
{
	return timeout(conf, conf->force_us) + n * conf->force_us + burst() + rtt_us;
}

uint64_t sim_bound_missed(const struct ctl_pair_conf *conf, unsigned int n)
{
	return (n + 1) * conf->force_us + 2 * timeout(conf, conf->force_us);
}

uint64_t sim_bound_immediate(const struct ctl_pair_conf *conf, uint64_t rtt_us)
{
	uint64_t period = conf->check_us != 0 ? conf->check_us : conf->force_us;
	uint64_t t = timeout(conf, period);

	return larger(t, period) + conf->rise * larger(period, rtt_us) + rtt_us;
}

uint64_t sim_bound_timed(const struct ctl_pair_conf *conf, unsigned int n_better)
{
	return conf->interval_us + 2 * n_better * 64ull * CTL_PAIR_T1_US;
}
