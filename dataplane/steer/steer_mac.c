/*
 * SipHash (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012), streamed over parts
 * that lie anywhere in memory. Owns nothing; pure.
 *
 * Bytes are taken in words of eight. A part that begins inside a word is shifted into place on the
 * way, so that parts are neither copied nor padded. No byte outside a part is read.
 */
#include "dataplane/steer/steer_mac.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "SipHash reads little-endian words");

struct hasher {
	uint64_t v0, v1, v2, v3;
	uint64_t carry;    /* the bytes that wait for their word to be full, the first one lowest */
	unsigned int bits; /* how many bits of it: 0, 8 .. 56 */
	uint64_t len;      /* bytes taken in so far */
};

/* Key of steer_hash(): first 16 digits of pi and of e, hexadecimal fractions. */
#define HASH_K0 0x243f6a8885a308d3ull
#define HASH_K1 0xb7e151628aed2a6aull

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

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

static inline void hash_word(struct hasher *h, uint64_t m, unsigned int c_rounds)
{
	h->v3 ^= m;
	hash_rounds(h, c_rounds);
	h->v0 ^= m;
}

static inline void hash_start(struct hasher *h, uint64_t k0, uint64_t k1)
{
	h->v0 = k0 ^ 0x736f6d6570736575ull;
	h->v1 = k1 ^ 0x646f72616e646f6dull;
	h->v2 = k0 ^ 0x6c7967656e657261ull;
	h->v3 = k1 ^ 0x7465646279746573ull;
	h->carry = 0;
	h->bits = 0;
	h->len = 0;
}

/* Take in the n low bytes of w, n <= 7; the others are zero. */
static inline void hash_few(struct hasher *h, uint64_t w, unsigned int n, unsigned int c_rounds)
{
	unsigned int bits = h->bits + 8 * n;

	h->len += n;
	h->carry |= w << h->bits;
	if (bits >= 64) {
		hash_word(h, h->carry, c_rounds);
		/* n <= 7, so h->bits is not 0 here and the shift is less than 64. */
		h->carry = w >> (64 - h->bits);
		bits -= 64;
	}
	h->bits = bits;
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

static inline void hash_bytes(struct hasher *h, const uint8_t *p, size_t len, unsigned int c_rounds)
{
	size_t words = len / 8;
	unsigned int rest = len % 8;
	unsigned int bits = h->bits;
	const uint8_t *end;
	uint64_t tail;

	if (words == 0) {
		hash_few(h, few_bytes(p, rest), rest, c_rounds);
		return;
	}
	end = p + 8 * words;
	/* The last eight bytes, without those that belong to the last whole word. */
	tail = rest > 0 ? load64(p + len - 8) >> (64 - 8 * rest) : 0;
	h->len += 8 * words;
	if (bits == 0) {
		for (; p < end; p += 8)
			hash_word(h, load64(p), c_rounds);
	} else {
		for (; p < end; p += 8) {
			uint64_t w = load64(p);

			hash_word(h, h->carry | w << bits, c_rounds);
			h->carry = w >> (64 - bits);
		}
	}
	hash_few(h, tail, rest, c_rounds);
}

static inline uint64_t hash_finish(struct hasher *h, unsigned int c_rounds, unsigned int d_rounds)
{
	hash_word(h, h->carry | h->len << 56, c_rounds);
	h->v2 ^= 0xff;
	hash_rounds(h, d_rounds);
	return h->v0 ^ h->v1 ^ h->v2 ^ h->v3;
}

uint64_t steer_mac(const struct dp_secret *key, enum steer_domain domain,
		   const struct steer_part *parts, size_t n)
{
	struct hasher h;

	hash_start(&h, load64(key->b), load64(key->b + 8));
	hash_few(&h, (uint8_t)domain, 1, 2);
	for (size_t i = 0; i < n; i++) {
		uint64_t len = parts[i].len;

		/* Two bytes, or ff ff and eight: neither begins another. */
		if (len < 0xffff) {
			hash_few(&h, len, 2, 2);
		} else {
			hash_few(&h, 0xffff, 2, 2);
			hash_bytes(&h, (const uint8_t *)&len, sizeof(len), 2);
		}
		hash_bytes(&h, parts[i].p, parts[i].len, 2);
	}
	return hash_finish(&h, 2, 4);
}

uint64_t steer_siphash(const struct dp_secret *key, const void *p, size_t len)
{
	struct hasher h;

	hash_start(&h, load64(key->b), load64(key->b + 8));
	hash_bytes(&h, p, len, 2);
	return hash_finish(&h, 2, 4);
}

uint64_t steer_hash(const void *p, size_t len)
{
	struct hasher h;

	hash_start(&h, HASH_K0, HASH_K1);
	hash_bytes(&h, p, len, 1);
	return hash_finish(&h, 1, 3);
}
