/* When a worker's timers wait for what it had no time to listen to. */
#include "dataplane/io/dp_stall.h"

#include <criterion/criterion.h>

#define MS 1000ull

TestSuite(stall);

/* Rounds from a time on, one each millisecond. @return how long timers had to wait, milliseconds;
 * 1,000: they still do. */
static unsigned int waited(struct dp_stall *s, uint64_t from_us, bool whole)
{
	for (unsigned int ms = 0; ms < 1000; ms++) {
		dp_stall_begin(s, from_us + ms * MS);
		if (dp_stall_over(s, whole))
			return ms;
	}
	return 1000;
}

Test(stall, a_gap_holds_timers_back_as_long_as_it_was)
{
	static const struct {
		const char *name;
		uint64_t gap_us;
		unsigned int waits_ms;
	} rows[] = {
		{ "a busy round", 50, 0 },
		{ "a rest", 6 * MS, 0 },
		{ "just under", DP_STALL_GAP_US - 1, 0 },
		{ "a gap", 20 * MS, 20 },
		{ "the longest wait", 50 * MS, 50 },
		{ "a long gap", 3000 * MS, 50 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dp_stall s = { 0 };

		dp_stall_begin(&s, 1000 * MS);
		cr_expect(dp_stall_over(&s, false), "%s: the first round", rows[i].name);
		cr_expect_eq(waited(&s, 1000 * MS + rows[i].gap_us, false), rows[i].waits_ms, "%s",
			     rows[i].name);
	}
}

Test(stall, whole_bursts_hold_them_back_but_not_for_ever)
{
	struct dp_stall s = { 0 };

	cr_expect_eq(waited(&s, 1000 * MS, true), DP_STALL_MOST_US / MS);
	/* From then on they run, though there is no end of whole bursts. */
	cr_expect_eq(waited(&s, 1051 * MS, true), 0);
	/* One that was not whole ends it; then it begins anew. */
	cr_expect_eq(waited(&s, 1052 * MS, false), 0);
	cr_expect_eq(waited(&s, 1053 * MS, true), DP_STALL_MOST_US / MS);
}

Test(stall, the_first_round_is_after_no_gap)
{
	struct dp_stall s = { 0 };

	cr_expect_eq(waited(&s, 1ull << 40, false), 0);
}
