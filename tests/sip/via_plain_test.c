/*
 * The quick reader of a plain Via line against the walk over all Vias, by each variant of the scan.
 * RFC 3261 20.42, RFC 3581.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sip/sip_msg.h"
#include "sip/sip_scan.h"
#include "tests/leaks.h"
#include "tests/sip/guard.h"

TestSuite(via_plain, .fini = leaks_check);

static bool same_span(struct sip_span a, struct sip_span b)
{
	return a.len == b.len && (a.len == 0 || a.off == b.off);
}

static bool same_via(const struct sip_via *a, const struct sip_via *b)
{
	return same_span(a->value, b->value) && same_span(a->transport, b->transport)
	       && same_span(a->host, b->host) && same_span(a->branch, b->branch)
	       && same_span(a->received, b->received) && same_span(a->rport, b->rport)
	       && same_span(a->maddr, b->maddr) && same_span(a->ttl, b->ttl)
	       && same_span(a->params, b->params) && a->port == b->port
	       && a->has_rport == b->has_rport && a->has_received == b->has_received
	       && same_span(a->rport_param, b->rport_param)
	       && same_span(a->received_param, b->received_param);
}

#define OTHERS                                                                         \
	"From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>;tag=2\r\nCall-ID: x@y.example.com\r\n" \
	"CSeq: 1 INVITE\r\n"

/* Whether the second Via of a response is plain, and, if so, read as by the walk. last: nothing but
 * the empty line stands behind it, and then no byte that can be read. */
static bool is_plain(const char *value, bool last, bool *same)
{
	static struct guard g;
	static struct sip_msg m;
	static char text[2048];
	const struct sip_hdr *h;
	struct sip_via_iter it;
	struct sip_via a, b;
	int n = snprintf(text, sizeof(text),
			 "SIP/2.0 200 OK\r\n%sVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKx\r\n"
			 "Via: %s\r\n%s\r\n",
			 last ? OTHERS : "", value, last ? "" : OTHERS);

	if (!g.map)
		guard_init(&g, sizeof(text));
	if (sip_msg_parse(&m, guard_copy(&g, text, (size_t)n), (size_t)n) != SIP_OK)
		return false;
	/* What has line ends or commas in it is another header or list. */
	h = &m.hdr[m.first[SIP_HDR_VIA] + 1];
	if (h >= m.hdr + m.n_hdrs || h->id != SIP_HDR_VIA)
		return false;
	memset(&a, 0x55, sizeof(a));
	if (!sip_via_plain(&m, h, &a))
		return false;
	sip_via_iter_init(&it, &m);
	*same = sip_via_iter_next(&it, &b) == 1 && sip_via_iter_next(&it, &b) == 1
		&& same_via(&a, &b);
	return true;
}

/* By each variant that runs here. */
static void each_scan(void (*check)(const struct sip_scan *scan))
{
	const struct sip_scan *used = sip_scan_used(), *scan;

	for (unsigned int i = 0; (scan = sip_scan_nth(i)) != NULL; i++) {
		if (!sip_scan_runs(scan))
			continue;
		sip_scan_use(scan);
		check(scan);
	}
	sip_scan_use(used);
}

#define BRANCH ";branch=z9hG4bK-1"
#define LONG   "0123456789012345678901234567890123456789"

static const struct {
	const char *value;
	bool plain;
} vias[] = {
	{ "SIP/2.0/UDP 192.0.2.1", true },
	{ "SIP/2.0/UDP host.example.com:5062", true },
	{ "SIP/2.0/UDP h" BRANCH, true },
	{ "SIP/2.0/UDP h:1" BRANCH ";received=203.0.113.1;rport=10000", true },
	{ "SIP/2.0/UDP h:1;rport;received=203.0.113.1" BRANCH, true },
	{ "SIP/2.0/UDP h:1" BRANCH ";rport", true },
	{ "SIP/2.0/UDP h:1" BRANCH ";rport;alias", true },
	{ "SIP/2.0/UDP h:1" BRANCH ";rportx;rport", true },
	{ "SIP/2.0/UDP h:1" BRANCH ";RPort=1;Received=203.0.113.1", true },
	{ "SIP/2.0/UDP h;branch=z9hG4bK" LONG LONG ";received=1.2.3.4", true },
	{ "SIP/2.0/UDP h;branch=z9hG4bK" LONG LONG LONG ";rport=1;received=1.2.3.4", true },
	{ "SIP/2.0/UDP h;x=" LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG
		  LONG LONG ";rport=1;received=1.2.3.4",
	  false },
	{ "SIP/2.0/UDP h;Branch=1", true },
	{ "SIP/2.0/UDP h;x=y", true },
	{ "SIP/2.0/UDP h;keep;x=y;rport", true },
	{ "SIP/2.0/TCP h", true },
	{ "SIP/2.0/UDP h;branch=1;branch=2", false },
	{ "SIP/2.0/UDP h;rport;rport", false },
	{ "SIP/2.0/UDP h;rport=1;rport=1", false },
	{ "SIP/2.0/UDP h;rport=1;rport", false },
	{ "SIP/2.0/UDP h;received=1.2.3.4;received=1.2.3.4", false },
	{ "SIP/2.0/UDP h;maddr=224.0.0.1", false },
	{ "SIP/2.0/UDP h;ttl=1", false },
	{ "SIP/2.0/UDP h;branch=\"x\"", false },
	{ "SIP/2.0/UDP h ;branch=1", false },
	{ "SIP/2.0/UDP h;rport =1", false },
	{ "SIP/2.0/UDP h, SIP/2.0/UDP i", false },
	{ "SIP/2.0/UDP h_x", false },
	{ "SIP/2.0/UDP h+x", false },
	{ "SIP/2.0/UDP [2001:db8::1]", false },
	{ "SIP/2.0/UDP h:70000", false },
	{ "SIP/2.0/UDP h:", false },
	{ "SIP/2.0/UDP  h", false },
	{ "SIP / 2.0 / UDP h", false },
};

static void check_rows(const struct sip_scan *scan)
{
	for (size_t i = 0; i < sizeof(vias) / sizeof(vias[0]); i++) {
		bool same = true;

		cr_expect_eq(is_plain(vias[i].value, false, &same), vias[i].plain, "%s: %s",
			     scan->name, vias[i].value);
		cr_expect(same, "%s: %s", scan->name, vias[i].value);
	}
}

Test(via_plain, it_is_read_as_by_the_walk_rfc3261_20_42)
{
	each_scan(check_rows);
}

/* Every byte at every place of Vias that cross what is looked at at once, at each of the places
 * where that may end. */
static void check_bytes(const struct sip_scan *scan)
{
	static const char text[] = "192.168.0.1:5060;branch=z9hG4bK-01234;received=203.0.113.1"
				   ";rport=10000;alias";
	unsigned int n = 0;

	for (unsigned int shift = 0; shift < 64; shift += 3)
		for (size_t at = 0; at < sizeof(text) - 1; at++)
			for (unsigned int byte = 1; byte < 256; byte += 1 + shift) {
				char changed[sizeof(text)], value[256];
				bool same = true;

				memcpy(changed, text, sizeof(text));
				changed[at] = (char)byte;
				snprintf(value, sizeof(value), "SIP/2.0/UDP %.*s%s", (int)shift,
					 LONG LONG, changed);
				n += is_plain(value, shift & 1, &same);
				cr_expect(same, "%s: %u, %02x at %zu", scan->name, shift, byte, at);
			}
	cr_expect(n > 2000, "%s: only %u were plain", scan->name, n);
}

Test(via_plain, any_byte_anywhere_in_it)
{
	each_scan(check_bytes);
}
