/*
 * From the workers' counters to the pair machine, window by window.
 */
#include "control/daemon/ctl_live.h"
#include "control/pair/ctl_pairs_int.h"
#include "tests/leaks.h"

#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(live, .fini = leaks_check);

static uint64_t some_time(void *arg)
{
	(void)arg;
	return 1000000;
}

/* A pairs' runtime of one pair without probes: its number is 3, its member in slot 1. */
static struct ctl_pairs_pair *pair;
static struct ctl_timers timers;

static struct ctl_pairs *make_pairs(void)
{
	const struct ctl_pairs_io io = { .timers = &timers, .now_us = some_time };
	const struct ctl_pairs_params params = { .history = ctl_history_new(10, 10) };
	struct ctl_pairs *ps = ctl_pairs_new_io(&params, &io);

	pair = calloc(1, sizeof(*pair));
	ctl_pair_init(&pair->st);
	pair->ps = ps;
	pair->number = 3;
	pair->name = strdup("east");
	pair->conf.n = 1;
	pair->conf.order[0] = 1;
	pair->st.m[1].present = true;
	pair->st.m[1].health = CTL_HEALTH_UP;
	ps->order = calloc(1, sizeof(struct ctl_pairs_pair *));
	ps->order[ps->n_order++] = pair;
	ps->by_number[3] = pair;
	return ps;
}

static const struct ctl_pair_live *recent(void)
{
	return &pair->st.m[1].recent;
}

static void set(struct dp_region *r, unsigned int worker, uint64_t judged, uint64_t failed,
		uint64_t delays, uint64_t delay_us)
{
	struct dp_member_group *members = dp_region_worker(r, worker)->members;
	const uint32_t member = 3 * DP_PAIR_MEMBERS + 1;

	*DP_MEMBER_COUNTER(members, member, judged) = judged;
	*DP_MEMBER_COUNTER(members, member, failed) = failed;
	*DP_MEMBER_COUNTER(members, member, delays) = delays;
	*DP_MEMBER_COUNTER(members, member, delay_us) = delay_us;
}

static void nothing_is_recorded(void *arg, unsigned int pair_number, uint64_t word)
{
	(void)arg;
	(void)pair_number;
	(void)word;
}

Test(live, a_window_holds_what_came_since_the_last)
{
	const struct dp_boot boot = { .n_workers = 2 };
	struct event_base *base = event_base_new();
	int fd;
	struct dp_region *r = dp_region_create(&boot, 1 << 20, &fd);
	struct ctl_pairs *ps = make_pairs();
	struct ctl_history *h = ps->history;
	struct ctl_live *l = ctl_live_new(base, r, ps);

	ps->set_word = nothing_is_recorded;
	cr_assert(l);
	ctl_live_window(l);
	cr_expect_eq(recent()->requests, 0, "no traffic, no window");
	set(r, 0, 6, 1, 5, 5000);
	set(r, 1, 4, 1, 3, 11000);
	ctl_live_window(l);
	cr_expect_eq(recent()->requests, 10 * 256);
	cr_expect_eq(recent()->failed, 2 * 256);
	cr_expect_eq(recent()->delay_us, 2000, "%lu", recent()->delay_us);
	ctl_live_window(l);
	cr_expect_eq(recent()->requests, 10 * 256, "nothing came since");
	set(r, 0, 10, 1, 9, 9000);
	ctl_live_window(l);
	cr_expect_eq(recent()->requests, 10 * 256 * 3 / 4 + 4 * 256);
	/* A data plane that began anew. */
	set(r, 0, 1, 1, 0, 0);
	set(r, 1, 0, 0, 0, 0);
	ctl_live_window(l);
	cr_expect_eq(recent()->requests, (10 * 256 * 3 / 4 + 4 * 256) * 3 / 4 + 256);
	ctl_live_free(l);
	ctl_pairs_free(ps);
	ctl_history_free(h);
	event_base_free(base);
	dp_region_unmap(r);
	close(fd);
}
