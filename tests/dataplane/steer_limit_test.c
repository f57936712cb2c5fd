/*
 * Limits of own answers: a rate per source, and what a flood of other sources can do to it.
 */
#include "dataplane/steer/steer_limit.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/leaks.h"

TestSuite(steer_limit, .fini = leaks_check);

#define SECOND 1000000ull

static struct sip_ip v4(uint32_t n)
{
	return (struct sip_ip){ { [10] = 0xff,
				  0xff,
				  (uint8_t)(n >> 24),
				  (uint8_t)(n >> 16),
				  (uint8_t)(n >> 8),
				  (uint8_t)n } };
}

static struct sip_ip v6(uint32_t net, uint32_t host)
{
	return (struct sip_ip){
		{ 0x20, 0x01, 0x0d, 0xb8, (uint8_t)(net >> 24), (uint8_t)(net >> 16),
		  (uint8_t)(net >> 8),
		  (uint8_t)net, [14] = (uint8_t)(host >> 8), [15] = (uint8_t)host }
	};
}

/* How many of n attempts at one moment are granted. */
static unsigned int granted(struct steer_limits *l, struct sip_ip source, uint32_t per_s,
			    unsigned int n, uint64_t now)
{
	unsigned int got = 0;

	while (n-- > 0)
		got += steer_limits_take(l, &source, per_s, now);
	return got;
}

static const struct {
	uint32_t per_s;
	uint64_t start, wait;
	unsigned int first, then; /* of 2,000 attempts before and after the wait */
} rows[] = {
	{ 10, 0, SECOND, 10, 10 },
	{ 10, 5 * SECOND, SECOND / 2, 10, 5 },
	{ 10, 5 * SECOND, 100000, 10, 1 },
	{ 10, 5 * SECOND, 99999, 10, 0 },
	{ 10, 5 * SECOND, 3600 * SECOND, 10, 10 },
	{ 1, 5 * SECOND, SECOND - 1, 1, 0 },
	{ 1, 5 * SECOND, SECOND, 1, 1 },
	{ 1000, 5 * SECOND, 1000, 1000, 1 },
	{ 1000, 5 * SECOND, 999, 1000, 0 },
	{ UINT32_MAX, 5 * SECOND, 0, 2000, 2000 },
	{ 0, 5 * SECOND, 0, 2000, 2000 },
};

Test(steer_limit, bucket_holds_a_second_and_fills_at_its_rate)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct steer_limits *l = steer_limits_new(64);
		unsigned int got;

		got = granted(l, v4(1), rows[i].per_s, 2000, rows[i].start);
		cr_expect(got == rows[i].first, "row %zu: %u at first", i, got);
		got = granted(l, v4(1), rows[i].per_s, 2000, rows[i].start + rows[i].wait);
		cr_expect(got == rows[i].then, "row %zu: %u then", i, got);
		steer_limits_free(l);
	}
}

Test(steer_limit, rate_is_kept_over_time_to_the_last_token)
{
	static const uint32_t rates[] = { 1, 3, 7, 20, 333 };

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct steer_limits *l = steer_limits_new(64);
		unsigned int got = 0;

		/* 10 s in steps of 997 us, asking for more than there is. */
		for (uint64_t t = 0; t < 10 * SECOND; t += 997)
			got += granted(l, v4(1), rates[i], 2, t);
		cr_expect(got == rates[i] * 11 - 1 || got == rates[i] * 11, "%u a second: %u",
			  rates[i], got);
		steer_limits_free(l);
	}
}

Test(steer_limit, time_that_stands_still_or_goes_back_gives_nothing)
{
	struct steer_limits *l = steer_limits_new(64);

	cr_expect(granted(l, v4(1), 10, 20, 9 * SECOND) == 10);
	cr_expect(granted(l, v4(1), 10, 20, 9 * SECOND) == 0);
	cr_expect(granted(l, v4(1), 10, 20, 8 * SECOND) == 0);
	cr_expect(granted(l, v4(1), 10, 20, 9 * SECOND) == 0);
	cr_expect(granted(l, v4(1), 10, 20, 9 * SECOND + SECOND / 2) == 5);
	steer_limits_free(l);
}

Test(steer_limit, sources_are_apart)
{
	struct steer_limits *l = steer_limits_new(64);
	struct sip_ip zero = { { 0 } };

	cr_expect(granted(l, v4(0xc0000201), 5, 9, SECOND) == 5);
	cr_expect(granted(l, v4(0xc0000202), 5, 9, SECOND) == 5, "another IPv4 address");
	cr_expect(granted(l, v4(0), 5, 9, SECOND) == 5, "IPv4's zero");
	cr_expect(granted(l, v6(1, 1), 5, 9, SECOND) == 5, "IPv6");
	cr_expect(granted(l, v6(1, 2), 5, 9, SECOND) == 0, "the same /64");
	cr_expect(granted(l, v6(2, 1), 5, 9, SECOND) == 5, "another /64");
	cr_expect(granted(l, zero, 5, 9, SECOND) == 5, "::/64");
	cr_expect(granted(l, zero, 5, 9, SECOND) == 0, "::/64 again");
	steer_limits_free(l);
}

Test(steer_limit, rate_may_differ_from_call_to_call)
{
	struct steer_limits *l = steer_limits_new(64);

	cr_expect(granted(l, v4(1), 100, 40, SECOND) == 40);
	cr_expect(granted(l, v4(1), 10, 40, SECOND) == 10, "60 are left, 10 fit the bucket");
	cr_expect(granted(l, v4(1), 100, 40, SECOND) == 0);
	steer_limits_free(l);
}

/* The source that is held back stays so, however many others come, as long as they come once each:
 * they find buckets of their own kind to take. */
Test(steer_limit, flood_of_random_sources_does_not_refill_an_empty_bucket)
{
	struct steer_limits *l = steer_limits_new(1024);
	uint64_t now = 5 * SECOND;
	unsigned int got = 0;

	cr_expect(granted(l, v4(0xc0000201), 10, 20, now) == 10);
	for (uint32_t i = 0; i < 1000000; i++) {
		struct sip_ip other = i % 2 ? v4(0x0a000000 + i) : v6(i, 1);

		/* A million a second, and the victim's turn every 5 ms. */
		cr_expect(steer_limits_take(l, &other, 10, ++now), "a new source has tokens");
		if (i % 5000 == 0)
			got += granted(l, v4(0xc0000201), 10, 1, now);
	}
	cr_expect(got == 9 || got == 10, "%u in a second", got);
	steer_limits_free(l);
}

/* A table of one set: whichever source has taken least gives way to a ninth. */
Test(steer_limit, fullest_bucket_gives_way)
{
	for (uint32_t turn = 0; turn < 8; turn++) {
		struct steer_limits *l = steer_limits_new(8);

		for (uint32_t i = 0; i < 8; i++)
			granted(l, v4(i), 100, 10 * ((i + turn) % 8 + 1), SECOND);
		cr_expect(granted(l, v4(9), 100, 1, SECOND) == 1);
		for (uint32_t i = 0; i < 8; i++) {
			unsigned int took = 10 * ((i + turn) % 8 + 1);

			if (took > 10)
				cr_expect(granted(l, v4(i), 100, 200, SECOND) == 100 - took,
					  "turn %u: source %u, which took %u", turn, i, took);
		}
		steer_limits_free(l);
	}
}

Test(steer_limit, no_source_looks_like_an_unused_place)
{
	struct steer_limits *l = steer_limits_new(8);
	struct sip_ip zero = { { 0 } };

	cr_expect(granted(l, zero, 5, 9, SECOND) == 5);
	for (uint32_t i = 0; i < 7; i++)
		cr_expect(granted(l, v4(i), 5, 4, SECOND) == 4);
	cr_expect(granted(l, zero, 5, 9, SECOND) == 0, "eight sources have eight places");
	cr_expect(granted(l, v4(7), 5, 1, SECOND) == 1, "a ninth takes a fuller one's");
	cr_expect(granted(l, zero, 5, 9, SECOND) == 0);
	steer_limits_free(l);
}

Test(steer_limit, table_holds_as_many_sources_as_asked_for)
{
	static const uint32_t sizes[] = { 0, 1, 8, 1000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct steer_limits *l = steer_limits_new(sizes[i]);
		unsigned int got = 0;

		cr_assert_not_null(l);
		for (uint32_t k = 0; k < 4; k++)
			got += granted(l, v4(k), 3, 5, SECOND) + granted(l, v4(k), 3, 5, SECOND);
		cr_expect(got == 12, "%u sources: %u", sizes[i], got);
		steer_limits_free(l);
	}
	cr_expect_null(steer_limits_new(UINT32_MAX));
	steer_limits_free(NULL);
}
