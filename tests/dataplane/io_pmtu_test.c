/* What is known of paths. */
#include "dataplane/io/dp_pmtu.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/leaks.h"

static struct dp_pmtu table;

static void set_up(void)
{
	dp_pmtu_init(&table);
}

TestSuite(pmtu, .init = set_up, .fini = leaks_check);

static struct sip_ip ip(const char *text)
{
	struct sip_ip a;

	cr_assert_eq(dp_ip_parse(text, &a), 0);
	return a;
}

Test(pmtu, lowered_never_below_the_least_rfc1191_rfc8201_4)
{
	static const struct {
		const char *what, *to;
		uint32_t said, is, later; /* later: what is known then */
	} rows[] = {
		{ "IPv4", "198.51.100.11", 1400, 1400, 1400 },
		{ "IPv6", "2001:db8:100::11", 1400, 1400, 1400 },
		{ "IPv4 below the least", "198.51.100.12", 68, 576, 576 },
		{ "IPv4, not told (RFC 1191 5)", "198.51.100.13", 0, 576, 576 },
		{ "IPv6 below the least", "2001:db8:100::12", 1000, 1280, 1280 },
		{ "lower", "198.51.100.11", 1300, 1300, 1300 },
		{ "not higher", "198.51.100.11", 1450, 0, 1300 },
		{ "the same", "198.51.100.11", 1300, 0, 1300 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_ip to = ip(rows[i].to);

		cr_expect_eq(dp_pmtu_lower(&table, &to, rows[i].said, 1000), rows[i].is, "%s",
			     rows[i].what);
		cr_expect_eq(dp_pmtu_get(&table, &to, 1000), rows[i].later, "%s", rows[i].what);
	}
}

Test(pmtu, nothing_is_known_of_others)
{
	struct sip_ip a = ip("198.51.100.11"), b = ip("198.51.100.12");

	cr_expect_eq(dp_pmtu_get(&table, &a, 0), UINT32_MAX);
	dp_pmtu_lower(&table, &a, 1400, 0);
	cr_expect_eq(dp_pmtu_get(&table, &b, 0), UINT32_MAX);
}

Test(pmtu, forgotten_after_ten_minutes_rfc8201_4)
{
	struct sip_ip a = ip("198.51.100.11"), b = ip("198.51.100.12");

	dp_pmtu_lower(&table, &a, 1400, 1000);
	dp_pmtu_lower(&table, &b, 1400, 1001);
	cr_expect_eq(dp_pmtu_get(&table, &a, 999 + DP_PMTU_US), 1400);
	cr_expect_eq(dp_pmtu_get(&table, &a, 1000 + DP_PMTU_US), UINT32_MAX);
	cr_expect_eq(dp_pmtu_get(&table, &b, 1000 + DP_PMTU_US), 1400);
	cr_expect_eq(dp_pmtu_get(&table, &b, 1001 + DP_PMTU_US), UINT32_MAX);
	cr_expect_eq(dp_pmtu_lower(&table, &a, 1450, 2000 + DP_PMTU_US), 1450, "learnt anew");
}

/* More paths than there is room: what was learnt last is known. */
Test(pmtu, bounded)
{
	unsigned int known = 0;

	for (unsigned int i = 0; i < 5000; i++) {
		char text[32];
		struct sip_ip to;

		snprintf(text, sizeof(text), "10.0.%u.%u", i >> 8, i & 255);
		to = ip(text);
		dp_pmtu_lower(&table, &to, 1400, i);
		cr_assert_eq(dp_pmtu_get(&table, &to, i), 1400, "%s", text);
	}
	for (unsigned int i = 0; i < 5000; i++) {
		char text[32];
		struct sip_ip to;

		snprintf(text, sizeof(text), "10.0.%u.%u", i >> 8, i & 255);
		to = ip(text);
		known += dp_pmtu_get(&table, &to, 5000) == 1400;
	}
	cr_expect(known > DP_PMTU_SLOTS * 9 / 10 && known <= DP_PMTU_SLOTS, "%u", known);
}
