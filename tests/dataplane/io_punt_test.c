/* What goes to the kernel: its classes and their limits. */
#include "dataplane/io/dp_punt.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/dataplane/io_frame.h"
#include "tests/leaks.h"
#include "tests/sip/guard.h"

TestSuite(punt, .fini = leaks_check);

#define ETHER "\2\0\0\0\0\1\2\0\0\0\0\2"
#define IP4(proto, frag) \
	"\x08\x00"       \
	"\x45\0\0\x30\0\0" frag "\x40" proto "\0\0\xcb\0\x71\5\xc0\0\2\x0a"
#define IP6(proto)                              \
	"\x86\xdd\x60\0\0\0\0\x20" proto "\x40" \
	"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\5\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x0a"
#define ROW(what, bytes, class)                                   \
	{                                                         \
		what, ETHER bytes, sizeof(ETHER bytes) - 1, class \
	}

static const struct {
	const char *what, *bytes;
	size_t len;
	enum dp_punt class;
} rows[] = {
	ROW("ARP", "\x08\x06\0\1\x08\0\6\4\0\1", DP_PUNT_NEIGHBOURS),
	ROW("ARP in a VLAN", "\x81\0\0\7\x08\x06\0\1\x08\0\6\4\0\1", DP_PUNT_NEIGHBOURS),
	ROW("IS-IS", "\0\x26\xfe\xfe\3\x83\0\0", DP_PUNT_ROUTING),
	ROW("ping", IP4("\1", "\0\0") "\x08\0\0\0", DP_PUNT_PING),
	ROW("a later fragment of one", IP4("\1", "\0\7") "\x08\0\0\0", DP_PUNT_PING),
	ROW("OSPF", IP4("\x59", "\0\0") "\2\1\0\0", DP_PUNT_ROUTING),
	ROW("PIM", IP4("\x67", "\0\0") "\2\1\0\0", DP_PUNT_ROUTING),
	ROW("VRRP", IP4("\x70", "\0\0") "\2\1\0\0", DP_PUNT_ROUTING),
	ROW("BGP to us", IP4("\6", "\0\0") "\xc0\0\0\xb3", DP_PUNT_ROUTING),
	ROW("BGP from a peer", IP4("\6", "\0\0") "\0\xb3\xc0\0", DP_PUNT_ROUTING),
	ROW("TCP", IP4("\6", "\0\0") "\xc0\0\0\x50", DP_PUNT_REST),
	ROW("BFD", IP4("\x11", "\0\0") "\xc0\0\x0e\xc8\0\x08\0\0", DP_PUNT_ROUTING),
	ROW("BFD echo", IP4("\x11", "\0\0") "\xc0\0\x0e\xc9\0\x08\0\0", DP_PUNT_ROUTING),
	ROW("BFD over hops", IP4("\x11", "\0\0") "\xc0\0\x12\xb0\0\x08\0\0", DP_PUNT_ROUTING),
	ROW("RIP", IP4("\x11", "\0\0") "\2\x08\2\x08\0\x08\0\0", DP_PUNT_ROUTING),
	ROW("DNS", IP4("\x11", "\0\0") "\0\x35\xc0\0\0\x08\0\0", DP_PUNT_PROBES),
	ROW("UDP", IP4("\x11", "\0\0") "\xc0\0\xc0\0\0\x08\0\0", DP_PUNT_REST),
	ROW("UDP's later fragment", IP4("\x11", "\0\7") "\0\x35\xc0\0\0\x08\0\0", DP_PUNT_REST),
	ROW("UDP cut short", IP4("\x11", "\0\0") "\0\x35", DP_PUNT_REST),
	ROW("neighbour solicitation", IP6("\x3a") "\x87\0\0\0", DP_PUNT_NEIGHBOURS),
	ROW("router solicitation", IP6("\x3a") "\x85\0\0\0", DP_PUNT_NEIGHBOURS),
	ROW("redirect", IP6("\x3a") "\x89\0\0\0", DP_PUNT_NEIGHBOURS),
	ROW("ping over IPv6", IP6("\x3a") "\x80\0\0\0", DP_PUNT_PING),
	ROW("ICMPv6 cut short", IP6("\x3a"), DP_PUNT_PING),
	ROW("BFD over IPv6", IP6("\x11") "\xc0\0\x0e\xc8\0\x08\0\0", DP_PUNT_ROUTING),
	ROW("BGP over IPv6", IP6("\6") "\xc0\0\0\xb3", DP_PUNT_ROUTING),
	ROW("extension headers", IP6("\0") "\x3a\0\5\2\0\0\0\0\x8f\0\0\0", DP_PUNT_REST),
	ROW("a broken header", "\x08\x00\x43\0\0\x30", DP_PUNT_REST),
	ROW("something else", "\x88\xcc\0\0\0\0", DP_PUNT_REST),
};

Test(punt, classes)
{
	struct guard g;

	guard_init(&g, 4096);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *frame = guard_copy(&g, rows[i].bytes, rows[i].len);

		cr_expect_eq(dp_punt_class(frame, rows[i].len, NULL), rows[i].class, "%s",
			     rows[i].what);
	}
	guard_fini(&g);
}

Test(punt, no_length_reads_beyond_the_frame)
{
	struct guard g;

	guard_init(&g, 4096);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t len = 0; len <= rows[i].len; len++)
			cr_expect(dp_punt_class(guard_copy(&g, rows[i].bytes, len), len, NULL)
				  < DP_PUNT_N);
	}
	guard_fini(&g);
}

/* How many of one class pass in so many seconds, one offered every `step_us`. */
static unsigned int passed(struct dp_punts *p, unsigned int port, enum dp_punt class,
			   uint32_t per_s, uint64_t from_us, uint64_t us, uint64_t step_us)
{
	unsigned int n = 0;

	for (uint64_t t = 0; t < us; t += step_us)
		n += dp_punt_take(p, port, class, per_s, from_us + t);
	return n;
}

Test(punt, a_class_has_its_rate_and_a_tenth_of_a_second_at_once)
{
	static const struct {
		uint32_t per_s;
		uint64_t step_us;
		unsigned int least, most;
	} table[] = {
		{ 1000, 10, 1099, 1100 },  /* 100 at once, then 1,000 a second */
		{ 100, 10, 131, 132 },     /* at least 32 at once */
		{ 1, 10, 32, 33 },         /* the smallest */
		{ 1000, 2000, 500, 500 },  /* below the rate nothing is lost */
		{ 0, 10, 100000, 100000 }, /* not limited */
		{ 10000000, 10, 100000, 100000 },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct dp_punts p = { 0 };
		/* Long after the start: the bucket is full. */
		unsigned int n = passed(&p, 0, DP_PUNT_REST, table[i].per_s, 3600000000ull, 1000000,
					table[i].step_us);

		cr_expect(n >= table[i].least && n <= table[i].most, "row %zu: %u", i, n);
	}
}

Test(punt, no_flood_takes_another_s_tokens)
{
	struct dp_punts p = { 0 };
	uint64_t t0 = 3600000000ull;

	cr_expect(passed(&p, 0, DP_PUNT_REST, 100, t0, 1000000, 1) < 140);
	for (unsigned int c = 0; c < DP_PUNT_REST; c++)
		cr_expect(dp_punt_take(&p, 0, (enum dp_punt)c, 100, t0 + 1000000));
	dp_punt_take(&p, 0, DP_PUNT_REST, 100, t0 + 1000000); /* what may be left */
	cr_expect(!dp_punt_take(&p, 0, DP_PUNT_REST, 100, t0 + 1000000));
	cr_expect(dp_punt_take(&p, 1, DP_PUNT_REST, 100, t0 + 1000000), "nor another port's");
	cr_expect(dp_punt_take(&p, 0, DP_PUNT_REST, 100, t0 + 1020000));
}
