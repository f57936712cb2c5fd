/*
 * Lower-case hexadecimal digits, 16 at a time: of numbers whose first digit is the highest one. By
 * SSSE3 where the compiler may use it, else in plain C with the same values (tests hold them
 * equal). Pure; any thread.
 *
 * Tokens are put together in registers: what is stored piece by piece and loaded whole has to wait
 * until it has left the store buffer.
 */
#pragma once

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "digits are stored as words");

/* ---- Plain C ---- */

#define STEER_HEX_EACH(byte) (0x0101010101010101ull * (byte))

typedef uint8_t steer_hex_bytes __attribute__((vector_size(16)));

static inline void steer_hex_put_plain(char *out, uint64_t v)
{
	typedef uint64_t words2 __attribute__((vector_size(16)));
	steer_hex_bytes b = (steer_hex_bytes)(words2){ __builtin_bswap64(v) };
	steer_hex_bytes high = b >> 4, low = b & 0x0f, nibbles, text;

	nibbles = __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,
					  22, 7, 23);
	text = nibbles + '0' + ((steer_hex_bytes)(nibbles > 9) & ('a' - '0' - 10));
	memcpy(out, &text, sizeof(text));
}

/*
 * Eight digits; *bad gets a bit when one of them is none. The sums of bytes below 0x80 stay inside
 * their bytes. Of the bytes that are not, the lowest gets no carry and is found to be neither digit
 * nor letter: with 0x50 or 0x1f more it loses its highest bit or is past the last one too.
 */
static inline uint32_t steer_hex_get8(const uint8_t *p, uint64_t *bad)
{
	uint64_t x, from_0, past_9, from_a, past_f;

	memcpy(&x, p, 8);
	from_0 = x + STEER_HEX_EACH(0x80 - '0');
	past_9 = x + STEER_HEX_EACH(0x7f - '9');
	from_a = x + STEER_HEX_EACH(0x80 - 'a');
	past_f = x + STEER_HEX_EACH(0x7f - 'f');
	*bad |= ~((from_0 & ~past_9) | (from_a & ~past_f)) & STEER_HEX_EACH(0x80);
	x = (x & STEER_HEX_EACH(0x0f)) + (from_a >> 7 & STEER_HEX_EACH(1)) * 9;
	x = (x << 4 | x >> 8) & 0x00ff00ff00ff00ffull;
	x = (x | x >> 8) & 0x0000ffff0000ffffull;
	return __builtin_bswap32((uint32_t)(x | x >> 16));
}

static inline uint64_t steer_hex_get_plain(const uint8_t *p, uint64_t *bad)
{
	uint64_t high = steer_hex_get8(p, bad);

	return high << 32 | steer_hex_get8(p + 8, bad);
}

/* ---- SSSE3 ---- */

#if defined(__x86_64__)
#include <tmmintrin.h>

#define STEER_HEX_SSSE3 __attribute__((target("ssse3")))

/* Two numbers, 32 digits. */
static inline STEER_HEX_SSSE3 void steer_hex_put2_ssse3(char *out, uint64_t first, uint64_t second)
{
	const __m128i turn = _mm_set_epi64x(0x08090a0b0c0d0e0fll, 0x0001020304050607ll);
	const __m128i digit = _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a',
					    'b', 'c', 'd', 'e', 'f');
	__m128i b = _mm_shuffle_epi8(_mm_set_epi64x((long long)second, (long long)first), turn);
	__m128i high = _mm_and_si128(_mm_srli_epi16(b, 4), _mm_set1_epi8(0x0f));
	__m128i low = _mm_and_si128(b, _mm_set1_epi8(0x0f));

	_mm_storeu_si128((__m128i *)(void *)out,
			 _mm_shuffle_epi8(digit, _mm_unpacklo_epi8(high, low)));
	_mm_storeu_si128((__m128i *)(void *)(out + 16),
			 _mm_shuffle_epi8(digit, _mm_unpackhi_epi8(high, low)));
}

static inline STEER_HEX_SSSE3 void steer_hex_put_ssse3(char *out, uint64_t v)
{
	const __m128i digit = _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a',
					    'b', 'c', 'd', 'e', 'f');
	__m128i b = _mm_cvtsi64_si128((long long)__builtin_bswap64(v));
	__m128i high = _mm_srli_epi16(b, 4);

	b = _mm_and_si128(_mm_unpacklo_epi8(high, b), _mm_set1_epi8(0x0f));
	_mm_storeu_si128((__m128i *)(void *)out, _mm_shuffle_epi8(digit, b));
}

/* Digits turn into numbers, other bytes into whatever they do, and that into digits again: a byte
 * that is none does not come back, as what comes back is a digit, or NUL where a number is 128 or
 * more, which NUL's is not. */
static inline STEER_HEX_SSSE3 uint64_t steer_hex_get_ssse3(const uint8_t *p, uint64_t *bad)
{
	const __m128i digit = _mm_setr_epi8('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a',
					    'b', 'c', 'd', 'e', 'f');
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i letter = _mm_cmpgt_epi8(x, _mm_set1_epi8('9'));
	__m128i v = _mm_sub_epi8(_mm_subs_epu8(x, _mm_set1_epi8('0')),
				 _mm_and_si128(letter, _mm_set1_epi8('a' - '0' - 10)));

	*bad |= (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_shuffle_epi8(digit, v), x)) ^ 0xffff;
	v = _mm_maddubs_epi16(v, _mm_set1_epi16(0x0110)); /* 16 times the first, and the second */
	return __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(v, v)));
}
#endif

/* ---- What is used ---- */

#ifdef __SSSE3__
#define STEER_HEX_BEST(name) name##_ssse3
#else
#define STEER_HEX_BEST(name) name##_plain

static inline void steer_hex_put2_plain(char *out, uint64_t first, uint64_t second)
{
	steer_hex_put_plain(out, first);
	steer_hex_put_plain(out + 16, second);
}
#endif

/** The 16 digits of a number. */
static inline void steer_hex_put(char *out, uint64_t v)
{
	STEER_HEX_BEST(steer_hex_put)(out, v);
}

/** The 32 digits of two numbers. */
static inline void steer_hex_put2(char *out, uint64_t first, uint64_t second)
{
	STEER_HEX_BEST(steer_hex_put2)(out, first, second);
}

/** Read 16 digits. *bad becomes something other than 0 when one of them is none. */
static inline uint64_t steer_hex_get(const uint8_t *p, uint64_t *bad)
{
	return STEER_HEX_BEST(steer_hex_get)(p, bad);
}
