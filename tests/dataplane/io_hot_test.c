/* Which sources are hot, and for how long. */
#include "dataplane/io/dp_hot.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/leaks.h"

TestSuite(hot, .fini = leaks_check);

#define MS 1000ull

static struct dp_endpoint source(unsigned int n)
{
	struct dp_endpoint e = { .port = 5060 };

	e.ip.b[10] = e.ip.b[11] = 0xff;
	e.ip.b[12] = 203;
	e.ip.b[13] = (uint8_t)(n >> 16);
	e.ip.b[14] = (uint8_t)(n >> 8);
	e.ip.b[15] = (uint8_t)n;
	return e;
}

static struct dp_hot *hot_new(void)
{
	struct dp_hot *h = malloc(sizeof(*h));

	dp_hot_init(h);
	return h;
}

Test(hot, sources_fill_the_buckets_evenly)
{
	unsigned int n[DP_HOT_BUCKETS] = { 0 }, used = 0, most = 0;

	for (unsigned int i = 0; i < 10240; i++) {
		struct dp_endpoint e = source(i);
		unsigned int *b = &n[dp_hot_bucket(&e)];

		used += *b == 0;
		(*b)++;
		most = *b > most ? *b : most;
	}
	cr_expect(used > 1000 && most < 40, "%u used, %u most", used, most);
	/* The port counts: several trunks behind one address. */
	used = 0;
	memset(n, 0, sizeof(n));
	for (unsigned int i = 0; i < 1024; i++) {
		struct dp_endpoint e = source(1);

		e.port = (uint16_t)(1024 + i);
		used += n[dp_hot_bucket(&e)]++ == 0;
	}
	cr_expect(used > 500, "%u used", used);
}

Test(hot, only_a_full_queue_beside_idle_workers_is_hot)
{
	static const struct {
		unsigned int some, full, load, other;
		bool hot;
		const char *what;
	} rows[] = {
		{ 0, 20, 90, 10, true, "full, busy, others idle" },
		{ 0, 8, 60, 35, true, "just so" },
		{ 0, 7, 90, 10, false, "too few full bursts" },
		{ 21, 20, 90, 10, false, "mostly not full" },
		{ 20, 20, 90, 10, true, "half of them full" },
		{ 0, 20, 59, 10, false, "it keeps up" },
		{ 0, 20, 90, 66, false, "the others have no room" },
		{ 0, 20, 100, 100, false, "all are overloaded alike" },
		{ 1000, 0, 90, 0, false, "never full" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_hot *h = hot_new();

		for (unsigned int k = 0; k < rows[i].some; k++)
			dp_hot_burst(h, false, 7);
		for (unsigned int k = 0; k < rows[i].full; k++)
			dp_hot_burst(h, true, 7);
		dp_hot_window(h, rows[i].load, rows[i].other, 0);
		cr_expect(dp_hot_is(h, 7, 1) == rows[i].hot, "%s", rows[i].what);
		cr_expect(h->ever == rows[i].hot, "%s", rows[i].what);
		cr_expect(!dp_hot_is(h, 8, 1));
		free(h);
	}
}

Test(hot, a_window_counts_for_itself)
{
	struct dp_hot *h = hot_new();

	for (unsigned int w = 0; w < 10; w++) {
		for (unsigned int k = 0; k < 7; k++)
			dp_hot_burst(h, true, 7);
		cr_expect(dp_hot_window(h, 90, 0, w * 10 * MS) == 0);
	}
	free(h);
}

Test(hot, the_trunk_is_marked_and_not_the_phones_beside_it)
{
	struct dp_hot *h = hot_new();

	for (unsigned int k = 0; k < 200; k++)
		dp_hot_burst(h, true, k % 2 ? 7 : 100 + k);
	cr_expect(dp_hot_window(h, 90, 0, 0) == 1);
	cr_expect(dp_hot_is(h, 7, 1) && h->n_marked == 1);
	free(h);
}

Test(hot, where_nothing_stands_out_all_follow_step_by_step)
{
	struct dp_hot *h = hot_new();
	unsigned int windows = 0;

	/* One queue, many phones; the others stay idle whatever is marked. */
	while (h->n_marked < DP_HOT_BUCKETS && windows < 100 * DP_HOT_BUCKETS) {
		for (unsigned int k = 0; k < 100; k++)
			dp_hot_burst(h, true, (windows * 100 + k) % DP_HOT_BUCKETS);
		dp_hot_window(h, 90, 0, windows++);
	}
	cr_expect(h->n_marked == DP_HOT_BUCKETS, "%u marked in %u windows", h->n_marked, windows);
	cr_expect(windows > 5, "with a pause after each marking");
	free(h);
}

Test(hot, it_stays_for_64_t1_after_what_was_spread_last_rfc3261_17_1_1_1)
{
	struct dp_hot *h = hot_new();
	uint64_t now = 0;

	for (unsigned int k = 0; k < 100; k++)
		dp_hot_burst(h, true, 7);
	dp_hot_window(h, 90, 0, now);
	now = 31999 * MS;
	cr_expect(dp_hot_is(h, 7, now));
	dp_hot_keep(h, 7, now);
	now += 31999 * MS;
	cr_expect(dp_hot_is(h, 7, now));
	now += 2 * MS;
	cr_expect(!dp_hot_is(h, 7, now));
	/* Its place is cleared soon after. */
	for (unsigned int w = 0; w < DP_HOT_BUCKETS; w++)
		dp_hot_window(h, 0, 0, now);
	cr_expect(h->n_marked == 0 && h->ever);
	/* Hot again before the sweep came by: counted once. */
	for (unsigned int k = 0; k < 100; k++)
		dp_hot_burst(h, true, 7);
	cr_expect(dp_hot_window(h, 90, 0, now) == 1 && h->n_marked == 1);
	h->pause = 0;
	h->swept = 8;
	now += DP_HOT_HOLD_US + 1;
	for (unsigned int k = 0; k < 100; k++)
		dp_hot_burst(h, true, 7);
	cr_expect(dp_hot_window(h, 90, 0, now) == 1 && h->n_marked == 1);
	free(h);
}
