/*
 * "user@host" as most write it: letters, digits and a few marks, in which nothing has to be
 * decoded. By SSSE3 where the compiler may use it, else in plain C with the same answers (tests
 * hold them equal). Pure; any thread.
 */
#pragma once

#include <string.h>

#include "sip/sip_uri.h"

#define STEER_PLAIN_MAX    63u /* bytes of text; what is longer is not looked at */
#define STEER_PLAIN_SCHEME 4u  /* bytes of "sip:" */
#define STEER_PLAIN_STEP   16u /* bytes are read in steps of this size, past the text's end too */

/* What a byte is, by its two halves: a bit that both tables have. */
enum steer_plain_class {
	STEER_PLAIN_DIGIT = 1,     /* 30 to 39 */
	STEER_PLAIN_LOWER_1 = 2,   /* 61 to 6f */
	STEER_PLAIN_LOWER_2 = 4,   /* 70 to 7a */
	STEER_PLAIN_MARK = 8,      /* "-" and ".", 2d and 2e */
	STEER_PLAIN_PLUS = 16,     /* "+", 2b */
	STEER_PLAIN_LINE = 32,     /* "_", 5f */
	STEER_PLAIN_UPPER_1 = 64,  /* 41 to 4f */
	STEER_PLAIN_UPPER_2 = 128, /* 50 to 5a */

	STEER_PLAIN_LETTERS_1 = STEER_PLAIN_LOWER_1 | STEER_PLAIN_UPPER_1,
	STEER_PLAIN_LETTERS_2 = STEER_PLAIN_LOWER_2 | STEER_PLAIN_UPPER_2,
	STEER_PLAIN_BOTH = STEER_PLAIN_LETTERS_1 | STEER_PLAIN_LETTERS_2 | STEER_PLAIN_DIGIT,

	/* Of a host; of one in lower case. */
	STEER_PLAIN_HOST = STEER_PLAIN_BOTH | STEER_PLAIN_MARK,
	STEER_PLAIN_HOST_LOWER = STEER_PLAIN_HOST & ~(STEER_PLAIN_UPPER_1 | STEER_PLAIN_UPPER_2),
};

/* By the lower half of a byte, and by the higher one. */
static const uint8_t steer_plain_low[16] = {
	STEER_PLAIN_DIGIT | STEER_PLAIN_LETTERS_2,
	STEER_PLAIN_BOTH,
	STEER_PLAIN_BOTH,
	STEER_PLAIN_BOTH,
	STEER_PLAIN_BOTH,
	STEER_PLAIN_BOTH,
	STEER_PLAIN_BOTH,
	STEER_PLAIN_BOTH,
	STEER_PLAIN_BOTH,
	STEER_PLAIN_BOTH,
	STEER_PLAIN_LETTERS_1 | STEER_PLAIN_LETTERS_2,
	STEER_PLAIN_LETTERS_1 | STEER_PLAIN_PLUS,
	STEER_PLAIN_LETTERS_1,
	STEER_PLAIN_LETTERS_1 | STEER_PLAIN_MARK,
	STEER_PLAIN_LETTERS_1 | STEER_PLAIN_MARK,
	STEER_PLAIN_LETTERS_1 | STEER_PLAIN_LINE,
};
static const uint8_t steer_plain_high[16] = {
	[2] = STEER_PLAIN_MARK | STEER_PLAIN_PLUS,
	[3] = STEER_PLAIN_DIGIT,
	[4] = STEER_PLAIN_UPPER_1,
	[5] = STEER_PLAIN_UPPER_2 | STEER_PLAIN_LINE,
	[6] = STEER_PLAIN_LOWER_1,
	[7] = STEER_PLAIN_LOWER_2,
};

/** Which of up to 64 bytes, a bit for each, are not of a user, or not of a host. */
struct steer_plain_ends {
	uint64_t user, host;
};

static inline struct steer_plain_ends steer_plain_ends_plain(const uint8_t *p, uint32_t len,
							     uint8_t host)
{
	struct steer_plain_ends e = { 0, 0 };

	for (uint32_t i = 0; i < len; i++) {
		uint8_t c = steer_plain_low[p[i] & 15] & steer_plain_high[p[i] >> 4];

		e.user |= (uint64_t)(c == 0) << i;
		e.host |= (uint64_t)((c & host) == 0) << i;
	}
	return e;
}

#if defined(__x86_64__)
#include <tmmintrin.h>

static inline __attribute__((target("ssse3"))) struct steer_plain_ends
steer_plain_ends_ssse3(const uint8_t *p, uint32_t len, uint8_t host)
{
	const __m128i low = _mm_loadu_si128((const __m128i *)(const void *)steer_plain_low);
	const __m128i high = _mm_loadu_si128((const __m128i *)(const void *)steer_plain_high);
	const __m128i half = _mm_set1_epi8(0x0f), of_host = _mm_set1_epi8((char)host);
	struct steer_plain_ends e = { 0, 0 };
	uint32_t i = 0;

	do {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		/* A byte from 0x80 on takes nothing from a table: it is of no class. */
		__m128i c = _mm_and_si128(
			_mm_shuffle_epi8(low, v),
			_mm_shuffle_epi8(high, _mm_and_si128(_mm_srli_epi16(v, 4), half)));
		__m128i h = _mm_and_si128(c, of_host), none = _mm_setzero_si128();

		e.user |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(c, none)) << i;
		e.host |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(h, none)) << i;
		i += STEER_PLAIN_STEP;
	} while (i < len);
	return e;
}
#endif

#ifdef __SSSE3__
#define STEER_PLAIN_ENDS steer_plain_ends_ssse3
#else
#define STEER_PLAIN_ENDS steer_plain_ends_plain
#endif

/* How much is looked at without asking how much there is, where so much can be read. */
#define STEER_PLAIN_SHORT (2 * STEER_PLAIN_STEP)

/** STEER_PLAIN_ENDS of a text, and of the byte behind it, which ends everything.
 * @param len   STEER_PLAIN_MAX at most.
 * @param room  How many bytes of p can be read: len rounded up to STEER_PLAIN_STEP, or more. */
static inline struct steer_plain_ends steer_plain_ends_of(const uint8_t *p, uint32_t len,
							  uint32_t room, uint8_t host)
{
	struct steer_plain_ends e;

	if (__builtin_expect(len <= STEER_PLAIN_SHORT && room >= STEER_PLAIN_SHORT, 1))
		e = STEER_PLAIN_ENDS(p, STEER_PLAIN_SHORT, host);
	else
		e = STEER_PLAIN_ENDS(p, len, host);
	e.user |= 1ull << len;
	e.host |= 1ull << len;
	return e;
}

/**
 * A port of one to five digits.
 * @param p  Eight bytes of it can be read.
 * @return   -1: it is none.
 */
static inline int32_t steer_plain_port(const uint8_t *p, uint32_t n)
{
	const uint64_t each = 0x0101010101010101ull;
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	/* As eight digits: zeros come in before the first one, which is the lowest byte. */
	x = (x ^ each * '0') << (64 - 8 * n);
	if (((x + each * (0x80 - 10)) | x) & each * 0x80)
		return -1;
	x = (x * 10 + (x >> 8)) & 0x00ff00ff00ff00ffull;
	x = (x * 100 + (x >> 16)) & 0x0000ffff0000ffffull;
	x = (x * 10000 + (x >> 32)) & 0xffffffffull;
	return x <= UINT16_MAX ? (int32_t)x : -1;
}

/**
 * Read the URI that most are: "sip:", a plain user and '@' or none, a plain host, a port or none.
 * @param s    A span of m.
 * @param uri  Out: what sip_msg_uri() says of it; unspecified when it is not of that form.
 * @return whether it is of that form; another one may be good, too.
 */
typedef bool steer_plain_uri_fn(const struct sip_msg *m, struct sip_span s, struct sip_uri *uri);

/**
 * Whether a URI is the usual address of record, "sip:user@host" with nothing to be decoded and the
 * host in lower case: what is behind "sip:" is its own key then.
 * @param s  A span of m.
 */
typedef bool steer_plain_aor_fn(const struct sip_msg *m, struct sip_span s);

/** A way to do it; all say the same. */
struct steer_plain_impl {
	const char *name;
	steer_plain_uri_fn *uri;
	steer_plain_aor_fn *aor;
};

/** All that this machine can run, the best one first. @return how many; at least 1. */
size_t steer_plain_impls(const struct steer_plain_impl **list);

/** The best one. */
extern steer_plain_uri_fn *steer_plain_uri;
extern steer_plain_aor_fn *steer_plain_aor;
