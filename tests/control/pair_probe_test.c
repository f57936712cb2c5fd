/*
 * Probing in virtual time: oos-check, oos-force, fall, rise, probe-all, alive codes, UNKNOWN and
 * OUT-OF-SERVICE (Genesys, REQUIREMENTS 3 "Probes").
 */
#include <criterion/criterion.h>

#include "tests/control/pair_bench.h"

static struct bench b;

/* A started pair of n whose members are known, all alive. */
static void running(unsigned int n)
{
	bench_init(&b, n);
	bench_start(&b);
	bench_run(&b, 11 * SEC);
	cr_assert_eq(b.p.phase, CTL_PAIR_PRIMARY);
	bench_clear_log(&b);
}

Test(pair_probe, genesys_first_an_options_to_the_primary)
{
	bench_init(&b, 2);
	bench_start(&b);
	bench_event(&b, CTL_EV_TICK);
	cr_assert_eq(b.n_sent, 1);
	cr_expect_eq(b.sent[0].send.slot, 0);
	cr_expect_eq(b.sent[0].send.method, CTL_PROBE_OPTIONS);
	cr_expect_eq(bench_until(&b, CTL_PAIR_PRIMARY, SEC), 1 * MS);
	cr_expect_eq(b.n_notes, 1);
	cr_expect_str_eq(b.last.from, "unknown");
	cr_expect_str_eq(b.last.to, "primary");
	cr_expect_str_eq(b.last.cause, "first-answer");
}

Test(pair_probe, genesys_an_answer_waits_out_oos_check)
{
	running(2);
	bench_run(&b, 60 * SEC);
	cr_expect_eq(bench_count(&b, 0), 12);
	cr_expect_eq(bench_count(&b, 1), 12, "probe-all watches the other one at the same pace");
	for (unsigned int i = 2; i < b.n_sent; i++)
		cr_expect_eq(b.sent[i].at_us - b.sent[i - 2].at_us, 5 * SEC);
	cr_expect_eq(b.n_switches, 0);
}

Test(pair_probe, a_probe_is_a_transaction_of_at_least_three_sends)
{
	static const struct {
		uint64_t timeout_us;
		unsigned int sends;
	} rows[] = { { 100 * MS, 3 }, { 250 * MS, 5 }, { 5 * SEC, 7 }, { 30 * SEC, 7 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_init(&b, 2);
		b.conf.timeout_us = rows[i].timeout_us;
		bench_start(&b);
		bench_event(&b, CTL_EV_TICK);
		cr_expect_eq(b.sent[0].send.n_sends, rows[i].sends, "row %zu: %u sends", i,
			     b.sent[0].send.n_sends);
		cr_expect_eq(b.sent[0].send.spread_us, rows[i].timeout_us);
		cr_expect_eq(b.sent[0].send.timeout_us, rows[i].timeout_us);
	}
}

Test(pair_probe, probe_timeout_defaults_to_the_period_at_most_5s)
{
	static const struct {
		uint64_t set_us, check_us, force_us, check_timeout, force_timeout;
	} rows[] = {
		{ 0, 5 * SEC, 5 * SEC, 5 * SEC, 5 * SEC },
		{ 0, 300 * SEC, 32 * SEC, 5 * SEC, 5 * SEC },
		{ 0, 500 * MS, 100 * MS, 500 * MS, 100 * MS },
		{ 0, 0, 2 * SEC, 2 * SEC, 2 * SEC },
		{ 800 * MS, 5 * SEC, 2 * SEC, 800 * MS, 800 * MS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_pair_conf c = { .timeout_us = rows[i].set_us,
					   .check_us = rows[i].check_us,
					   .force_us = rows[i].force_us };

		cr_expect_eq(ctl_pair_check_timeout(&c), rows[i].check_timeout, "row %zu", i);
		cr_expect_eq(ctl_pair_force_timeout(&c), rows[i].force_timeout, "row %zu", i);
	}
}

Test(pair_probe, probe_all_switches_at_once_without_unknown)
{
	uint64_t took;

	running(2);
	b.mood[0] = BENCH_DEAD;
	took = bench_until(&b, CTL_PAIR_BACKUP, 60 * SEC);
	cr_expect_leq(took, 10 * SEC, "took %llu us", (unsigned long long)took);
	cr_expect_eq(b.p.active, 1);
	cr_expect_str_eq(b.last.from, "primary");
	cr_expect_str_eq(b.last.to, "backup");
	cr_expect_str_eq(b.last.cause, "probe-timeout");
	cr_expect_not_null(strstr(b.last.text, "7 sends"), "%s", b.last.text);
	cr_expect_str_eq(b.last_member.from, "up");
	cr_expect_str_eq(b.last_member.to, "down");
	cr_expect(dp_word_down(ctl_pair_word(&b.p, &b.conf), 0));
}

Test(pair_probe, genesys_without_probe_all_rounds_of_oos_force)
{
	bench_init(&b, 3);
	b.conf.probe_all = false;
	b.conf.force_us = 2 * SEC;
	bench_start(&b);
	bench_run(&b, 11 * SEC);
	cr_expect_eq(bench_count(&b, 1) + bench_count(&b, 2), 0, "only the active one is probed");
	b.mood[0] = b.mood[1] = BENCH_DEAD;
	bench_clear_log(&b);
	cr_assert_neq(bench_until(&b, CTL_PAIR_UNKNOWN, 20 * SEC), UINT64_MAX);
	cr_expect_eq(b.p.active, 0, "traffic stays with the last active member");
	cr_assert_eq(b.n_sent, 2);
	cr_expect_eq(b.sent[0].send.slot, 0);
	cr_expect_eq(b.sent[1].send.slot, 1, "the other one's turn comes at once");
	cr_expect_eq(bench_until(&b, CTL_PAIR_FALLBACK, 20 * SEC), 2 * SEC + MS);
	cr_assert_eq(b.n_sent, 3);
	cr_expect_eq(b.sent[2].send.slot, 2);
	cr_expect_eq(b.sent[2].at_us - b.sent[1].at_us, 2 * SEC);
	bench_clear_log(&b);
	bench_run(&b, 20 * SEC + 2);
	cr_expect_eq(bench_count(&b, 2), 5, "oos-check resumes");
	cr_expect_eq(b.n_sent, 5);
}

Test(pair_probe, out_of_service_when_all_missed_a_round_and_probing_goes_on)
{
	running(3);
	b.mood[0] = b.mood[1] = b.mood[2] = BENCH_DEAD;
	cr_assert_neq(bench_until(&b, CTL_PAIR_UNKNOWN, 60 * SEC), UINT64_MAX);
	bench_clear_log(&b);
	cr_expect_eq(bench_until(&b, CTL_PAIR_OUT_OF_SERVICE, 60 * SEC), 15 * SEC);
	cr_expect_eq(b.n_sent, 3);
	for (unsigned int s = 0; s < 3; s++)
		cr_expect_eq(bench_count(&b, s), 1, "slot %u", s);
	cr_expect_str_eq(b.last.cause, "all-missed");
	cr_expect(ctl_pair_word(&b.p, &b.conf) & DP_WORD_OUT_OF_SERVICE);
	bench_clear_log(&b);
	bench_run(&b, 60 * SEC);
	cr_expect_eq(b.n_sent, 12, "%u probes", b.n_sent);
	cr_expect_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE);
	b.mood[1] = BENCH_ALIVE;
	cr_expect_leq(bench_until(&b, CTL_PAIR_BACKUP, 60 * SEC), 15 * SEC + MS);
	cr_expect_eq(b.p.active, 1);
}

Test(pair_probe, fall_counts_failures_in_a_row)
{
	running(2);
	b.conf.fall = 3;
	b.mood[0] = BENCH_DEAD;
	bench_run(&b, 12 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 6 * SEC);
	b.mood[0] = BENCH_DEAD;
	bench_run(&b, 12 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY, "two, a good one, two: not three in a row");
	cr_expect_neq(bench_until(&b, CTL_PAIR_BACKUP, 10 * SEC), UINT64_MAX);
}

Test(pair_probe, rise_counts_answers_in_a_row_for_who_was_down)
{
	running(2);
	b.conf.rise = 3;
	b.mood[1] = BENCH_DEAD;
	bench_run(&b, 11 * SEC);
	cr_expect_eq(b.p.m[1].health, CTL_HEALTH_DOWN);
	b.mood[1] = BENCH_ALIVE;
	bench_run(&b, 10 * SEC);
	cr_expect_eq(b.p.m[1].health, CTL_HEALTH_DOWN);
	bench_run(&b, 6 * SEC);
	cr_expect_eq(b.p.m[1].health, CTL_HEALTH_UP);
	cr_expect_str_eq(b.last_member.cause, "probe-answered");
}

Test(pair_probe, the_first_to_answer_in_unknown_needs_no_rise)
{
	running(2);
	b.conf.rise = 5;
	b.mood[0] = b.mood[1] = BENCH_DEAD;
	bench_run(&b, 60 * SEC);
	cr_assert_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE);
	b.mood[1] = BENCH_ALIVE;
	bench_run(&b, 11 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
	cr_expect_eq(b.p.m[1].health, CTL_HEALTH_UP);
}

Test(pair_probe, a_standby_back_for_one_probe_is_better_than_unknown)
{
	running(2);
	b.conf.rise = 10;
	b.mood[1] = BENCH_DEAD;
	bench_run(&b, 20 * SEC);
	b.mood[1] = BENCH_ALIVE;
	bench_run(&b, 6 * SEC);
	cr_assert_eq(b.p.m[1].health, CTL_HEALTH_DOWN);
	b.mood[0] = BENCH_DEAD;
	bench_run(&b, 11 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
}

Test(pair_probe, alive_is_any_final_response_but_unavailable_codes)
{
	static const struct {
		uint16_t code;
		bool alive;
	} rows[] = { { 200, true },  { 302, true }, { 401, true }, { 404, true }, { 405, true },
		     { 408, false }, { 480, true }, { 483, true }, { 500, true }, { 501, true },
		     { 503, false }, { 504, true }, { 603, true } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		running(2);
		b.code[0] = rows[i].code;
		bench_run(&b, 10 * SEC);
		cr_expect_eq(b.p.phase == CTL_PAIR_PRIMARY, rows[i].alive, "%u", rows[i].code);
	}
	running(2);
	b.conf.codes[b.conf.n_codes++] = 404;
	b.code[0] = 404;
	bench_run(&b, 10 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
	cr_expect_str_eq(b.last.cause, "unavailable-code");
}

Test(pair_probe, an_active_member_that_answers_is_never_left_because_another_answers)
{
	running(3);
	b.mood[0] = BENCH_DEAD;
	bench_run(&b, 15 * SEC);
	cr_assert_eq(b.p.active, 1);
	b.mood[0] = BENCH_ALIVE;
	bench_clear_log(&b);
	bench_run(&b, 86400 * SEC);
	cr_expect_eq(b.p.active, 1);
	cr_expect_eq(b.n_switches, 0);
}

Test(pair_probe, oos_check_0_sends_nothing_unless_asked_to)
{
	bench_init(&b, 2);
	b.conf.check_us = 0;
	bench_start(&b);
	bench_run(&b, SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	bench_clear_log(&b);
	bench_run(&b, 3600 * SEC);
	cr_expect_eq(b.n_sent, 0, "no periodic probes");
	b.mood[0] = BENCH_DEAD;
	bench_member_event(&b, CTL_EV_UNANSWERED, 0, 0, SIP_METHOD_INVITE);
	cr_expect_lt(bench_until(&b, CTL_PAIR_UNKNOWN, SEC), 500 * MS, "suspicion still probes");
	cr_expect_leq(bench_until(&b, CTL_PAIR_BACKUP, SEC), MS, "nobody knew b: asked at once");
}

Test(pair_probe, one_member_only)
{
	bench_init(&b, 1);
	bench_start(&b);
	bench_run(&b, SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	b.mood[0] = BENCH_DEAD;
	cr_expect_neq(bench_until(&b, CTL_PAIR_UNKNOWN, 11 * SEC), UINT64_MAX);
	cr_expect_eq(bench_until(&b, CTL_PAIR_OUT_OF_SERVICE, 11 * SEC), 5 * SEC);
	b.mood[0] = BENCH_ALIVE;
	cr_expect_leq(bench_until(&b, CTL_PAIR_PRIMARY, 11 * SEC), 5 * SEC + MS);
}

/* A member is left within fall periods and one timeout, whatever the settings (probe-all). */
Test(pair_probe, a_dead_active_member_is_left_within_the_bound_of_the_settings)
{
	static const struct {
		uint64_t check_us, timeout_us;
		uint32_t fall;
		uint64_t bound_us;
	} rows[] = { { 5 * SEC, 0, 1, 10 * SEC },     { 500 * MS, 0, 1, SEC },
		     { 100 * MS, 0, 3, 400 * MS },    { 300 * SEC, 0, 2, 605 * SEC },
		     { SEC, 300 * MS, 1, 1300 * MS }, { SEC, 300 * MS, 4, 4300 * MS },
		     { SEC, 3 * SEC, 1, 4 * SEC },    { SEC, 3 * SEC, 2, 7 * SEC } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned int at = 0; at < 10; at++) {
			uint64_t bound, took;

			bench_init(&b, 2);
			b.conf.check_us = rows[i].check_us;
			b.conf.timeout_us = rows[i].timeout_us;
			b.conf.fall = rows[i].fall;
			bench_start(&b);
			bench_run(&b, 700 * SEC + at * rows[i].check_us / 10);
			bound = ctl_pair_detect_bound(&b.conf);
			cr_expect_eq(bound, rows[i].bound_us, "row %zu: %llu", i,
				     (unsigned long long)bound);
			b.mood[0] = BENCH_DEAD;
			took = bench_until(&b, CTL_PAIR_BACKUP, 3600 * SEC);
			cr_expect_leq(took, bound, "row %zu: %llu us, bound %llu", i,
				      (unsigned long long)took, (unsigned long long)bound);
		}
	}
}

Test(pair_probe, every_probe_ends_in_an_answer_an_error_or_a_cancel)
{
	running(4);
	for (unsigned int i = 0; i < 400; i++) {
		b.mood[i % 4] = (enum bench_mood)(i * 7 % 3);
		b.rtt_us[i % 4] = (i * 131 % 900) * MS;
		if (i % 5 == 0)
			bench_member_event(&b, CTL_EV_UNANSWERED, i % 3, 0, SIP_METHOD_INVITE);
		bench_run(&b, (i % 13) * 300 * MS);
	}
	for (unsigned int s = 0; s < 4; s++)
		b.mood[s] = BENCH_ALIVE;
	bench_run(&b, 100 * SEC);
	bench_event(&b, CTL_EV_PIN);
	cr_expect_leq(b.n_outstanding, 4, "%u probes nobody waits for", b.n_outstanding);
}

/* A tick that comes late means that this process did not run: nobody else is to blame. */
Test(pair_probe, a_stalled_process_takes_no_member_down)
{
	running(2);
	b.mood[0] = b.mood[1] = BENCH_DEAD; /* the answers wait in the socket */
	bench_run(&b, 5 * SEC + 1);
	b.now_us += 3600 * SEC;
	b.mood[0] = b.mood[1] = BENCH_ALIVE;
	bench_clear_log(&b);
	bench_run(&b, 30 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	cr_expect_eq(b.n_switches, 0);
	cr_expect_eq(b.p.m[1].health, CTL_HEALTH_UP);
}

Test(pair_probe, a_process_that_is_always_late_still_notices_a_death)
{
	running(2);
	b.mood[0] = BENCH_DEAD;
	for (unsigned int i = 0; i < 100 && b.p.phase == CTL_PAIR_PRIMARY; i++) {
		b.now_us = b.p.wake_us + 300 * MS;
		bench_event(&b, CTL_EV_TICK);
		bench_run(&b, 2 * MS);
	}
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
}

/* Probes of several members end in one tick when the process was late: who is found silent with the
 * active member does not take over. */
Test(pair_probe, members_found_silent_together_are_not_tried_one_after_the_other)
{
	running(3);
	b.mood[0] = b.mood[1] = BENCH_DEAD;
	bench_run(&b, 6 * SEC);
	cr_assert_neq(b.p.m[0].periodic.id, 0);
	cr_assert_neq(b.p.m[1].periodic.id, 0);
	b.p.m[0].periodic.deadline_us = b.p.m[1].periodic.deadline_us = b.now_us;
	bench_event(&b, CTL_EV_TICK);
	cr_expect_eq(b.p.active, 2);
	cr_expect_eq(b.n_switches, 1, "%u switches", b.n_switches);
	cr_expect_eq(b.p.m[0].health, CTL_HEALTH_DOWN);
	cr_expect_eq(b.p.m[1].health, CTL_HEALTH_DOWN);
}
