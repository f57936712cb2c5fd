/* One fragment's header, which worker it goes to, and fragments of our own. */
#include "dataplane/io/dp_fragment.h"

#include <criterion/criterion.h>
#include <string.h>

#include "dataplane/io/dp_split.h"
#include "tests/dataplane/io_frag.h"
#include "tests/dataplane/io_frame.h"
#include "tests/leaks.h"

static uint8_t frame[66000], cut[66000], text[65536];

TestSuite(fragment, .fini = leaks_check);
TestSuite(split, .fini = leaks_check);

static size_t whole(int v4, size_t payload_len)
{
	struct io_frame f = { v4 ? "198.51.100.7" : "2001:db8:1::7",
			      v4 ? "192.0.2.10" : "2001:db8::10",
			      5062,
			      5060,
			      text,
			      payload_len,
			      0xb8,
			      0 };

	for (size_t i = 0; i < payload_len; i++)
		text[i] = (uint8_t)(i * 7 + i / 251);
	return io_frame_build(&f, frame, sizeof(frame));
}

static enum dp_reason read_cut(size_t len, struct dp_fragment *f)
{
	struct dp_packet p;

	dp_classify(cut, len, &p);
	cr_assert_eq(p.kind, DP_PACKET_FRAGMENT);
	return dp_fragment_read(cut, &p, f);
}

Test(fragment, header_rfc791_3_1_rfc8200_4_5)
{
	static const struct {
		const char *what;
		size_t off, len;
		int more;
		enum dp_reason reason;
	} rows[] = {
		{ "first", 0, 1480, 1, DP_REASON_N },
		{ "middle", 1480, 800, 1, DP_REASON_N },
		{ "last, any length", 2280, 733, 0, DP_REASON_N },
		{ "smallest first", 0, 8, 1, DP_REASON_N },
		{ "one byte at the end", 2280, 1, 0, DP_REASON_N },
		{ "not last and no multiple of 8", 0, 1479, 1, DP_REASON_IP_FRAGMENT },
		{ "empty", 1480, 0, 1, DP_REASON_IP_FRAGMENT },
		{ "empty last", 1480, 0, 0, DP_REASON_IP_FRAGMENT },
	};

	for (int v4 = 0; v4 < 2; v4++) {
		whole(v4, 3005);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			size_t len = io_frag_cut(frame, rows[i].off, rows[i].len, rows[i].more,
						 0x89abcdef, cut);
			struct dp_fragment f = { 0 };

			cr_expect_eq(read_cut(len, &f), rows[i].reason, "%s", rows[i].what);
			if (rows[i].reason != DP_REASON_N)
				continue;
			cr_expect_eq(f.off, rows[i].off, "%s: %u", rows[i].what, f.off);
			cr_expect_eq(f.len, rows[i].len, "%s: %u", rows[i].what, f.len);
			cr_expect_eq(f.more, rows[i].more, "%s", rows[i].what);
			cr_expect_eq(f.id, v4 ? 0xcdef : 0x89abcdef, "%s: %x", rows[i].what, f.id);
			cr_expect_eq(f.tclass, 0xb8);
			cr_expect_eq(
				memcmp(cut + f.data_off, frame + (v4 ? 34 : 54) + f.off, f.len), 0,
				"%s", rows[i].what);
		}
	}
}

/* The largest place is 65528: 8 bytes there are more than a packet can have. */
Test(fragment, beyond_what_a_packet_can_have)
{
	for (int v4 = 0; v4 < 2; v4++) {
		struct dp_fragment f;
		size_t len;

		whole(v4, 100);
		len = io_frag_cut(frame, 0, 64, 0, 1, cut);
		cut[v4 ? 20 : 56] = v4 ? 0x1f : 0xff;
		cut[v4 ? 21 : 57] = v4 ? 0xff : 0xf8;
		cr_expect_eq(read_cut(len, &f), DP_REASON_IP_FRAGMENT);
	}
}

Test(fragment, truncated_or_with_bad_options_is_named)
{
	struct dp_fragment f;
	size_t len;

	whole(1, 100);
	len = io_frag_cut(frame, 0, 64, 1, 1, cut);
	cr_expect_eq(read_cut(len - 1, &f), DP_REASON_L2_SHORT);
	whole(0, 100);
	len = io_frag_cut(frame, 0, 64, 1, 1, cut);
	cr_expect_eq(read_cut(len - 1, &f), DP_REASON_L2_SHORT);
}

Test(fragment, whom_a_first_fragment_is_for)
{
	struct dp_endpoint to;
	struct dp_fragment f;

	for (int v4 = 1; v4 >= 0; v4--) {
		whole(v4, 100);
		cr_assert_eq(read_cut(io_frag_cut(frame, 0, 64, 1, 1, cut), &f), DP_REASON_N);
		cr_assert(dp_fragment_to(cut, &f, &to));
		cr_expect_eq(to.port, 5060);
		cr_expect(dp_ip_equal(&to.ip, &f.dst));
	}
	/* IPv6: destination options may come first, and must fit with all else (RFC 7112). */
	memmove(cut + 62 + 8, cut + 62, 64);
	memcpy(cut + 62, (uint8_t[]){ 17, 0, 1, 4, 0, 0, 0, 0 }, 8);
	cut[54] = 60;
	cut[19] = 8 + 72;
	cr_assert_eq(read_cut(62 + 72, &f), DP_REASON_N);
	cr_assert(dp_fragment_to(cut, &f, &to));
	cr_expect_eq(to.port, 5060);
	cut[63] = 8; /* 72 bytes of options: nothing behind them */
	cr_expect(!dp_fragment_to(cut, &f, &to));
	cut[63] = 0;
	cut[62] = 6; /* TCP behind them */
	cr_expect(!dp_fragment_to(cut, &f, &to));
}

/* All of a source's datagrams to one worker; sources to all workers alike. */
Test(fragment, owner)
{
	unsigned int n[4] = { 0 };
	struct dp_fragment f;

	whole(1, 3000);
	for (uint32_t id = 0; id < 4000; id++) {
		unsigned int owner;

		read_cut(io_frag_cut(frame, 0, 1480, 1, id, cut), &f);
		memcpy(f.src.b + 12, &id, 4);
		owner = dp_fragment_owner(&f, 4);
		cr_assert_lt(owner, 4);
		n[owner]++;
		read_cut(io_frag_cut(frame, 1480, 1000, 0, id + 1, cut), &f);
		memcpy(f.src.b + 12, &id, 4);
		cr_assert_eq(dp_fragment_owner(&f, 4), owner);
		cr_assert_eq(dp_fragment_owner(&f, 1), 0);
	}
	for (int i = 0; i < 4; i++)
		cr_expect(n[i] > 800 && n[i] < 1200, "worker %d: %u of 4000", i, n[i]);
}

/* ---- On the way out */

/* Puts fragments together again, byte by byte, and expects the packet that was cut. */
static void expect_split(int v4, size_t payload_len, uint32_t mtu)
{
	static uint8_t together[66000], part[10000];
	size_t len = whole(v4, payload_len), header = v4 ? 20 : 40, have = 0;
	struct dp_split s;
	unsigned int n = dp_split_begin(&s, frame + 14, (uint32_t)len - 14, mtu, 0x01020304);

	cr_assert_leq(n, DP_SPLIT_MAX);
	memset(together, 0xee, sizeof(together));
	for (unsigned int i = 0; i < n; i++) {
		uint32_t part_len = dp_split_put(&s, i, part + 14);
		struct dp_fragment f;
		struct dp_packet p;

		memcpy(part, frame, 14);
		cr_assert_leq(part_len, mtu, "%u of %zu over %u", i, payload_len, mtu);
		dp_classify(part, part_len + 14, &p);
		cr_assert_eq(p.kind, DP_PACKET_FRAGMENT);
		cr_assert_eq(dp_fragment_read(part, &p, &f), DP_REASON_N);
		cr_expect(dp_classify_ip_sum(part, &p));
		cr_expect_eq(f.id, v4 ? 0x1234 : 0x01020304);
		cr_expect_eq(f.more, i + 1 < n);
		cr_expect_eq(f.off, have);
		cr_expect_eq(f.next, 17);
		cr_expect_eq(part[v4 ? 22 : 21], 61, "TTL");
		memcpy(together + f.off, part + f.data_off, f.len);
		have += f.len;
	}
	cr_expect_eq(have, len - 14 - header, "%zu over %u", payload_len, mtu);
	cr_expect_eq(memcmp(together, frame + 14 + header, have), 0, "%zu over %u", payload_len,
		     mtu);
}

Test(split, what_is_cut_is_what_was_there_rfc791_3_2_rfc8200_4_5)
{
	static const size_t lens[] = { 1465, 1473, 2000, 2944, 2945, 9000, 20000, 65400 };
	static const uint32_t mtus[] = { 576, 577, 1280, 1499, 1500, 9000 };

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (size_t k = 0; k < sizeof(mtus) / sizeof(mtus[0]); k++) {
			if (lens[i] + 28 > mtus[k])
				expect_split(1, lens[i], mtus[k]);
			if (lens[i] + 48 > mtus[k] && mtus[k] >= 1280)
				expect_split(0, lens[i], mtus[k]);
		}
	}
}

/* A last fragment need not be a multiple of 8: 1480 and 1481 bytes behind the header. */
Test(split, no_fragment_more_than_needed)
{
	struct dp_split s;

	whole(1, 3000);
	cr_expect_eq(dp_split_begin(&s, frame + 14, 20 + 2960, 1500, 0), 2);
	cr_expect_eq(dp_split_begin(&s, frame + 14, 20 + 2961, 1500, 0), 3);
	cr_expect_eq(dp_split_begin(&s, frame + 14, 20 + 1484 + 1480, 1504, 0), 2);
}
