/* AES-128 by the instructions of ARMv8's Cryptographic Extension. Owns nothing; pure. */
#include <arm_neon.h>
#include <sys/auxv.h>

#include "dataplane/steer/steer_aes.h"

#define HWCAP_AES_BIT (1ul << 3) /* HWCAP_AES of Linux's asm/hwcap.h */

#define AES __attribute__((target("+crypto")))

/* AESE adds the key before it substitutes; so the last key is added alone. */
static inline AES uint8x16_t encrypt(uint8x16_t s, const uint8_t *k)
{
	for (unsigned int r = 0; r < STEER_AES_ROUNDS - 2; r++)
		s = vaesmcq_u8(vaeseq_u8(s, vld1q_u8(k + 16 * r)));
	s = vaeseq_u8(s, vld1q_u8(k + 16 * (STEER_AES_ROUNDS - 2)));
	return veorq_u8(s, vld1q_u8(k + 16 * (STEER_AES_ROUNDS - 1)));
}

static inline AES uint8x16_t block_of(uint64_t low, uint64_t high)
{
	return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)));
}

static AES uint64_t mac(const uint8_t *round, uint64_t first, const uint64_t *w, size_t n)
{
	uint8x16_t s = encrypt(block_of(first, n ? w[0] : 0), round);

	for (size_t i = 1; i < n; i += 2)
		s = encrypt(veorq_u8(s, block_of(w[i], i + 1 < n ? w[i + 1] : 0)), round);
	return vgetq_lane_u64(vreinterpretq_u64_u8(s), 0);
}

steer_aes_mac_fn *steer_aes_machine(void)
{
	return getauxval(AT_HWCAP) & HWCAP_AES_BIT ? mac : NULL;
}
