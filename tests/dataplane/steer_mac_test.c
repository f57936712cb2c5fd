/*
 * SipHash and AES against published vectors; the universal hash against one written out without its
 * short cuts. All input lies flush against a guard page.
 */
#include "dataplane/steer/steer_mac.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/steer/steer_aes.h"
#include "tests/leaks.h"
#include "tests/sip/guard.h"

static void spread_key(void);

TestSuite(steer_mac, .init = spread_key, .fini = leaks_check);

static struct dp_secret counting_key = { .b = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
						15 } };

static void spread_key(void)
{
	steer_secret_spread(&counting_key);
}

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

/* FIPS 197, appendix C.1: AES-128 of one block. */
Test(steer_mac, aes_vector_of_fips_197)
{
	static const uint8_t plain[16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					   0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	static const uint8_t cipher[8] = { 0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30 };
	const struct steer_aes_impl *impl;
	uint64_t first, second, want;

	memcpy(&first, plain, 8);
	memcpy(&second, plain + 8, 8);
	memcpy(&want, cipher, 8);
	for (size_t i = 0, n = steer_aes_impls(&impl); i < n; i++) {
		uint64_t got = impl[i].block(counting_key.round, first, second);

		cr_expect(got == want, "%s: %016lx", impl[i].name, got);
	}
}

/* The values that any machine must arrive at: the sums by integers of any size, AES by OpenSSL. */
static const uint64_t seals[6] = {
	0x9e49362e8b0e093a, 0x4471f906c5ff8e6e, 0x5fcd9c6389a9538c,
	0x09d4d399f195113e, 0x14cfafa0d8279771, 0x9328e5eb4abcd85c,
};

Test(steer_mac, seals_are_the_same_on_every_machine)
{
	static const uint64_t words[5] = { 1, UINT64_MAX, 0x0123456789abcdef, 0, 77 };

	for (size_t n = 0; n <= 5; n++) {
		uint64_t got = steer_seal(&counting_key, STEER_DOMAIN_FLOW, words, n);

		cr_expect(got == seals[n], "%zu words: %016lx", n, got);
	}
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state ^ *state >> 29;
}

Test(steer_mac, aes_is_the_same_by_every_implementation)
{
	const struct steer_aes_impl *impl;
	size_t n_impls = steer_aes_impls(&impl);
	uint64_t state = 1;

	cr_expect(steer_aes_block == impl[0].block && steer_aes_two == impl[0].two);
	for (unsigned int round = 0; round < 2000; round++) {
		uint64_t half[2] = { next_random(&state), next_random(&state) };
		uint64_t low = next_random(&state), high = next_random(&state), want;
		struct dp_secret key = { 0 };

		memcpy(key.b, half, sizeof(key.b));
		steer_secret_spread(&key);
		want = steer_aes_block_plain(key.round, low, high);
		for (size_t i = 0; i < n_impls; i++) {
			struct steer_aes_two both = impl[i].two(key.round, low, high, high, low);

			cr_expect(impl[i].block(key.round, low, high) == want, "%s", impl[i].name);
			cr_expect(both.first == want
					  && both.second
						     == steer_aes_block_plain(key.round, high, low),
				  "%s, two", impl[i].name);
		}
	}
}

/* The domain, the number of words and each bit of each word count. */
Test(steer_mac, all_of_what_is_sealed_counts)
{
	uint64_t words[5] = { 0 }, base = steer_seal(&counting_key, STEER_DOMAIN_FLOW, words, 4);

	cr_expect(steer_seal(&counting_key, STEER_DOMAIN_COOKIE, words, 4) != base);
	cr_expect(steer_seal(&counting_key, STEER_DOMAIN_FLOW, words, 3) != base);
	cr_expect(steer_seal(&counting_key, STEER_DOMAIN_FLOW, words, 5) != base);
	for (unsigned int i = 0; i < 256; i++) {
		words[i / 64] ^= 1ull << i % 64;
		cr_expect(steer_seal(&counting_key, STEER_DOMAIN_FLOW, words, 4) != base, "bit %u",
			  i);
		words[i / 64] ^= 1ull << i % 64;
	}
}

/* ---- The universal hash, one block after the other */

__extension__ typedef unsigned __int128 uint128;

struct naive {
	const uint64_t *key;
	unsigned int at;
	uint128 sum;
};

static void naive_block(struct naive *h, uint64_t a, uint64_t b)
{
	h->sum += (uint128)(a + h->key[h->at]) * (b + h->key[h->at + 1]);
	h->at += 2;
}

static uint64_t naive_fold(const struct naive *h)
{
	return (uint64_t)h->sum + (uint64_t)(h->sum >> 64) * (h->key[DP_DIGEST_WORDS] | 1);
}

static void naive_wrap(struct naive *h, uint64_t mark)
{
	uint64_t so_far = naive_fold(h);

	if (h->at != DP_DIGEST_WORDS - 2)
		return;
	h->at = 0;
	h->sum = 0;
	naive_block(h, so_far, mark);
}

static uint64_t little(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static uint64_t naive_digest(const struct dp_secret *k, uint32_t extra, struct steer_part *parts,
			     size_t n)
{
	struct naive h = { .key = k->digest };
	uint64_t lens = 0;

	for (size_t i = 0; i < n; i++)
		lens = lens << 16 | parts[i].len;
	naive_block(&h, (uint64_t)extra << 32 | n << 8 | STEER_DOMAIN_CALL, lens);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *p = parts[i].p;
		size_t len = parts[i].len;

		for (; parts[i].len > 16 && len > 16; len -= 16, p += 16) {
			naive_block(&h, little(p, 8), little(p + 8, 8));
			naive_wrap(&h, 0);
		}
		if (parts[i].len > 16)
			naive_block(&h, little(p + len - 16, 8), little(p + len - 8, 8));
		else if (len >= 8)
			naive_block(&h, little(p, 8), little(p + len - 8, 8));
		else if (len)
			naive_block(&h, little(p, len), 0);
		naive_wrap(&h, 1);
	}
	return naive_fold(&h);
}

Test(steer_mac, digest_of_every_length_reads_nothing_else)
{
	struct guard g[3];
	uint8_t data[300];
	static const size_t lens[] = { 0, 1, 7, 8, 15, 16, 17, 40, 300 };

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 11);
	for (unsigned int i = 0; i < 3; i++)
		guard_init(&g[i], sizeof(data));
	for (size_t a = 0; a <= sizeof(data); a++) {
		for (size_t b = 0; b < sizeof(lens) / sizeof(lens[0]); b++) {
			struct steer_part parts[3] = {
				{ guard_copy(&g[0], data, a), a },
				{ guard_copy(&g[1], data, lens[b]), lens[b] },
				{ guard_copy(&g[2], data, a / 9), a / 9 },
			};

			for (size_t n = 1; n <= 3; n++)
				cr_assert(steer_digest(&counting_key, STEER_DOMAIN_CALL, 5060,
						       parts, n)
						  == naive_digest(&counting_key, 5060, parts, n),
					  "%zu parts of %zu, %zu and %zu bytes", n, a, lens[b],
					  a / 9);
			cr_assert(steer_digest1(&counting_key, STEER_DOMAIN_CALL, 5060, parts[0])
					  == naive_digest(&counting_key, 5060, parts, 1),
				  "one part of %zu bytes", a);
			cr_assert(steer_digest2(&counting_key, STEER_DOMAIN_CALL, 5060, parts[0],
						parts[1])
					  == naive_digest(&counting_key, 5060, parts, 2),
				  "parts of %zu and %zu bytes", a, lens[b]);
		}
	}
	for (unsigned int i = 0; i < 3; i++)
		guard_fini(&g[i]);
}

Test(steer_mac, digest_depends_on_each_byte)
{
	uint8_t data[300] = { 0 };

	for (size_t len = 1; len <= sizeof(data); len++) {
		struct steer_part part = { data, len };
		uint64_t was = steer_digest(&counting_key, STEER_DOMAIN_CALL, 0, &part, 1);

		for (size_t i = 0; i < len; i++) {
			data[i] ^= 0x80;
			cr_assert(steer_digest(&counting_key, STEER_DOMAIN_CALL, 0, &part, 1)
					  != was,
				  "byte %zu of %zu", i, len);
			data[i] ^= 0x80;
		}
		cr_assert(steer_digest(&counting_key, STEER_DOMAIN_CALL, 1, &part, 1) != was);
	}
}

Test(steer_mac, spreads_a_key_over_all_words)
{
	struct dp_secret a = counting_key, b = counting_key;

	b.b[0] ^= 1;
	steer_secret_spread(&a);
	steer_secret_spread(&b);
	for (unsigned int i = 0; i <= DP_DIGEST_WORDS; i++) {
		cr_expect(a.digest[i] != b.digest[i] && a.digest[i] != 0, "word %u", i);
		for (unsigned int k = 0; k < i; k++)
			cr_expect(a.digest[i] != a.digest[k], "words %u and %u", i, k);
	}
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
	steer_secret_spread(&other);
	for (size_t i = 0; i < N_LISTS; i++) {
		struct steer_part parts[3];

		for (size_t k = 0; k < lists[i].n; k++)
			parts[k] =
				(struct steer_part){ lists[i].part[k], strlen(lists[i].part[k]) };
		seen[n_seen++] =
			steer_digest(&counting_key, STEER_DOMAIN_LOOP, 0, parts, lists[i].n);
		seen[n_seen++] =
			steer_digest(&counting_key, STEER_DOMAIN_TO_TAG, 0, parts, lists[i].n);
		seen[n_seen++] = steer_digest(&other, STEER_DOMAIN_LOOP, 0, parts, lists[i].n);
	}
	for (size_t i = 0; i < n_seen; i++)
		for (size_t k = 0; k < i; k++)
			cr_expect(seen[i] != seen[k],
				  "list %zu variant %zu is list %zu variant %zu", i / 3, i % 3,
				  k / 3, k % 3);
}

/* Computed by another program, from the description alone. */
static const struct {
	const char *text;
	uint64_t hash;
} hashes[] = {
	{ "", 0x4413b9437bdb4f61ull },
	{ "a", 0xd1f0f5fa3a61445full },
	{ "alice@example.com", 0x67e45e8ae9660912ull },
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
