/* ICMP errors: what they quote, and what is wrong with them. */
#include "dataplane/io/dp_icmp.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/dataplane/io_frame.h"
#include "tests/leaks.h"
#include "tests/sip/guard.h"

#define HERE4   "192.0.2.10"
#define HERE6   "2001:db8::10"
#define THERE4  "198.51.100.11"
#define THERE6  "2001:db8:100::11"
#define ROUTER4 "203.0.113.1"
#define ROUTER6 "2001:db8:9::1"

static struct guard guard;

static void set_up(void)
{
	guard_init(&guard, 4096);
}

static void tear_down(void)
{
	guard_fini(&guard);
	leaks_check();
}

TestSuite(icmp, .init = set_up, .fini = tear_down);

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t header_of(int v4)
{
	return v4 ? 34 : 54;
}

/* The checksum of an ICMP message that ends a frame. */
static void sum(uint8_t *frame, size_t len, int v4)
{
	uint8_t *icmp = frame + header_of(v4), pseudo[40] = { 0 };
	size_t n = len - header_of(v4);

	put16(icmp + 2, 0);
	if (v4) {
		put16(icmp + 2, io_checksum(icmp, n, NULL, 0));
		return;
	}
	memcpy(pseudo, frame + 22, 32);
	put16(pseudo + 34, n);
	pseudo[39] = 58;
	put16(icmp + 2, io_checksum(pseudo, 40, icmp, n));
}

/* An error from the router that quotes `quote_len` bytes of a packet. Returns the frame's length.
 */
static size_t error(int v4, uint8_t type, uint8_t code, const uint8_t *quote, size_t quote_len,
		    uint8_t *out)
{
	struct io_frame f = {
		v4 ? ROUTER4 : ROUTER6, v4 ? HERE4 : HERE6, 0, 0, quote, quote_len, 0, 0
	};
	/* A UDP header is as long as an ICMP one. */
	size_t len = io_frame_build(&f, out, 2048), at = header_of(v4);

	memset(out + at, 0, 8);
	out[at] = type;
	out[at + 1] = code;
	out[v4 ? 23 : 20] = v4 ? 1 : 58;
	if (v4) {
		put16(out + 24, 0);
		put16(out + 24, io_checksum(out + 14, 20, NULL, 0));
	}
	sum(out, len, v4);
	return len;
}

/* A packet of ours as it was sent, without Ethernet. Returns its length. */
static size_t sent(int v4, const char *text, uint8_t *out)
{
	struct io_frame f = {
		v4 ? HERE4 : HERE6, v4 ? THERE4 : THERE6, 5060, 5070, text, strlen(text), 0, 0
	};
	uint8_t frame[2048];
	size_t len = io_frame_build(&f, frame, sizeof(frame)) - 14;

	memcpy(out, frame + 14, len);
	return len;
}

static enum dp_icmp_outcome read(const uint8_t *frame, size_t len, struct dp_icmp *e)
{
	const uint8_t *b = guard_copy(&guard, frame, len);
	struct dp_packet p;

	dp_classify(b, len, &p);
	cr_assert_eq(p.kind, DP_PACKET_ICMP);
	cr_assert_eq(p.reason, DP_REASON_N);
	cr_expect(dp_icmp_sum(b, &p));
	return dp_icmp_read(b, &p, e);
}

Test(icmp, kinds_rfc3261_18_4)
{
	static const struct {
		int v4;
		uint8_t type, code;
		enum dp_icmp_kind kind;
	} rows[] = {
		{ 1, 3, 0, DP_ICMP_UNREACHABLE }, { 1, 3, 1, DP_ICMP_UNREACHABLE },
		{ 1, 3, 2, DP_ICMP_UNREACHABLE }, { 1, 3, 3, DP_ICMP_UNREACHABLE },
		{ 1, 3, 4, DP_ICMP_TOO_BIG },     { 1, 3, 5, DP_ICMP_IGNORED },
		{ 1, 3, 9, DP_ICMP_UNREACHABLE }, { 1, 3, 10, DP_ICMP_UNREACHABLE },
		{ 1, 3, 11, DP_ICMP_IGNORED },    { 1, 3, 13, DP_ICMP_UNREACHABLE },
		{ 1, 4, 0, DP_ICMP_IGNORED },     { 1, 11, 0, DP_ICMP_IGNORED },
		{ 1, 12, 0, DP_ICMP_IGNORED },    { 0, 1, 0, DP_ICMP_UNREACHABLE },
		{ 0, 1, 1, DP_ICMP_UNREACHABLE }, { 0, 1, 3, DP_ICMP_UNREACHABLE },
		{ 0, 1, 4, DP_ICMP_UNREACHABLE }, { 0, 2, 0, DP_ICMP_TOO_BIG },
		{ 0, 3, 0, DP_ICMP_IGNORED },     { 0, 4, 0, DP_ICMP_IGNORED },
		{ 0, 4, 1, DP_ICMP_UNREACHABLE },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t quote[2048], frame[2048];
		size_t n = sent(rows[i].v4, "OPTIONS sip:x", quote);
		struct dp_icmp e;

		cr_expect_eq(read(frame,
				  error(rows[i].v4, rows[i].type, rows[i].code, quote, n, frame),
				  &e),
			     DP_ICMP_READ);
		cr_expect_eq(e.kind, rows[i].kind, "IPv%d type %u code %u", rows[i].v4 ? 4 : 6,
			     rows[i].type, rows[i].code);
		cr_expect_eq(e.type, rows[i].type);
		cr_expect_eq(e.code, rows[i].code);
		cr_expect_eq(e.v6, !rows[i].v4);
	}
}

Test(icmp, whose_packet_is_quoted)
{
	for (int v4 = 0; v4 < 2; v4++) {
		uint8_t quote[2048], frame[2048];
		size_t n = sent(v4, "OPTIONS sip:x", quote), whole = n - (v4 ? 28 : 48);
		struct dp_icmp e;
		char text[64];

		cr_assert_eq(read(frame, error(v4, v4 ? 3 : 1, v4 ? 3 : 4, quote, n, frame), &e),
			     DP_ICMP_READ);
		cr_expect_eq(e.from.port, 5060);
		cr_expect_eq(e.to.port, 5070);
		text[dp_ip_format(&e.from.ip, text)] = 0;
		cr_expect_str_eq(text, v4 ? HERE4 : HERE6);
		text[dp_ip_format(&e.to.ip, text)] = 0;
		cr_expect_str_eq(text, v4 ? THERE4 : THERE6);
		cr_expect_eq(e.quote_len, whole);
		cr_expect_eq(memcmp(e.quote, "OPTIONS sip:x", whole), 0);
		/* As little as RFC 792 demands: no payload at all. */
		cr_assert_eq(
			read(frame, error(v4, v4 ? 3 : 1, v4 ? 3 : 4, quote, n - whole, frame), &e),
			DP_ICMP_READ);
		cr_expect_eq(e.quote_len, 0);
	}
}

/* Where extensions follow (RFC 4884), they are no quote: 128 bytes of it here. */
Test(icmp, extensions_are_not_quoted_rfc4884)
{
	for (int v4 = 0; v4 < 2; v4++) {
		uint8_t quote[2048], frame[2048], text[301];
		size_t n, len, at = header_of(v4);
		struct dp_icmp e;

		memset(text, 'x', 300);
		text[300] = 0;
		n = sent(v4, (const char *)text, quote);
		len = error(v4, v4 ? 3 : 1, v4 ? 3 : 4, quote, n, frame);
		frame[at + (v4 ? 5 : 4)] = v4 ? 32 : 16;
		sum(frame, len, v4);
		cr_assert_eq(read(frame, len, &e), DP_ICMP_READ);
		cr_expect_eq(e.quote_len, v4 ? 100 : 80, "%u", e.quote_len);
	}
}

Test(icmp, path_mtu_rfc1191_4_rfc4443_3_2)
{
	uint8_t quote[2048], frame[2048];
	struct dp_icmp e;
	size_t len = error(1, 3, 4, quote, sent(1, "x", quote), frame);

	put16(frame + 40, 1400);
	sum(frame, len, 1);
	cr_assert_eq(read(frame, len, &e), DP_ICMP_READ);
	cr_expect_eq(e.mtu, 1400);
	len = error(0, 2, 0, quote, sent(0, "x", quote), frame);
	put16(frame + 60, 1300);
	sum(frame, len, 0);
	cr_assert_eq(read(frame, len, &e), DP_ICMP_READ);
	cr_expect_eq(e.mtu, 1300);
}

/* A router quotes the fragment that it could not send on: the first one has ports. */
Test(icmp, fragments_of_ours)
{
	uint8_t quote[2048], frame[2048];
	struct dp_icmp e;
	size_t n = sent(1, "OPTIONS sip:x", quote);

	put16(quote + 6, 0x2000);
	put16(quote + 24, 1400); /* UDP's length is the datagram's */
	cr_expect_eq(read(frame, error(1, 3, 4, quote, n, frame), &e), DP_ICMP_READ);
	cr_expect_eq(e.quote_len, 13);
	put16(quote + 6, 0x2010);
	cr_expect_eq(read(frame, error(1, 3, 4, quote, n, frame), &e), DP_ICMP_NOT_UDP);

	n = sent(0, "OPTIONS sip:x", quote);
	memmove(quote + 48, quote + 40, n - 40);
	memcpy(quote + 40, (uint8_t[]){ 17, 0, 0, 1, 1, 2, 3, 4 }, 8);
	put16(quote + 52, 1400);
	quote[6] = 44;
	quote[5] = (uint8_t)(quote[5] + 8);
	cr_expect_eq(read(frame, error(0, 2, 0, quote, n + 8, frame), &e), DP_ICMP_READ);
	cr_expect_eq(e.quote_len, 13);
	cr_expect_eq(e.from.port, 5060);
	quote[43] = 9; /* a later one */
	cr_expect_eq(read(frame, error(0, 2, 0, quote, n + 8, frame), &e), DP_ICMP_NOT_UDP);
}

/* One byte of the quote changed. */
Test(icmp, quotes_that_are_not_ours_or_broken)
{
	static const struct {
		const char *what;
		int v4;
		size_t off;
		uint8_t value;
		enum dp_icmp_outcome outcome;
	} rows[] = {
		{ "TCP", 1, 9, 6, DP_ICMP_NOT_UDP },
		{ "ICMP", 1, 9, 1, DP_ICMP_NOT_UDP },
		{ "another source", 1, 15, 77, DP_ICMP_BROKEN },
		{ "version 6", 1, 0, 0x65, DP_ICMP_BROKEN },
		{ "header of 16 bytes", 1, 0, 0x44, DP_ICMP_BROKEN },
		{ "options beyond the quote", 1, 0, 0x4f, DP_ICMP_BROKEN },
		{ "total length below the header", 1, 3, 19, DP_ICMP_BROKEN },
		{ "UDP length of 7", 1, 25, 7, DP_ICMP_BROKEN },
		{ "UDP length above the packet", 1, 25, 200, DP_ICMP_BROKEN },
		{ "TCP", 0, 6, 6, DP_ICMP_NOT_UDP },
		{ "ICMPv6", 0, 6, 58, DP_ICMP_NOT_UDP },
		{ "hop-by-hop options", 0, 6, 0, DP_ICMP_NOT_UDP },
		{ "another source", 0, 23, 77, DP_ICMP_BROKEN },
		{ "version 4", 0, 0, 0x45, DP_ICMP_BROKEN },
		{ "UDP length of 7", 0, 45, 7, DP_ICMP_BROKEN },
		{ "UDP length above the packet", 0, 45, 200, DP_ICMP_BROKEN },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t quote[2048], frame[2048];
		size_t n = sent(rows[i].v4, "OPTIONS sip:x", quote);
		struct dp_icmp e;

		quote[rows[i].off] = rows[i].value;
		cr_expect_eq(
			read(frame, error(rows[i].v4, rows[i].v4 ? 3 : 1, 3, quote, n, frame), &e),
			rows[i].outcome, "IPv%d: %s", rows[i].v4 ? 4 : 6, rows[i].what);
	}
}

Test(icmp, quotes_cut_anywhere)
{
	for (int v4 = 0; v4 < 2; v4++) {
		uint8_t quote[2048], frame[2048];
		size_t n = sent(v4, "OPTIONS sip:x", quote), udp = v4 ? 28 : 48;

		for (size_t cut = 0; cut < n; cut++) {
			struct dp_icmp e;
			size_t len = error(v4, v4 ? 3 : 1, 3, quote, cut, frame);

			cr_expect_eq(read(frame, len, &e),
				     cut < udp ? DP_ICMP_BROKEN : DP_ICMP_READ, "cut to %zu", cut);
		}
	}
}

Test(icmp, checksum_rfc792_rfc4443_2_3)
{
	for (int v4 = 0; v4 < 2; v4++) {
		uint8_t quote[2048], frame[2048];
		size_t len = error(v4, v4 ? 3 : 1, 3, quote, sent(v4, "OPTIONS", quote), frame);
		struct dp_packet p;

		dp_classify(frame, len, &p);
		cr_expect(dp_icmp_sum(frame, &p));
		frame[len - 1] ^= 1;
		cr_expect(!dp_icmp_sum(frame, &p));
	}
}

/* What is no error, or not whole, is the kernel's. */
Test(icmp, what_is_left_to_the_kernel)
{
	static const struct {
		const char *what;
		int v4;
		uint8_t type;
	} rows[] = {
		{ "echo", 1, 8 },       { "echo reply", 1, 0 },    { "redirect", 1, 5 },
		{ "timestamp", 1, 13 }, { "echo", 0, 128 },        { "neighbour", 0, 135 },
		{ "redirect", 0, 137 }, { "unknown error", 0, 5 }, { "reserved", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t quote[2048], frame[2048];
		size_t len = error(rows[i].v4, rows[i].type, 0, quote, sent(rows[i].v4, "x", quote),
				   frame);
		struct dp_packet p;

		dp_classify(frame, len, &p);
		cr_expect_eq(p.kind, DP_PACKET_OTHER, "IPv%d %s", rows[i].v4 ? 4 : 6, rows[i].what);
	}
	for (int v4 = 0; v4 < 2; v4++) {
		uint8_t quote[2048], frame[2048];
		size_t len = error(v4, v4 ? 3 : 1, 3, quote, sent(v4, "x", quote), frame);
		struct dp_packet p;

		for (size_t cut = 0; cut < len; cut++) {
			const uint8_t *b = guard_copy(&guard, frame, cut);

			dp_classify(b, cut, &p);
			cr_expect_eq(p.kind, DP_PACKET_OTHER, "cut to %zu", cut);
		}
	}
}
