/* Payload edits in place, new headers and their checksums. */
#include "dataplane/io/dp_rewrite.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/io/dp_checksum.h"
#include "dataplane/io/dp_edit.h"
#include "tests/dataplane/io_frame.h"

static uint8_t scratch[DP_SCRATCH_SIZE];

/* A frame somewhere in a buffer. */
struct box {
	uint8_t buf[4096];
	struct dp_frame f;
	struct dp_packet p;
};

static void box_fill(struct box *b, const struct io_frame *f, uint32_t head, uint32_t tail)
{
	uint8_t frame[2048];
	size_t len = io_frame_build(f, frame, sizeof(frame));

	memset(b->buf, 0xaa, sizeof(b->buf));
	b->f = (struct dp_frame){ b->buf, (uint32_t)(head + len + tail), head, (uint32_t)len };
	cr_assert_leq(b->f.size, sizeof(b->buf));
	memcpy(b->buf + head, frame, len);
	dp_classify(b->buf + head, len, &b->p);
	cr_assert_eq(b->p.kind, DP_PACKET_UDP);
	cr_assert_eq(b->p.reason, DP_REASON_N);
}

static struct dp_endpoint endpoint(const char *ip, uint16_t port)
{
	struct dp_endpoint e = { .port = port };

	cr_assert_eq(dp_ip_parse(ip, &e.ip), 0);
	return e;
}

/* What leaves must be this payload in sound headers of this family. */
static void expect_packet(const struct dp_frame *f, const struct dp_headers *h, const uint8_t *want,
			  size_t len, const char *what)
{
	const uint8_t *ip = f->buf + f->off;
	size_t header = dp_ip_is_v4(&h->to.ip) ? 20 : 40;
	uint8_t ether[2048] = { 0 };
	struct dp_packet p;

	cr_assert_eq(f->len, header + 8 + len, "%s", what);
	cr_expect_eq(memcmp(ip + header + 8, want, len), 0, "%s: payload", what);
	cr_expect(io_sums_right(ip, f->len), "%s: checksums", what);
	ether[12] = header == 20 ? 0x08 : 0x86;
	ether[13] = header == 20 ? 0x00 : 0xdd;
	memcpy(ether + 14, ip, f->len);
	dp_classify(ether, 14 + f->len, &p);
	cr_expect_eq(p.kind, DP_PACKET_UDP, "%s", what);
	cr_expect_eq(p.reason, DP_REASON_N, "%s: %d", what, p.reason);
	cr_expect_eq(memcmp(&p.src, &h->from, sizeof(p.src)), 0, "%s: source", what);
	cr_expect_eq(memcmp(&p.dst, &h->to, sizeof(p.dst)), 0, "%s: destination", what);
	cr_expect_eq(p.tclass, h->tclass & 0xfc, "%s: traffic class", what);
	cr_expect_eq(ip[header == 20 ? 8 : 7], 64, "%s: TTL", what);
	if (header == 20)
		cr_expect_eq(ip[6], 0, "%s: neither DF nor a fragment", what);
	else
		cr_expect_eq((ip[1] & 15u) << 16 | (ip[2] & 255u) << 8 | (ip[3] & 255u), h->flow,
			     "%s: label", what);
}

static const char text[] = "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z\r\n"
			   "Max-Forwards: 70\r\nRoute: <sip:192.0.2.10;lr>\r\nTo: <sip:b@c>\r\n"
			   "Content-Length: 9\r\n\r\nv=0\r\no=- 1";

/* Edits by hand: growth and shrinking, even and odd, at both ends. */
static const struct {
	const char *what;
	struct {
		uint16_t off, del;
		const char *ins;
	} e[4];
	size_t n;
} edits[] = {
	{ "nothing", { { 0, 0, "" } }, 0 },
	{ "same length", { { 81, 2, "69" } }, 1 },
	{ "odd growth at the start", { { 0, 0, "x" } }, 1 },
	{ "even growth at the start", { { 0, 0, "xy" } }, 1 },
	{ "at the end", { { sizeof(text) - 1, 0, "tail" } }, 1 },
	{ "everything", { { 0, sizeof(text) - 1, "z" } }, 1 },
	{ "to nothing", { { 0, sizeof(text) - 1, "" } }, 1 },
	{ "pop", { { 36, 31, "" } }, 1 },
	{ "push, change, pop",
	  { { 36, 0,
	      "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKss0123456789abcdef\r\n"
	      "Record-Route: <sip:192.0.2.10;lr;ss=0123456789abcdef0123456789abcdef>\r\n" },
	    { 67, 0, ";received=203.0.113.7;rport=1024" },
	    { 81, 2, "69" },
	    { 85, 30, "" } },
	  4 },
	{ "two at one place", { { 36, 0, "A" }, { 36, 0, "BC" }, { 40, 3, "" } }, 3 },
};

static void edits_build(size_t row, struct sip_edits *es)
{
	sip_edits_init(es);
	for (size_t i = 0; i < edits[row].n; i++)
		cr_assert_eq(sip_edits_add(es, edits[row].e[i].off, edits[row].e[i].del,
					   edits[row].e[i].ins,
					   (uint16_t)strlen(edits[row].e[i].ins)),
			     0, "%s", edits[row].what);
}

static const struct {
	const char *what, *src, *dst, *from, *to;
	int no_sum;
} paths[] = {
	{ "4 to 4", "198.51.100.7", "192.0.2.10", "192.0.2.10", "198.51.100.11", 0 },
	{ "4 to 6", "198.51.100.7", "192.0.2.10", "2001:db8::10", "2001:db8::11", 0 },
	{ "6 to 4", "2001:db8:1::7", "2001:db8::10", "192.0.2.10", "198.51.100.11", 0 },
	{ "6 to 6", "2001:db8:1::7", "2001:db8::10", "2001:db8::10", "2001:db8::11", 0 },
	{ "4 without checksum to 6", "198.51.100.7", "192.0.2.10", "2001:db8::10", "2001:db8::11",
	  1 },
	{ "4 without checksum to 4", "198.51.100.7", "192.0.2.10", "192.0.2.10", "198.51.100.11",
	  1 },
};

static void one(size_t row, size_t path, uint32_t head, uint32_t tail)
{
	struct io_frame frame = {
		paths[path].src,   paths[path].dst, 5062, 5060, text, sizeof(text) - 1, 0xbb,
		paths[path].no_sum
	};
	struct dp_headers h = { endpoint(paths[path].from, 5060),
				endpoint(paths[path].to, 5070),
				7,
				0xbb,
				false,
				0xabcde };
	static struct box b;
	struct sip_edits es;
	struct dp_payload pl;
	uint8_t want[2048];
	char what[128];
	uint32_t want_len;

	snprintf(what, sizeof(what), "%s, %s, %u before, %u after", edits[row].what,
		 paths[path].what, head, tail);
	edits_build(row, &es);
	want_len = (uint32_t)sip_edits_apply(&es, (const uint8_t *)text, sizeof(text) - 1, want,
					     sizeof(want));
	box_fill(&b, &frame, head, tail);
	if (dp_rewrite_payload(&b.f, &b.p, &es, scratch, &pl) != 0) {
		cr_expect_gt(DP_HEADERS_MAX + want_len, b.f.size, "%s: there was room", what);
		return;
	}
	cr_expect_leq(DP_HEADERS_MAX + want_len, b.f.size, "%s", what);
	cr_assert_eq(pl.len, want_len, "%s", what);
	cr_expect_geq(pl.off, DP_HEADERS_MAX, "%s", what);
	cr_expect_eq(pl.summed, !paths[path].no_sum, "%s", what);
	dp_rewrite_headers(&b.f, &pl, &h);
	expect_packet(&b.f, &h, want, want_len, what);
	for (uint32_t i = b.f.size; i < sizeof(b.buf); i++)
		cr_assert_eq(b.buf[i], 0xaa, "%s: written beyond the buffer", what);
}

Test(rewrite, every_edit_path_and_room)
{
	static const uint32_t heads[] = { 0, 1, 20, 38, 128, 129, 384 };
	static const uint32_t tails[] = { 0, 1, 17, 400 };

	for (size_t row = 0; row < sizeof(edits) / sizeof(edits[0]); row++)
		for (size_t path = 0; path < sizeof(paths) / sizeof(paths[0]); path++)
			for (size_t h = 0; h < sizeof(heads) / sizeof(heads[0]); h++)
				for (size_t t = 0; t < sizeof(tails) / sizeof(tails[0]); t++)
					one(row, path, heads[h], tails[t]);
}

/* Random edits on random bytes against applying them to a copy. */
Test(rewrite, random_edits)
{
	static struct box b;
	uint32_t r = 12345;

	for (int round = 0; round < 20000; round++) {
		uint8_t pay[600], ins[300], want[1200];
		struct io_frame frame = { paths[0].src, paths[0].dst, 5062, 5060, pay, 0, 0, 0 };
		struct dp_headers h = {
			endpoint(paths[1].from, 1), endpoint(paths[1].to, 2), 0, 0, false, 0
		};
		struct sip_edits es;
		struct dp_payload pl;
		uint32_t head, at = 0;
		size_t len;

#define NEXT(n) (r = r * 1664525 + 1013904223, (uint32_t)((r >> 8) % (n)))
		frame.payload_len = NEXT(sizeof(pay));
		for (size_t i = 0; i < frame.payload_len; i++)
			pay[i] = (uint8_t)NEXT(256);
		for (size_t i = 0; i < sizeof(ins); i++)
			ins[i] = (uint8_t)NEXT(256);
		sip_edits_init(&es);
		for (uint32_t n = NEXT(6); n && at <= frame.payload_len; n--) {
			uint32_t off = at + NEXT(frame.payload_len - at + 1);
			uint32_t del = NEXT(frame.payload_len - off + 1);

			sip_edits_add(&es, (uint16_t)off, (uint16_t)del, ins, (uint16_t)NEXT(100));
			at = off + del;
		}
		head = NEXT(300);
		len = (size_t)sip_edits_apply(&es, pay, frame.payload_len, want, sizeof(want));
		box_fill(&b, &frame, head, NEXT(300));
#undef NEXT
		if (dp_rewrite_payload(&b.f, &b.p, &es, scratch, &pl) != 0)
			continue;
		dp_rewrite_headers(&b.f, &pl, &h);
		expect_packet(&b.f, &h, want, len, "random");
	}
}

/* The machine's way against the one in plain C: the same bytes, the same sum. */
Test(rewrite, both_ways_edit_the_same)
{
	enum { ROOM = 512, LONGEST = 3000 };
	static uint8_t buf[2][ROOM + 2 * LONGEST], ins[LONGEST], kept[LONGEST];
	dp_edit_fn *way[2] = { dp_edit_plain, dp_edit_machine() };
	uint32_t r = 88172645;

	if (!way[1])
		cr_skip_test("this machine has but one");
#define NEXT(n) (r = r * 1664525 + 1013904223, (uint32_t)((r >> 8) % (n)))
	for (int round = 0; round < 20000; round++) {
		uint32_t len = NEXT(round % 16 ? 400 : LONGEST), at = 0;
		struct sip_edits es;
		int64_t back;

		sip_edits_init(&es);
		for (uint32_t i = 0; i < sizeof(ins); i++)
			ins[i] = (uint8_t)NEXT(256);
		for (uint32_t n = NEXT(5); n; n--) {
			uint32_t off = at + NEXT(len - at + 1);
			uint32_t del = NEXT(len - off < 40 ? len - off + 1 : 40);
			uint32_t from = NEXT(300);

			sip_edits_add(&es, (uint16_t)off, (uint16_t)del, ins + from,
				      (uint16_t)NEXT(260));
			at = off + del;
		}
		for (uint32_t i = 0; i < ROOM + LONGEST; i++)
			buf[0][i] = buf[1][i] = (uint8_t)NEXT(256);
		back = NEXT(2) ? es.delta < 300 ? es.delta : 300 : 0;
		for (int k = 0; k < 2; k++) {
			uint8_t *pay = buf[k] + ROOM;
			struct dp_edit d = {
				&es, pay, len, true, back, dp_sum_plain(pay, len), kept
			};
			uint16_t sum = dp_sum_fold(way[k](&d));

			cr_assert_eq(sum % 0xffff,
				     dp_sum_fold(dp_sum_plain(pay - back, sip_edits_len(&es, len)))
					     % 0xffff,
				     "way %d, round %d: sum", k, round);
		}
		cr_assert_eq(memcmp(buf[0], buf[1], sizeof(buf[0])), 0, "round %d", round);
	}
#undef NEXT
}

/* Every sum there is. RFC 768: a checksum of 0 says that there is none, so it leaves as 0xffff. */
Test(rewrite, no_sum_becomes_an_absent_checksum)
{
	static uint8_t buf[DP_HEADERS_MAX + 2];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct dp_headers h = {
			endpoint(paths[i].from, 5060), endpoint(paths[i].to, 5070), 7, 0, false, 0
		};
		unsigned int full = 0;

		for (uint32_t word = 0; word <= UINT16_MAX; word++) {
			struct dp_payload pl = { DP_HEADERS_MAX, 2, word, true };
			struct dp_frame f = { buf, sizeof(buf), 0, 0 };
			uint16_t sum;

			memcpy(buf + pl.off, &(uint16_t){ (uint16_t)word }, 2);
			dp_rewrite_headers(&f, &pl, &h);
			memcpy(&sum, buf + pl.off - 2, 2);
			full += sum == UINT16_MAX;
			cr_assert(sum != 0 && io_sums_right(buf + f.off, f.len), "%zu, %x", i,
				  word);
		}
		cr_expect(full > 0, "%zu", i);
	}
}

/* A payload that was damaged under way must not get a checksum that calls it sound (RFC 1624). */
Test(rewrite, damage_stays_detectable)
{
	struct io_frame frame = { paths[0].src, paths[0].dst,     5062, 5060,
				  text,         sizeof(text) - 1, 0,    0 };
	struct dp_headers h = {
		endpoint(paths[0].from, 5060), endpoint(paths[0].to, 5070), 7, 0, false, 0
	};
	static struct box b;
	struct sip_edits es;
	struct dp_payload pl;

	edits_build(8, &es);
	box_fill(&b, &frame, 128, 512);
	b.buf[b.f.off + b.f.len - 1] ^= 4;
	cr_assert_eq(dp_rewrite_payload(&b.f, &b.p, &es, scratch, &pl), 0);
	dp_rewrite_headers(&b.f, &pl, &h);
	cr_expect(!io_sums_right(b.f.buf + b.f.off, b.f.len));
}

/* A strict router's Route value becomes the Request-URI (RFC 3261 16.6 item 6): what is inserted
 * lies in the payload. */
Test(rewrite, inserts_the_payloads_own_bytes)
{
	static const uint32_t heads[] = { 0, 38, 60, 90, 128, 384 };
	struct io_frame frame = { paths[0].src, paths[0].dst,     5062, 5060,
				  text,         sizeof(text) - 1, 0,    0 };
	struct dp_headers h = {
		endpoint(paths[0].from, 5060), endpoint(paths[0].to, 5070), 7, 0, false, 0
	};

	for (size_t from = 0; from + 40 < sizeof(text); from += 7) {
		for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
			static struct box b;
			struct sip_edits es;
			struct dp_payload pl;
			uint8_t want[2048];
			size_t len;

			box_fill(&b, &frame, heads[i], 400);
			sip_edits_init(&es);
			sip_edits_add(&es, 7, 19, text + from, 33);
			sip_edits_add(&es, 60, 0, "0123456789", 10);
			sip_edits_add(&es, 90, 4, text + from + 3, 12);
			len = (size_t)sip_edits_apply(&es, (const uint8_t *)text, sizeof(text) - 1,
						      want, sizeof(want));
			for (unsigned int k = 0; k < es.n; k += 2)
				es.e[k].ins = b.buf + b.f.off + b.p.payload_off
					      + (es.e[k].ins - (const uint8_t *)text);
			cr_assert_eq(dp_rewrite_payload(&b.f, &b.p, &es, scratch, &pl), 0);
			dp_rewrite_headers(&b.f, &pl, &h);
			expect_packet(&b.f, &h, want, len, "own bytes");
		}
	}
}

Test(rewrite, no_room_changes_nothing)
{
	struct io_frame frame = { paths[0].src, paths[0].dst,     5062, 5060,
				  text,         sizeof(text) - 1, 0,    0 };
	static struct box b, before;
	struct sip_edits es;
	struct dp_payload pl;

	edits_build(8, &es);
	box_fill(&b, &frame, 0, 8);
	before = b;
	cr_expect_eq(dp_rewrite_payload(&b.f, &b.p, &es, scratch, &pl), -ENOSPC);
	cr_expect_eq(memcmp(b.buf, before.buf, sizeof(b.buf)), 0);
	cr_expect_eq(memcmp(&b.f, &before.f, sizeof(b.f)), 0);
}

/* Where the payload grows by more than there is room in front, but behind there is enough, its
 * front stays where it is. */
Test(rewrite, what_need_not_move_stays)
{
	static const struct {
		uint32_t head, tail, off; /* of the new payload */
	} rows[] = {
		{ 128, 400, 170 }, /* 42 bytes of headers behind 128 */
		{ 128, 100, 80 },  /* no room behind for all of it */
		{ 384, 400, 286 }, /* the rest stays: the front moves by what it grows by */
	};
	struct io_frame frame = { paths[0].src, paths[0].dst,     5062, 5060,
				  text,         sizeof(text) - 1, 0,    0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static struct box b;
		struct sip_edits es;
		struct dp_payload pl;

		edits_build(8, &es);
		box_fill(&b, &frame, rows[i].head, rows[i].tail);
		cr_assert_eq(dp_rewrite_payload(&b.f, &b.p, &es, scratch, &pl), 0);
		cr_expect_eq(pl.off, rows[i].off, "row %zu: %u, %d more", i, pl.off, es.delta);
	}
}

/* Frames are padded to 60 bytes: the padding is no payload (RFC 894). */
Test(rewrite, padding_is_left_behind)
{
	struct io_frame frame = { paths[0].src, paths[0].dst, 5062, 5060, "abcd", 4, 0, 0 };
	struct dp_headers h = {
		endpoint(paths[0].from, 5060), endpoint(paths[0].to, 5070), 7, 0, false, 0
	};
	static struct box b;
	struct sip_edits es;
	struct dp_payload pl;

	box_fill(&b, &frame, 128, 64);
	memset(b.buf + b.f.off + b.f.len, 0x55, 14);
	b.f.len += 14;
	sip_edits_init(&es);
	cr_assert_eq(sip_edits_add(&es, 4, 0, "e", 1), 0);
	cr_assert_eq(dp_rewrite_payload(&b.f, &b.p, &es, scratch, &pl), 0);
	dp_rewrite_headers(&b.f, &pl, &h);
	expect_packet(&b.f, &h, (const uint8_t *)"abcde", 5, "padded");
}

/* RFC 768: a sum of 0 is sent as ffff, 0 meaning none; RFC 8200 8.1 says the same. */
Test(rewrite, zero_sum_is_sent_as_ones_rfc768)
{
	for (unsigned int v = 0; v <= 0xffff; v++) {
		uint8_t pay[2] = { (uint8_t)(v >> 8), (uint8_t)v };
		struct dp_headers h = {
			endpoint(paths[0].from, 5060), endpoint(paths[0].to, 5070), 7, 0, false, 0
		};
		struct dp_frame f = { .size = 128 };
		uint8_t buf[128];
		struct dp_payload pl = { DP_HEADERS_MAX, 2, 0, false };
		const uint8_t *udp = buf + DP_HEADERS_MAX - 8;

		f.buf = buf;
		memcpy(buf + DP_HEADERS_MAX, pay, 2);
		dp_rewrite_headers(&f, &pl, &h);
		cr_assert(udp[6] || udp[7], "payload %04x", v);
	}
}

/* The device sums the rest: it wants the pseudo-header's sum in the field. */
Test(rewrite, offload_leaves_the_pseudo_header_sum)
{
	struct dp_headers h = {
		endpoint(paths[0].from, 5060), endpoint(paths[0].to, 5070), 7, 0, true, 0
	};
	struct dp_payload pl = { DP_HEADERS_MAX, 4, 0, false };
	struct dp_frame f = { .size = 128 };
	uint8_t buf[128], ph[12] = { 192, 0, 2, 10, 198, 51, 100, 11, 0, 17, 0, 12 };
	uint16_t sum = (uint16_t)~io_checksum(ph, sizeof(ph), NULL, 0);
	const uint8_t *udp = buf + DP_HEADERS_MAX - 8;

	f.buf = buf;
	memcpy(buf + DP_HEADERS_MAX, "abcd", 4);
	dp_rewrite_headers(&f, &pl, &h);
	cr_expect_eq(udp[6] << 8 | udp[7], sum);
}

Test(rewrite, ether_header_goes_in_front)
{
	static const uint8_t want[14] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd };
	uint8_t buf[64];
	struct dp_frame f = { buf, sizeof(buf), 20, 10 };

	dp_rewrite_ether(&f, want, want + 6, DP_ETHER_IPV6);
	cr_expect_eq(f.off, 6);
	cr_expect_eq(f.len, 24);
	cr_expect_eq(memcmp(buf + 6, want, sizeof(want)), 0);
}
