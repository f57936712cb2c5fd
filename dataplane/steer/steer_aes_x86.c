/* AES-128 by AES-NI: a round is one instruction; with AVX's encoding, whose operands need not be
 * aligned. Owns nothing; pure. */
#include <immintrin.h>

#include "dataplane/steer/steer_aes.h"

#define AES __attribute__((target("aes,avx")))

static inline AES __m128i encrypt(__m128i s, const __m128i *k)
{
	s = _mm_xor_si128(s, _mm_loadu_si128(k));
	for (unsigned int r = 1; r < STEER_AES_ROUNDS - 1; r++)
		s = _mm_aesenc_si128(s, _mm_loadu_si128(k + r));
	return _mm_aesenclast_si128(s, _mm_loadu_si128(k + STEER_AES_ROUNDS - 1));
}

static AES uint64_t mac(const uint8_t *round, uint64_t first, const uint64_t *w, size_t n)
{
	const __m128i *k = (const __m128i *)(const void *)round;
	__m128i s = encrypt(_mm_set_epi64x(n ? (long long)w[0] : 0, (long long)first), k);

	/* Word by word: they have just been written so. */
	for (size_t i = 1; i < n; i += 2) {
		long long high = i + 1 < n ? (long long)w[i + 1] : 0;

		s = encrypt(_mm_xor_si128(s, _mm_set_epi64x(high, (long long)w[i])), k);
	}
	return (uint64_t)_mm_cvtsi128_si64(s);
}

steer_aes_mac_fn *steer_aes_machine(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("avx") ? mac : NULL;
}
