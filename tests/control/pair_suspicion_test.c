/*
 * Suspicion from live traffic, degraded members, and the loss of our own link (REQUIREMENTS 3
 * "Suspicion"; Fanvil 1.2, Baker "Server Unavailable", Yealink "signaling failure").
 */
#include <criterion/criterion.h>

#include "tests/control/pair_bench.h"

static struct bench b;

static void running(unsigned int n)
{
	bench_init(&b, n);
	bench_start(&b);
	bench_run(&b, 62 * SEC + 500 * MS); /* the round trip's variance has settled */
	cr_assert_eq(b.p.phase, CTL_PAIR_PRIMARY);
	bench_clear_log(&b);
}

Test(pair_suspicion, a_burst_of_three_probes_10_ms_apart_confirms)
{
	running(2);
	b.mood[0] = BENCH_DEAD;
	bench_member_event(&b, CTL_EV_UNANSWERED, 0, 0, SIP_METHOD_INVITE);
	cr_expect_eq(b.p.m[0].health, CTL_HEALTH_SUSPECT);
	cr_expect(dp_word_suspect(ctl_pair_word(&b.p, &b.conf), 0));
	bench_event(&b, CTL_EV_TICK);
	cr_expect_eq(bench_until(&b, CTL_PAIR_BACKUP, SEC), 30 * MS, "three steps of 10 ms");
	cr_assert_eq(bench_count(&b, 0), 3);
	for (unsigned int i = 0; i < 3; i++) {
		cr_expect_eq(b.sent[i].at_us - b.sent[0].at_us, i * 10 * MS);
		cr_expect_eq(b.sent[i].send.n_sends, 3);
		cr_expect_eq(b.sent[i].send.spread_us, 10 * MS);
	}
	cr_expect_str_eq(b.last.cause, "unanswered");
	cr_expect_not_null(strstr(b.last.text, "INVITE without an answer"), "%s", b.last.text);
}

Test(pair_suspicion, steps_of_two_round_trips)
{
	static const struct {
		uint64_t rtt_us, least_us, most_us;
	} rows[] = { { 100, 10 * MS, 10 * MS },
		     { 4 * MS, 10 * MS, 10 * MS },
		     { 40 * MS, 80 * MS, 90 * MS },
		     { 300 * MS, 600 * MS, 700 * MS },
		     { 900 * MS, 1000 * MS, 1000 * MS } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t took;

		bench_init(&b, 2);
		b.rtt_us[0] = rows[i].rtt_us;
		bench_start(&b);
		bench_run(&b, 302 * SEC + 500 * MS);
		b.mood[0] = BENCH_DEAD;
		bench_member_event(&b, CTL_EV_UNANSWERED, 0, 0, SIP_METHOD_OPTIONS);
		took = bench_until(&b, CTL_PAIR_BACKUP, 10 * SEC);
		cr_expect(took >= 3 * rows[i].least_us && took <= 3 * rows[i].most_us,
			  "row %zu: %llu us", i, (unsigned long long)took);
	}
}

Test(pair_suspicion, what_makes_suspect)
{
	static const struct {
		enum ctl_pair_event_type type;
		uint16_t code;
		uint8_t method;
		bool suspect;
	} rows[] = {
		{ CTL_EV_LIVE_CODE, 500, SIP_METHOD_REGISTER, true },
		{ CTL_EV_LIVE_CODE, 503, SIP_METHOD_REGISTER, true },
		{ CTL_EV_LIVE_CODE, 503, SIP_METHOD_INVITE, true },
		{ CTL_EV_LIVE_CODE, 500, SIP_METHOD_INVITE, false },
		{ CTL_EV_LIVE_CODE, 503, SIP_METHOD_BYE, false },
		{ CTL_EV_LIVE_CODE, 504, SIP_METHOD_REGISTER, false },
		{ CTL_EV_LIVE_CODE, 403, SIP_METHOD_REGISTER, false },
		{ CTL_EV_UNANSWERED, 0, SIP_METHOD_INVITE, true },
		{ CTL_EV_UNANSWERED, 0, SIP_METHOD_OPTIONS, true },
		{ CTL_EV_UNANSWERED, 0, SIP_METHOD_CANCEL, true },
		{ CTL_EV_STREAM, 0, 0, true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		running(2);
		bench_member_event(&b, rows[i].type, 0, rows[i].code, rows[i].method);
		cr_expect_eq(b.p.m[0].health == CTL_HEALTH_SUSPECT, rows[i].suspect, "row %zu", i);
		bench_run(&b, SEC);
		cr_expect_eq(b.p.m[0].health, CTL_HEALTH_UP, "row %zu: it answers", i);
		cr_expect_eq(b.n_switches, 0);
	}
}

Test(pair_suspicion, rfc3261_18_4_which_icmp_errors_count)
{
	static const struct {
		uint32_t type, code;
		bool counts;
	} rows[] = { { 3, 0, true },  { 3, 1, true },   { 3, 2, true },  { 3, 3, true },
		     { 3, 4, false }, { 3, 5, false },  { 3, 6, true },  { 3, 13, false },
		     { 4, 0, false }, { 11, 0, false }, { 1, 0, true },  { 1, 3, true },
		     { 1, 4, true },  { 1, 1, false },  { 2, 0, false }, { 5, 1, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		running(2);
		bench_step(&b,
			   &(struct ctl_pair_event){ .type = CTL_EV_ICMP,
						     .id = 1,
						     .detail = rows[i].type << 8 | rows[i].code });
		cr_expect_eq(b.p.m[0].health == CTL_HEALTH_SUSPECT, rows[i].counts,
			     "type %u code %u", rows[i].type, rows[i].code);
	}
}

Test(pair_suspicion, two_icmp_errors_for_different_branches_need_no_burst)
{
	running(2);
	bench_icmp(&b, 0, 11);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	bench_icmp(&b, 0, 11);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY, "the same branch proves nothing more");
	bench_icmp(&b, 0, 12);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
	cr_expect_str_eq(b.last.cause, "icmp");
}

Test(pair_suspicion, an_answer_between_two_icmp_errors_clears)
{
	running(2);
	bench_icmp(&b, 0, 11);
	bench_run(&b, 5 * MS);
	cr_expect_eq(b.p.m[0].health, CTL_HEALTH_UP);
	bench_icmp(&b, 0, 12);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	running(2);
	bench_icmp(&b, 0, 11);
	bench_member_event(&b, CTL_EV_ALIVE, 0, 180, SIP_METHOD_INVITE);
	cr_expect_eq(b.p.m[0].health, CTL_HEALTH_UP, "a live answer does, too");
	bench_icmp(&b, 0, 12);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
}

Test(pair_suspicion, icmp_to_probes_takes_a_dead_server_with_a_live_host_down_at_once)
{
	running(2);
	b.mood[0] = BENCH_ICMP;
	bench_member_event(&b, CTL_EV_UNANSWERED, 0, 0, SIP_METHOD_INVITE);
	cr_expect_leq(bench_until(&b, CTL_PAIR_BACKUP, SEC), 11 * MS + 1);
	running(2);
	b.mood[0] = BENCH_ICMP;
	cr_expect_leq(bench_until(&b, CTL_PAIR_BACKUP, 10 * SEC), 5 * SEC + 3 * MS,
		      "the periodic probe's error, confirmed by the burst's");
	cr_expect_str_eq(b.last.cause, "icmp");
}

Test(pair_suspicion, one_answer_out_of_the_burst_clears)
{
	running(2);
	b.mood[0] = BENCH_DEAD;
	bench_member_event(&b, CTL_EV_UNANSWERED, 0, 0, SIP_METHOD_INVITE);
	bench_run(&b, 21 * MS);
	cr_expect_eq(b.n_outstanding, 3);
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_ANSWER,
						 .probe = b.p.m[0].burst.probe[0].id,
						 .code = 200 });
	cr_expect_eq(b.p.m[0].health, CTL_HEALTH_UP);
	cr_expect_eq(b.n_outstanding, 0, "the other two are given up");
	bench_run(&b, SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
}

/* A periodic probe gets lost in a short outage; one of a burst is answered behind it. */
static uint64_t lose_one_and_answer_the_next(void)
{
	running(2);
	b.mood[0] = BENCH_DEAD;
	while (bench_count(&b, 0) == 0)
		bench_run(&b, 100 * MS);
	b.mood[0] = BENCH_ALIVE;
	bench_member_event(&b, CTL_EV_UNANSWERED, 0, 0, SIP_METHOD_INVITE);
	bench_run(&b, 40 * MS);
	cr_assert_eq(b.p.m[0].health, CTL_HEALTH_UP);
	cr_assert_neq(b.p.m[0].periodic.id, 0, "the lost one is still waited for");
	return b.p.m[0].good_us;
}

Test(pair_suspicion, a_newer_answer_outweighs_an_older_probe_that_was_lost)
{
	lose_one_and_answer_the_next();
	bench_run(&b, 20 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	cr_expect_eq(b.n_notes, 0, "%s", b.last.text);
	cr_expect_eq(b.p.m[0].health, CTL_HEALTH_UP);
}

Test(pair_suspicion, who_dies_right_behind_that_answer_is_found_within_the_bound)
{
	uint64_t answered_us = lose_one_and_answer_the_next();

	b.mood[0] = BENCH_DEAD;
	cr_assert_neq(bench_until(&b, CTL_PAIR_BACKUP, 60 * SEC), UINT64_MAX);
	cr_expect_leq(b.now_us - answered_us, ctl_pair_round_us(&b.conf));
}

Test(pair_suspicion, unavailable_codes_to_the_whole_burst_confirm)
{
	running(2);
	b.code[0] = 503;
	bench_member_event(&b, CTL_EV_LIVE_CODE, 0, 503, SIP_METHOD_INVITE);
	cr_expect_eq(bench_until(&b, CTL_PAIR_BACKUP, SEC), 21 * MS);
	cr_expect_str_eq(b.last.cause, "live-code");
}

Test(pair_suspicion, a_new_doubt_waits_after_a_cleared_one)
{
	running(2);
	for (unsigned int i = 0; i < 1000; i++) {
		bench_member_event(&b, CTL_EV_LIVE_CODE, 0, 500, SIP_METHOD_REGISTER);
		bench_run(&b, MS);
	}
	cr_expect(bench_count(&b, 0) <= 6, "%u probes in a second of doubts", bench_count(&b, 0));
	cr_expect_eq(b.n_switches, 0);
	b.mood[0] = BENCH_DEAD;
	bench_member_event(&b, CTL_EV_UNANSWERED, 0, 0, SIP_METHOD_INVITE);
	cr_expect_leq(bench_until(&b, CTL_PAIR_BACKUP, SEC), 280 * MS, "but it is not forgotten");
}

Test(pair_suspicion, nothing_is_flooded_into_the_history)
{
	running(2);
	for (unsigned int i = 0; i < 10000; i++) {
		bench_member_event(&b, CTL_EV_UNANSWERED, i % 2, 0, SIP_METHOD_INVITE);
		bench_run(&b, MS);
	}
	cr_expect_eq(b.n_notes, 0);
	cr_expect_gt(b.p.m[0].suspicions, 20);
	cr_expect_eq(b.p.m[0].suspicions, b.p.m[0].cleared);
}

Test(pair_suspicion, a_suspect_standby_does_not_take_over)
{
	running(3);
	b.mood[0] = b.mood[1] = BENCH_DEAD;
	bench_member_event(&b, CTL_EV_UNANSWERED, 1, 0, SIP_METHOD_BYE);
	bench_icmp(&b, 0, 1);
	bench_icmp(&b, 0, 2);
	cr_expect_eq(b.p.phase, CTL_PAIR_FALLBACK);
	cr_expect_eq(b.p.active, 2);
}

Test(pair_suspicion, a_stalled_burst_is_repeated)
{
	running(2);
	b.mood[0] = BENCH_DEAD;
	bench_member_event(&b, CTL_EV_UNANSWERED, 0, 0, SIP_METHOD_INVITE);
	bench_run(&b, 25 * MS);
	b.now_us += 2 * SEC;
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	cr_expect_eq(b.n_switches, 0);
}

/* ---- Degraded */

static void live(unsigned int slot, unsigned int windows, uint32_t requests, uint32_t failed,
		 uint32_t delay_us)
{
	for (unsigned int i = 0; i < windows; i++) {
		bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_LIVE,
							 .slot = (uint8_t)slot,
							 .requests = requests,
							 .failed = failed,
							 .delay_us = delay_us });
		bench_run(&b, SEC);
	}
}

Test(pair_suspicion, degraded_against_its_own_past)
{
	running(2);
	live(0, 60, 100, 1, 20000);
	cr_expect_not(b.p.m[0].degraded);
	live(0, 3, 100, 60, 20000);
	cr_expect(b.p.m[0].degraded);
	cr_expect_str_eq(ctl_pair_member_name(&b.p.m[0]), "degraded");
	cr_expect_str_eq(b.last_member.cause, "gray-failure");
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY, "without gray-failover only an event");
	live(0, 20, 100, 1, 20000);
	cr_expect_not(b.p.m[0].degraded);
}

Test(pair_suspicion, degraded_by_delay_and_against_the_twin)
{
	running(2);
	live(0, 60, 100, 0, 20000);
	live(0, 10, 100, 0, 3000000);
	cr_expect(b.p.m[0].degraded, "slow against its past");
	running(2);
	live(1, 3, 30, 0, 20000);
	live(0, 1, 60, 60, 20000);
	cr_expect(b.p.m[0].degraded, "failing against the twin");
	running(2);
	live(0, 1, 60, 60, 20000);
	cr_expect_not(b.p.m[0].degraded, "nothing to compare with");
	running(2);
	live(0, 60, 100, 60, 20000);
	live(0, 10, 100, 62, 20000);
	cr_expect_not(b.p.m[0].degraded, "it was ever like that");
}

/* What a member failed while it died is not held against it when it is back. */
Test(pair_suspicion, the_dead_are_not_gray)
{
	running(2);
	live(0, 60, 100, 1, 20000);
	live(0, 1, 60, 60, 20000);
	b.p.m[0].degraded = false;
	b.mood[0] = BENCH_DEAD;
	bench_run(&b, 20 * SEC);
	cr_assert_eq(b.p.m[0].health, CTL_HEALTH_DOWN);
	live(0, 1, 100, 100, 20000);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 20 * SEC);
	cr_assert_eq(b.p.m[0].health, CTL_HEALTH_UP);
	live(0, 1, 30, 0, 20000);
	cr_expect_not(b.p.m[0].degraded);
}

Test(pair_suspicion, gray_failover_leaves_a_degraded_member_for_one_that_is_not)
{
	running(2);
	b.conf.gray_failover = true;
	b.conf.failback = CTL_FAILBACK_IMMEDIATE;
	live(0, 60, 100, 1, 20000);
	live(0, 3, 100, 60, 20000);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
	cr_expect_str_eq(b.last.cause, "gray-failure");
	cr_expect(dp_word_down(ctl_pair_word(&b.p, &b.conf), 0), "as good as down");
	bench_run(&b, 50 * SEC);
	cr_expect_eq(b.p.active, 1);
	bench_run(&b, 20 * SEC);
	cr_expect_eq(b.p.active, 0, "the mark wears off with the hold");
	b.mood[1] = BENCH_DEAD;
	bench_run(&b, 15 * SEC);
	live(0, 4, 100, 60, 20000);
	cr_expect_eq(b.p.active, 0, "nobody better: it stays");
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
}

/* ---- Our own link */

static void cut(uint64_t since_us)
{
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_CUT, .since_us = since_us });
}

Test(pair_suspicion, own_link_lost_takes_back_what_was_decided_in_the_dark)
{
	uint64_t since;

	running(2);
	since = b.p.heard_us;
	b.mood[0] = b.mood[1] = BENCH_DEAD;
	bench_run(&b, 11 * SEC);
	cr_assert_eq(b.p.active, 1, "switched to the one whose last probe was good");
	cr_expect_eq(ctl_pair_silence(&b.p, &b.conf), CTL_SILENT);
	cut(since);
	cr_expect_eq(b.p.active, 0);
	cr_expect_eq(b.p.phase, CTL_PAIR_UNKNOWN);
	cr_expect_str_eq(b.last.cause, "own-link-lost");
	bench_run(&b, 60 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE, "OUT-OF-SERVICE still comes");
	cr_expect_eq(b.p.active, 0);
	b.mood[0] = b.mood[1] = BENCH_ALIVE;
	bench_event(&b, CTL_EV_MENDED);
	bench_run(&b, 100 * MS);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY, "who was active is asked first");
}

Test(pair_suspicion, own_link_lost_keeps_what_was_decided_before)
{
	running(2);
	b.mood[0] = BENCH_DEAD;
	bench_run(&b, 20 * SEC);
	cr_assert_eq(b.p.active, 1);
	b.mood[1] = BENCH_DEAD;
	bench_run(&b, 10 * SEC);
	cut(b.p.heard_us);
	cr_expect_eq(b.p.active, 1);
}

Test(pair_suspicion, own_link_back_the_other_ones_answer_waits_for_the_active_ones_burst)
{
	running(2);
	b.mood[0] = b.mood[1] = BENCH_DEAD;
	bench_run(&b, 60 * SEC);
	cut(b.now_us - 70 * SEC);
	cr_assert_eq(b.p.active, 0);
	bench_event(&b, CTL_EV_MENDED);
	bench_event(&b, CTL_EV_TICK);
	bench_member_event(&b, CTL_EV_ALIVE, 1, 200, SIP_METHOD_INVITE);
	cr_expect_eq(b.p.active, 0);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 100 * MS);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	/* And when the active one stays silent, the other one's answer counts. */
	b.mood[0] = b.mood[1] = BENCH_DEAD;
	bench_run(&b, 60 * SEC);
	cut(b.now_us - 70 * SEC);
	bench_event(&b, CTL_EV_MENDED);
	bench_event(&b, CTL_EV_TICK);
	bench_member_event(&b, CTL_EV_ALIVE, 1, 200, SIP_METHOD_INVITE);
	bench_run(&b, 100 * MS);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
}
