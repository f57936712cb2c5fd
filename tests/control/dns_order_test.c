/*
 * From records to an order: RFC 2782, and that nothing but names and values decides.
 */
#include "control/dns/ctl_dns_order.h"
#include "tests/leaks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(dns_order, .fini = leaks_check);

#define MOST 8

struct in {
	const char *target, *ip;
	uint16_t port, priority, weight;
};

static const struct {
	const char *what;
	struct in in[MOST];
	const char *out;
} rows[] = {
	{ "priority decides",
	  { { "c", "192.0.2.3", 5060, 30, 9 },
	    { "a", "192.0.2.1", 5060, 10, 0 },
	    { "b", "192.0.2.2", 5060, 20, 99 } },
	  "192.0.2.1:5060 192.0.2.2:5060 192.0.2.3:5060" },
	{ "without SRV: by value, not by place",
	  { { "n", "198.51.100.9", 5060, 0, 0 },
	    { "n", "192.0.2.200", 5060, 0, 0 },
	    { "n", "192.0.2.3", 5060, 0, 0 } },
	  "192.0.2.3:5060 192.0.2.200:5060 198.51.100.9:5060" },
	{ "one target's IPv6 before its IPv4",
	  { { "n", "192.0.2.1", 5060, 0, 0 },
	    { "n", "2001:db8::2", 5060, 0, 0 },
	    { "n", "2001:db8::1", 5060, 0, 0 } },
	  "2001:db8::1:5060 2001:db8::2:5060 192.0.2.1:5060" },
	{ "what is there twice stays once, at its better place",
	  { { "b", "192.0.2.1", 5060, 20, 0 },
	    { "a", "192.0.2.1", 5060, 10, 0 },
	    { "c", "192.0.2.2", 5060, 15, 0 } },
	  "192.0.2.1:5060 192.0.2.2:5060" },
	{ "another port is another server",
	  { { "a", "192.0.2.1", 5070, 20, 0 }, { "a", "192.0.2.1", 5060, 10, 0 } },
	  "192.0.2.1:5060 192.0.2.1:5070" },
	{ "weight 0 behind a weight",
	  { { "a", "192.0.2.1", 5060, 1, 0 }, { "b", "192.0.2.2", 5060, 1, 100 } },
	  "192.0.2.2:5060 192.0.2.1:5060" },
	{ "a target's addresses stay together",
	  { { "a", "192.0.2.9", 5060, 1, 50000 },
	    { "b", "192.0.2.5", 5060, 1, 1 },
	    { "a", "192.0.2.1", 5060, 1, 50000 } },
	  "192.0.2.1:5060 192.0.2.9:5060 192.0.2.5:5060" },
	{ "one", { { "a", "192.0.2.1", 5060, 1, 0 } }, "192.0.2.1:5060" },
	{ "none", { { 0 } }, "" },
};

static size_t make(const struct in *in, struct ctl_dns_server *v)
{
	size_t n = 0;

	for (; n < MOST && in[n].target; n++) {
		v[n] = (struct ctl_dns_server){ .priority = in[n].priority,
						.weight = in[n].weight,
						.target = in[n].target,
						.at.port = in[n].port };
		cr_assert_eq(dp_ip_parse(in[n].ip, &v[n].at.ip), 0);
	}
	return n;
}

static const char *text_of(const struct ctl_dns_server *v, size_t n)
{
	static char text[512];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		char ip[46];

		dp_ip_format(&v[i].at.ip, ip);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s:%u", i ? " " : "", ip,
					v[i].at.port);
	}
	return text;
}

Test(dns_order, table)
{
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct ctl_dns_server v[MOST];
		size_t n = make(rows[r].in, v);

		n = ctl_dns_order(v, n, "east");
		cr_expect_str_eq(text_of(v, n), rows[r].out, "%s: %s", rows[r].what, text_of(v, n));
	}
}

static void swap(struct ctl_dns_server *a, struct ctl_dns_server *b)
{
	struct ctl_dns_server t = *a;

	*a = *b;
	*b = t;
}

/* Every permutation of an answer gives one order (Heap's algorithm). */
Test(dns_order, a_rotated_answer_is_the_same)
{
	static const struct in in[MOST] = {
		{ "a", "192.0.2.1", 5060, 1, 10 }, { "b", "192.0.2.2", 5060, 1, 10 },
		{ "c", "192.0.2.3", 5060, 1, 0 },  { "c", "2001:db8::3", 5060, 1, 0 },
		{ "d", "192.0.2.4", 5060, 1, 0 },  { "e", "192.0.2.5", 5060, 0, 7 },
	};
	struct ctl_dns_server v[MOST], w[MOST];
	unsigned int c[MOST] = { 0 }, tried = 0;
	size_t n = make(in, v), k;
	char want[512];

	memcpy(w, v, sizeof(w));
	k = ctl_dns_order(w, n, "east");
	snprintf(want, sizeof(want), "%s", text_of(w, k));
	for (size_t i = 0; i < n;) {
		if (c[i] >= i) {
			c[i++] = 0;
			continue;
		}
		swap(&v[i % 2 ? c[i] : 0], &v[i]);
		c[i]++;
		i = 0;
		memcpy(w, v, sizeof(w));
		k = ctl_dns_order(w, n, "east");
		cr_assert_str_eq(text_of(w, k), want);
		tried++;
	}
	cr_expect_eq(tried, 719);
}

/* A target that goes moves none of those that stay; nor does an address that changes. */
Test(dns_order, what_stays_keeps_its_order)
{
	for (int seed = 0; seed < 200; seed++) {
		struct ctl_dns_server all[MOST], less[MOST];
		char name[16];
		size_t n = 0, k = 0, at = 0;

		snprintf(name, sizeof(name), "pair-%d", seed);
		for (; n < 6; n++) {
			static const char *const targets[] = { "a", "b", "c", "d", "e", "f" };

			all[n] = (struct ctl_dns_server){ .target = targets[n], .weight = 10 };
			all[n].at.port = 5060;
			all[n].at.ip.b[15] = (uint8_t)n;
		}
		for (size_t i = 0; i < n; i++) {
			if (i == 2)
				continue;
			less[k] = all[i];
			less[k++].at.ip.b[14] = 1; /* all have moved */
		}
		cr_assert_eq(ctl_dns_order(all, n, name), 6);
		cr_assert_eq(ctl_dns_order(less, k, name), 5);
		for (size_t i = 0; i < n; i++) {
			if (strcmp(all[i].target, "c") != 0)
				cr_expect_str_eq(all[i].target, less[at++].target, "%s", name);
		}
	}
}

/* RFC 2782: "the probability of being selected is proportional to its weight", here over pairs. The
 * draws are hashes of names, so these numbers never change. */
Test(dns_order, weights_are_shares)
{
	static const struct {
		uint16_t weight[4];
		double share[4];
	} shares[] = {
		{ { 1, 1, 0, 0 }, { 0.5, 0.5, 0, 0 } },
		{ { 60, 20, 20, 0 }, { 0.6, 0.2, 0.2, 0 } },
		{ { 1, 3, 0, 0 }, { 0.25, 0.75, 0, 0 } },
		{ { 65535, 1, 0, 0 }, { 1, 0, 0, 0 } },
		{ { 0, 0, 0, 0 }, { 0.25, 0.25, 0.25, 0.25 } },
	};
	static const char *const targets[] = { "a.example.com", "b.example.com", "c.example.com",
					       "d.example.com" };
	enum { DRAWS = 20000 };

	for (size_t r = 0; r < sizeof(shares) / sizeof(shares[0]); r++) {
		unsigned int first[4] = { 0 };

		for (int seed = 0; seed < DRAWS; seed++) {
			struct ctl_dns_server v[4] = { 0 };
			char name[16];

			snprintf(name, sizeof(name), "pair-%d", seed);
			for (size_t i = 0; i < 4; i++) {
				v[i].target = targets[i];
				v[i].weight = shares[r].weight[i];
				v[i].at.ip.b[15] = (uint8_t)i;
			}
			ctl_dns_order(v, 4, name);
			first[v[0].at.ip.b[15]]++;
		}
		for (size_t i = 0; i < 4; i++) {
			double share = (double)first[i] / DRAWS, off = share - shares[r].share[i];

			cr_expect(off < 0.015 && off > -0.015, "row %zu, %s: %.4f", r, targets[i],
				  share);
		}
	}
}
