/*
 * Signal failback at run time: offers to the workers, what they say of them, the pauses between;
 * and the figures of live traffic on their way to the machine.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "sip/sip_msg.h"
#include "tests/control/pairs_world.h"

static struct world w;

static void setup(void)
{
	world_init(&w, NULL);
	w.failback = CTL_FAILBACK_SIGNAL;
}

static void teardown(void)
{
	world_fini(&w);
}

TestSuite(pair_trial, .init = setup, .fini = teardown);

#define EAST  "east=east-a:5060,east-b:5061"
#define THREE "east=east-a:5060,east-b:5061,east-c:5062"

static unsigned int number(void)
{
	return (unsigned int)ctl_numbers_pair(w.numbers, "east");
}

static unsigned int slot(const char *member)
{
	return (unsigned int)ctl_numbers_slot(w.numbers, "east", member);
}

static bool is_offered(void)
{
	return (world_word(&w, "east") & DP_WORD_TRIAL) != 0;
}

/* As a worker takes an offer. */
static uint32_t take(void)
{
	uint32_t offer = w.trials[number()];

	cr_assert_not(offer & DP_TRIAL_TAKEN);
	w.trials[number()] = offer | DP_TRIAL_TAKEN;
	return offer;
}

static void ended(uint32_t offer, unsigned int status)
{
	const struct dp_event ev = {
		.time_ns = w.now_us * 1000,
		.type = DP_EVENT_TRIAL,
		.member = number() * DP_PAIR_MEMBERS + dp_trial_slot(offer),
		.value = status << 8 | SIP_METHOD_INVITE,
		.id = dp_trial_number(offer),
	};

	ctl_pairs_dataplane_event(w.ps, &ev);
}

/* The primary has died, and the backup is active; the hold has passed. */
static void fail_over(const char *pairs)
{
	world_apply(&w, pairs, false);
	world_run(&w, 3 * SEC);
	cr_expect_not(is_offered(), "the primary is active");
	w.mood[0] = WORLD_DEAD;
	world_run(&w, 4 * SEC);
	cr_assert_str_eq(world_active(&w, "east"), "east-b");
	cr_expect_not(is_offered(), "it is held");
	world_run(&w, 10 * SEC);
}

/* Fanvil 2.3.2: the INVITE goes to the primary; it answers; the phone switches back. */
Test(pair_trial, an_answered_trial_returns_the_pair)
{
	uint32_t offer;

	fail_over(EAST);
	cr_assert(is_offered());
	offer = take();
	cr_expect_eq(dp_trial_slot(offer), slot("east-a"));
	w.mood[0] = WORLD_ALIVE;
	ended(offer, 180);
	cr_expect_str_eq(world_active(&w, "east"), "east-a");
	cr_expect_not(is_offered());
	cr_expect_str_eq(json_string_value(json_object_get(world_last_event(&w, "east"), "cause")),
			 "failback-signal");
}

/* Fanvil 2.3.4: before the primary resumes, the failover goes on; a retry is performed later. */
Test(pair_trial, a_failed_trial_is_repeated_ever_later)
{
	uint64_t pause_us = CTL_TRIAL_PAUSE_US;
	uint32_t last = 0;

	fail_over(EAST);
	for (int i = 0; i < 8; i++) {
		uint32_t offer;

		cr_assert(is_offered(), "after %d failures", i);
		offer = take();
		cr_expect_neq(dp_trial_number(offer), last);
		last = dp_trial_number(offer);
		ended(offer, i & 1 ? 503 : 0);
		cr_expect_str_eq(world_active(&w, "east"), "east-b");
		cr_expect_not(is_offered());
		world_run(&w, pause_us - 1000);
		cr_expect_not(is_offered(), "too soon after failure %d", i);
		world_run(&w, 2000);
		pause_us = 2 * pause_us < CTL_TRIAL_PAUSE_MAX_US ? 2 * pause_us
								 : CTL_TRIAL_PAUSE_MAX_US;
	}
}

Test(pair_trial, an_old_word_on_a_trial_counts_for_nothing)
{
	uint32_t first, second;

	fail_over(EAST);
	first = take();
	ended(first, 0);
	world_run(&w, CTL_TRIAL_PAUSE_US);
	second = take();
	ended(first, 200);
	cr_expect_str_eq(world_active(&w, "east"), "east-b");
	cr_expect(is_offered());
	ended(second, 200);
	cr_expect_str_eq(world_active(&w, "east"), "east-a");
}

/* The data plane was restarted while it had the offer. */
Test(pair_trial, an_offer_that_was_lost_is_made_anew)
{
	uint32_t offer;

	fail_over(EAST);
	offer = take();
	world_run(&w, CTL_TRIAL_LOST_US - SEC);
	cr_expect_eq(w.trials[number()], offer | DP_TRIAL_TAKEN);
	world_run(&w, CTL_TRIAL_LOST_US + SEC);
	cr_expect_neq(dp_trial_number(w.trials[number()]), dp_trial_number(offer));
	cr_expect_not(w.trials[number()] & DP_TRIAL_TAKEN);
}

Test(pair_trial, an_offer_nobody_takes_stays)
{
	uint32_t offer;

	fail_over(EAST);
	offer = w.trials[number()];
	world_run(&w, 10 * CTL_TRIAL_LOST_US);
	cr_expect_eq(w.trials[number()], offer);
	cr_expect(is_offered());
}

Test(pair_trial, an_offer_of_a_disabled_member_is_taken_back)
{
	char err[CTL_PAIR_TEXT];

	fail_over(EAST);
	cr_assert(is_offered());
	cr_assert_eq(ctl_pairs_disable(w.ps, "east-a", "test", err), 0);
	cr_expect_not(is_offered());
	cr_expect(w.trials[number()] & DP_TRIAL_TAKEN, "a worker could still take it");
}

Test(pair_trial, every_better_member_has_its_turn)
{
	uint32_t offer;

	w.mood[1] = WORLD_DEAD;
	world_apply(&w, THREE, false);
	w.mood[0] = WORLD_DEAD;
	world_run(&w, 20 * SEC);
	cr_assert_str_eq(world_active(&w, "east"), "east-c");
	cr_assert(is_offered());
	offer = take();
	cr_expect_eq(dp_trial_slot(offer), slot("east-b"), "the primary was held at first");
	ended(offer, 0);
	world_run(&w, CTL_TRIAL_PAUSE_US);
	cr_expect_eq(dp_trial_slot(w.trials[number()]), slot("east-a"));
	ended(take(), 0);
	world_run(&w, 2 * CTL_TRIAL_PAUSE_US);
	cr_expect_eq(dp_trial_slot(w.trials[number()]), slot("east-b"));
}

/* The backup has just been left, and is held; the primary is not. */
Test(pair_trial, a_held_member_keeps_no_other_from_its_turn)
{
	fail_over(THREE);
	ended(take(), 0);
	w.mood[1] = WORLD_DEAD;
	world_run(&w, 4 * SEC);
	cr_assert_str_eq(world_active(&w, "east"), "east-c");
	cr_assert(is_offered(), "the primary's turn");
	cr_expect_eq(dp_trial_slot(w.trials[number()]), slot("east-a"));
}

Test(pair_trial, without_signal_nothing_is_offered)
{
	w.failback = 0;
	fail_over(EAST);
	cr_expect_not(is_offered());
}

/* ---- Figures of live traffic (REQUIREMENTS 3: degraded) */

static void windows(unsigned int n, uint32_t requests, uint32_t failed)
{
	for (unsigned int i = 0; i < n; i++) {
		ctl_pairs_live(w.ps, number() * DP_PAIR_MEMBERS + slot("east-a"), requests, failed,
			       20000);
		world_run(&w, SEC);
	}
}

static bool is_degraded(void)
{
	const json_t *m = json_array_get(json_object_get(world_pair(&w, "east"), "members"), 0);

	return json_is_true(json_object_get(m, "degraded"));
}

Test(pair_trial, a_member_that_fails_live_requests_is_degraded)
{
	world_apply(&w, EAST, false);
	world_run(&w, 2 * SEC);
	windows(10, 100, 1);
	cr_expect_not(is_degraded());
	windows(4, 100, 60);
	cr_expect(is_degraded());
	cr_expect_str_eq(world_active(&w, "east"), "east-a", "only an event without gray-failover");
	windows(20, 100, 0);
	cr_expect_not(is_degraded());
}

Test(pair_trial, gray_failover_leaves_it)
{
	w.gray_failover = true;
	world_apply(&w, EAST, false);
	world_run(&w, 2 * SEC);
	windows(10, 100, 1);
	windows(4, 100, 60);
	cr_expect_str_eq(world_active(&w, "east"), "east-b");
	cr_expect_str_eq(json_string_value(json_object_get(world_last_event(&w, "east"), "cause")),
			 "gray-failure");
}

/* It failed for a while when it last had traffic, long ago; what it has now goes well. */
Test(pair_trial, figures_of_long_ago_fade)
{
	world_apply(&w, EAST, false);
	world_run(&w, 2 * SEC);
	windows(1, 400, 300);
	cr_expect_not(is_degraded(), "there is nothing to compare it with");
	world_run(&w, 300 * SEC);
	windows(6, 21, 0);
	cr_expect_not(is_degraded());
}

/* ---- Timed failback waits for the first hold that ends, also one that did not count before */

Test(pair_trial, a_member_that_is_enabled_again_has_its_turn_when_its_hold_ends)
{
	struct ctl_pairs_pair *rp;
	char err[CTL_PAIR_TEXT];

	w.failback = CTL_FAILBACK_TIMED;
	world_apply(&w, THREE, false);
	rp = ctl_pairs_find(w.ps, "east");
	rp->conf.interval_us = SEC;
	rp->conf.hold_us = 200 * SEC;
	world_run(&w, 3 * SEC);
	w.mood[0] = WORLD_DEAD;
	world_run(&w, 50 * SEC);
	cr_assert_eq(ctl_pairs_disable(w.ps, "east-a", "test", err), 0);
	w.mood[1] = WORLD_DEAD;
	world_run(&w, 20 * SEC);
	cr_assert_str_eq(world_active(&w, "east"), "east-c");
	w.mood[0] = w.mood[1] = WORLD_ALIVE;
	cr_assert_eq(ctl_pairs_enable(w.ps, "east-a", "test", err), 0);
	world_run(&w, 125 * SEC);
	cr_expect_str_eq(world_active(&w, "east"), "east-c", "a is still held");
	world_run(&w, 12 * SEC);
	cr_expect_str_eq(world_active(&w, "east"), "east-a", "b's hold ends 50 s later");
}

Test(pair_trial, figures_of_a_member_that_is_gone_are_ignored)
{
	world_apply(&w, EAST, false);
	world_run(&w, SEC);
	ctl_pairs_live(w.ps, number() * DP_PAIR_MEMBERS + 9, 100, 100, 0);
	ctl_pairs_live(w.ps, DP_MAX_MEMBERS - 1, 100, 100, 0);
	cr_expect_str_eq(world_active(&w, "east"), "east-a");
}
