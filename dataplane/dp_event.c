/*
 * Event rings: one worker writes and never waits, control reads, counts what it missed and never
 * takes a record that was being written over.
 *
 * The record with sequence number n lies at n modulo DP_EVENTS. Its words are atomics, each stored
 * with release and loaded with acquire; this is what the header's fences ask for, spread over the
 * words, in a form that ThreadSanitizer understands, and costs nothing on x86.
 */
#include "dataplane/dp_region.h"

#include <string.h>

#define EVENT_WORDS (sizeof(struct dp_event) / sizeof(uint64_t))

/* Losses after which a reader that a faster writer keeps overtaking gives up for now. */
#define EVENT_TRIES 64

_Static_assert(offsetof(struct dp_event, seq) == 0, "word 0 guards the others");
_Static_assert((DP_EVENTS & (DP_EVENTS - 1)) == 0, "a power of two");

static uint64_t *slot_of(const struct dp_event_ring *ring, uint64_t seq)
{
	return (uint64_t *)(uintptr_t)&ring->ev[seq % DP_EVENTS];
}

void dp_event_put(struct dp_event_ring *ring, const struct dp_event *ev)
{
	uint64_t seq = atomic_load_explicit(&ring->head, memory_order_relaxed) + 1;
	uint64_t *slot = slot_of(ring, seq);
	uint64_t words[EVENT_WORDS];

	memcpy(words, ev, sizeof(words));
	__atomic_store_n(&slot[0], 0, __ATOMIC_RELAXED);
	/* Release: whoever sees one of the new words sees that seq is no longer the old one.
	 * Partner: the acquiring loads in read_slot(). */
	for (unsigned int i = 1; i < EVENT_WORDS; i++)
		__atomic_store_n(&slot[i], words[i], __ATOMIC_RELEASE);
	/* Release: whoever sees the new seq sees all the new words. Partner: the first load in
	 * read_slot(). */
	__atomic_store_n(&slot[0], seq, __ATOMIC_RELEASE);
	/* Release: whoever sees the head finds the record. Partner: the load in dp_event_get(). */
	atomic_store_explicit(&ring->head, seq, memory_order_release);
}

/* Copy the record `seq`. @return whether it was there, whole, before and after. */
static bool read_slot(const struct dp_event_ring *ring, uint64_t seq, struct dp_event *ev)
{
	const uint64_t *slot = slot_of(ring, seq);
	uint64_t words[EVENT_WORDS];

	words[0] = __atomic_load_n(&slot[0], __ATOMIC_ACQUIRE);
	if (words[0] != seq)
		return false;
	/* Acquire: seq is loaded again after these, and after what their writer did before. */
	for (unsigned int i = 1; i < EVENT_WORDS; i++)
		words[i] = __atomic_load_n(&slot[i], __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&slot[0], __ATOMIC_RELAXED) != seq)
		return false;
	memcpy(ev, words, sizeof(words));
	return true;
}

int dp_event_get(const struct dp_event_ring *ring, struct dp_event_reader *rd, struct dp_event *ev)
{
	if (rd->next == 0)
		rd->next = 1;
	for (unsigned int tries = 0; tries < EVENT_TRIES; tries++) {
		uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

		if (head < rd->next)
			return 0;
		if (head - rd->next >= DP_EVENTS) {
			uint64_t oldest = head - DP_EVENTS + 1;

			rd->missed += oldest - rd->next;
			rd->next = oldest;
		}
		if (read_slot(ring, rd->next++, ev))
			return 1;
		rd->missed++;
	}
	return 0;
}
