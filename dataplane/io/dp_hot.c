#include "dataplane/io/dp_hot.h"

#include <string.h>

#define FULL_LEAST  8  /* whole bursts in a window before the queue counts as full */
#define LOAD_LEAST  60 /* percent: below, the worker keeps up */
#define LOAD_BEYOND 25 /* percent that the others must have less */
#define SHARE       16 /* a bucket with one in so many samples is marked */
#define PAUSE       5  /* windows between two markings */
#define SWEEP       16 /* buckets looked at in each window */

void dp_hot_init(struct dp_hot *h)
{
	memset(h, 0, sizeof(*h));
}

void dp_hot_burst(struct dp_hot *h, bool full, uint32_t bucket)
{
	h->some++;
	if (!full)
		return;
	h->full++;
	if (h->samples[bucket] < UINT16_MAX) {
		h->samples[bucket]++;
		h->n_samples++;
	}
}

/* Buckets whose time is over leave the count, so that it is 0 again when nothing is hot. */
static void sweep(struct dp_hot *h, uint64_t now_us)
{
	for (unsigned int i = 0; i < SWEEP && h->n_marked; i++) {
		uint64_t *until = &h->until_us[h->swept];

		if (*until && *until <= now_us) {
			*until = 0;
			h->n_marked--;
		}
		h->swept = (h->swept + 1) % DP_HOT_BUCKETS;
	}
}

static bool runs_full(const struct dp_hot *h, unsigned int load, unsigned int other)
{
	return h->full >= FULL_LEAST && h->full * 2 >= h->some && load >= LOAD_LEAST
	       && load >= other + LOAD_BEYOND;
}

/* Most of what is not marked yet; where nothing stands out, the first one that was seen most. */
static unsigned int mark(struct dp_hot *h, uint64_t now_us)
{
	uint32_t most = 0, least = h->n_samples / SHARE;
	unsigned int n = 0;

	for (unsigned int i = 0; i < DP_HOT_BUCKETS; i++)
		if (!dp_hot_is(h, i, now_us) && h->samples[i] > most)
			most = h->samples[i];
	if (most == 0)
		return 0;
	if (least > most || least == 0)
		least = most;
	for (unsigned int i = 0; i < DP_HOT_BUCKETS; i++) {
		if (h->samples[i] < least || dp_hot_is(h, i, now_us))
			continue;
		if (h->until_us[i] == 0)
			h->n_marked++;
		dp_hot_keep(h, i, now_us);
		n++;
	}
	return n;
}

unsigned int dp_hot_window(struct dp_hot *h, unsigned int load, unsigned int other, uint64_t now_us)
{
	unsigned int n = 0;

	sweep(h, now_us);
	if (h->pause)
		h->pause--;
	else if (runs_full(h, load, other))
		n = mark(h, now_us);
	if (n) {
		h->ever = true;
		h->pause = PAUSE;
	}
	if (h->n_samples)
		memset(h->samples, 0, sizeof(h->samples));
	h->some = h->full = h->n_samples = 0;
	return n;
}
