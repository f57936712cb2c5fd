/*
 * SipHash against the published vectors, and the coding of parts against one written out by hand.
 * All input lies flush against a guard page.
 */
#include "dataplane/steer/steer_mac.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/leaks.h"
#include "tests/sip/guard.h"

TestSuite(steer_mac, .fini = leaks_check);

static const struct dp_secret counting_key = { { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
						 15 } };

/* SipHash-2-4 of 00, 01 .. (n - 1) under the key 00 .. 0f, n = 0 to 63: the vectors of its authors'
 * reference implementation (vectors_sip64), read as little-endian numbers. The one for n = 15 is
 * that of the paper's appendix A. */
/* clang-format off */
static const uint64_t vectors[64] = {
	0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
	0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
	0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
	0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
	0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
	0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
	0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
	0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
	0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
	0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
	0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
	0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
	0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
	0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
	0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
	0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};
/* clang-format on */

Test(steer_mac, siphash_2_4_vectors_of_its_authors)
{
	uint8_t m[64];
	struct guard g;

	guard_init(&g, sizeof(m));
	for (unsigned int i = 0; i < sizeof(m); i++)
		m[i] = (uint8_t)i;
	for (unsigned int n = 0; n < 64; n++) {
		uint64_t got = steer_siphash(&counting_key, guard_copy(&g, m, n), n);

		cr_expect(got == vectors[n], "length %u: %016lx, not %016lx", n, got, vectors[n]);
	}
	guard_fini(&g);
}

/* What steer_mac() says it hashes, laid out flat. */
static size_t lay_out(uint8_t *out, enum steer_domain domain, const struct steer_part *parts,
		      size_t n)
{
	uint8_t *p = out;

	*p++ = (uint8_t)domain;
	for (size_t i = 0; i < n; i++) {
		uint64_t len = parts[i].len;

		if (len < 0xffff) {
			*p++ = (uint8_t)(len & 0xff);
			*p++ = (uint8_t)(len >> 8);
		} else {
			*p++ = 0xff;
			*p++ = 0xff;
			for (unsigned int k = 0; k < 8; k++)
				*p++ = (uint8_t)(len >> 8 * k);
		}
		if (len > 0)
			memcpy(p, parts[i].p, len);
		p += len;
	}
	return (size_t)(p - out);
}

Test(steer_mac, streams_what_is_laid_out_at_every_offset_and_length)
{
	struct guard g[3];
	uint8_t data[40], flat[256];

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 11);
	for (unsigned int i = 0; i < 3; i++)
		guard_init(&g[i], sizeof(data));
	for (size_t a = 0; a <= 20; a++) {
		for (size_t b = 0; b <= 40; b++) {
			for (size_t c = 0; c <= 9; c++) {
				struct steer_part parts[3] = {
					{ guard_copy(&g[0], data, a), a },
					{ guard_copy(&g[1], data, b), b },
					{ guard_copy(&g[2], data, c), c },
				};
				size_t len = lay_out(flat, STEER_DOMAIN_FLOW, parts, 3);

				cr_assert(steer_mac(&counting_key, STEER_DOMAIN_FLOW, parts, 3)
						  == steer_siphash(&counting_key, flat, len),
					  "parts of %zu, %zu and %zu bytes", a, b, c);
			}
		}
	}
	for (unsigned int i = 0; i < 3; i++)
		guard_fini(&g[i]);
}

Test(steer_mac, streams_long_parts)
{
	static const size_t lens[] = { 0xfffe, 0xffff, 0x10000, 0x10007 };
	uint8_t *data = calloc(1, 0x10007);
	uint8_t *flat = malloc(2 * 0x10007 + 32);

	data[3] = 7;
	for (unsigned int i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct steer_part parts[2] = { { data, lens[i] }, { data, 5 } };
		size_t len = lay_out(flat, STEER_DOMAIN_CALL, parts, 2);

		cr_expect(steer_mac(&counting_key, STEER_DOMAIN_CALL, parts, 2)
				  == steer_siphash(&counting_key, flat, len),
			  "a part of %zu bytes", lens[i]);
	}
	free(flat);
	free(data);
}

/* Lists that run to the same bytes when joined. */
static const struct {
	const char *part[3];
	size_t n;
} lists[] = {
	{ { NULL }, 0 },          { { "" }, 1 },        { { "", "" }, 2 },
	{ { "abc" }, 1 },         { { "abc", "" }, 2 }, { { "", "abc" }, 2 },
	{ { "ab", "c" }, 2 },     { { "a", "bc" }, 2 }, { { "a", "b", "c" }, 3 },
	{ { "abc", "", "" }, 3 },
};
#define N_LISTS (sizeof(lists) / sizeof(lists[0]))

Test(steer_mac, tells_lists_domains_and_keys_apart)
{
	struct dp_secret other = counting_key;
	uint64_t seen[N_LISTS * 3];
	size_t n_seen = 0;

	other.b[15] ^= 0x80;
	for (size_t i = 0; i < N_LISTS; i++) {
		struct steer_part parts[3];

		for (size_t k = 0; k < lists[i].n; k++)
			parts[k] =
				(struct steer_part){ lists[i].part[k], strlen(lists[i].part[k]) };
		seen[n_seen++] = steer_mac(&counting_key, STEER_DOMAIN_LOOP, parts, lists[i].n);
		seen[n_seen++] = steer_mac(&counting_key, STEER_DOMAIN_TO_TAG, parts, lists[i].n);
		seen[n_seen++] = steer_mac(&other, STEER_DOMAIN_LOOP, parts, lists[i].n);
	}
	for (size_t i = 0; i < n_seen; i++)
		for (size_t k = 0; k < i; k++)
			cr_expect(seen[i] != seen[k],
				  "list %zu variant %zu is list %zu variant %zu", i / 3, i % 3,
				  k / 3, k % 3);
}

/* Computed with another implementation of SipHash-1-3 under the same public key. */
static const struct {
	const char *text;
	uint64_t hash;
} hashes[] = {
	{ "", 0x54a5ebdab2a84d14ull },
	{ "a", 0x8fb48e87e6d56c42ull },
	{ "alice@example.com", 0x8caf7f13cb245698ull },
};

Test(steer_mac, hash_is_the_same_everywhere)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		cr_expect(steer_hash(hashes[i].text, strlen(hashes[i].text)) == hashes[i].hash,
			  "hash of \"%s\"", hashes[i].text);
}

Test(steer_mac, hash_changes_half_its_bits_with_any_bit_of_input)
{
	uint8_t m[24] = "sip:1000@198.51.100.20";
	uint64_t before = steer_hash(m, sizeof(m));
	unsigned int changed = 0;

	for (unsigned int bit = 0; bit < 8 * sizeof(m); bit++) {
		unsigned int n;

		m[bit / 8] ^= (uint8_t)(1 << bit % 8);
		n = (unsigned int)__builtin_popcountll(before ^ steer_hash(m, sizeof(m)));
		m[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_expect(n >= 12 && n <= 52, "bit %u changes %u of 64", bit, n);
		changed += n;
	}
	changed /= 8 * sizeof(m);
	cr_expect(changed >= 31 && changed <= 33, "%u of 64 on average", changed);
}
