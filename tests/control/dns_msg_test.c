/*
 * DNS messages: RFC 1035 4, RFC 2782, RFC 3403, RFC 2308 5, and what a network may send instead.
 */
#include "control/dns/ctl_dns_msg.h"
#include "tests/control/dns_bench.h"
#include "tests/leaks.h"
#include "tests/sip/guard.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(dns_msg, .fini = leaks_check);

static struct dns_msg m;

static void parse(const char *name, uint16_t type, struct ctl_dns_answer *a)
{
	cr_assert_eq(ctl_dns_answer_parse(m.b, m.len, name, type, a), 0);
}

Test(dns_msg, addresses_of_both_families)
{
	struct ctl_dns_answer a;
	char text[46];

	dns_begin(&m, "a.example.com", CTL_DNS_A, 0x8180);
	dns_a(&m, "A.Example.COM", 60, "192.0.2.1");
	dns_a(&m, "a.example.com", 30, "192.0.2.2");
	dns_a(&m, "b.example.com", 1, "192.0.2.3");   /* another's */
	dns_a(&m, "a.example.com", 1, "2001:db8::1"); /* another type */
	parse("a.EXAMPLE.com", CTL_DNS_A, &a);
	cr_expect_eq(a.kind, CTL_DNS_ANSWER);
	cr_expect_eq(a.n, 2);
	cr_expect_eq(a.ttl, 30);
	dp_ip_format(&a.records[1].ip, text);
	cr_expect_str_eq(text, "192.0.2.2");
	ctl_dns_answer_fini(&a);

	dns_begin(&m, "a.example.com", CTL_DNS_AAAA, 0x8180);
	dns_a(&m, "a.example.com", 60, "2001:db8::1");
	dns_a(&m, "a.example.com", 60, "::ffff:192.0.2.1"); /* IPv4 in disguise */
	parse("a.example.com", CTL_DNS_AAAA, &a);
	cr_expect_eq(a.n, 1);
	cr_expect_eq(a.bad, 1);
	ctl_dns_answer_fini(&a);
}

Test(dns_msg, srv_and_naptr)
{
	struct ctl_dns_answer a;

	dns_begin(&m, "_sip._udp.example.com", CTL_DNS_SRV, 0x8180);
	dns_srv(&m, "_sip._udp.example.com", 5, 10, 20, 5070, "A.example.com");
	dns_srv(&m, "_sip._udp.example.com", 5, 1, 2, 3, ".");
	parse("_sip._udp.example.com", CTL_DNS_SRV, &a);
	cr_assert_eq(a.n, 2);
	cr_expect_eq(a.records[0].srv.priority, 10);
	cr_expect_eq(a.records[0].srv.weight, 20);
	cr_expect_eq(a.records[0].srv.port, 5070);
	cr_expect_str_eq(a.records[0].srv.target, "a.example.com");
	cr_expect_str_empty(a.records[1].srv.target);
	ctl_dns_answer_fini(&a);

	dns_begin(&m, "example.com", CTL_DNS_NAPTR, 0x8180);
	dns_naptr(&m, "example.com", 5, 1, 2, "s", "SIP+D2U", "", "_sip._udp.example.com");
	dns_naptr(&m, "example.com", 5, 3, 4, "u", "E2U+sip", "!^.*$!sip:a@b!", "");
	dns_naptr(&m, "example.com", 5, 3, 4, "toolong", "SIP+D2U", "", "x");
	parse("example.com", CTL_DNS_NAPTR, &a);
	cr_assert_eq(a.n, 2);
	cr_expect_eq(a.bad, 1);
	cr_expect_eq(a.records[0].naptr.order, 1);
	cr_expect_eq(a.records[0].naptr.preference, 2);
	cr_expect_str_eq(a.records[0].naptr.flags, "s");
	cr_expect_str_eq(a.records[0].naptr.service, "SIP+D2U");
	cr_expect_str_eq(a.records[0].naptr.replacement, "_sip._udp.example.com");
	cr_expect_not(a.records[0].naptr.has_regexp);
	cr_expect(a.records[1].naptr.has_regexp);
	ctl_dns_answer_fini(&a);
}

/* RFC 1034 3.6.2: aliases are followed within the message, in whatever order they stand. */
Test(dns_msg, aliases)
{
	struct ctl_dns_answer a;

	dns_begin(&m, "a.example.com", CTL_DNS_A, 0x8180);
	dns_a(&m, "c.example.com", 60, "192.0.2.1");
	dns_cname(&m, "b.example.com", 7, "c.example.com");
	dns_cname(&m, "a.example.com", 50, "b.example.com");
	parse("a.example.com", CTL_DNS_A, &a);
	cr_expect_eq(a.kind, CTL_DNS_ANSWER);
	cr_expect_eq(a.n, 1);
	cr_expect_eq(a.ttl, 7, "the smallest on the way");
	ctl_dns_answer_fini(&a);

	dns_begin(&m, "a.example.com", CTL_DNS_A, 0x8180);
	dns_cname(&m, "a.example.com", 50, "Elsewhere.example.org");
	parse("a.example.com", CTL_DNS_A, &a);
	cr_expect_eq(a.kind, CTL_DNS_ALIAS);
	cr_expect_str_eq(a.alias, "elsewhere.example.org");
	ctl_dns_answer_fini(&a);

	dns_begin(&m, "a.example.com", CTL_DNS_A, 0x8180);
	dns_cname(&m, "a.example.com", 50, "b.example.com");
	dns_cname(&m, "b.example.com", 50, "a.example.com");
	parse("a.example.com", CTL_DNS_A, &a);
	cr_expect_eq(a.kind, CTL_DNS_MALFORMED, "a loop");
	ctl_dns_answer_fini(&a);
}

/* As many as are followed, and one more. */
Test(dns_msg, a_long_chain_of_aliases)
{
	for (int n = CTL_DNS_ALIASES; n <= CTL_DNS_ALIASES + 1; n++) {
		struct ctl_dns_answer a;
		char from[16], to[16];

		dns_begin(&m, "h0.x", CTL_DNS_A, 0x8180);
		for (int i = 0; i < n; i++) {
			snprintf(from, sizeof(from), "h%d.x", i);
			snprintf(to, sizeof(to), "h%d.x", i + 1);
			dns_cname(&m, from, 60, to);
		}
		dns_a(&m, to, 60, "192.0.2.1");
		parse("h0.x", CTL_DNS_A, &a);
		cr_expect_eq(a.n, n == CTL_DNS_ALIASES, "%d: %zu", n, a.n);
		cr_expect_eq(a.kind, n == CTL_DNS_ALIASES ? CTL_DNS_ANSWER : CTL_DNS_MALFORMED);
		ctl_dns_answer_fini(&a);
	}
}

/* RFC 2308 5: how long an empty answer holds. */
Test(dns_msg, nothing)
{
	static const struct {
		uint16_t flags;
		uint32_t soa_ttl, minimum, want;
	} rows[] = { { 0x8180, 60, 30, 30 },
		     { 0x8183, 20, 30, 20 },
		     { 0x8183, 0, 0, CTL_DNS_NO_TTL } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_dns_answer a;

		dns_begin(&m, "a.example.com", CTL_DNS_A, rows[i].flags);
		if (rows[i].soa_ttl)
			dns_soa(&m, "example.com", rows[i].soa_ttl, rows[i].minimum);
		parse("a.example.com", CTL_DNS_A, &a);
		cr_expect_eq(a.kind, CTL_DNS_NOTHING, "row %zu", i);
		cr_expect_eq(a.ttl, rows[i].want, "row %zu: %u", i, a.ttl);
		ctl_dns_answer_fini(&a);
	}
}

Test(dns_msg, ttl_with_the_top_bit_is_zero) /* RFC 2181 8 */
{
	struct ctl_dns_answer a;

	dns_begin(&m, "a.example.com", CTL_DNS_A, 0x8180);
	dns_a(&m, "a.example.com", 0x80000001u, "192.0.2.1");
	parse("a.example.com", CTL_DNS_A, &a);
	cr_expect_eq(a.ttl, 0);
	ctl_dns_answer_fini(&a);
}

Test(dns_msg, at_most_1000_records)
{
	struct ctl_dns_answer a;

	dns_begin(&m, "a.example.com", CTL_DNS_A, 0x8180);
	for (int i = 0; i < CTL_DNS_RECORDS + 7; i++)
		dns_a(&m, "a.example.com", 60, "192.0.2.1");
	parse("a.example.com", CTL_DNS_A, &a);
	cr_expect_eq(a.n, CTL_DNS_RECORDS);
	cr_expect_eq(a.excess, 7);
	ctl_dns_answer_fini(&a);
}

/* Not the answer to what was asked, or none at all. */
Test(dns_msg, malformed)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
	} rows[] = {
		{ "a question", 2, 0x01 },
		{ "two questions", 5, 2 },
		{ "another name", 13, 'x' },
		{ "another type", 28, 2 },
		{ "another class", 30, 3 },
		{ "more answers than there are", 7, 2 },
		{ "a label of a kind that is not", 12, 0x41 },
		{ "a pointer forwards", 31, 0xc1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_dns_answer a;

		dns_begin(&m, "a.example.com", CTL_DNS_A, 0x8180);
		cr_assert_eq(m.len, 31);
		dns_a(&m, "a.example.com", 60, "192.0.2.1");
		parse("a.example.com", CTL_DNS_A, &a);
		cr_assert_eq(a.n, 1);
		ctl_dns_answer_fini(&a);
		m.b[rows[i].at] = rows[i].value;
		parse("a.example.com", CTL_DNS_A, &a);
		cr_expect_eq(a.kind, CTL_DNS_MALFORMED, "%s: %d", rows[i].what, (int)a.kind);
		cr_expect_eq(a.n, 0);
		ctl_dns_answer_fini(&a);
	}
}

/* RFC 1035 4.1.4: a pointer to itself, two that point at each other, a name that never ends. */
Test(dns_msg, compression)
{
	struct ctl_dns_answer a;

	for (int what = 0; what < 4; what++) {
		size_t begin;

		dns_begin(&m, "a.example.com", CTL_DNS_SRV, 0x8180);
		begin = dns_begin_rr(&m, "a.example.com", CTL_DNS_SRV, 60);
		dns_u16(&m, 1);
		dns_u16(&m, 2);
		dns_u16(&m, 5060);
		if (what == 0) /* good: "b" and the question's "example.com" */
			dns_u16(&m, 0x0162);
		if (what == 0)
			dns_u16(&m, 0xc000 | 14);
		if (what == 1) /* itself */
			dns_u16(&m, (unsigned int)(0xc000 | m.len));
		if (what == 2) /* the record's own beginning, so through this place again */
			dns_u16(&m, 0x0162);
		if (what == 2)
			dns_u16(&m, (unsigned int)(0xc000 | (m.len - 2)));
		if (what == 3) /* beyond the end */
			dns_u16(&m, 0xffff);
		dns_end_rr(&m, begin);
		parse("a.example.com", CTL_DNS_SRV, &a);
		cr_expect_eq(a.n, what == 0, "%d", what);
		cr_expect_eq(a.bad, what != 0, "%d", what);
		if (what == 0)
			cr_expect_str_eq(a.records[0].srv.target, "b.example.com");
		ctl_dns_answer_fini(&a);
	}
}

Test(dns_msg, names_of_strange_bytes_are_no_targets)
{
	struct ctl_dns_answer a;
	char longest[300] = "";

	dns_begin(&m, "a.example.com", CTL_DNS_SRV, 0x8180);
	dns_srv(&m, "a.example.com", 60, 1, 1, 5060, "b c.example.com");
	dns_srv(&m, "a.example.com", 60, 1, 1, 5060, "b\n.example.com");
	for (int i = 0; i < 5; i++)
		strcat(longest, "label-of-fifty-bytes-label-of-fifty-bytes-label-of.");
	longest[253] = '\0';
	dns_srv(&m, "a.example.com", 60, 1, 1, 5060, longest);
	strcat(longest, "x");
	dns_srv(&m, "a.example.com", 60, 1, 1, 5060, longest);
	parse("a.example.com", CTL_DNS_SRV, &a);
	cr_expect_eq(a.n, 1, "%zu", a.n);
	cr_expect_eq(a.bad, 3, "%u", a.bad);
	ctl_dns_answer_fini(&a);
}

static void build_rich(void)
{
	dns_begin(&m, "_sip._udp.example.com", CTL_DNS_SRV, 0x8180);
	dns_cname(&m, "_sip._udp.example.com", 9, "x.example.com");
	dns_srv(&m, "x.example.com", 5, 10, 20, 5070, "a.example.com");
	dns_naptr(&m, "x.example.com", 5, 1, 2, "s", "SIP+D2U", "", "_sip._udp.example.com");
	dns_a(&m, "x.example.com", 60, "2001:db8::1");
	dns_soa(&m, "example.com", 60, 30);
}

/* At every length, flush against a page that must not be touched. */
Test(dns_msg, every_truncation)
{
	static const uint16_t types[] = { CTL_DNS_A, CTL_DNS_AAAA, CTL_DNS_SRV, CTL_DNS_NAPTR };
	struct guard g;

	build_rich();
	guard_init(&g, m.len);
	for (size_t len = 0; len <= m.len; len++) {
		const uint8_t *copy = guard_copy(&g, m.b, len);

		for (size_t t = 0; t < 4; t++) {
			struct ctl_dns_answer a;

			cr_assert_eq(ctl_dns_answer_parse(copy, len, "_sip._udp.example.com",
							  types[t], &a),
				     0);
			ctl_dns_answer_fini(&a);
		}
	}
	guard_fini(&g);
}

/* Bytes changed at random: nothing is read beyond the message, nothing grows without bound. */
Test(dns_msg, every_mutation)
{
	uint64_t seed = 88172645463325252ull;

	build_rich();
	for (int round = 0; round < 200000; round++) {
		struct ctl_dns_answer a;
		uint8_t copy[512];

		memcpy(copy, m.b, m.len);
		for (int i = 0; i < 3; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			copy[(seed >> 8) % m.len] = (uint8_t)seed;
		}
		cr_assert_eq(
			ctl_dns_answer_parse(copy, m.len, "_sip._udp.example.com", CTL_DNS_SRV, &a),
			0);
		cr_assert_leq(a.n, 4);
		ctl_dns_answer_fini(&a);
	}
}

Test(dns_msg, names)
{
	static const struct {
		const char *name;
		bool fits;
	} rows[] = {
		{ "sip.example.com", true },
		{ "sip.example.com.", true },
		{ "localhost", true },
		{ "_sip._udp.example", true },
		{ "1.example", true },
		{ "192.0.2.1", false },
		{ "example.123", false },
		{ "", false },
		{ ".", false },
		{ ".a", false },
		{ "a..b", false },
		{ "a b", false },
		{ "a:b", false },
		{ "a23456789-a23456789-a23456789-a23456789-a23456789-a23456789-abc", true },
		{ "a23456789-a23456789-a23456789-a23456789-a23456789-a23456789-abcd", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(ctl_dns_name_fits(rows[i].name), rows[i].fits, "%s", rows[i].name);
}
