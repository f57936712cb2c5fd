#include "tests/control/probe_bench.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

void bench_begin(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	signal(SIGPIPE, SIG_IGN);
	b->base = event_base_new();
	b->clock = ctl_clock_new(b->base);
	b->prober = ctl_prober_new(b->base, ctl_clock_timers(b->clock));
	cr_assert_not_null(b->prober);
}

void bench_end(struct bench *b)
{
	ctl_prober_free(b->prober);
	ctl_clock_free(b->clock);
	event_base_free(b->base);
}

void bench_run(struct bench *b, unsigned int n, uint64_t at_most_us)
{
	uint64_t end = ctl_now_us() + at_most_us;

	/* So many rounds at least that whatever has come meanwhile is read and answered, if the
	 * machine gave us no time. */
	for (unsigned int i = 0; b->n_done < n && (i < 20 || ctl_now_us() < end); i++) {
		const struct timeval tv = { .tv_usec = 2000 };

		event_base_loopexit(b->base, &tv);
		event_base_dispatch(b->base);
	}
}

static void on_done(void *arg, const struct ctl_probe_result *r)
{
	struct bench *b = arg;

	b->n_done++;
	b->done = *r;
}

struct ctl_probe *bench_probe(struct bench *b, struct ctl_target *t, enum ctl_probe_method method,
			      uint64_t timeout_us)
{
	const struct ctl_pair_send order = { .id = 1,
					     .method = (uint8_t)method,
					     .n_sends = method == CTL_PROBE_OPTIONS ? 3 : 0,
					     .spread_us = timeout_us,
					     .timeout_us = timeout_us };
	struct ctl_probe *pr;

	b->n_done = 0;
	memset(&b->done, 0, sizeof(b->done));
	pr = ctl_probe_send(t, &order, on_done, b);
	cr_assert_not_null(pr);
	cr_assert_eq(b->n_done, 0, "never within the call");
	return pr;
}

uint64_t bench_count(const struct bench *b, enum ctl_probe_count c)
{
	return ctl_prober_counts(b->prober)[c];
}
