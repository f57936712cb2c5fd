/*
 * Members that die with requests in flight: marked down by control, failed streams, ICMP errors.
 *
 * A member may have ten thousand open requests. They are looked for in the order of their places, a
 * bounded number at a time: in each SCAN_EVERY_US at most SCAN_LOOK are looked at, and as many sent
 * as empty the store in SCAN_SPREAD rounds, SCAN_MOVE_MIN to SCAN_MOVE_MAX. So a worker spends a
 * third of its time on it at most, four hundred take 50 ms, and ten thousand less than 200 ms. More
 * at once would overflow the next member's receive buffer: a socket of Linux's default size takes
 * some 90 datagrams, and what is lost there, new requests too, waits for its client to send again.
 * How many are open tells how many a second a member is used to.
 * New requests go elsewhere from the first moment on, since the pair's word says so.
 */
#include "dataplane/steer/steer_flight.h"

#include <string.h>

#define SCAN_EVERY_US 1000
#define SCAN_LOOK     2048
#define SCAN_SPREAD   50
#define SCAN_MOVE_MIN 8
#define SCAN_MOVE_MAX 64

static void start(struct steer *s)
{
	s->scan.next = 1;
	s->scan.left = steer_store_flights(s->store);
	s->scan.pace = steer_store_use(s->store).flights / SCAN_SPREAD;
	if (s->scan.pace < SCAN_MOVE_MIN)
		s->scan.pace = SCAN_MOVE_MIN;
	if (s->scan.pace > SCAN_MOVE_MAX)
		s->scan.pace = SCAN_MOVE_MAX;
}

static bool stream_failed(const struct steer *s, uint32_t member)
{
	for (uint32_t i = 0; i < s->scan.n_streams; i++)
		if (s->scan.streams[i] == member)
			return true;
	return false;
}

/* Its server is confirmed dead. An INVITE past a provisional has its answer from here: no other
 * server would know of it (16.7: a final for what can have no other; 504 leaves us in service where
 * 503 would not, 21.5.4). */
static bool is_dead_end(struct steer *s, struct steer_flight *f)
{
	const struct steer_record *rec = f->record;

	if (f->method != SIP_METHOD_INVITE
	    || !(rec->flags & (STEER_RECORD_PROVISIONAL | STEER_RECORD_CANCELLED)))
		return false;
	return !steer_flight_pair_flag(s, f->member, DP_PAIR_SHARES_TRANSACTIONS);
}

/* @return whether something was sent. */
static bool leave(struct steer *s, struct steer_flight *f)
{
	bool down = steer_flight_is_down(s, f->member);

	if (!down && (s->scan.n_streams == 0 || !stream_failed(s, f->member)))
		return false;
	/* What a member that is down gets on trial has a time of its own. */
	if (f->flags & (STEER_FLIGHT_ANSWERED | STEER_FLIGHT_DONE)
	    || f->record->state != STEER_RECORD_OPEN || f->record->flags & STEER_RECORD_TRIAL)
		return false;
	if (down && is_dead_end(s, f)) {
		steer_timer_final(s, f, f->record->flags & STEER_RECORD_CANCELLED ? 487 : 504);
		return true;
	}
	if (f->record->flags & (STEER_RECORD_PROVISIONAL | STEER_RECORD_CANCELLED))
		return false;
	if (steer_flight_move(s, f, down ? DP_RESCUE_DOWN : DP_RESCUE_STREAM))
		return true;
	if (down) { /* until one comes back */
		f->flags |= STEER_FLIGHT_STRANDED;
		steer_timer_set(s, f);
	}
	return false;
}

static void look(struct steer *s)
{
	uint32_t looked, moved = 0;

	for (looked = 0; s->scan.left > 0 && looked < SCAN_LOOK && moved < s->scan.pace; looked++) {
		struct steer_flight *f = steer_store_flight(s->store, s->scan.next++);

		s->scan.left--;
		if (s->scan.left > 4)
			__builtin_prefetch(f + 4);
		if (f->record && steer_flight_record(s, f))
			moved += leave(s, f);
	}
	if (s->scan.left == 0)
		s->scan.n_streams = 0;
}

void steer_scan_run(struct steer *s)
{
	uint64_t downs = 0;

	/* Acquire: the words that it counts are seen with it. Partner: dp_region_set_word(). */
	if (s->p.word_downs)
		downs = atomic_load_explicit(s->p.word_downs, memory_order_acquire);
	if (downs != s->scan.downs) {
		s->scan.downs = downs;
		start(s);
	}
	if (s->scan.left == 0 || s->now_us - s->scan.at_us < SCAN_EVERY_US)
		return;
	s->scan.at_us = s->now_us;
	look(s);
}

void steer_stream_failed(struct steer *s, uint32_t member)
{
	const uint32_t most = sizeof(s->scan.streams) / sizeof(s->scan.streams[0]);

	if (!s->store)
		return;
	/* More at a time than are remembered: the last one's requests wait for their timers. */
	if (!stream_failed(s, member) && s->scan.n_streams < most)
		s->scan.streams[s->scan.n_streams++] = member;
	start(s);
}
