/*
 * Event rings, one step at a time: what is written is read in order, and what is written over is
 * counted. What threads do to them is dp_event_stress.c's.
 */
#include "dataplane/dp_region.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/leaks.h"

TestSuite(dp_event, .fini = leaks_check);

static void put(struct dp_event_ring *ring, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i <= to; i++) {
		struct dp_event ev = { .seq = 12345,
				       .time_ns = i * 1000,
				       .type = DP_EVENT_ALIVE,
				       .member = (uint32_t)i,
				       .id = ~i };

		memset(ev.ip, (int)(i & 0xff), sizeof(ev.ip));
		dp_event_put(ring, &ev);
	}
}

static void expect(const struct dp_event_ring *ring, struct dp_event_reader *rd, uint64_t from,
		   uint64_t to)
{
	for (uint64_t i = from; i <= to; i++) {
		struct dp_event ev = { 0 };

		cr_assert(dp_event_get(ring, rd, &ev) == 1, "record %lu", i);
		cr_expect(ev.seq == i && ev.time_ns == i * 1000 && ev.member == (uint32_t)i
				  && ev.id == ~i && ev.ip[15] == (i & 0xff)
				  && ev.type == DP_EVENT_ALIVE,
			  "record %lu, not %lu", ev.seq, i);
	}
}

static void expect_none(const struct dp_event_ring *ring, struct dp_event_reader *rd)
{
	struct dp_event ev;

	cr_expect(dp_event_get(ring, rd, &ev) == 0);
}

Test(dp_event, records_are_read_once_in_order)
{
	struct dp_event_ring *ring = calloc(1, sizeof(*ring));
	struct dp_event_reader rd = { 0 };

	expect_none(ring, &rd);
	put(ring, 1, 3);
	expect(ring, &rd, 1, 3);
	expect_none(ring, &rd);
	put(ring, 4, DP_EVENTS + 3);
	expect(ring, &rd, 4, DP_EVENTS + 3);
	expect_none(ring, &rd);
	cr_expect(rd.missed == 0);
	free(ring);
}

static const struct {
	uint64_t read, written; /* before the reader looks again */
	uint64_t missed;
} gaps[] = {
	{ 0, DP_EVENTS, 0 },         { 0, DP_EVENTS + 1, 1 },
	{ 0, DP_EVENTS + 100, 100 }, { 10, DP_EVENTS + 10, 0 },
	{ 10, DP_EVENTS + 11, 1 },   { 10, 5 * DP_EVENTS + 17, 4 * DP_EVENTS + 7 },
};

Test(dp_event, what_was_written_over_is_counted_exactly)
{
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		struct dp_event_ring *ring = calloc(1, sizeof(*ring));
		struct dp_event_reader rd = { 0 };

		put(ring, 1, gaps[i].read);
		expect(ring, &rd, 1, gaps[i].read);
		put(ring, gaps[i].read + 1, gaps[i].written);
		expect(ring, &rd, gaps[i].read + gaps[i].missed + 1, gaps[i].written);
		expect_none(ring, &rd);
		cr_expect(rd.missed == gaps[i].missed, "row %zu: %lu", i, rd.missed);
		free(ring);
	}
}

Test(dp_event, reader_that_starts_at_the_head_has_missed_nothing)
{
	struct dp_event_ring *ring = calloc(1, sizeof(*ring));
	struct dp_event_reader rd;

	put(ring, 1, 3 * DP_EVENTS);
	rd = (struct dp_event_reader){ .next = ring->head + 1 };
	expect_none(ring, &rd);
	put(ring, 3 * DP_EVENTS + 1, 3 * DP_EVENTS + 2);
	expect(ring, &rd, 3 * DP_EVENTS + 1, 3 * DP_EVENTS + 2);
	cr_expect(rd.missed == 0);
	free(ring);
}

/* A writer that died in the middle of record n: the head is at n - 1, n's slot says 0. */
Test(dp_event, record_that_a_dead_writer_left_half_written_is_written_anew)
{
	struct dp_event_ring *ring = calloc(1, sizeof(*ring));
	struct dp_event_reader rd = { 0 };
	struct dp_event *torn = &ring->ev[(DP_EVENTS + 1) % DP_EVENTS];

	put(ring, 1, DP_EVENTS);
	torn->seq = 0;
	torn->id = 666;
	/* Record 1 was in that slot. */
	expect(ring, &rd, 2, DP_EVENTS);
	expect_none(ring, &rd);
	cr_expect(rd.missed == 1);
	put(ring, DP_EVENTS + 1, DP_EVENTS + 1);
	expect(ring, &rd, DP_EVENTS + 1, DP_EVENTS + 1);
	cr_expect(rd.missed == 1);
	free(ring);
}
