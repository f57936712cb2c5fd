/*
 * Operators' orders and changed configurations: they beat the machine's own will (REQUIREMENTS 3
 * "Failback"), and disturb nobody who stays (REQUIREMENTS 4, 8).
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/control/pair_bench.h"

static struct bench b;

static void running(unsigned int n, unsigned int failback)
{
	bench_init(&b, n);
	b.conf.failback = failback;
	b.conf.hold_us = 10 * SEC;
	bench_start(&b);
	bench_run(&b, 62 * SEC);
	cr_assert_eq(b.p.phase, CTL_PAIR_PRIMARY);
	bench_clear_log(&b);
}

static void order(enum ctl_pair_event_type type, unsigned int slot)
{
	bench_step(&b,
		   &(struct ctl_pair_event){ .type = type, .slot = (uint8_t)slot, .who = "alice" });
}

static bool refused(enum ctl_pair_event_type type, unsigned int slot)
{
	const struct ctl_pair_event ev = { .type = type, .slot = (uint8_t)slot };
	char err[CTL_PAIR_TEXT] = "";
	int r = ctl_pair_refuses(&b.p, &b.conf, &ev, err);

	cr_expect(r == 0 || r == -EINVAL);
	cr_expect_eq(r != 0, err[0] != '\0');
	return r != 0;
}

Test(pair_order, switch_holds_against_failback_until_the_member_fails)
{
	running(2, CTL_FAILBACK_IMMEDIATE);
	order(CTL_EV_SWITCH, CTL_PAIR_NONE);
	cr_expect_eq(b.p.active, 1);
	cr_expect_str_eq(b.last.cause, "operator");
	cr_expect_str_eq(b.last.who, "alice");
	bench_run(&b, 86400 * SEC);
	cr_expect_eq(b.p.active, 1);
	b.mood[1] = BENCH_DEAD;
	bench_run(&b, 11 * SEC);
	cr_expect_eq(b.p.active, 0);
	b.mood[1] = BENCH_ALIVE;
	bench_run(&b, 60 * SEC);
	b.mood[0] = BENCH_DEAD;
	bench_run(&b, 11 * SEC);
	cr_expect_eq(b.p.active, 1);
	b.mood[0] = BENCH_ALIVE;
	bench_run(&b, 60 * SEC);
	cr_expect_eq(b.p.active, 0, "the machine's own switch is not held");
}

Test(pair_order, switch_is_no_flap)
{
	running(2, CTL_FAILBACK_IMMEDIATE);
	for (unsigned int i = 0; i < 10; i++)
		order(CTL_EV_SWITCH, CTL_PAIR_NONE);
	cr_expect_eq(b.p.active, 0);
	cr_expect_eq(b.p.flaps, 0);
}

Test(pair_order, what_cannot_be_followed_is_refused)
{
	running(2, 0);
	cr_expect(refused(CTL_EV_SWITCH, 0), "is active already");
	cr_expect_not(refused(CTL_EV_SWITCH, 1));
	cr_expect_not(refused(CTL_EV_SWITCH, CTL_PAIR_NONE));
	cr_expect(refused(CTL_EV_SWITCH, 7), "is not there");
	b.mood[1] = BENCH_DEAD;
	bench_run(&b, 11 * SEC);
	cr_expect(refused(CTL_EV_SWITCH, 1), "is down");
	b.mood[0] = BENCH_DEAD;
	bench_run(&b, 30 * SEC);
	cr_assert_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE);
	cr_expect_not(refused(CTL_EV_SWITCH, 1), "nobody is known alive: as good as the other");
	order(CTL_EV_DISABLE, 1);
	cr_expect(refused(CTL_EV_SWITCH, 1), "is disabled");
	cr_expect(refused(CTL_EV_SWITCH, CTL_PAIR_NONE), "no other member");
	running(2, 0);
	order(CTL_EV_PIN, 0);
	cr_expect(refused(CTL_EV_DRAIN, 0), "is pinned");
	cr_expect(refused(CTL_EV_DISABLE, 0), "is pinned");
	cr_expect_not(refused(CTL_EV_DRAIN, 1));
	bench_init(&b, 2);
	cr_expect(refused(CTL_EV_PIN, 0), "no members");
}

Test(pair_order, a_pinned_pair_never_leaves_its_member)
{
	running(2, CTL_FAILBACK_IMMEDIATE);
	order(CTL_EV_PIN, 0);
	b.mood[0] = BENCH_DEAD;
	cr_expect_neq(bench_until(&b, CTL_PAIR_UNKNOWN, 11 * SEC), UINT64_MAX);
	cr_expect_neq(bench_until(&b, CTL_PAIR_OUT_OF_SERVICE, 11 * SEC), UINT64_MAX);
	cr_expect_eq(b.p.active, 0);
	b.mood[0] = BENCH_ALIVE;
	cr_expect_leq(bench_until(&b, CTL_PAIR_PRIMARY, 11 * SEC), 5 * SEC + MS);
	order(CTL_EV_SWITCH, 1);
	bench_run(&b, 3600 * SEC);
	cr_expect_eq(b.p.active, 1, "the operator's switch moves the pin");
	cr_expect(b.p.pinned);
	b.mood[1] = BENCH_DEAD;
	bench_run(&b, 60 * SEC);
	cr_expect_eq(b.p.active, 1);
	order(CTL_EV_UNPIN, 0);
	bench_run(&b, 6 * SEC);
	cr_expect_eq(b.p.active, 0);
}

Test(pair_order, drain_moves_new_dialogs_to_a_twin_that_lives)
{
	running(2, CTL_FAILBACK_IMMEDIATE);
	order(CTL_EV_DRAIN, 0);
	cr_expect_eq(b.p.active, 1);
	cr_expect(dp_word_draining(ctl_pair_word(&b.p, &b.conf), 0));
	cr_expect_not(dp_word_down(ctl_pair_word(&b.p, &b.conf), 0), "its dialogs stay");
	bench_run(&b, 3600 * SEC);
	cr_expect_eq(b.p.active, 1, "no failback to a drained member");
	order(CTL_EV_ENABLE, 0);
	bench_run(&b, 60 * SEC);
	cr_expect_eq(b.p.active, 0);
}

Test(pair_order, drain_of_the_only_live_member_waits_for_the_twin)
{
	running(2, 0);
	b.mood[1] = BENCH_DEAD;
	bench_run(&b, 11 * SEC);
	order(CTL_EV_DRAIN, 0);
	bench_run(&b, 60 * SEC);
	cr_expect_eq(b.p.active, 0);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	b.mood[1] = BENCH_ALIVE;
	bench_run(&b, 6 * SEC);
	cr_expect_eq(b.p.active, 1);
	b.mood[1] = BENCH_DEAD;
	bench_run(&b, 11 * SEC);
	cr_expect_eq(b.p.active, 0, "a drained member is better than none");
}

Test(pair_order, drain_without_probe_all_asks_the_twin_first)
{
	running(2, 0);
	b.conf.probe_all = false;
	bench_run(&b, 20 * SEC);
	order(CTL_EV_DRAIN, 0);
	cr_expect_eq(b.p.active, 0);
	bench_run(&b, 6 * SEC);
	cr_expect_eq(b.p.active, 1);
}

Test(pair_order, disabled_members_get_nothing_not_even_probes)
{
	running(2, CTL_FAILBACK_IMMEDIATE);
	order(CTL_EV_DISABLE, 0);
	cr_expect_eq(b.p.active, 1);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
	cr_expect(dp_word_down(ctl_pair_word(&b.p, &b.conf), 0));
	bench_clear_log(&b);
	bench_run(&b, 600 * SEC);
	cr_expect_eq(bench_count(&b, 0), 0);
	b.mood[1] = BENCH_DEAD;
	bench_run(&b, 60 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE, "not even then");
	cr_expect_eq(b.p.active, 1);
	order(CTL_EV_ENABLE, 0);
	cr_expect_eq(b.p.phase, CTL_PAIR_UNKNOWN);
	bench_run(&b, 2 * MS);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY, "asked at once");
}

Test(pair_order, all_disabled_is_out_of_service_until_one_is_enabled)
{
	running(2, 0);
	order(CTL_EV_DISABLE, 0);
	order(CTL_EV_DISABLE, 1);
	cr_expect_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE);
	cr_expect(ctl_pair_word(&b.p, &b.conf) & DP_WORD_OUT_OF_SERVICE);
	bench_clear_log(&b);
	bench_run(&b, 600 * SEC);
	cr_expect_eq(b.n_sent, 0);
	order(CTL_EV_ENABLE, 0);
	cr_expect_eq(b.p.active, 0);
	bench_run(&b, 2 * MS);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
}

Test(pair_order, orders_survive_a_restart)
{
	struct ctl_pair_saved saved;

	running(3, CTL_FAILBACK_IMMEDIATE);
	order(CTL_EV_DRAIN, 2);
	order(CTL_EV_DISABLE, 0);
	order(CTL_EV_PIN, 0);
	ctl_pair_save(&b.p, &saved);
	b.n_pending = b.n_outstanding = 0;
	ctl_pair_init(&b.p);
	bench_start(&b);
	ctl_pair_restore(&b.p, &b.conf, &saved, b.now_us, &b.out);
	cr_expect_eq(b.p.active, 1);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
	cr_expect(b.p.pinned && b.p.m[0].disabled && b.p.m[2].draining);
	running(2, CTL_FAILBACK_IMMEDIATE);
	order(CTL_EV_SWITCH, 1);
	ctl_pair_save(&b.p, &saved);
	b.n_pending = b.n_outstanding = 0;
	ctl_pair_init(&b.p);
	bench_start(&b);
	ctl_pair_restore(&b.p, &b.conf, &saved, b.now_us, &b.out);
	bench_run(&b, 3600 * SEC);
	cr_expect_eq(b.p.active, 1, "switched by hand: no failback after a restart either");
}

Test(pair_order, a_saved_active_member_that_is_gone_or_disabled_is_not_taken)
{
	struct ctl_pair_saved saved;

	running(2, 0);
	order(CTL_EV_SWITCH, 1);
	ctl_pair_save(&b.p, &saved);
	saved.m[1].disabled = true;
	b.n_pending = b.n_outstanding = 0;
	ctl_pair_init(&b.p);
	bench_start(&b);
	ctl_pair_restore(&b.p, &b.conf, &saved, b.now_us, &b.out);
	cr_expect_eq(b.p.active, 0);
	cr_expect_eq(b.p.phase, CTL_PAIR_UNKNOWN);
	saved.active = 9;
	ctl_pair_restore(&b.p, &b.conf, &saved, b.now_us, &b.out);
	cr_expect_eq(b.p.active, 0);
	saved.m[0].disabled = true;
	ctl_pair_restore(&b.p, &b.conf, &saved, b.now_us, &b.out);
	cr_expect_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE);
}

/* ---- Configuration */

Test(pair_order, a_new_member_disturbs_nobody)
{
	running(2, 0);
	b.conf.n = 3;
	b.conf.order[2] = 2;
	b.conf.m[2] =
		(struct ctl_pair_member_conf){ .name = "c", .role = DP_ROLE_FALLBACK, .rank = 2 };
	b.mood[2] = BENCH_ALIVE;
	b.code[2] = 200;
	b.rtt_us[2] = MS;
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_CHANGE, .slots = 1u << 2 });
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
	bench_run(&b, 100 * SEC);
	cr_expect_eq(b.n_switches, 0);
	cr_expect_eq(b.p.m[2].health, CTL_HEALTH_UP);
}

Test(pair_order, a_member_that_goes_is_left)
{
	running(3, 0);
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_GONE, .slots = 1u << 0 });
	cr_expect_eq(b.p.active, 1);
	cr_expect_str_eq(b.last.cause, "reload");
	cr_expect_not(b.p.m[0].present);
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_GONE, .slots = 3u << 1 });
	cr_expect_eq(b.p.active, CTL_PAIR_NONE);
	cr_expect_eq(ctl_pair_word(&b.p, &b.conf), 0);
	cr_expect_eq(b.n_outstanding, 0);
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_CHANGE, .slots = 3u });
	bench_run(&b, 10 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_PRIMARY);
}

Test(pair_order, the_last_enabled_member_goes_and_a_disabled_one_can_still_be_enabled)
{
	running(2, 0);
	order(CTL_EV_DISABLE, 1);
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_GONE, .slots = 1u << 0 });
	cr_expect_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE);
	cr_expect_eq(b.p.active, 1);
	cr_expect(ctl_pair_word(&b.p, &b.conf) & DP_WORD_OUT_OF_SERVICE);
	bench_run(&b, 100 * SEC);
	order(CTL_EV_ENABLE, 1);
	bench_run(&b, 10 * SEC);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
}

Test(pair_order, all_disabled_stays_out_of_service_whatever_is_ordered)
{
	running(2, 0);
	order(CTL_EV_DISABLE, 0);
	order(CTL_EV_DISABLE, 1);
	cr_assert_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE);
	order(CTL_EV_PIN, 0);
	order(CTL_EV_UNPIN, 0);
	cr_expect_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE, "unpinned");
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_CHANGE, .slots = 1u });
	cr_expect_eq(b.p.phase, CTL_PAIR_OUT_OF_SERVICE, "a disabled member has moved");
}

Test(pair_order, the_next_guess_is_recorded)
{
	running(3, 0);
	b.mood[0] = b.mood[1] = b.mood[2] = BENCH_DEAD;
	cr_assert_neq(bench_until(&b, CTL_PAIR_UNKNOWN, 60 * SEC), UINT64_MAX);
	unsigned int from = b.p.active, notes = b.n_notes;

	order(CTL_EV_DISABLE, from);
	cr_assert_neq(b.p.active, from);
	cr_expect_eq(b.n_notes, notes + 2, "the member's and the pair's");
	cr_expect_str_eq(b.last.to, "unknown");
	cr_expect_str_eq(b.last.cause, "operator");
}

Test(pair_order, a_newcomer_is_preferred_to_a_disabled_active_member)
{
	running(2, 0);
	order(CTL_EV_DISABLE, 1);
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_GONE, .slots = 1u << 0 });
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_CHANGE, .slots = 1u << 0 });
	cr_expect_eq(b.p.active, 0, "traffic goes to %u", b.p.active);
	cr_expect_eq(b.p.phase, CTL_PAIR_UNKNOWN);
}

Test(pair_order, the_return_of_members_to_an_empty_pair_is_recorded)
{
	running(2, 0);
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_GONE, .slots = 3u });
	cr_expect_str_eq(b.last.to, "out-of-service");
	bench_step(&b, &(struct ctl_pair_event){ .type = CTL_EV_CHANGE, .slots = 3u });
	cr_expect_eq(b.p.phase, CTL_PAIR_UNKNOWN);
	cr_expect_str_eq(b.last.from, "out-of-service");
	cr_expect_str_eq(b.last.to, "unknown");
	cr_expect_str_eq(b.last.cause, "reload");
}

Test(pair_order, roles_that_change_places_move_the_name_of_the_state_only)
{
	running(2, 0);
	b.conf.order[0] = 1;
	b.conf.order[1] = 0;
	b.conf.m[0].role = DP_ROLE_BACKUP;
	b.conf.m[0].rank = 1;
	b.conf.m[1].role = DP_ROLE_PRIMARY;
	b.conf.m[1].rank = 0;
	bench_event(&b, CTL_EV_CHANGE);
	cr_expect_eq(b.p.active, 0);
	cr_expect_eq(b.p.phase, CTL_PAIR_BACKUP);
}

Test(pair_order, shorter_periods_hold_at_once)
{
	running(2, CTL_FAILBACK_TIMED);
	b.conf.check_us = 100 * MS;
	bench_event(&b, CTL_EV_CHANGE);
	bench_clear_log(&b);
	bench_run(&b, SEC);
	cr_expect_geq(bench_count(&b, 0), 9);
}
