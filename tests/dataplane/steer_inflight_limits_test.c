/*
 * What requests in flight do when there is no room, when very many are open at once, when the world
 * changes under them; and what control hears, and how often.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_inflight_limits, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define LB "192.0.2.10:5060"
#define MA "198.51.100.11:5060"
#define MB "198.51.100.12:5060"

static void request(struct bench *b, const char *method, unsigned int branch)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "%s sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP " A ";branch=z9hG4bK-%u", method,
		 branch);
	bench_send(b, A, LB, text);
}

/* Full of copies: requests go on, and still move by their client's own sends. */
Test(steer_inflight_limits, without_a_copy_a_client_moves_its_request_itself)
{
	struct bench_opts o = { .store_size = 1, .n_records = 256 };
	struct bench *b = bench_new(&o);
	char late[BENCH_MSG];

	for (unsigned int i = 0; i < 100; i++) {
		request(b, "REGISTER", i);
		bench_forwarded(b, LB, MA);
	}
	cr_expect(b->counters.copies_full > 0
		  && b->counters.copies_made + b->counters.copies_full == 100);
	bench_reply_text(b, late, 404, "", "");
	b->now_us += 500000;
	request(b, "REGISTER", 99);
	bench_forwarded(b, LB, MA);
	b->now_us += 1000000;
	request(b, "REGISTER", 99);
	bench_forwarded(b, LB, MB);
	cr_expect(b->counters.rescued[DP_RESCUE_SENDS][SIP_METHOD_REGISTER] == 1);
	cr_expect(b->n_sent == 0);
	/* A late answer of the first stays here; the second's passes. */
	bench_reply(b, 200, "", "");
	bench_forwarded(b, LB, A);
	bench_bytes(b, MA, LB, late, strlen(late));
	bench_dropped(b, RESP_ABSORBED);
	bench_free(b);
}

/* Without any store, too. */
Test(steer_inflight_limits, without_a_store)
{
	struct bench_opts o = { .no_store = true };
	struct bench *b = bench_new(&o);

	request(b, "INVITE", 1);
	b->now_us += 500000;
	request(b, "INVITE", 1);
	b->now_us += 1000000;
	request(b, "INVITE", 1);
	bench_forwarded(b, LB, MB);
	bench_reply(b, 180, "", "");
	bench_forwarded(b, LB, A);
	request(b, "CANCEL", 1);
	bench_forwarded(b, LB, MB);
	bench_wait(b, 60000000);
	cr_expect(b->n_sent == 0 && b->counters.copies_made == 0);
	bench_free(b);
}

/* An INVITE that moved without a copy: both 2xx pass, and nothing else after one. */
Test(steer_inflight_limits, without_a_store_no_final_follows_a_2xx_rfc3261_16_7)
{
	struct bench_opts o = { .no_store = true };
	struct bench *b = bench_new(&o);
	char first[BENCH_MSG], busy[BENCH_MSG];

	request(b, "INVITE", 1);
	bench_reply_text(b, first, 200, "", "");
	for (int i = 0; i < 2; i++) {
		b->now_us += 1000000;
		request(b, "INVITE", 1);
	}
	bench_forwarded(b, LB, MB);
	bench_reply_text(b, busy, 486, "", "");
	bench_bytes(b, MB, LB, busy, strlen(busy));
	bench_forwarded(b, LB, A);
	bench_bytes(b, MA, LB, first, strlen(first));
	bench_forwarded(b, LB, A);
	bench_bytes(b, MB, LB, busy, strlen(busy));
	bench_dropped(b, RESP_ABSORBED);
	bench_free(b);
}

/* A suspect member that answers others is not left at the second send. */
Test(steer_inflight_limits, the_second_send_stays_when_the_member_answers_others)
{
	for (int answers = 0; answers < 2; answers++) {
		struct bench_opts o = { .store_size = 65536 };
		struct bench *b = bench_new(&o);

		bench_suspect(b, "east-a", true);
		request(b, "INVITE", 1);
		b->now_us += 300000;
		if (answers) {
			request(b, "OPTIONS", 2);
			bench_reply(b, 200, "", "");
		}
		b->now_us += 200000;
		request(b, "INVITE", 1);
		bench_forwarded(b, LB, answers ? MA : MB);
		bench_free(b);
	}
}

/* A member that is gone after a reload: its requests start anew, by their client's sends. */
Test(steer_inflight_limits, a_request_whose_member_is_gone)
{
	struct bench_opts o = { .store_size = 65536, .fallback = true };
	struct bench *b = bench_new(&o);

	bench_active(b, "east-c");
	request(b, "INVITE", 1);
	bench_forwarded(b, LB, "198.51.100.13:5060");
	b->opts.fallback = false;
	bench_reload(b);
	bench_active(b, "east-a");
	bench_wait(b, 450000);
	request(b, "INVITE", 1);
	bench_forwarded(b, LB, MA);
	bench_wait(b, 6000000);
	cr_expect(b->n_sent == 0, "nothing by ourselves any more");
	bench_reply(b, 200, "", "");
	bench_forwarded(b, LB, A);
	bench_wait(b, 70000000);
	cr_expect(b->counters.copies_in_use == 0);
	bench_free(b);
}

/* And on a branch that we began: it is not sent again to anybody else under that branch. */
Test(steer_inflight_limits, a_branch_of_ours_whose_member_is_gone)
{
	struct bench_opts o = { .store_size = 65536, .fallback = true };
	struct bench *b = bench_new(&o);

	bench_down(b, "east-b", true);
	request(b, "INVITE", 1);
	bench_forwarded(b, LB, MA);
	bench_wait(b, 4020000);
	cr_assert(b->n_sent == 1 && b->sent[0].member == bench_member(b, "east-c"));
	b->opts.fallback = false;
	bench_reload(b);
	bench_wait(b, 3000000);
	cr_expect(b->n_sent == 1);
	bench_free(b);
}

/* A CANCEL without a context is passed on as by a stateless proxy (RFC 3261 16.10, 16.11). */
Test(steer_inflight_limits, without_a_context_a_cancel_is_passed_on)
{
	struct bench_opts o = { .store_size = 1, .n_records = 256 };
	struct bench *b = bench_new(&o);
	unsigned int answered = 0;

	for (unsigned int i = 0; i < 8; i++) {
		request(b, "INVITE", i);
		bench_reply(b, 180, "", "");
		request(b, "CANCEL", i);
		if (b->v.action == STEER_ANSWER)
			answered++;
		else
			bench_forwarded(b, LB, MA);
	}
	cr_expect(answered == b->counters.contexts_made && answered > 0);
	cr_expect(b->counters.contexts_full > 0);
	bench_free(b);
}

/* Open requests of a member that dies: no call of steering sends more than its bound, which grows
 * with their number, since the next member's receive buffer has to hold them, and all are elsewhere
 * in time. */
Test(steer_inflight_limits, a_death_with_many_open_requests_is_paced)
{
	enum { TIMERS = 64 };
	static const struct {
		unsigned int open, moves, ms;
	} rows[] = {
		{ 100, 8, 20 },
		{ 600, 12, 60 },
		{ 10000, 64, 200 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench_opts o = { .store_size = 10 << 20, .n_records = 16384 };
		struct bench *b = bench_new(&o);
		const uint64_t *moved = &b->counters.rescued[DP_RESCUE_DOWN][SIP_METHOD_REGISTER];
		unsigned int ms;

		for (unsigned int n = 0; n < rows[i].open; n++)
			request(b, "REGISTER", n);
		cr_assert(b->counters.copies_made == rows[i].open);
		bench_active(b, "east-b");
		bench_down(b, "east-a", true);
		for (ms = 0; *moved < rows[i].open && ms < 1000; ms++) {
			uint64_t before = *moved;

			b->now_us += 1000;
			b->n_sent = 0;
			steer_begin(b->steer, b->cfg, b->now_us);
			steer_tick(b->steer, b->now_us);
			cr_assert(*moved - before <= rows[i].moves
					  && b->n_sent <= rows[i].moves + TIMERS,
				  "%u", b->n_sent);
			for (unsigned int k = 0; k < b->n_sent; k++)
				cr_assert(b->sent[k].member == bench_member(b, "east-b"));
		}
		cr_expect(*moved == rows[i].open && ms <= rows[i].ms, "%lu in %u ms",
			  (unsigned long)*moved, ms);
		if (rows[i].open > 1000)
			cr_expect(b->counters.contexts_full > 0, "the others go on without one");
		bench_free(b);
	}
}

/* Sends of ours that are copies of request(..., branch). */
static unsigned int sent_of(const struct bench *b, const char *branch)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < b->n_sent; i++)
		n += strstr(b->sent[i].text, branch) != NULL;
	return n;
}

/* What a member is sent while it takes over from its twin may be lost beside all that was rescued:
 * an INVITE is sent once more before its client would do it. */
Test(steer_inflight_limits, a_first_send_to_a_member_that_takes_over)
{
	static const struct {
		const char *method;
		uint64_t after_us; /* the rescue */
		bool open, heard;  /* there was something to rescue; a 100 comes */
		unsigned int again;
	} rows[] = {
		{ "INVITE", 1000, true, false, 1 },   { "INVITE", 950000, true, false, 1 },
		{ "INVITE", 1000, false, false, 0 },  { "INVITE", 1000, true, true, 0 },
		{ "REGISTER", 1000, true, false, 0 }, { "INVITE", 1100000, true, false, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench_opts o = { .store_size = 65536 };
		struct bench *b = bench_new(&o);

		if (rows[i].open) {
			request(b, "REGISTER", 1);
			bench_forwarded(b, LB, MA);
		}
		bench_active(b, "east-b");
		bench_down(b, "east-a", true);
		bench_wait(b, 10000);
		cr_assert(b->n_sent == rows[i].open, "row %zu", i);
		bench_wait(b, rows[i].after_us);
		request(b, rows[i].method, 2);
		bench_forwarded(b, LB, MB);
		if (rows[i].heard)
			bench_reply(b, 100, "", "");
		bench_wait(b, 90000);
		cr_expect(sent_of(b, "z9hG4bK-2") == 0, "row %zu: not yet", i);
		bench_wait(b, 390000);
		cr_expect(sent_of(b, "z9hG4bK-2") == rows[i].again, "row %zu: %u", i,
			  sent_of(b, "z9hG4bK-2"));
		bench_free(b);
	}
}

/* The listener that a request came to is gone after a reload: it stays where it is. */
Test(steer_inflight_limits, a_request_whose_listener_is_gone)
{
	struct bench_opts o = { .store_size = 65536, .second_listener = true };
	struct bench *b = bench_new(&o);

	bench_send(b, A, "192.0.2.10:5070", "INVITE sip:bob@example.com SIP/2.0");
	cr_assert(b->v.action == STEER_FORWARD);
	b->opts.second_listener = false;
	bench_reload(b);
	bench_active(b, "east-b");
	bench_down(b, "east-a", true);
	bench_wait(b, 40000000);
	cr_expect(b->n_sent == 0);
	bench_wait(b, 60000000);
	cr_expect(b->counters.copies_in_use == 0);
	bench_free(b);
}

/* A response to a branch that another worker owns goes on as if there were no record here. */
Test(steer_inflight_limits, a_response_of_another_workers_branch_is_forwarded)
{
	struct bench_opts o = { .store_size = 65536 };
	struct bench *b = bench_new(&o);
	char reply[BENCH_MSG], *owner;

	request(b, "INVITE", 1);
	bench_reply_text(b, reply, 503, "", "");
	owner = strstr(reply, "z9hG4bKss") + 9 + 24 + 2;
	cr_assert(memcmp(owner, "03", 2) == 0);
	owner[1] = '4';
	bench_bytes(b, MA, LB, reply, strlen(reply));
	bench_forwarded(b, LB, A);
	cr_expect(b->n_sent == 0);
	bench_free(b);
}

/* ---- What control hears ---- */

/* However many requests stay unanswered: fifty events a second of one member. */
Test(steer_inflight_limits, doubts_are_metered)
{
	struct bench_opts o = { .store_size = 4 << 20, .n_records = 8192 };
	struct bench *b = bench_new(&o);
	unsigned int n = 0;

	for (unsigned int i = 0; i < 1000; i++) {
		request(b, "INVITE", i);
		bench_wait(b, 1000);
	}
	bench_wait(b, 150000);
	while (bench_event(b, DP_EVENT_UNANSWERED))
		n++;
	cr_expect(n >= 20 && n <= 60, "%u", n);
	cr_expect(bench_counters(b, bench_member(b, "east-a")).unanswered == 1000);
	bench_free(b);
}

/* An INVITE is doubted after four times what INVITEs took to their first response, at most T1. */
Test(steer_inflight_limits, patience_grows_with_round_trips)
{
	static const struct {
		uint64_t takes_us, patience_us;
	} rows[] = { { 1000, 100000 }, { 20000, 100000 }, { 50000, 200000 }, { 800000, 500000 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench_opts o = { .store_size = 65536 };
		struct bench *b = bench_new(&o);
		const struct dp_event *ev;
		uint64_t sent_us;

		request(b, "INVITE", 1);
		b->now_us += rows[i].takes_us;
		bench_reply(b, 486, "", "");
		while (bench_event(b, DP_EVENT_UNANSWERED))
			;
		bench_wait(b, 1000000);
		request(b, "INVITE", 2);
		sent_us = b->now_us;
		bench_wait(b, 600000);
		ev = bench_event(b, DP_EVENT_UNANSWERED);
		cr_assert(ev != NULL, "row %zu", i);
		cr_expect(ev->time_ns / 1000 >= sent_us + rows[i].patience_us
				  && ev->time_ns / 1000 < sent_us + rows[i].patience_us + 20000,
			  "row %zu: %lu", i, (unsigned long)(ev->time_ns / 1000 - sent_us));
		bench_free(b);
	}
}

/* What does not fail over is doubted when its client sends it again; so is our own CANCEL (section
 * 3: also OPTIONS or CANCEL). */
Test(steer_inflight_limits, unanswered_options_and_cancel_are_doubted)
{
	struct bench_opts o = { .store_size = 65536 };
	struct bench *b = bench_new(&o);
	const struct dp_event *ev;

	request(b, "OPTIONS", 1);
	b->now_us += 500000;
	cr_expect(bench_event(b, DP_EVENT_UNANSWERED) == NULL);
	request(b, "OPTIONS", 1);
	ev = bench_event(b, DP_EVENT_UNANSWERED);
	cr_assert(ev && ev->value == SIP_METHOD_OPTIONS);
	request(b, "OPTIONS", 1);
	request(b, "INVITE", 2);
	bench_reply(b, 180, "", "");
	request(b, "CANCEL", 2);
	bench_wait(b, 520000);
	ev = bench_event(b, DP_EVENT_UNANSWERED);
	cr_assert(ev && ev->value == SIP_METHOD_CANCEL);
	bench_free(b);
}

/* Of one second of good calls nothing is told. */
Test(steer_inflight_limits, answered_in_time_nothing_is_told)
{
	struct bench_opts o = { .store_size = 65536 };
	struct bench *b = bench_new(&o);

	for (unsigned int i = 0; i < 20; i++) {
		request(b, "INVITE", i);
		bench_wait(b, 40000);
		bench_reply(b, 100, "", "");
		bench_wait(b, 10000);
	}
	cr_expect(b->counters.events == 0);
	bench_free(b);
}
