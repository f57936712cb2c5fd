/* Datagrams from fragments: in any order, doubled, overlapping, too many; ours and the kernel's. */
#include "dataplane/io/dp_frags.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/io_frag.h"
#include "tests/dataplane/io_frame.h"
#include "tests/leaks.h"

#define PACKETS 8192

/* A fragment of ours: where it lies, and what became of it. */
struct packet {
	uint8_t *bytes;
	size_t len;
	int fate;            /* FATE_, or an enum dp_reason */
	unsigned int passed; /* port */
};

enum { FATE_KEPT = -1, FATE_PASSED = -2, FATE_USED = -3 };

static struct dp_frags *table;
static struct packet packets[PACKETS];
static unsigned int n_packets, n_whole;
static uint8_t frame[66000], result[66000], text[65536];
static size_t frame_len, result_len;
static uint64_t now = 1000000;

static bool wanted(void *arg, const struct dp_endpoint *to)
{
	(void)arg;
	return to->port == 5060;
}

static void pass(void *arg, void *packet, unsigned int port)
{
	struct packet *p = packet;

	(void)arg;
	cr_assert_eq(p->fate, FATE_KEPT, "handed on twice");
	p->fate = FATE_PASSED;
	p->passed = port;
}

static void drop(void *arg, void *packet, enum dp_reason reason)
{
	struct packet *p = packet;

	(void)arg;
	cr_assert_eq(p->fate, FATE_KEPT, "handed on twice");
	p->fate = reason == DP_REASON_N ? FATE_USED : (int)reason;
	free(p->bytes); /* nothing of it may be read again */
	p->bytes = NULL;
}

static void on_whole(void *arg, const struct dp_frags_datagram *d)
{
	(void)arg;
	n_whole++;
	result_len = dp_frags_frame(d, result, DP_FRAGS_FRAME_MAX);
}

static void set_up(void)
{
	struct dp_frags_ops ops = { wanted, pass, drop, on_whole, NULL };

	table = dp_frags_new(&ops, 0x1234567890abcdef);
	cr_assert(table);
}

static void tear_down(void)
{
	dp_frags_free(table);
	for (unsigned int i = 0; i < n_packets; i++) {
		cr_expect_neq(packets[i].fate, FATE_KEPT, "packet %u has no owner", i);
		free(packets[i].bytes);
	}
	leaks_check();
}

TestSuite(frags, .init = set_up, .fini = tear_down);

static void build(const char *src, const char *dst, uint16_t port, size_t len)
{
	struct io_frame f = { src, dst, 5062, port, text, len, 0xb8, 0 };

	for (size_t i = 0; i < len; i++)
		text[i] = (uint8_t)(i * 31 + i / 256);
	frame_len = io_frame_build(&f, frame, sizeof(frame));
}

static size_t data_len(void)
{
	return frame_len - (frame[14] >> 4 == 4 ? 34 : 54);
}

/* Give the table one fragment. Returns its packet's number. */
static unsigned int put(size_t off, size_t len, int more, uint32_t id)
{
	struct packet *p = &packets[n_packets];
	struct dp_fragment f;
	struct dp_packet c;
	uint8_t *bytes = malloc(off + len + 200);

	cr_assert_lt(n_packets, PACKETS);
	p->len = io_frag_cut(frame, off, len, more, id, bytes);
	p->bytes = malloc(p->len);
	memcpy(p->bytes, bytes, p->len);
	free(bytes);
	p->fate = FATE_KEPT;
	dp_classify(p->bytes, p->len, &c);
	cr_assert_eq(c.kind, DP_PACKET_FRAGMENT);
	cr_assert_eq(dp_fragment_read(p->bytes, &c, &f), DP_REASON_N);
	f.port = 3;
	dp_frags_put(table, &f, p->bytes, p, now);
	return n_packets++;
}

/* What came out is the datagram that went in, in a sound packet. */
static void expect_whole(const char *what)
{
	struct dp_packet a, b;

	cr_assert_eq(n_whole, 1, "%s: %u datagrams", what, n_whole);
	cr_assert_eq(result_len, frame_len, "%s", what);
	dp_classify(frame, frame_len, &a);
	dp_classify(result, result_len, &b);
	cr_assert_eq(b.kind, DP_PACKET_UDP, "%s", what);
	cr_expect_eq(b.reason, DP_REASON_N, "%s: %d", what, b.reason);
	cr_expect_eq(memcmp(&a.src, &b.src, sizeof(a.src)), 0, "%s", what);
	cr_expect_eq(memcmp(&a.dst, &b.dst, sizeof(a.dst)), 0, "%s", what);
	cr_expect_eq(b.tclass, 0xb8, "%s", what);
	cr_expect(dp_classify_ip_sum(result, &b), "%s", what);
	cr_expect(dp_classify_udp_sum(result, &b), "%s", what);
	cr_expect_eq(memcmp(result + b.payload_off, frame + a.payload_off, a.payload_len), 0, "%s",
		     what);
	cr_expect_eq(dp_frags_count(table), 0, "%s: %u kept", what, dp_frags_count(table));
	n_whole = 0;
}

/* Pieces of a 4,000-byte datagram, and what becomes of the last of them. */
Test(frags, orders_doubles_and_overlaps)
{
	enum { WHOLE = 100, WAITS };
	static const struct {
		const char *what;
		struct {
			uint16_t off, len;
		} piece[6];  /* len 0: the end; the one at the end of the data is the last */
		int outcome; /* of the whole, or an enum dp_reason of the last piece */
	} rows[] = {
		{ "in order", { { 0, 1480 }, { 1480, 1480 }, { 2960, 1048 } }, WHOLE },
		{ "backwards", { { 2960, 1048 }, { 1480, 1480 }, { 0, 1480 } }, WHOLE },
		{ "last first", { { 2960, 1048 }, { 0, 1480 }, { 1480, 1480 } }, WHOLE },
		{ "middle last", { { 0, 1480 }, { 2960, 1048 }, { 1480, 1480 } }, WHOLE },
		{ "middle first", { { 1480, 1480 }, { 2960, 1048 }, { 0, 1480 } }, WHOLE },
		{ "unequal", { { 0, 8 }, { 8, 2000 }, { 2008, 16 }, { 2024, 1984 } }, WHOLE },
		{ "missing", { { 0, 1480 }, { 2960, 1048 } }, WAITS },
		{ "first missing", { { 1480, 1480 }, { 2960, 1048 } }, WAITS },
		{ "last missing", { { 0, 1480 }, { 1480, 1480 } }, WAITS },
		{ "twice (RFC 8200 4.5)",
		  { { 0, 1480 }, { 2960, 1048 }, { 0, 1480 }, { 2960, 1048 }, { 1480, 1480 } },
		  WHOLE },
		{ "twice, then not all", { { 0, 1480 }, { 0, 1480 } }, DP_REASON_FRAG_DUPLICATE },
		{ "within another (RFC 5722)", { { 0, 1480 }, { 8, 8 } }, DP_REASON_FRAG_OVERLAP },
		{ "around another", { { 8, 8 }, { 0, 1480 } }, DP_REASON_FRAG_OVERLAP },
		{ "over another's end", { { 0, 1480 }, { 1472, 1480 } }, DP_REASON_FRAG_OVERLAP },
		{ "over another's beginning",
		  { { 1480, 1480 }, { 0, 1488 } },
		  DP_REASON_FRAG_OVERLAP },
		{ "same place, shorter", { { 0, 1480 }, { 0, 1472 } }, DP_REASON_FRAG_OVERLAP },
		{ "same place, longer", { { 0, 1472 }, { 0, 1480 } }, DP_REASON_FRAG_OVERLAP },
		{ "same end, longer", { { 2960, 1048 }, { 2952, 1056 } }, DP_REASON_FRAG_OVERLAP },
		{ "after an overlap nothing more",
		  { { 0, 1480 }, { 1472, 1480 }, { 2960, 1048 } },
		  DP_REASON_FRAG_OVERLAP },
	};

	for (int v4 = 0; v4 < 2; v4++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			unsigned int last = 0;

			build(v4 ? "198.51.100.7" : "2001:db8:1::7",
			      v4 ? "192.0.2.10" : "2001:db8::10", 5060, 4000);
			for (int k = 0; k < 6 && rows[i].piece[k].len; k++)
				last = put(rows[i].piece[k].off, rows[i].piece[k].len,
					   rows[i].piece[k].off + rows[i].piece[k].len
						   != (int)data_len(),
					   (uint32_t)i);
			if (rows[i].outcome == WHOLE) {
				expect_whole(rows[i].what);
				continue;
			}
			cr_expect_eq(n_whole, 0, "%s", rows[i].what);
			cr_expect_eq(packets[last].fate,
				     rows[i].outcome == WAITS ? FATE_KEPT : rows[i].outcome,
				     "%s: %d", rows[i].what, packets[last].fate);
			now += DP_FRAGS_US;
			dp_frags_tick(table, now);
			cr_expect_eq(dp_frags_count(table), 0, "%s", rows[i].what);
		}
	}
}

Test(frags, contradictions_are_named)
{
	static const struct {
		const char *what;
		struct {
			uint16_t off, len, more;
		} piece[2];
	} rows[] = {
		{ "behind the end", { { 800, 80, 0 }, { 880, 80, 1 } } },
		{ "two ends", { { 800, 80, 0 }, { 880, 80, 0 } } },
		{ "an end before what is there", { { 800, 80, 1 }, { 400, 80, 0 } } },
	};

	build("198.51.100.7", "192.0.2.10", 5060, 2000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int last = 0;

		for (int k = 0; k < 2; k++)
			last = put(rows[i].piece[k].off, rows[i].piece[k].len,
				   rows[i].piece[k].more, (uint32_t)i);
		cr_expect_eq(packets[last].fate, DP_REASON_IP_FRAGMENT, "%s: %d", rows[i].what,
			     packets[last].fate);
		cr_expect_eq(dp_frags_count(table), 0, "%s", rows[i].what);
	}
}

/* 45 pieces, every third first, then the rest backwards. */
Test(frags, sixty_four_kilobytes)
{
	for (int v4 = 0; v4 < 2; v4++) {
		size_t step = 1448, n;

		build(v4 ? "198.51.100.7" : "2001:db8:1::7", v4 ? "192.0.2.10" : "2001:db8::10",
		      5060, v4 ? 65493 : 65473);
		n = (data_len() + step - 1) / step;
		for (size_t i = 0; i < n; i += 3)
			put(i * step, i + 1 == n ? data_len() - i * step : step, i + 1 < n, 9);
		for (size_t i = n; i-- > 0;) {
			if (i % 3)
				put(i * step, i + 1 == n ? data_len() - i * step : step, i + 1 < n,
				    9);
		}
		expect_whole(v4 ? "IPv4" : "IPv6");
	}
}

/* A datagram that an mbuf cannot hold is found out, not cut. */
Test(frags, longest_of_all)
{
	build("198.51.100.7", "192.0.2.10", 5060, 65494);
	put(0, 32000, 1, 1);
	put(32000, data_len() - 32000, 0, 1);
	cr_expect_eq(n_whole, 1);
	cr_expect_eq(result_len, 0);
}

Test(frags, the_kernels_go_to_the_kernel_as_they_came)
{
	static const size_t order[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 }, { 2, 0, 1 } };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		unsigned int first = n_packets;

		build("198.51.100.7", "192.0.2.10", 33000, 4000);
		for (int k = 0; k < 3; k++) {
			size_t off = order[i][k] * 1480;

			put(off, order[i][k] == 2 ? 1048 : 1480, order[i][k] != 2, (uint32_t)i);
		}
		for (unsigned int k = first; k < n_packets; k++) {
			cr_expect_eq(packets[k].fate, FATE_PASSED, "%zu: %d", i, packets[k].fate);
			cr_expect_eq(packets[k].passed, 3);
		}
	}
	cr_expect_eq(n_whole, 0);
	/* All were there, so nothing is remembered: the same identification is another datagram. */
	build("198.51.100.7", "192.0.2.10", 5060, 2000);
	put(0, 1480, 1, 0);
	put(1480, 528, 0, 0);
	expect_whole("the next with that identification");
}

/* A first fragment that ends before UDP does not say whose it is. */
Test(frags, a_first_fragment_without_ports_is_the_kernels)
{
	struct dp_fragment f = { .len = 8, .more = true, .next = 60, .data_off = 0 };
	static const uint8_t options[] = { 17, 0, 1, 4, 0, 0, 0, 0 };
	struct packet *p = &packets[n_packets++];

	cr_assert_eq(dp_ip_parse("2001:db8:1::7", &f.src), 0);
	cr_assert_eq(dp_ip_parse("2001:db8::10", &f.dst), 0);
	p->fate = FATE_KEPT;
	dp_frags_put(table, &f, options, p, now);
	cr_expect_eq(p->fate, FATE_PASSED);
}

Test(frags, expiry)
{
	unsigned int a, b;

	build("198.51.100.7", "192.0.2.10", 5060, 4000);
	a = put(0, 1480, 1, 1);
	now += DP_FRAGS_US - 1;
	b = put(0, 1480, 1, 2);
	dp_frags_tick(table, now);
	cr_expect_eq(packets[a].fate, FATE_KEPT);
	now++;
	dp_frags_tick(table, now);
	cr_expect_eq(packets[a].fate, DP_REASON_FRAG_TIMEOUT);
	cr_expect_eq(packets[b].fate, FATE_KEPT);
	/* The same identification again, before any tick: another datagram. */
	now += DP_FRAGS_US - 1;
	put(1480, 1480, 1, 2);
	put(2960, 1048, 0, 2);
	cr_expect_eq(packets[b].fate, DP_REASON_FRAG_TIMEOUT);
	put(0, 1480, 1, 2);
	expect_whole("after expiry");
}

static void from(unsigned int host)
{
	char src[32];

	snprintf(src, sizeof(src), "198.51.%u.%u", 100 + host / 250, host % 250 + 1);
	build(src, "192.0.2.10", 5060, 4000);
}

/* First fragments only: the source pushes out its own, and nobody else's. */
Test(frags, a_flood_from_one_source_stops_nobody_else)
{
	unsigned int other, flood;

	from(1);
	other = put(0, 1480, 1, 77);
	from(2);
	flood = n_packets;
	for (uint32_t id = 0; id < 3000; id++)
		put(0, 1480, 1, id);
	cr_expect_eq(dp_frags_count(table), DP_FRAGS_SOURCE_DATAGRAMS + 1);
	cr_expect_eq(packets[flood].fate, DP_REASON_FRAG_LIMIT);
	cr_expect_eq(packets[other].fate, FATE_KEPT);
	from(1);
	put(1480, 1480, 1, 77);
	put(2960, 1048, 0, 77);
	cr_expect_eq(n_whole, 1);
	cr_expect_eq(packets[other].fate, FATE_USED);
	n_whole = 0;
}

/* Many small pieces of few datagrams. */
Test(frags, pieces_of_one_datagram_and_of_one_source_are_bounded)
{
	from(1);
	for (uint32_t id = 0; id < 8; id++) {
		for (size_t i = 0; i < 120; i++)
			put(i * 8, 8, 1, id);
		cr_expect_leq(dp_frags_count(table), DP_FRAGS_SOURCE_PACKETS);
	}
	cr_expect_eq(packets[0].fate, DP_REASON_FRAG_LIMIT, "the oldest goes first");
	cr_expect_eq(packets[n_packets - 1].fate, FATE_KEPT);
	for (size_t i = 120; i < 140; i++)
		put(i * 8, 8, 1, 7);
	cr_expect_eq(packets[n_packets - 1].fate, DP_REASON_FRAG_LIMIT);
}

/* From more sources than there is room: memory has its bound, and the newest get through. */
Test(frags, a_flood_from_everywhere_has_its_bound)
{
	from(0);
	for (unsigned int i = 0; i < 5000; i++) {
		char src[32];

		snprintf(src, sizeof(src), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		build(src, "192.0.2.10", 5060, 100);
		put(0, 64, 1, i);
		cr_assert_leq(dp_frags_count(table), DP_FRAGS_DATAGRAMS);
	}
	cr_expect_eq(packets[0].fate, DP_REASON_FRAG_LIMIT);
	put(64, 44, 0, 4999);
	cr_expect_eq(n_whole, 1);
	n_whole = 0;
}

/* Whoever has an IPv6 address has its whole /64. */
Test(frags, an_ipv6_source_is_its_64)
{
	unsigned int first = n_packets;

	for (unsigned int i = 0; i < 2 * DP_FRAGS_SOURCE_DATAGRAMS; i++) {
		char src[48];

		snprintf(src, sizeof(src), "2001:db8:1::%x", i + 1);
		build(src, "2001:db8::10", 5060, 100);
		put(0, 64, 1, 1);
	}
	cr_expect_eq(dp_frags_count(table), DP_FRAGS_SOURCE_DATAGRAMS);
	cr_expect_eq(packets[first].fate, DP_REASON_FRAG_LIMIT);
}

static uint64_t next_random(uint64_t *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return *r;
}

Test(frags, cut_anywhere_and_in_any_order)
{
	uint64_t r = 88172645463325252ull;

	for (uint32_t round = 0; round < 150; round++) {
		size_t cut[24] = { 0 }, n = 0;
		unsigned int order[24];

		build("198.51.100.7", "192.0.2.10", 5060, 3000);
		while (cut[n] < data_len()) {
			cut[n + 1] = cut[n] + 8 * (20 + next_random(&r) % 60);
			order[n] = (unsigned int)n;
			n++;
		}
		cut[n] = data_len();
		for (size_t i = n; i > 1; i--) {
			size_t k = next_random(&r) % i;
			unsigned int swap = order[i - 1];

			order[i - 1] = order[k];
			order[k] = swap;
		}
		for (size_t i = 0; i < n; i++)
			put(cut[order[i]], cut[order[i] + 1] - cut[order[i]], order[i] + 1 < n,
			    round);
		expect_whole("random order");
	}
}
