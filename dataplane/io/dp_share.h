/*
 * A worker's share of the work: which of its requests it may hand on, what it hands on and gets,
 * and how busy it says it is. Joins dp_hot and dp_handover to mbufs; belongs to one worker.
 *
 * Where a device has several queues it puts fragments into others than whole datagrams, of which
 * alone it sees the ports. So fragments meet at one worker then (dp_fragment_owner()), and what
 * they were goes to the worker that its Call-ID names, as that of a hot source does: there its
 * retransmissions come together, and there a CANCEL or an ACK, which may be small and come whole,
 * finds it.
 *
 * Every mbuf that is put is consumed.
 */
#pragma once

#include <rte_mbuf.h>

#include "dataplane/dp_region.h"
#include "dataplane/io/dp_handover.h"
#include "dataplane/io/dp_hot.h"
#include "dataplane/steer/steer.h"

struct dp_share {
	bool watches;   /* queues for what is hot: `spread: auto`, several workers */
	uint8_t spread; /* enum steer_spread of what is in no hot bucket */
	bool scatters;  /* fragments come to other workers than whole datagrams */
	struct dp_worker_counters *count;
	struct dp_mail mail;
	uint64_t window_tsc, window_busy; /* when it began; busy_cycles then */
	struct dp_hot hot;
};

/**
 * @param h         NULL: there is one worker.
 * @param n_queues  That the port with most of them receives from.
 */
void dp_share_init(struct dp_share *s, struct dp_handover *h, unsigned int worker, uint8_t mode,
		   unsigned int n_queues, struct dp_worker_counters *count);

/** What of a source's requests may belong to another worker: enum steer_spread. */
static inline uint8_t dp_share_spread(const struct dp_share *s, const struct dp_endpoint *source,
				      uint64_t now_us)
{
	if (s->hot.n_marked && dp_hot_is(&s->hot, dp_hot_bucket(source), now_us))
		return STEER_SPREAD_ALL;
	return s->spread;
}

/** The same of a request that was put together from fragments. */
static inline uint8_t dp_share_spread_whole(const struct dp_share *s,
					    const struct dp_endpoint *source, uint64_t now_us)
{
	return s->scatters ? STEER_SPREAD_ALL : dp_share_spread(s, source, now_us);
}

/** Give a packet to another worker; spread: as it was steered. */
void dp_share_put(struct dp_share *s, unsigned int to, struct rte_mbuf *m, unsigned int port,
		  const struct dp_endpoint *source, uint8_t spread, uint64_t now_us);

/** Port on which a packet that came from another worker was received. */
static inline unsigned int dp_share_port(const struct rte_mbuf *m)
{
	return m->hash.usr;
}

/** @return how many packets another worker has given us. */
static inline unsigned int dp_share_take(struct dp_share *s, struct rte_mbuf **m, unsigned int n)
{
	unsigned int got;

	if (!s->mail.h)
		return 0;
	got = dp_mail_take(&s->mail, (void **)m, n);
	s->count->handed_in += got;
	return got;
}

/** Every 10 ms or so. */
void dp_share_window(struct dp_share *s, uint64_t now_us);
