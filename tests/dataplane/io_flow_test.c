/* Flow labels (RFC 6437): one for a flow, another for each other, and nobody can tell which. */
#include "dataplane/io/dp_flow.h"

#include <criterion/criterion.h>
#include <string.h>

#include "dataplane/steer/steer_mac.h"
#include "tests/leaks.h"

TestSuite(flow, .fini = leaks_check);

static struct dp_secret key(const char *text)
{
	struct dp_secret k = { 0 };

	memcpy(k.b, text, 16);
	steer_secret_spread(&k);
	return k;
}

static struct dp_endpoint at(const char *ip, unsigned int port)
{
	struct dp_endpoint e = { .port = (uint16_t)port };

	cr_assert(dp_ip_parse(ip, &e.ip) == 0);
	return e;
}

Test(flow, all_that_names_a_flow_counts_rfc6437_2)
{
	static const struct {
		const char *from, *to;
		unsigned int from_port, to_port;
	} rows[] = {
		{ "2001:db8::10", "2001:db8:1::1", 5060, 5060 },
		{ "2001:db8::11", "2001:db8:1::1", 5060, 5060 },
		{ "2001:db8::10", "2001:db8:1::2", 5060, 5060 },
		{ "2001:db8::10", "2001:db8:2::1", 5060, 5060 },
		{ "2001:db8::10", "2001:db8:1::1", 5061, 5060 },
		{ "2001:db8::10", "2001:db8:1::1", 5060, 5061 },
		{ "2001:db8:1::1", "2001:db8::10", 5060, 5060 },
	};
	const size_t n = sizeof(rows) / sizeof(rows[0]);
	struct dp_secret a = key("0123456789abcdef"), b = key("0123456789abcdeX");
	uint32_t label[sizeof(rows) / sizeof(rows[0])];

	for (size_t i = 0; i < n; i++) {
		struct dp_endpoint from = at(rows[i].from, rows[i].from_port);
		struct dp_endpoint to = at(rows[i].to, rows[i].to_port);

		label[i] = dp_flow_label(&a, &from, &to);
		cr_expect(label[i] > 0 && label[i] < 1 << 20, "row %zu", i);
		cr_expect_eq(label[i], dp_flow_label(&a, &from, &to), "row %zu: the same again", i);
		cr_expect_neq(label[i], dp_flow_label(&b, &from, &to), "row %zu: by the key", i);
		for (size_t j = 0; j < i; j++)
			cr_expect_neq(label[i], label[j], "rows %zu, %zu", i, j);
	}
}

/* As many labels as 20 bits can tell apart: each value about as often as the next one. */
Test(flow, labels_are_spread_evenly_rfc6437_3)
{
	struct dp_secret k = key("0123456789abcdef");
	struct dp_endpoint from = at("2001:db8::10", 5060), to = at("2001:db8:1::", 5060);
	unsigned int n[16] = { 0 };

	for (unsigned int i = 0; i < 16000; i++) {
		memcpy(to.ip.b + 12, &i, 4);
		n[dp_flow_label(&k, &from, &to) >> 16]++;
	}
	for (int i = 0; i < 16; i++)
		cr_expect(n[i] > 800 && n[i] < 1200, "%x0000: %u of 16000", i, n[i]);
}
