/*
 * Failback in virtual time: sticky (Genesys), immediate (Yealink), timed (Fanvil, Baker), signal
 * (Fanvil), failback-hold and flap damping.
 */
#include <criterion/criterion.h>

#include "tests/control/pair_bench.h"

static struct bench b;

/* A pair of n whose primary died after a minute; at the switch. */
static void failed_over(unsigned int n, unsigned int failback)
{
	bench_init(&b, n);
	b.conf.failback = failback;
	bench_start(&b);
	bench_run(&b, 62 * SEC);
	b.mood[0] = BENCH_DEAD;
	cr_assert_neq(bench_until(&b, CTL_PAIR_BACKUP, 11 * SEC), UINT64_MAX);
	bench_clear_log(&b);
}

/* The last probe of the log that goes by RFC 3261's timers. */
static const struct ctl_pair_send *last_failback(void)
{
	for (unsigned int i = b.n_sent; i > 0; i--) {
		if (b.sent[i - 1].send.n_sends == 0)
			return &b.sent[i - 1].send;
	}
	cr_assert_fail("no failback probe was sent");
	return NULL;
}

Test(pair_failback, genesys_sticky_stays_until_the_active_member_fails)
{
	failed_over(2, 0);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 100000 * SEC);
	cr_expect_eq(b.p.active, 1);
	b.mood[1] = BENCH_DEAD;
	cr_expect_leq(bench_until(&b, CTL_PAIR_PRIMARY, 60 * SEC), 10 * SEC);
}

Test(pair_failback, yealink_immediate_returns_once_alive_and_the_hold_is_over)
{
	uint64_t away;

	failed_over(2, CTL_FAILBACK_IMMEDIATE);
	away = b.now_us;
	b.mood[0] = BENCH_ALIVE;
	cr_expect_eq(bench_until(&b, CTL_PAIR_PRIMARY, 600 * SEC), 60 * SEC,
		     "failback-hold counts from the switch away");
	cr_expect_str_eq(b.last.cause, "failback-immediate");
	failed_over(2, CTL_FAILBACK_IMMEDIATE);
	away = b.now_us;
	bench_run(&b, 300 * SEC);
	b.mood[0] = BENCH_ALIVE;
	cr_expect_leq(bench_until(&b, CTL_PAIR_PRIMARY, 60 * SEC), 5 * SEC + MS,
		      "after the hold, the first good probe");
	cr_expect_gt(b.now_us, away + 300 * SEC);
}

Test(pair_failback, immediate_wants_rise_answers_in_a_row_since_the_switch)
{
	failed_over(2, CTL_FAILBACK_IMMEDIATE);
	b.conf.rise = 4;
	bench_run(&b, 100 * SEC);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 14 * SEC);
	b.mood[0] = BENCH_DEAD;
	bench_run(&b, 6 * SEC);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 15 * SEC - MS);
	cr_expect_eq(b.p.active, 1);
	bench_run(&b, 10 * SEC);
	cr_expect_eq(b.p.active, 0);
}

Test(pair_failback, immediate_with_hold_0_and_without_probe_all_or_oos_check)
{
	failed_over(2, CTL_FAILBACK_IMMEDIATE);
	b.conf.hold_us = 0;
	b.mood[0] = BENCH_ALIVE;
	cr_expect_leq(bench_until(&b, CTL_PAIR_PRIMARY, 60 * SEC), 5 * SEC + MS);
	bench_init(&b, 2);
	b.conf.failback = CTL_FAILBACK_IMMEDIATE;
	b.conf.check_us = 0;
	b.conf.probe_all = false;
	b.mood[0] = BENCH_DEAD;
	bench_start(&b);
	cr_assert_neq(bench_until(&b, CTL_PAIR_BACKUP, 60 * SEC), UINT64_MAX);
	b.mood[0] = BENCH_ALIVE;
	cr_expect_eq(bench_until(&b, CTL_PAIR_PRIMARY, 600 * SEC), 60 * SEC);
}

Test(pair_failback, from_a_fallback_to_whoever_is_better)
{
	failed_over(3, CTL_FAILBACK_IMMEDIATE);
	b.mood[1] = BENCH_DEAD;
	cr_assert_neq(bench_until(&b, CTL_PAIR_FALLBACK, 60 * SEC), UINT64_MAX);
	b.mood[1] = BENCH_ALIVE;
	cr_expect_neq(bench_until(&b, CTL_PAIR_BACKUP, 61 * SEC), UINT64_MAX);
	b.mood[0] = BENCH_ALIVE;
	cr_expect_neq(bench_until(&b, CTL_PAIR_PRIMARY, 61 * SEC), UINT64_MAX);
}

Test(pair_failback, fanvil_2_3_3_timed_probe_after_the_interval)
{
	failed_over(2, CTL_FAILBACK_TIMED);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 1800 * SEC - 1);
	cr_expect_eq(b.p.active, 1, "alive or not, the interval decides");
	bench_clear_log(&b);
	cr_expect_eq(bench_until(&b, CTL_PAIR_PRIMARY, SEC), 1 + MS);
	cr_expect_str_eq(b.last.cause, "failback-timed");
}

Test(pair_failback, baker_register_failback_is_retransmitted_to_64_t1_then_the_timer_starts_again)
{
	uint64_t start;

	failed_over(2, CTL_FAILBACK_TIMED);
	b.conf.probe_all = false;
	start = b.now_us;
	bench_run(&b, 1800 * SEC + 32 * SEC + 1800 * SEC - 1);
	cr_expect_eq(b.p.failback_us, start + (1800 + 32 + 1800) * SEC);
	cr_expect_str_eq(b.last.cause, "failback-failed");
	bench_clear_log(&b);
	bench_run(&b, 1);
	cr_expect_eq(last_failback()->timeout_us, 32 * SEC);
	cr_expect_eq(last_failback()->method, CTL_PROBE_OPTIONS);
}

Test(pair_failback, timed_with_user_and_password_is_a_register_and_wants_2xx)
{
	static const struct {
		uint16_t code;
		bool returns;
	} rows[] = {
		{ 200, true }, { 403, false }, { 401, false }, { 404, false }, { 503, false }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		failed_over(2, CTL_FAILBACK_TIMED);
		b.conf.m[0].registers = true;
		b.register_code[0] = rows[i].code;
		b.mood[0] = BENCH_ALIVE;
		bench_run(&b, 1800 * SEC - 1);
		bench_clear_log(&b);
		bench_run(&b, 2 * MS);
		cr_expect_eq(last_failback()->method, CTL_PROBE_REGISTER);
		cr_expect_eq(b.p.active == 0, rows[i].returns, "%u", rows[i].code);
		if (!rows[i].returns)
			cr_expect_not_null(strstr(b.last.text, "to REGISTER"), "%s", b.last.text);
	}
}

Test(pair_failback, timed_options_takes_any_answer_but_unavailable_codes)
{
	static const struct {
		uint16_t code;
		bool returns;
	} rows[] = { { 200, true }, { 404, true }, { 408, false }, { 503, false } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		failed_over(2, CTL_FAILBACK_TIMED);
		b.code[0] = rows[i].code;
		b.mood[0] = BENCH_ALIVE;
		bench_run(&b, 1800 * SEC + 2 * MS);
		cr_expect_eq(b.p.active == 0, rows[i].returns, "%u", rows[i].code);
	}
}

Test(pair_failback, timed_waits_for_the_hold_and_asks_each_better_member_in_turn)
{
	failed_over(3, CTL_FAILBACK_TIMED);
	b.conf.interval_us = 10 * SEC;
	b.conf.hold_us = 90 * SEC;
	b.mood[0] = BENCH_ALIVE;
	bench_event(&b, CTL_EV_TICK);
	b.p.failback_us = b.now_us + 10 * SEC;
	cr_expect_eq(bench_until(&b, CTL_PAIR_PRIMARY, 600 * SEC), 90 * SEC + MS);
	failed_over(3, CTL_FAILBACK_TIMED);
	b.mood[1] = BENCH_DEAD;
	cr_assert_neq(bench_until(&b, CTL_PAIR_FALLBACK, 60 * SEC), UINT64_MAX);
	b.mood[1] = BENCH_ALIVE;
	cr_expect_neq(bench_until(&b, CTL_PAIR_BACKUP, 1840 * SEC), UINT64_MAX,
		      "a is silent for 64*T1, then b is asked");
}

/* The primary's hold keeps no other better member from its turn. */
Test(pair_failback, timed_asks_the_next_better_member_while_the_best_is_held)
{
	failed_over(3, CTL_FAILBACK_TIMED);
	b.conf.interval_us = 20 * SEC;
	b.conf.hold_us = 10000 * SEC;
	bench_event(&b, CTL_EV_CHANGE);
	b.mood[1] = BENCH_DEAD;
	cr_assert_neq(bench_until(&b, CTL_PAIR_FALLBACK, 60 * SEC), UINT64_MAX);
	b.mood[0] = b.mood[1] = BENCH_ALIVE;
	b.p.m[1].left_us = 0;
	cr_expect_neq(bench_until(&b, CTL_PAIR_BACKUP, 60 * SEC), UINT64_MAX);
	cr_expect_str_eq(b.last.cause, "failback-timed");
}

/* A flap while the failback probe is under way makes the hold longer. */
Test(pair_failback, timed_answer_within_a_hold_that_has_grown_returns_nothing)
{
	failed_over(3, CTL_FAILBACK_TIMED);
	b.conf.interval_us = 100 * SEC;
	bench_event(&b, CTL_EV_CHANGE);
	bench_run(&b, 101 * SEC);
	cr_assert_neq(b.p.failback.id, 0, "it is under way, to a dead primary");
	b.p.flaps = 3;
	b.mood[0] = BENCH_ALIVE;
	bench_step(&b, &(struct ctl_pair_event){
			       .type = CTL_EV_ANSWER, .probe = b.p.failback.id, .code = 200 });
	cr_expect_eq(b.p.active, 1);
	cr_expect_eq(b.p.failback_us, b.p.m[0].left_us + 8 * b.conf.hold_us);
}

Test(pair_failback, a_gray_primary_is_not_returned_to)
{
	failed_over(2, CTL_FAILBACK_TIMED | CTL_FAILBACK_SIGNAL);
	b.conf.gray_failover = true;
	b.p.m[0].degraded = true;
	b.p.m[0].degraded_us = b.now_us;
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 50 * SEC);
	cr_expect_not(ctl_pair_signal_open(&b.p, &b.conf, b.now_us + 1000 * SEC));
}

Test(pair_failback, fanvil_2_3_1_signal_returns_on_a_live_answer)
{
	failed_over(2, CTL_FAILBACK_SIGNAL);
	b.mood[0] = BENCH_ALIVE;
	cr_expect_not(ctl_pair_signal_open(&b.p, &b.conf, b.now_us));
	bench_member_event(&b, CTL_EV_SIGNAL, 0, 200, SIP_METHOD_REGISTER);
	cr_expect_eq(b.p.active, 1, "held");
	bench_run(&b, 60 * SEC);
	cr_expect(ctl_pair_signal_open(&b.p, &b.conf, b.now_us));
	bench_member_event(&b, CTL_EV_SIGNAL, 0, 503, SIP_METHOD_REGISTER);
	cr_expect_eq(b.p.active, 1, "an unavailable code");
	bench_member_event(&b, CTL_EV_SIGNAL, 0, 401, SIP_METHOD_REGISTER);
	cr_expect_eq(b.p.active, 0);
	cr_expect_str_eq(b.last.cause, "failback-signal");
	cr_expect_not(ctl_pair_signal_open(&b.p, &b.conf, b.now_us));
}

Test(pair_failback, modes_combine)
{
	failed_over(2, CTL_FAILBACK_TIMED | CTL_FAILBACK_SIGNAL);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 100 * SEC);
	bench_member_event(&b, CTL_EV_SIGNAL, 0, 200, SIP_METHOD_INVITE);
	cr_expect_eq(b.p.active, 0);
	failed_over(2, CTL_FAILBACK_TIMED | CTL_FAILBACK_SIGNAL);
	b.mood[0] = BENCH_ALIVE;
	cr_expect_eq(bench_until(&b, CTL_PAIR_PRIMARY, 3600 * SEC), 1800 * SEC + MS);
}

/* The hold doubles at each flap within ten minutes, and is itself again after ten quiet ones. */
Test(pair_failback, flaps_double_the_hold)
{
	uint64_t held[8];

	failed_over(2, CTL_FAILBACK_IMMEDIATE);
	for (unsigned int i = 0; i < 8; i++) {
		b.mood[0] = BENCH_ALIVE;
		held[i] = bench_until(&b, CTL_PAIR_PRIMARY, 100000 * SEC);
		bench_run(&b, 7 * SEC);
		b.mood[0] = BENCH_DEAD;
		cr_assert_neq(bench_until(&b, CTL_PAIR_BACKUP, 11 * SEC), UINT64_MAX);
	}
	for (unsigned int i = 0; i < 8; i++)
		cr_expect_eq(held[i], 60 * SEC << (i < 6 ? i : 6), "flap %u: %llu us", i,
			     (unsigned long long)held[i]);
	b.mood[0] = BENCH_ALIVE;
	bench_until(&b, CTL_PAIR_PRIMARY, 100000 * SEC);
	bench_run(&b, 601 * SEC);
	b.mood[0] = BENCH_DEAD;
	cr_assert_neq(bench_until(&b, CTL_PAIR_BACKUP, 11 * SEC), UINT64_MAX);
	b.mood[0] = BENCH_ALIVE;
	cr_expect_eq(bench_until(&b, CTL_PAIR_PRIMARY, 600 * SEC), 60 * SEC);
}

Test(pair_failback, restart_keeps_active_member_hold_and_timer)
{
	struct ctl_pair_saved saved;
	struct ctl_pair_state before;

	failed_over(2, CTL_FAILBACK_TIMED);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 1000 * SEC);
	before = b.p;
	ctl_pair_save(&b.p, &saved);
	b.n_pending = b.n_outstanding = 0;
	ctl_pair_init(&b.p);
	bench_start(&b);
	ctl_pair_restore(&b.p, &b.conf, &saved, b.now_us, &b.out);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
	cr_expect_eq(b.p.active, 1);
	cr_expect_eq(b.p.failback_us, before.failback_us);
	cr_expect_eq(b.p.m[0].left_us, before.m[0].left_us);
	cr_expect_eq(b.p.since_us, before.since_us);
	bench_clear_log(&b);
	cr_expect_eq(bench_until(&b, CTL_PAIR_PRIMARY, 3600 * SEC), 800 * SEC + MS);
	cr_expect_eq(b.n_switches, 1);
}
