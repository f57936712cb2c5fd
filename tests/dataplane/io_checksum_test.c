/* The Internet checksum against a byte-by-byte one. */
#include "dataplane/io/dp_checksum.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "tests/dataplane/io_frame.h"
#include "tests/sip/guard.h"

static struct guard guard;

static void set_up(void)
{
	guard_init(&guard, 4096);
}

static void tear_down(void)
{
	guard_fini(&guard);
}

TestSuite(checksum, .init = set_up, .fini = tear_down);

static void fill(uint8_t *p, size_t n, uint32_t seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = (uint8_t)(seed >> 24);
	}
}

Test(checksum, example_rfc1071_3)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	cr_expect_eq(dp_sum_fold(dp_sum(bytes, sizeof(bytes))), htons(0xddf2));
	cr_expect_eq(dp_sum_finish(dp_sum(bytes, sizeof(bytes))), htons(0x220d));
}

Test(checksum, every_length_and_place)
{
	uint8_t bytes[300];

	fill(bytes, sizeof(bytes), 1);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		const uint8_t *p = guard_copy(&guard, bytes, len);

		cr_expect_eq(dp_sum_finish(dp_sum(p, len)), htons(io_checksum(bytes, len, NULL, 0)),
			     "%zu bytes", len);
	}
}

Test(checksum, extremes_do_not_overflow)
{
	static uint8_t ones[65535];

	memset(ones, 0xff, sizeof(ones));
	cr_expect_eq(dp_sum_finish(dp_sum(ones, sizeof(ones))),
		     htons(io_checksum(ones, sizeof(ones), NULL, 0)));
	memset(ones, 0, sizeof(ones));
	cr_expect_eq(dp_sum_finish(dp_sum(ones, sizeof(ones))), 0xffff);
}

Test(checksum, parts_at_odd_places_are_swapped_rfc1071_2_B)
{
	uint8_t bytes[64];

	fill(bytes, sizeof(bytes), 7);
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		dp_sum_t tail = dp_sum(bytes + cut, sizeof(bytes) - cut);
		dp_sum_t sum = dp_sum(bytes, cut) + (cut % 2 ? dp_sum_swap(tail) : tail);

		cr_expect_eq(dp_sum_fold(sum), dp_sum_fold(dp_sum(bytes, sizeof(bytes))),
			     "cut at %zu", cut);
	}
}

Test(checksum, negation_takes_away_rfc1624)
{
	uint8_t bytes[40];

	fill(bytes, sizeof(bytes), 9);
	dp_sum_t whole = dp_sum(bytes, 40), part = dp_sum(bytes + 8, 20);
	dp_sum_t rest = dp_sum(bytes, 8) + dp_sum(bytes + 28, 12);

	cr_expect_eq(dp_sum_fold(whole + dp_sum_negate(part)), dp_sum_fold(rest));
}

/* Sums may differ by a multiple of 65535, and are of one folded value. */
Test(checksum, the_machines_instructions_and_plain_c_agree)
{
	static const uint8_t fills[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	static uint8_t bytes[70000];
	dp_sum_fn *machine = dp_sum_machine();

	if (!machine)
		return;
	for (size_t i = 0; i <= sizeof(fills); i++) {
		if (i < sizeof(fills))
			memset(bytes, fills[i], sizeof(bytes));
		else
			fill(bytes, sizeof(bytes), 3);
		for (size_t len = 0; len <= sizeof(bytes); len += len < 300 ? 1 : 997) {
			const uint8_t *p = bytes + len % 7;
			size_t n = len > 300 ? len - 7 : len;

			cr_expect_eq(dp_sum_fold(machine(p, n)), dp_sum_fold(dp_sum_plain(p, n)),
				     "%zu bytes, fill %zu", n, i);
			if (n <= 300) {
				p = guard_copy(&guard, p, n);
				cr_expect_eq(dp_sum_fold(machine(p, n)),
					     dp_sum_fold(dp_sum_plain(p, n)), "guarded %zu", n);
			}
		}
	}
}
