/* AES-128 by AES-NI: a round is one instruction; with AVX's encoding, whose operands need not be
 * aligned. Owns nothing; pure. */
#include <immintrin.h>

#include "dataplane/steer/steer_aes.h"

#define AES __attribute__((target("aes,avx")))

static AES uint64_t block(const uint8_t *round, uint64_t low, uint64_t high)
{
	const __m128i *k = (const __m128i *)(const void *)round;
	__m128i s =
		_mm_xor_si128(_mm_set_epi64x((long long)high, (long long)low), _mm_loadu_si128(k));

	for (unsigned int r = 1; r < STEER_AES_ROUNDS - 1; r++)
		s = _mm_aesenc_si128(s, _mm_loadu_si128(k + r));
	s = _mm_aesenclast_si128(s, _mm_loadu_si128(k + STEER_AES_ROUNDS - 1));
	return (uint64_t)_mm_cvtsi128_si64(s);
}

static AES struct steer_aes_two two(const uint8_t *round, uint64_t low, uint64_t high,
				    uint64_t low2, uint64_t high2)
{
	const __m128i *k = (const __m128i *)(const void *)round;
	__m128i key = _mm_loadu_si128(k);
	__m128i s = _mm_xor_si128(_mm_set_epi64x((long long)high, (long long)low), key);
	__m128i t = _mm_xor_si128(_mm_set_epi64x((long long)high2, (long long)low2), key);

	for (unsigned int r = 1; r < STEER_AES_ROUNDS - 1; r++) {
		key = _mm_loadu_si128(k + r);
		s = _mm_aesenc_si128(s, key);
		t = _mm_aesenc_si128(t, key);
	}
	key = _mm_loadu_si128(k + STEER_AES_ROUNDS - 1);
	return (struct steer_aes_two){
		(uint64_t)_mm_cvtsi128_si64(_mm_aesenclast_si128(s, key)),
		(uint64_t)_mm_cvtsi128_si64(_mm_aesenclast_si128(t, key)),
	};
}

struct steer_aes_impl steer_aes_machine(void)
{
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("aes") || !__builtin_cpu_supports("avx"))
		return (struct steer_aes_impl){ 0 };
	return (struct steer_aes_impl){ "instructions", block, two };
}
