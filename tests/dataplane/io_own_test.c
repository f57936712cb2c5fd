/* Our addresses on the link: claims of others, announcements. */
#include "dataplane/io/dp_own.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/dataplane/io_frame.h"
#include "tests/leaks.h"
#include "tests/sip/guard.h"

#define MAC0                     \
	{                        \
		2, 0, 0, 0, 0, 1 \
	}
#define MAC1                     \
	{                        \
		2, 0, 0, 0, 0, 2 \
	}
#define OTHER "\2\0\0\0\0\x77"

static struct guard guard;

/* A network half with two ports and their addresses. */
static struct {
	struct dp_net net;
	struct dp_net_port port[2];
	struct dp_net_addr addr[5];
} half;

static void own(unsigned int i, const char *ip, uint8_t port, bool broadcast)
{
	cr_assert_eq(dp_ip_parse(ip, &half.addr[i].ip), 0);
	half.addr[i].port = port;
	half.addr[i].broadcast = broadcast;
}

static void set_up(void)
{
	guard_init(&guard, 4096);
	half.net.n_ports = 2;
	half.net.ports = (uint32_t)((uint8_t *)half.port - (uint8_t *)&half);
	half.net.n_addrs = 5;
	half.net.addrs = (uint32_t)((uint8_t *)half.addr - (uint8_t *)&half);
	half.port[0] = (struct dp_net_port){ .mac = MAC0 };
	half.port[1] = (struct dp_net_port){ .mac = MAC1 };
	own(0, "192.0.2.10", 0, false);
	own(1, "2001:db8::10", 0, false);
	own(2, "192.0.2.255", 0, true);
	own(3, "198.51.100.10", 1, false);
	own(4, "fe80::10", 1, false);
}

static void tear_down(void)
{
	guard_fini(&guard);
	leaks_check();
}

TestSuite(own, .init = set_up, .fini = tear_down);

static size_t announce(const char *ip, const void *mac, uint8_t *out)
{
	struct sip_ip a;

	cr_assert_eq(dp_ip_parse(ip, &a), 0);
	return dp_own_announcement(&a, mac, out);
}

Test(own, arp_announcement_rfc5227_2_3)
{
	static const uint8_t want[42] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,   0, 0, 0,  0, 1, 8, 6, /* to all */
		0,    1,    8,    0,    6,    4,    0,   1,                    /* a request */
		2,    0,    0,    0,    0,    1,    192, 0, 2, 10,             /* by us */
		0,    0,    0,    0,    0,    0,    192, 0, 2, 10,             /* for us */
	};
	uint8_t f[DP_OWN_FRAME_SIZE];

	cr_assert_eq(announce("192.0.2.10", (uint8_t[])MAC0, f), sizeof(want));
	cr_expect_eq(memcmp(f, want, sizeof(want)), 0);
}

Test(own, unsolicited_advertisement_rfc4861_7_2_6)
{
	uint8_t f[DP_OWN_FRAME_SIZE], pseudo[40] = { 0 };

	cr_assert_eq(announce("2001:db8::10", (uint8_t[])MAC0, f), 86);
	cr_expect_eq(memcmp(f, "\x33\x33\0\0\0\1\2\0\0\0\0\1\x86\xdd\x60", 15), 0);
	cr_expect_eq(f[21], 255, "hop limit");
	cr_expect_eq(f[54], 136);
	cr_expect_eq(f[58], 0x20, "override, not solicited, no router");
	cr_expect_eq(memcmp(f + 62, f + 22, 16), 0, "the target is the source");
	cr_expect_eq(memcmp(f + 78, "\2\1\2\0\0\0\0\1", 8), 0);
	memcpy(pseudo, f + 22, 32);
	pseudo[35] = 32;
	pseudo[39] = 58;
	cr_expect_eq(io_checksum(pseudo, 40, f + 54, 32), 0);
}

Test(own, claims_rfc5227_2_4_rfc4862_5_4_4)
{
	static const struct {
		const char *what, *ip, *mac;
		bool claimed;
	} rows[] = {
		{ "another has our IPv4 address", "192.0.2.10", OTHER, true },
		{ "another has our IPv6 address", "2001:db8::10", OTHER, true },
		{ "another has our link-local address", "fe80::10", OTHER, true },
		{ "we ourselves", "192.0.2.10", "\2\0\0\0\0\1", false },
		{ "our other port", "192.0.2.10", "\2\0\0\0\0\2", false },
		{ "we ourselves, IPv6", "2001:db8::10", "\2\0\0\0\0\1", false },
		{ "another's address", "192.0.2.11", OTHER, false },
		{ "another's IPv6 address", "2001:db8::11", OTHER, false },
		{ "a broadcast address", "192.0.2.255", OTHER, false },
		{ "a shared MAC of VRRP", "192.0.2.10", "\0\0\x5e\0\1\7", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t f[DP_OWN_FRAME_SIZE];
		struct dp_claim c;
		size_t len = announce(rows[i].ip, rows[i].mac, f);
		const uint8_t *b = guard_copy(&guard, f, len);

		cr_expect_eq(dp_own_claimed(&half.net, b, len, &c), rows[i].claimed, "%s",
			     rows[i].what);
		if (rows[i].claimed)
			cr_expect_eq(memcmp(c.mac, rows[i].mac, 6), 0, "%s", rows[i].what);
		for (size_t cut = 0; cut < len; cut++)
			cr_expect(!dp_own_claimed(&half.net, guard_copy(&guard, f, cut), cut, &c)
					  || cut >= 78,
				  "%s cut to %zu", rows[i].what, cut);
	}
}

Test(own, what_is_no_claim)
{
	uint8_t f[DP_OWN_FRAME_SIZE];
	struct dp_claim c;

	/* A probe has no sender address (RFC 5227 1.1). */
	announce("192.0.2.10", OTHER, f);
	memset(f + 28, 0, 4);
	cr_expect(!dp_own_claimed(&half.net, f, 42, &c));
	announce("192.0.2.10", OTHER, f);
	f[18] = 8; /* another hardware */
	cr_expect(!dp_own_claimed(&half.net, f, 42, &c));
	announce("2001:db8::10", OTHER, f);
	f[21] = 254; /* from beyond a router: RFC 4861 7.1.2 */
	cr_expect(!dp_own_claimed(&half.net, f, 86, &c));
	announce("2001:db8::10", OTHER, f);
	f[54] = 135; /* a solicitation */
	cr_expect(!dp_own_claimed(&half.net, f, 86, &c));
}

/* ---- When */

static unsigned int sent[2];

static void count(void *arg, unsigned int port, const uint8_t *frame, size_t len)
{
	cr_expect_eq(arg, &half);
	cr_expect_eq(memcmp(frame + 6, half.port[port].mac, 6), 0);
	cr_expect(len == 42 || len == 86);
	sent[port]++;
}

static void expect_sent(struct dp_own *o, uint32_t links, unsigned int a, unsigned int b,
			const char *what)
{
	sent[0] = sent[1] = 0;
	dp_own_update(o, &half.net, links, count, &half);
	cr_expect(sent[0] == a && sent[1] == b, "%s: %u and %u", what, sent[0], sent[1]);
}

Test(own, announced_once_and_whenever_something_changes)
{
	static struct dp_own o;

	expect_sent(&o, 1, 2, 0, "at the start, one link down");
	expect_sent(&o, 1, 0, 0, "nothing new");
	expect_sent(&o, 3, 0, 2, "a link comes up");
	expect_sent(&o, 2, 0, 0, "a link goes down");
	expect_sent(&o, 3, 2, 0, "and comes back");
	half.port[1].mac[5] = 9;
	expect_sent(&o, 3, 0, 2, "another MAC");
	own(2, "192.0.2.99", 0, false);
	expect_sent(&o, 3, 1, 0, "a new address");
	half.net.n_addrs = 2;
	expect_sent(&o, 3, 0, 0, "addresses go");
	half.net.n_addrs = 5;
	expect_sent(&o, 3, 1, 2, "and come back");
}
