/*
 * Hand-over of packets between workers: one ring for each ordered pair of them, filled in bursts.
 * What it carries is opaque here: the receiving worker looks at the packet anew.
 *
 * A ring keeps order. A packet that finds its ring full goes to the sender's `full` callback; the
 * sender never waits. Each worker has one word of mail flags, a bit for each sender with something
 * new, so that looking for mail costs one load of a line that nobody writes while there is none.
 *
 * struct dp_handover is shared; a struct dp_mail belongs to one worker's thread.
 */
#pragma once

#include <stdbool.h>

#include "dataplane/io/dp_spsc.h"

#define DP_HANDOVER_BURST 32 /* packets for one worker before they must be sent */

struct dp_handover;

/**
 * @param size  Packets in each ring; rounded up to a power of two.
 * @return NULL when out of memory.
 */
struct dp_handover *dp_handover_new(unsigned int n_workers, uint32_t size);

/** After all workers have ended: packets still in the rings go to drop(). NULL is fine. */
void dp_handover_free(struct dp_handover *h, void (*drop)(void *packet));

/** A worker's load as it last said, percent of its time; workers: each its own. Any thread reads.
 */
void dp_handover_set_load(struct dp_handover *h, unsigned int worker, unsigned int percent);

/** Mean of the other workers' loads. */
unsigned int dp_handover_other_load(const struct dp_handover *h, unsigned int worker);

/** Packets for one other worker that wait for the end of the burst. */
struct dp_outbox {
	uint32_t n;
	void *packets[DP_HANDOVER_BURST];
};

/** One worker's side. */
struct dp_mail {
	struct dp_handover *h; /* borrowed; NULL: there are no other workers */
	unsigned int worker;
	uint32_t waiting;  /* bit per worker: its outbox is not empty */
	uint32_t unread;   /* bit per worker: its ring may hold packets for us */
	unsigned int last; /* whose ring was read last */
	void (*full)(void *arg, void *packet);
	void *arg;
	struct dp_outbox out[DP_MAX_WORKERS];
};

/** @param full  Owns the packet that it is given. */
void dp_mail_init(struct dp_mail *m, struct dp_handover *h, unsigned int worker,
		  void (*full)(void *arg, void *packet), void *arg);

/** Hand a packet to another worker. It leaves at dp_mail_send(), or when its outbox is full. */
void dp_mail_put(struct dp_mail *m, unsigned int to, void *packet);

/** Send what waits. Call at a burst's end, after what the burst's own packets became was sent, so
 * that what one call sent earlier leaves earlier. */
void dp_mail_send(struct dp_mail *m);

/** Descriptor that becomes readable when mail comes for a worker that sleeps; -1: there is none. */
int dp_mail_fd(const struct dp_mail *m);

/** About to sleep. @return false: there is mail, stay awake. */
bool dp_mail_sleep(struct dp_mail *m);

/** Awake again. */
void dp_mail_wake(struct dp_mail *m);

/** @return how many packets came from another worker, all from one; 0: there is no mail. */
unsigned int dp_mail_take(struct dp_mail *m, void **packets, unsigned int n);
