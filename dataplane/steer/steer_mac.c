/*
 * SipHash (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012), a public hash, seals,
 * and the universal hash before them. Owns nothing; pure. No byte outside a part is read.
 */
#include "dataplane/steer/steer_mac.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "SipHash reads little-endian words");

struct hasher {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t load32(const uint8_t *p)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static inline uint64_t rotl(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static inline void hash_rounds(struct hasher *h, unsigned int n)
{
	while (n-- > 0) {
		h->v0 += h->v1;
		h->v2 += h->v3;
		h->v1 = rotl(h->v1, 13) ^ h->v0;
		h->v3 = rotl(h->v3, 16) ^ h->v2;
		h->v0 = rotl(h->v0, 32);
		h->v2 += h->v1;
		h->v0 += h->v3;
		h->v1 = rotl(h->v1, 17) ^ h->v2;
		h->v3 = rotl(h->v3, 21) ^ h->v0;
		h->v2 = rotl(h->v2, 32);
	}
}

static inline void hash_word(struct hasher *h, uint64_t m)
{
	h->v3 ^= m;
	hash_rounds(h, 2);
	h->v0 ^= m;
}

static inline void hash_start(struct hasher *h, uint64_t k0, uint64_t k1)
{
	h->v0 = k0 ^ 0x736f6d6570736575ull;
	h->v1 = k1 ^ 0x646f72616e646f6dull;
	h->v2 = k0 ^ 0x6c7967656e657261ull;
	h->v3 = k1 ^ 0x7465646279746573ull;
}

/* The n bytes at p, n <= 7, as a word. */
static inline uint64_t few_bytes(const uint8_t *p, size_t n)
{
	if (n >= 4)
		return load32(p) | load32(p + n - 4) << 8 * (n - 4);
	if (n == 0)
		return 0;
	return p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
}

uint64_t steer_siphash(const struct dp_secret *key, const void *bytes, size_t len)
{
	const uint8_t *p = bytes, *end = p + len / 8 * 8;
	struct hasher h;

	hash_start(&h, steer_load64(key->b), steer_load64(key->b + 8));
	for (; p < end; p += 8)
		hash_word(&h, steer_load64(p));
	hash_word(&h, few_bytes(p, len % 8) | (uint64_t)len << 56);
	h.v2 ^= 0xff;
	hash_rounds(&h, 4);
	return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

/* ---- The public hash ---- */

/* Its constants: the first digits, hexadecimal fractions, of pi, e and the square roots of 2 and 3,
 * the last one of each made odd. */
#define HASH_PI    0x243f6a8885a308d3ull
#define HASH_E     0xb7e151628aed2a6bull
#define HASH_ROOT2 0x6a09e667f3bcc909ull
#define HASH_ROOT3 0xbb67ae8584caa73bull

static inline uint64_t product(uint64_t a, uint64_t b)
{
	steer_uint128 p = (steer_uint128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* 16 bytes a step; the last ones may overlap the step before, or be few: the length, which comes in
 * at the end, tells these forms apart. */
uint64_t steer_hash(const void *bytes, size_t len)
{
	uint64_t h = HASH_PI;
	const uint8_t *p = bytes, *end = p + len;
	size_t rest = len;

	for (; rest > 16; p += 16, rest = (size_t)(end - p))
		h = product(steer_load64(p) ^ HASH_E, steer_load64(p + 8) ^ h);
	if (rest >= 8)
		h = product(steer_load64(p) ^ HASH_E, steer_load64(end - 8) ^ h);
	else
		h = product(few_bytes(p, rest) ^ HASH_E, h);
	return product(h ^ HASH_ROOT2, len ^ HASH_ROOT3);
}

/* ---- The universal hash ---- */

void steer_secret_spread(struct dp_secret *key)
{
	steer_aes_expand(key->b, key->round);
	for (uint64_t i = 0; i <= DP_DIGEST_WORDS; i++)
		key->digest[i] = steer_aes_block(key->round, STEER_DOMAIN_SPREAD, i);
	key->digest[DP_DIGEST_WORDS] |= 1; /* it multiplies: odd, so that nothing is lost */
	for (uint64_t i = 0; i < DP_SEAL_WORDS; i++)
		key->seal[i] = steer_aes_block(key->round, STEER_DOMAIN_SPREAD, 256 + i);
}

uint64_t steer_seal(const struct dp_secret *key, enum steer_domain domain, const uint64_t *words,
		    size_t n)
{
	const uint64_t *k = key->seal;
	steer_uint128 sum =
		(steer_uint128)(((uint64_t)domain | n << 8) + k[0]) * ((n ? words[0] : 0) + k[1]);

	for (size_t i = 1; i < n; i += 2)
		sum += (steer_uint128)(words[i] + k[i + 1])
		       * ((i + 1 < n ? words[i + 1] : 0) + k[i + 2]);
	return steer_aes_block(key->round, (uint64_t)sum, (uint64_t)(sum >> 64));
}

static inline steer_uint128 sum_of_three(const struct dp_secret *key, enum steer_domain domain,
					 const uint64_t words[3])
{
	const uint64_t *k = key->seal;

	return (steer_uint128)(((uint64_t)domain | 3 << 8) + k[0]) * (words[0] + k[1])
	       + (steer_uint128)(words[1] + k[2]) * (words[2] + k[3]);
}

struct steer_aes_two steer_seal_two(const struct dp_secret *key, enum steer_domain domain,
				    const uint64_t words[3], enum steer_domain domain2,
				    const uint64_t words2[3])
{
	steer_uint128 a = sum_of_three(key, domain, words), b = sum_of_three(key, domain2, words2);

	return steer_aes_two(key->round, (uint64_t)a, (uint64_t)(a >> 64), (uint64_t)b,
			     (uint64_t)(b >> 64));
}

/* The sum of products so far, and the place in the key. */
struct digest {
	const uint64_t *key, *at;
	steer_uint128 sum;
};

static inline void digest_block(struct digest *d, uint64_t a, uint64_t b)
{
	d->sum += (steer_uint128)(a + d->at[0]) * (b + d->at[1]);
	d->at += 2;
}

/* 16 bytes or less. */
static inline void digest_rest(struct digest *d, const uint8_t *p, size_t len)
{
	if (len >= 8)
		digest_block(d, steer_load64(p), steer_load64(p + len - 8));
	else if (len > 0)
		digest_block(d, few_bytes(p, len), 0);
}

/* The key's words are spent: what there is becomes one of the words to come. */
static void digest_wrap(struct digest *d, uint64_t where)
{
	uint64_t so_far = steer_digest_fold(d->key, d->sum);

	d->at = d->key;
	d->sum = 0;
	digest_block(d, so_far, where);
}

/* Blocks of 16 bytes; the last one overlaps the one before, or its halves each other, or is of few
 * bytes: the length, which is digested too, tells these forms apart. */
static void digest_part(struct digest *d, const uint8_t *p, size_t len)
{
	const uint64_t *end = d->key + DP_DIGEST_WORDS - 2;

	if (len <= 16) {
		digest_rest(d, p, len);
	} else {
		const uint8_t *last = p + len - 16;

		for (; p < last; p += 16) {
			digest_block(d, steer_load64(p), steer_load64(p + 8));
			if (d->at == end)
				digest_wrap(d, 0);
		}
		digest_block(d, steer_load64(last), steer_load64(last + 8));
	}
	if (d->at >= end)
		digest_wrap(d, 1);
}

__attribute__((noinline)) uint64_t steer_digest(const struct dp_secret *key,
						enum steer_domain domain, uint32_t extra,
						const struct steer_part *parts, size_t n)
{
	struct digest d = { .key = key->digest, .at = key->digest };
	uint64_t lens = 0;

	for (size_t i = 0; i < n; i++)
		lens = lens << 16 | (uint16_t)parts[i].len;
	digest_block(&d, (uint64_t)extra << 32 | n << 8 | domain, lens);
	for (size_t i = 0; i < n; i++)
		digest_part(&d, parts[i].p, parts[i].len);
	return steer_digest_fold(key->digest, d.sum);
}

/* A part for which the key's words are enough. */
static inline void short_part(struct digest *d, const struct steer_part *part)
{
	const uint8_t *p = part->p, *last = p + part->len - 16;

	if (part->len <= 16) {
		digest_rest(d, p, part->len);
		return;
	}
#pragma GCC unroll 1
	do
		digest_block(d, steer_load64(p), steer_load64(p + 8));
	while ((p += 16) < last);
	digest_block(d, steer_load64(last), steer_load64(last + 8));
}

/* Blocks of 16 bytes for which the key's words are enough: without the first two words, and without
 * those that chain. */
#define SHORT_BLOCKS (DP_DIGEST_WORDS / 2 - 3)

static __attribute__((noinline, cold)) uint64_t long_digest(const struct dp_secret *key,
							    enum steer_domain domain,
							    uint32_t extra, struct steer_part a,
							    struct steer_part b, size_t n)
{
	const struct steer_part parts[] = { a, b };

	return steer_digest(key, domain, extra, parts, n);
}

uint64_t steer_digest1_any(const struct dp_secret *key, enum steer_domain domain, uint32_t extra,
			   struct steer_part a)
{
	struct digest d = { .key = key->digest, .at = key->digest };

	if (__builtin_expect(a.len > SHORT_BLOCKS * 16, 0))
		return long_digest(key, domain, extra, a, (struct steer_part){ 0 }, 1);
	digest_block(&d, (uint64_t)extra << 32 | 1 << 8 | domain, (uint16_t)a.len);
	short_part(&d, &a);
	return steer_digest_fold(key->digest, d.sum);
}

uint64_t steer_digest2_any(const struct dp_secret *key, enum steer_domain domain, uint32_t extra,
			   struct steer_part a, struct steer_part b)
{
	struct digest d = { .key = key->digest, .at = key->digest };

	if (__builtin_expect((a.len + 15) / 16 + (b.len + 15) / 16 > SHORT_BLOCKS, 0))
		return long_digest(key, domain, extra, a, b, 2);
	digest_block(&d, (uint64_t)extra << 32 | 2 << 8 | domain,
		     (uint64_t)(uint16_t)a.len << 16 | (uint16_t)b.len);
	short_part(&d, &a);
	short_part(&d, &b);
	return steer_digest_fold(key->digest, d.sum);
}
