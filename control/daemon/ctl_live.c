/*
 * One pass a window over the members that there are. Their counters lie on pages that exist only
 * where there was traffic; reading another one is reading the zero page.
 *
 * Timers: `window` CTL_LIVE_WINDOW_MS.
 */
#include "control/daemon/ctl_live.h"

#include <stdlib.h>

/* What a member's figures were at the last window. */
struct seen {
	uint64_t judged, failed, delays, delay_us;
};

struct ctl_live {
	const struct dp_region *region;
	struct ctl_pairs *pairs;
	struct event *window;
	struct seen *seen; /* by member number; untouched pages cost nothing */
};

static uint64_t get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

struct dp_member_counters ctl_member_counters(const struct dp_region *r, unsigned int member)
{
	struct dp_member_counters sum = { 0 };

	for (unsigned int w = 0; w < r->boot.n_workers; w++)
		dp_member_counters_add(dp_region_worker(r, w)->members, member, &sum);
	return sum;
}

static struct seen figures(const struct dp_region *r, unsigned int member)
{
	struct seen sum = { 0 };

	for (unsigned int w = 0; w < r->boot.n_workers; w++) {
		struct dp_member_group *members = dp_region_worker(r, w)->members;

		sum.judged += get(DP_MEMBER_COUNTER(members, member, judged));
		sum.failed += get(DP_MEMBER_COUNTER(members, member, failed));
		sum.delays += get(DP_MEMBER_COUNTER(members, member, delays));
		sum.delay_us += get(DP_MEMBER_COUNTER(members, member, delay_us));
	}
	return sum;
}

static void look(void *arg, unsigned int member)
{
	struct ctl_live *l = arg;
	const struct seen now = figures(l->region, member);
	struct seen *was = &l->seen[member];
	uint64_t judged, failed, delays;

	if (now.judged == was->judged)
		return;
	/* A data plane that began anew counts from zero. */
	if (now.judged < was->judged || now.failed < was->failed || now.delays < was->delays)
		*was = (struct seen){ 0 };
	judged = now.judged - was->judged;
	failed = now.failed - was->failed;
	delays = now.delays - was->delays;
	ctl_pairs_live(l->pairs, member, (uint32_t)judged,
		       (uint32_t)(failed < judged ? failed : judged),
		       delays ? (uint32_t)((now.delay_us - was->delay_us) / delays) : 0);
	*was = now;
}

void ctl_live_window(struct ctl_live *l)
{
	ctl_pairs_each_member(l->pairs, look, l);
}

static void on_window(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ctl_live_window(arg);
}

struct ctl_live *ctl_live_new(struct event_base *base, const struct dp_region *region,
			      struct ctl_pairs *pairs)
{
	const struct timeval tv = { .tv_sec = CTL_LIVE_WINDOW_MS / 1000,
				    .tv_usec = CTL_LIVE_WINDOW_MS % 1000 * 1000 };
	struct ctl_live *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->region = region;
	l->pairs = pairs;
	l->seen = calloc(DP_MAX_MEMBERS, sizeof(*l->seen));
	l->window = event_new(base, -1, EV_PERSIST, on_window, l);
	if (!l->seen || !l->window || event_add(l->window, &tv) < 0) {
		ctl_live_free(l);
		return NULL;
	}
	return l;
}

void ctl_live_free(struct ctl_live *l)
{
	if (!l)
		return;
	if (l->window)
		event_free(l->window);
	free(l->seen);
	free(l);
}
