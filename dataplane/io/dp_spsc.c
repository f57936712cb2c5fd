#include "dataplane/io/dp_spsc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_SLOTS (1u << 16)

int dp_spsc_init(struct dp_spsc *r, uint32_t size)
{
	uint32_t slots = 1;

	while (slots < size && slots < SIZE_MAX_SLOTS)
		slots *= 2;
	memset(r, 0, sizeof(*r));
	r->slots = calloc(slots, sizeof(*r->slots));
	if (!r->slots)
		return -ENOMEM;
	r->size = slots;
	return 0;
}

void dp_spsc_fini(struct dp_spsc *r)
{
	free(r->slots);
	r->slots = NULL;
}

uint32_t dp_spsc_put(struct dp_spsc *r, void *const *p, uint32_t n)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (r->size - (head - r->tail_seen) < n)
		/* Acquire, with the taker's release of tail: its reads of the slots that are about
		 * to be written over come before our writes. */
		r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
	if (n > r->size - (head - r->tail_seen))
		n = r->size - (head - r->tail_seen);
	for (uint32_t i = 0; i < n; i++)
		r->slots[(head + i) & (r->size - 1)] = p[i];
	/* Release, with the taker's acquire of head: slots, and what they point at, before it. */
	atomic_store_explicit(&r->head, head + n, memory_order_release);
	return n;
}

uint32_t dp_spsc_take(struct dp_spsc *r, void **p, uint32_t n)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (r->head_seen - tail < n)
		/* Acquire, with the putter's release of head. */
		r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
	if (n > r->head_seen - tail)
		n = r->head_seen - tail;
	for (uint32_t i = 0; i < n; i++)
		p[i] = r->slots[(tail + i) & (r->size - 1)];
	/* Release, with the putter's acquire of tail: our reads of the slots before it. */
	atomic_store_explicit(&r->tail, tail + n, memory_order_release);
	return n;
}
