/* What a frame is, and what is wrong with it. */
#include "dataplane/io/dp_classify.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "tests/dataplane/io_frame.h"
#include "tests/sip/guard.h"

#define V4 "198.51.100.7", "192.0.2.10"
#define V6 "2001:db8:1::7", "2001:db8::10"

static struct guard guard;

static void set_up(void)
{
	guard_init(&guard, 4096);
}

static void tear_down(void)
{
	guard_fini(&guard);
}

TestSuite(classify, .init = set_up, .fini = tear_down);

static size_t plain(int family, uint8_t *out, size_t size)
{
	struct io_frame f = { V4, 5062, 5060, "OPTIONS", 7, 0xb8, 0 };

	if (family == 6) {
		f.src = "2001:db8:1::7";
		f.dst = "2001:db8::10";
	}
	return io_frame_build(&f, out, size);
}

static void expect_ip(const struct sip_ip *ip, const char *text)
{
	char buf[64];

	buf[dp_ip_format(ip, buf)] = 0;
	cr_expect_str_eq(buf, text);
}

Test(classify, datagram_of_either_family)
{
	static const struct {
		const char *src, *dst;
		uint16_t off;
	} rows[] = { { V4, 42 }, { V6, 62 } };

	for (size_t i = 0; i < 2; i++) {
		struct io_frame f = { rows[i].src, rows[i].dst, 5062, 5060, "OPTIONS", 7, 0xb8, 0 };
		uint8_t buf[256];
		size_t len = io_frame_build(&f, buf, sizeof(buf));
		const uint8_t *b = guard_copy(&guard, buf, len);
		struct dp_packet p;

		dp_classify(b, len, &p);
		cr_expect_eq(p.kind, DP_PACKET_UDP);
		cr_expect_eq(p.reason, DP_REASON_N);
		cr_expect_eq(p.tclass, 0xb8);
		cr_expect_eq(p.payload_off, rows[i].off);
		cr_expect_eq(p.payload_len, 7);
		cr_expect_eq(p.src.port, 5062);
		cr_expect_eq(p.dst.port, 5060);
		cr_expect_eq(p.dst.transport, DP_UDP);
		expect_ip(&p.src.ip, rows[i].src);
		expect_ip(&p.dst.ip, rows[i].dst);
		cr_expect(!p.multicast);
		cr_expect(dp_classify_ip_sum(b, &p));
		cr_expect(dp_classify_udp_sum(b, &p));
	}
}

/* One byte of a sound frame changed: what becomes of it. */
Test(classify, one_byte_changed)
{
	static const struct {
		const char *what;
		int family;
		size_t off;
		uint8_t value;
		enum dp_packet_kind kind;
		enum dp_reason reason;
	} rows[] = {
		{ "group destination MAC", 4, 0, 0x01, DP_PACKET_UDP, DP_REASON_N },
		{ "ARP", 4, 13, 0x06, DP_PACKET_OTHER, DP_REASON_N },
		{ "VLAN tag", 4, 12, 0x81, DP_PACKET_OTHER, DP_REASON_N },
		{ "IP version", 4, 14, 0x55, DP_PACKET_OTHER, DP_REASON_N },
		{ "header length below 20 (RFC 791)", 4, 14, 0x44, DP_PACKET_OTHER, DP_REASON_N },
		{ "header longer than the frame", 4, 14, 0x4f, DP_PACKET_OTHER, DP_REASON_N },
		{ "TCP", 4, 23, 6, DP_PACKET_OTHER, DP_REASON_N },
		{ "total length above the frame", 4, 16, 0x7f, DP_PACKET_UDP, DP_REASON_L2_SHORT },
		{ "total length below the header", 4, 17, 19, DP_PACKET_UDP, DP_REASON_IP_HEADER },
		{ "total length cuts UDP", 4, 17, 27, DP_PACKET_OTHER, DP_REASON_N },
		{ "first fragment", 4, 20, 0x20, DP_PACKET_FRAGMENT, DP_REASON_N },
		{ "later fragment", 4, 21, 0x01, DP_PACKET_FRAGMENT, DP_REASON_N },
		{ "do not fragment", 4, 20, 0x40, DP_PACKET_UDP, DP_REASON_N },
		{ "UDP length above the packet", 4, 39, 16, DP_PACKET_UDP, DP_REASON_UDP_LENGTH },
		{ "UDP length below its header", 4, 39, 7, DP_PACKET_UDP, DP_REASON_UDP_LENGTH },
		{ "UDP length below the packet", 4, 39, 12, DP_PACKET_UDP, DP_REASON_N },
		{ "source multicast", 4, 26, 224, DP_PACKET_UDP, DP_REASON_SRC_MULTICAST },
		{ "source this network (RFC 1122 3.2.1.3)", 4, 26, 0, DP_PACKET_UDP,
		  DP_REASON_SRC_MULTICAST },
		{ "source loopback (RFC 1122 3.2.1.3)", 4, 26, 127, DP_PACKET_UDP,
		  DP_REASON_SRC_MULTICAST },
		{ "IP version", 6, 14, 0x40, DP_PACKET_OTHER, DP_REASON_N },
		{ "ICMPv6", 6, 20, 58, DP_PACKET_OTHER, DP_REASON_N },
		{ "payload length above the frame", 6, 18, 1, DP_PACKET_UDP, DP_REASON_L2_SHORT },
		{ "payload length cuts UDP", 6, 19, 7, DP_PACKET_OTHER, DP_REASON_N },
		{ "source multicast", 6, 22, 0xff, DP_PACKET_UDP, DP_REASON_SRC_MULTICAST },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[256];
		size_t len = plain(rows[i].family, buf, sizeof(buf));
		struct dp_packet p;

		buf[rows[i].off] = rows[i].value;
		dp_classify(guard_copy(&guard, buf, len), len, &p);
		cr_expect_eq(p.kind, rows[i].kind, "%s: kind %d", rows[i].what, p.kind);
		cr_expect_eq(p.reason, rows[i].reason, "%s: reason %d", rows[i].what, p.reason);
		cr_expect_eq(p.multicast, rows[i].off == 0, "%s", rows[i].what);
	}
}

Test(classify, source_port_zero)
{
	struct io_frame f = { V4, 0, 5060, "x", 1, 0, 0 };
	uint8_t buf[256];
	struct dp_packet p;

	dp_classify(buf, io_frame_build(&f, buf, sizeof(buf)), &p);
	cr_expect_eq(p.reason, DP_REASON_SRC_PORT_ZERO);
}

Test(classify, udp_checksum_rfc768_rfc8200_8_1)
{
	static const struct {
		const char *what;
		int family, zero, damage, sound;
	} rows[] = {
		{ "IPv4", 4, 0, 0, 1 },          { "IPv4, damaged", 4, 0, 1, 0 },
		{ "IPv4, absent", 4, 1, 0, 1 },  { "IPv6", 6, 0, 0, 1 },
		{ "IPv6, damaged", 6, 0, 1, 0 }, { "IPv6, absent", 6, 1, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int v4 = rows[i].family == 4;
		struct io_frame f = { v4 ? "198.51.100.7" : "2001:db8:1::7",
				      v4 ? "192.0.2.10" : "2001:db8::10",
				      5062,
				      5060,
				      "abcdefg",
				      7,
				      0,
				      rows[i].zero };
		uint8_t buf[256];
		size_t len = io_frame_build(&f, buf, sizeof(buf));
		struct dp_packet p;
		const uint8_t *b;

		if (rows[i].damage)
			buf[len - 1] ^= 1;
		b = guard_copy(&guard, buf, len);
		dp_classify(b, len, &p);
		cr_assert_eq(p.kind, DP_PACKET_UDP);
		cr_expect_eq(p.reason == DP_REASON_N && dp_classify_udp_sum(b, &p), rows[i].sound,
			     "%s", rows[i].what);
	}
}

Test(classify, ip_checksum_rfc1122_3_2_1_2)
{
	uint8_t buf[256];
	size_t len = plain(4, buf, sizeof(buf));
	struct dp_packet p;

	dp_classify(buf, len, &p);
	cr_expect(dp_classify_ip_sum(buf, &p));
	buf[22]--; /* TTL */
	cr_expect(!dp_classify_ip_sum(buf, &p));
}

/* Options go between the IPv4 header and UDP; padding follows the packet. */
Test(classify, ipv4_options_rfc791_3_1)
{
	static const struct {
		const char *what;
		uint8_t options[8];
		enum dp_reason reason;
	} rows[] = {
		{ "none but ends", { 0 }, DP_REASON_N },
		{ "no-operations", { 1, 1, 1, 1, 1, 1, 1, 1 }, DP_REASON_N },
		{ "router alert", { 148, 4, 0, 0, 0 }, DP_REASON_N },
		{ "length 0", { 148, 0 }, DP_REASON_IP_OPTIONS },
		{ "length 1", { 148, 1 }, DP_REASON_IP_OPTIONS },
		{ "length beyond the header", { 148, 9 }, DP_REASON_IP_OPTIONS },
		{ "no room for a length", { 1, 1, 1, 1, 1, 1, 1, 7 }, DP_REASON_IP_OPTIONS },
		{ "loose source route (RFC 7126 4.3)", { 131, 7, 4 }, DP_REASON_IP_OPTIONS },
		{ "strict source route (RFC 7126 4.4)", { 137, 7, 4 }, DP_REASON_IP_OPTIONS },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[256], with[256];
		size_t len = plain(4, buf, sizeof(buf));
		struct dp_packet p;

		memcpy(with, buf, 34);
		memcpy(with + 34, rows[i].options, 8);
		memcpy(with + 42, buf + 34, len - 34);
		memset(with + len + 8, 0xee, 6);
		with[14] = 0x47;
		with[17] = (uint8_t)(with[17] + 8);
		dp_classify(guard_copy(&guard, with, len + 14), len + 14, &p);
		cr_assert_eq(p.kind, DP_PACKET_UDP, "%s", rows[i].what);
		cr_expect_eq(p.reason, rows[i].reason, "%s: %d", rows[i].what, p.reason);
		if (p.reason == DP_REASON_N) {
			cr_expect_eq(p.payload_off, 50, "%s", rows[i].what);
			cr_expect_eq(p.payload_len, 7, "%s", rows[i].what);
			cr_expect(dp_classify_udp_sum(with, &p), "%s", rows[i].what);
		}
	}
}

Test(classify, ipv6_extension_headers_rfc8200_4_1)
{
	static const struct {
		const char *what;
		uint8_t first; /* next header of the IPv6 header */
		uint8_t ext[16];
		size_t ext_len;
		enum dp_packet_kind kind;
	} rows[] = {
		{ "hop-by-hop", 0, { 17, 0 }, 8, DP_PACKET_UDP },
		{ "destination options, 16 bytes", 60, { 17, 1 }, 16, DP_PACKET_UDP },
		{ "hop-by-hop, destination options",
		  0,
		  { 60, 0, 0, 0, 0, 0, 0, 0, 17 },
		  16,
		  DP_PACKET_UDP },
		{ "routing, at its end", 43, { 17, 0, 4, 0 }, 8, DP_PACKET_UDP },
		{ "routing, on its way", 43, { 17, 0, 4, 1 }, 8, DP_PACKET_OTHER },
		{ "fragment that is whole (RFC 6946)", 44, { 17 }, 8, DP_PACKET_UDP },
		{ "first fragment", 44, { 17, 0, 0, 1 }, 8, DP_PACKET_FRAGMENT },
		{ "later fragment", 44, { 17, 0, 0, 8 }, 8, DP_PACKET_FRAGMENT },
		{ "fragment of options, then UDP", 44, { 60, 0, 0, 1 }, 8, DP_PACKET_FRAGMENT },
		{ "fragment of TCP", 44, { 6, 0, 0, 1 }, 8, DP_PACKET_OTHER },
		{ "fragment behind hop-by-hop",
		  0,
		  { 44, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 1 },
		  16,
		  DP_PACKET_FRAGMENT },
		{ "longer than the packet", 0, { 17, 200 }, 8, DP_PACKET_OTHER },
		{ "ESP", 50, { 17 }, 8, DP_PACKET_OTHER },
		{ "no next header", 59, { 17 }, 8, DP_PACKET_OTHER },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[256], with[256];
		size_t len = plain(6, buf, sizeof(buf)), n = rows[i].ext_len;
		struct dp_packet p;

		memcpy(with, buf, 54);
		memcpy(with + 54, rows[i].ext, n);
		memcpy(with + 54 + n, buf + 54, len - 54);
		with[20] = rows[i].first;
		with[19] = (uint8_t)(with[19] + n);
		dp_classify(guard_copy(&guard, with, len + n), len + n, &p);
		cr_expect_eq(p.kind, rows[i].kind, "%s: %d", rows[i].what, p.kind);
		if (p.kind == DP_PACKET_UDP) {
			cr_expect_eq(p.payload_len, 7, "%s", rows[i].what);
			cr_expect(dp_classify_udp_sum(with, &p), "%s", rows[i].what);
		}
	}
}

Test(classify, endless_extension_headers_end)
{
	uint8_t buf[2048];
	size_t len = plain(6, buf, sizeof(buf));
	struct dp_packet p;

	memset(buf + len, 0, sizeof(buf) - len);
	buf[20] = 0;
	memset(buf + 54, 0, sizeof(buf) - 54); /* hop-by-hop after hop-by-hop */
	buf[18] = 7;
	dp_classify(buf, sizeof(buf), &p);
	cr_expect_eq(p.kind, DP_PACKET_OTHER);
}

Test(classify, mapped_address_on_the_wire_rfc4038_4_2)
{
	struct io_frame f = { "::ffff:198.51.100.7", "2001:db8::10", 5062, 5060, "x", 1, 0, 0 };
	uint8_t buf[256];
	struct dp_packet p;

	dp_classify(buf, io_frame_build(&f, buf, sizeof(buf)), &p);
	cr_expect_eq(p.reason, DP_REASON_IP_HEADER);
}

/* Nothing beyond the frame is read, and nothing that is set lies beyond it. */
static void truncate_all(const uint8_t *frame, size_t whole, const char *what)
{
	for (size_t len = 0; len < whole; len++) {
		const uint8_t *b = guard_copy(&guard, frame, len);
		struct dp_packet p;

		dp_classify(b, len, &p);
		cr_expect(p.kind == DP_PACKET_OTHER || p.reason != DP_REASON_N, "%s cut to %zu",
			  what, len);
		if (p.kind != DP_PACKET_OTHER) {
			cr_expect_leq(p.payload_off, len, "%s cut to %zu", what, len);
			dp_classify_ip_sum(b, &p);
		}
	}
}

Test(classify, every_truncation)
{
	uint8_t buf[256], with[256];
	size_t len = plain(4, buf, sizeof(buf));

	truncate_all(buf, len, "IPv4");
	len = plain(6, buf, sizeof(buf));
	truncate_all(buf, len, "IPv6");
	/* with a hop-by-hop and a destination options header, and a length that fits the cut */
	memcpy(with, buf, 54);
	memset(with + 54, 0, 16);
	memcpy(with + 70, buf + 54, len - 54);
	with[20] = 0;
	with[54] = 60;
	with[62] = 17;
	with[18] = 0xff;
	truncate_all(with, len + 16, "IPv6 with extension headers");
}

static void expect_both_ways(const uint8_t *frame, size_t len, const char *what, size_t at)
{
	const uint8_t *b = guard_copy(&guard, frame, len);
	struct dp_packet quick, whole;

	memset(&quick, 0xaa, sizeof(quick));
	memset(&whole, 0x55, sizeof(whole));
	dp_classify(b, len, &quick);
	dp_classify_whole(b, len, &whole);
	cr_assert_eq(memcmp(&quick, &whole, sizeof(quick)), 0, "%s, byte %zu, length %zu", what, at,
		     len);
}

/* Plain frames have a way of their own, which must say the same. */
Test(classify, both_ways_say_the_same)
{
	static const int families[] = { 4, 6 };
	uint32_t r = 2463534242;

	for (size_t k = 0; k < 2; k++) {
		uint8_t buf[256] = { 0 };
		size_t len = plain(families[k], buf, sizeof(buf));

		for (size_t cut = 0; cut <= len; cut++)
			expect_both_ways(buf, cut, "cut", cut);
		for (size_t at = 0; at < len; at++) {
			uint8_t was = buf[at];

			for (unsigned int v = 0; v < 256; v++) {
				buf[at] = (uint8_t)v;
				expect_both_ways(buf, len, "one byte", at);
				expect_both_ways(buf, len + 18, "padded", at);
			}
			buf[at] = was;
		}
		/* Lengths, addresses and ports meet at random. */
		for (int round = 0; round < 200000; round++) {
			uint8_t frame[256];

			memcpy(frame, buf, sizeof(frame));
			for (int i = 0; i < 3; i++) {
				r ^= r << 13;
				r ^= r >> 17;
				r ^= r << 5;
				frame[12 + r % 54] = (uint8_t)(r >> 16);
			}
			expect_both_ways(frame, len + (r >> 8) % 3, "random", 0);
		}
	}
}
