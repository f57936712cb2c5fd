#include "dataplane/io/dp_share.h"

#include <rte_cycles.h>

static void ring_full(void *arg, void *packet)
{
	struct dp_share *s = arg;

	s->count->reason[DP_REASON_HANDOVER_FULL]++;
	rte_pktmbuf_free(packet);
}

void dp_share_init(struct dp_share *s, struct dp_handover *h, unsigned int worker, uint8_t mode,
		   unsigned int n_queues, struct dp_worker_counters *count)
{
	s->count = count;
	s->watches = h && mode == DP_SPREAD_AUTO;
	s->scatters = h && n_queues > 1;
	s->spread = s->scatters ? STEER_SPREAD_LATE : STEER_SPREAD_NONE;
	if (h && mode == DP_SPREAD_ALWAYS)
		s->spread = STEER_SPREAD_ALL;
	dp_hot_init(&s->hot);
	dp_mail_init(&s->mail, h, worker, ring_full, s);
	s->window_tsc = rte_rdtsc();
	s->window_busy = count->busy_cycles;
}

void dp_share_put(struct dp_share *s, unsigned int to, struct rte_mbuf *m, unsigned int port,
		  const struct dp_endpoint *source, uint8_t spread, uint64_t now_us)
{
	uint32_t bucket = dp_hot_bucket(source);

	/* Only the time of a source that is hot now is prolonged. */
	if (s->watches && spread == STEER_SPREAD_ALL && dp_hot_is(&s->hot, bucket, now_us))
		dp_hot_keep(&s->hot, bucket, now_us);
	m->hash.usr = port;
	dp_mail_put(&s->mail, to, m);
}

void dp_share_window(struct dp_share *s, uint64_t now_us)
{
	uint64_t tsc = rte_rdtsc(), busy = s->count->busy_cycles, span = tsc - s->window_tsc;
	unsigned int load;

	if (!s->watches || span == 0)
		return;
	load = (unsigned int)((busy - s->window_busy) * 100 / span);
	s->window_tsc = tsc;
	s->window_busy = busy;
	dp_handover_set_load(s->mail.h, s->mail.worker, load);
	if (dp_hot_window(&s->hot, load, dp_handover_other_load(s->mail.h, s->mail.worker), now_us))
		s->spread = STEER_SPREAD_LATE;
}
