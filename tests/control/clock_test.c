/* The control thread's clock, stopped and going on. */
#include "control/probe/ctl_clock.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "control/probe/ctl_probe.h"

static struct event_base *base;
static struct ctl_clock *c;
static unsigned int fired;

static void on_fire(struct ctl_timer *t, uint64_t now_us)
{
	(void)t;
	cr_expect_leq(now_us, ctl_clock_now_us(c));
	fired++;
}

static void setup(void)
{
	base = event_base_new();
	c = ctl_clock_new(base);
	cr_assert(base && c);
}

static void teardown(void)
{
	ctl_clock_free(c);
	event_base_free(base);
}

static void run_for(int ms)
{
	const struct timeval tv = { .tv_usec = ms * 1000 };

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

TestSuite(clock, .init = setup, .fini = teardown, .timeout = 60);

Test(clock, stands_still_while_it_is_stopped)
{
	struct ctl_timer t = { .fire = on_fire };
	uint64_t stopped, lag;

	ctl_timer_set(ctl_clock_timers(c), &t, ctl_clock_now_us(c) + 30000);
	ctl_clock_stop(c, true);
	stopped = ctl_clock_now_us(c);
	run_for(100);
	cr_expect_eq(ctl_clock_now_us(c), stopped);
	cr_expect_eq(fired, 0);
	ctl_clock_stop(c, true); /* once is enough */
	ctl_clock_stop(c, false);
	lag = ctl_now_us() - ctl_clock_now_us(c);
	cr_expect_geq(lag, 100000);
	cr_expect_eq(fired, 0, "what was to come in 30 ms still comes in 30 ms");
	while (!fired)
		event_base_loop(base, EVLOOP_ONCE);
	cr_expect_geq(ctl_clock_now_us(c), stopped);
}

Test(clock, timers_set_while_it_is_stopped_fire_later)
{
	struct ctl_timer t = { .fire = on_fire };

	ctl_clock_stop(c, true);
	ctl_timer_set(ctl_clock_timers(c), &t, ctl_clock_now_us(c));
	run_for(30);
	cr_expect_eq(fired, 0);
	ctl_clock_stop(c, false);
	while (!fired)
		event_base_loop(base, EVLOOP_ONCE);
}

/* ---- A loop that did not run for a while */

static unsigned int answers, answers_at_fire;

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	answers++;
}

static void on_silence(struct ctl_timer *t, uint64_t now_us)
{
	(void)t;
	(void)now_us;
	answers_at_fire = answers;
	fired++;
}

Test(clock, what_is_late_waits_for_answers_that_are_late_as_well)
{
	struct ctl_timer t = { .fire = on_silence }, u = { .fire = on_fire };
	struct event *ev = evtimer_new(base, on_answer, NULL);
	const struct timeval soon = { .tv_usec = 3000 };

	ctl_timer_set(ctl_clock_timers(c), &t, ctl_clock_now_us(c) + 1000);
	usleep(100000);
	evtimer_add(ev, &soon);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_expect_eq(fired, 0, "put off");
	ctl_timer_set(ctl_clock_timers(c), &u, 1); /* another one does not bring it forward */
	while (fired < 2)
		event_base_loop(base, EVLOOP_ONCE);
	cr_expect_eq(answers_at_fire, 1);
	event_free(ev);
}

Test(clock, what_is_late_again_and_again_fires)
{
	struct ctl_timer t = { .fire = on_fire };

	ctl_timer_set(ctl_clock_timers(c), &t, ctl_clock_now_us(c) + 1000);
	for (unsigned int i = 0; i < 2; i++) {
		usleep(100000);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	cr_expect_eq(fired, 1, "put off once only");
}

/* ---- Probes: nothing is sent, and a send that failed just before does not count */

static unsigned int told;
static struct ctl_probe_result outcome;

static void on_outcome(void *arg, const struct ctl_probe_result *r)
{
	(void)arg;
	told++;
	outcome = *r;
}

Test(clock, a_send_that_fails_as_the_netdev_goes_is_no_evidence)
{
	const struct ctl_pair_send order = { .n_sends = 3, .spread_us = 300000 };
	struct ctl_target_params params = { .max_forwards = 70,
					    .at = { .port = 5060, .transport = DP_UDP } };
	struct ctl_prober *p = ctl_prober_new(base, ctl_clock_timers(c));
	struct ctl_target *t;
	struct ctl_probe *pr;

	/* broadcast without permission: sendto() is refused */
	cr_assert_eq(dp_ip_parse("255.255.255.255", &params.at.ip), 0);
	cr_assert_eq(dp_ip_parse("127.0.0.1", &params.from), 0);
	t = ctl_target_new(p, &params);
	cr_assert(ctl_probe_send(t, &order, on_outcome, NULL));
	while (!told)
		event_base_loop(base, EVLOOP_ONCE);
	cr_expect_eq(outcome.code, CTL_ERROR_SEND, "with a clock that goes it is told");

	pr = ctl_probe_send(t, &order, on_outcome, NULL);
	cr_assert(pr);
	ctl_clock_stop(c, true);
	run_for(150);
	cr_expect_eq(told, 1, "stopped in time: not told");
	ctl_clock_stop(c, false);
	while (told == 1)
		event_base_loop(base, EVLOOP_ONCE);
	cr_expect_geq(ctl_prober_counts(p)[CTL_PROBE_SENT], 3, "but tried again");
	ctl_target_free(t);
	ctl_prober_free(p);
}
