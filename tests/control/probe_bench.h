/*
 * What tests of the prober over streams share: a loop, a prober, and one result.
 */
#pragma once

#include "control/probe/ctl_clock.h"
#include "control/probe/ctl_probe.h"
#include "tests/control/probe_peer.h"

#define MS 1000ull

struct bench {
	struct event_base *base;
	struct ctl_clock *clock;
	struct ctl_prober *prober;
	unsigned int n_done;
	struct ctl_probe_result done;
};

void bench_begin(struct bench *b);
void bench_end(struct bench *b);

/** Run the loop until n probes are done since the last bench_probe(), or the time is over. */
void bench_run(struct bench *b, unsigned int n, uint64_t at_most_us);

/** @param timeout_us  The probe's time; attempts to connect are spread over it. */
struct ctl_probe *bench_probe(struct bench *b, struct ctl_target *t, enum ctl_probe_method method,
			      uint64_t timeout_us);
uint64_t bench_count(const struct bench *b, enum ctl_probe_count c);
