/* Timers against a naive list. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "control/probe/ctl_timers.h"

#define N 200

static struct ctl_timers ts;
static struct timer {
	struct ctl_timer t; /* first */
	uint64_t want_us;   /* 0: not armed */
	uint64_t fired_us;
} timers[N];

static uint64_t clock_us, last_us;
static unsigned int n_fired;

static void on_fire(struct ctl_timer *t, uint64_t now_us)
{
	struct timer *x = (struct timer *)t;

	cr_expect_neq(x->want_us, 0, "fired though it was not armed");
	cr_expect_leq(x->want_us, now_us, "fired too early");
	cr_expect_geq(x->want_us, last_us, "fired out of order");
	cr_expect_eq(t->at_us, 0);
	last_us = x->want_us;
	x->want_us = 0;
	x->fired_us = now_us;
	n_fired++;
}

static uint64_t naive_next(void)
{
	uint64_t next = 0;

	for (unsigned int i = 0; i < N; i++) {
		if (timers[i].want_us != 0 && (next == 0 || timers[i].want_us < next))
			next = timers[i].want_us;
	}
	return next;
}

Test(probe_timers, like_a_naive_list)
{
	srandom(1);
	clock_us = 1000;
	for (unsigned int i = 0; i < N; i++)
		timers[i].t.fire = on_fire;
	for (unsigned int step = 0; step < 200000; step++) {
		struct timer *x = &timers[random() % N];

		switch (random() % 4) {
		case 0:
		case 1:
			x->want_us = clock_us + 1 + (uint64_t)random() % 500;
			ctl_timer_set(&ts, &x->t, x->want_us);
			break;
		case 2:
			x->want_us = 0;
			ctl_timer_cancel(&ts, &x->t);
			break;
		default:
			clock_us += (uint64_t)random() % 20;
			last_us = 0;
			ctl_timers_run(&ts, clock_us);
			break;
		}
		cr_assert_eq(ctl_timers_next(&ts), naive_next(), "step %u", step);
		cr_assert(naive_next() == 0 || step % 4 != 3 || naive_next() > 0);
	}
	cr_expect_gt(n_fired, 1000);
}

static unsigned int order[4], n_order;

static void note_order(struct ctl_timer *t, uint64_t now_us)
{
	(void)now_us;
	order[n_order++] = (unsigned int)((struct timer *)t - timers);
}

Test(probe_timers, equal_deadlines_in_the_order_in_which_they_were_set)
{
	for (unsigned int i = 0; i < 4; i++) {
		timers[i].t.fire = note_order;
		ctl_timer_set(&ts, &timers[3 - i].t, 5000);
	}
	for (unsigned int i = 0; i < 4; i++)
		timers[i].t.fire = note_order;
	ctl_timers_run(&ts, 5000);
	cr_assert_eq(n_order, 4);
	for (unsigned int i = 0; i < 4; i++)
		cr_expect_eq(order[i], 3 - i);
}

static void again(struct ctl_timer *t, uint64_t now_us)
{
	n_fired++;
	ctl_timer_set(&ts, t, now_us - 1);
}

Test(probe_timers, one_that_is_always_due_holds_up_nobody)
{
	timers[0].t.fire = again;
	timers[1].t.fire = note_order;
	ctl_timer_set(&ts, &timers[0].t, 10);
	ctl_timer_set(&ts, &timers[1].t, 20);
	cr_expect_eq(ctl_timers_run(&ts, 20), 2);
	cr_expect_eq(n_order, 1);
	cr_expect_eq(ctl_timers_next(&ts), 21);
	ctl_timer_cancel(&ts, &timers[0].t);
	ctl_timer_cancel(&ts, &timers[0].t);
	cr_expect_eq(ctl_timers_next(&ts), 0);
}

static unsigned int n_sooner;

static void sooner(void *arg, uint64_t at_us)
{
	(void)arg;
	(void)at_us;
	n_sooner++;
}

Test(probe_timers, the_driver_is_told_when_the_earliest_becomes_earlier)
{
	ts.sooner = sooner;
	timers[0].t.fire = timers[1].t.fire = note_order;
	ctl_timer_set(&ts, &timers[0].t, 100);
	ctl_timer_set(&ts, &timers[1].t, 200);
	cr_expect_eq(n_sooner, 1);
	ctl_timer_set(&ts, &timers[1].t, 50);
	cr_expect_eq(n_sooner, 2);
}
