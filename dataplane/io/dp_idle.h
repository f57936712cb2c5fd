/*
 * What a worker does in a round that brought nothing: look again, sleep (dp_rest.h), or wait for
 * what would end its rest: its ports' descriptors, its interrupts, mail from other workers.
 *
 * Made by the main thread before its worker starts, and that worker's from then on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/io/dp_handover.h"
#include "dataplane/io/dp_irq.h"
#include "dataplane/io/dp_rest.h"
#include "dataplane/io/dp_wake.h"

#define DP_IDLE_FLIGHT_US \
	1000 /* the longest wait while requests are in flight: their timers' pace */

struct dp_shared;
struct dp_worker_counters;

struct dp_idling {
	struct dp_rest rest;
	struct dp_wake wake;
	struct dp_irq irq;
	uint64_t weighed_us, cpu_us; /* when sleeping was weighed; CPU time then. 0: not yet */
};

/**
 * @param shared   Its ports are open, its wake is found.
 * @param worker   Number: that of its queues, too.
 * @param mail_fd  Readable when other workers have handed something over; -1: there is none.
 */
void dp_idle_init(struct dp_idling *id, const struct dp_shared *shared, unsigned int worker,
		  int mail_fd);
void dp_idle_fini(struct dp_idling *id);

/** A round brought packets. */
static inline void dp_idle_busy(struct dp_idling *id)
{
	dp_rest_busy(&id->rest);
	dp_irq_disarm(&id->irq);
}

/**
 * A round brought none. Returns at once, or after a sleep, or when something came.
 *
 * @param count   The worker's: sleeps and what ended them are counted; its records_in_use bounds
 * the wait.
 * @param now_us  Of CLOCK_MONOTONIC, when the round began.
 * @param held    Packets wait for a next hop: no long wait then.
 */
void dp_idle_rest(struct dp_idling *id, struct dp_mail *mail, struct dp_worker_counters *count,
		  uint64_t now_us, bool held);
