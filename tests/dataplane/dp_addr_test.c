/*
 * Addresses to text and back: RFC 4291 2.2, RFC 5952 4; the C library is the oracle.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/dp_cfg.h"

static const struct {
	const char *in, *out;
} rows[] = {
	{ "0.0.0.0", "0.0.0.0" },
	{ "192.0.2.10", "192.0.2.10" },
	{ "255.255.255.255", "255.255.255.255" },
	{ "100.9.0.1", "100.9.0.1" },
	{ "::", "::" },
	{ "::1", "::1" },
	{ "1::", "1::" },
	{ "2001:DB8::0010", "2001:db8::10" },               /* RFC 5952 4.1, 4.3 */
	{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" }, /* 4.2.2 */
	{ "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },          /* 4.2.3 */
	{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },    /* 4.2.3 */
	{ "0:0:1::", "0:0:1::" },                           /* the longer run */
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "fe80::a:b0:c00:d000", "fe80::a:b0:c00:d000" },
};

Test(dp_addr, text_rfc5952)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sip_ip ip;
		char text[46];

		cr_assert(dp_ip_parse(rows[i].in, &ip) == 0);
		cr_expect(dp_ip_format(&ip, text) == strlen(rows[i].out));
		cr_expect_str_eq(text, rows[i].out);
	}
}

/* Random addresses with many zero groups; an IPv4 address at the end, of which the C library makes
 * dotted decimal, is compared by reading it back. */
Test(dp_addr, text_as_the_c_library_writes_it)
{
	srandom(1);
	for (int i = 0; i < 100000; i++) {
		char text[46], want[INET6_ADDRSTRLEN];
		struct sip_ip ip, back;
		bool compatible;

		for (int k = 0; k < 16; k++)
			ip.b[k] = (uint8_t)(random() % 3 ? 0 : random() >> (random() % 8));
		compatible = memcmp(ip.b, (uint8_t[12]){ 0 }, 12) == 0;
		dp_ip_format(&ip, text);
		inet_ntop(AF_INET6, ip.b, want, sizeof(want));
		if (!compatible && !dp_ip_is_v4(&ip))
			cr_expect_str_eq(text, want);
		cr_expect(dp_ip_parse(text, &back) == 0 && dp_ip_equal(&ip, &back), "%s", text);
	}
}
