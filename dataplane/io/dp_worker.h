/*
 * A worker: bursts from its queues, decisions, and what becomes of them. Each runs on an lcore of
 * its own and owns everything in its struct; what it shares with the main thread is below.
 */
#pragma once

#include <rte_spinlock.h>

#include "dataplane/dp_cfg.h"
#include "dataplane/dp_region.h"
#include "dataplane/io/dp_failure.h"
#include "dataplane/io/dp_handover.h"
#include "dataplane/io/dp_pmtu.h"
#include "dataplane/io/dp_pools.h"
#include "dataplane/io/dp_port.h"
#include "dataplane/io/dp_wake.h"

/** What all workers and the main thread look at. */
struct dp_shared {
	/* main: wo before the workers start, workers: ro */
	struct dp_region *region;
	unsigned int n_ports;
	struct dp_port ports[DP_MAX_PORTS];
	struct dp_pools pools;
	/* workers: lock-free for readers */
	struct dp_pmtu pmtu;
	struct dp_wake wake;          /* of all ports; each worker copies it */
	struct dp_handover *handover; /* NULL: there is one worker */
	struct dp_secret owner_key;   /* see steer_owner_of_call() */
	struct dp_secret flow_key;    /* see dp_flow_label() */
	/* workers: for queues that several of them send on */
	rte_spinlock_t locks[DP_MAX_PORTS][DP_MAX_WORKERS];
	/* main: wo, workers: ro, both relaxed: nothing else is read after them */
	_Alignas(DP_CACHE_LINE) _Atomic bool quit;
	_Atomic uint32_t links; /* a bit per port: its link is up. Worker 0 tells control */
};

struct dp_worker;

/** Take all that the worker will need. @return NULL with *f. */
struct dp_worker *dp_worker_new(struct dp_shared *shared, unsigned int index, struct dp_failure *f);
void dp_worker_free(struct dp_worker *w);

/** The lcore's function; arg is its struct dp_worker. Returns 0 when shared->quit is set. */
int dp_worker_main(void *arg);
