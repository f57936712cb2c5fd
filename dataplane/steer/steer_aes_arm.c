/* AES-128 by the instructions of ARMv8's Cryptographic Extension. Owns nothing; pure. */
#include <arm_neon.h>
#include <sys/auxv.h>

#include "dataplane/steer/steer_aes.h"

#define HWCAP_AES_BIT (1ul << 3) /* HWCAP_AES of Linux's asm/hwcap.h */

#define AES __attribute__((target("+crypto")))

/* AESE adds the key before it substitutes; so the last key is added alone. */
static AES inline uint8x16_t block_of(uint64_t low, uint64_t high)
{
	return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low), vcreate_u64(high)));
}

static AES uint64_t block(const uint8_t *round, uint64_t low, uint64_t high)
{
	const uint8_t *k = round;
	uint8x16_t s = block_of(low, high);

	for (unsigned int r = 0; r < STEER_AES_ROUNDS - 2; r++, k += 16)
		s = vaesmcq_u8(vaeseq_u8(s, vld1q_u8(k)));
	s = veorq_u8(vaeseq_u8(s, vld1q_u8(k)), vld1q_u8(k + 16));
	return vgetq_lane_u64(vreinterpretq_u64_u8(s), 0);
}

static AES struct steer_aes_two two(const uint8_t *round, uint64_t low, uint64_t high,
				    uint64_t low2, uint64_t high2)
{
	const uint8_t *k = round;
	uint8x16_t s = block_of(low, high), t = block_of(low2, high2), key;

	for (unsigned int r = 0; r < STEER_AES_ROUNDS - 2; r++, k += 16) {
		key = vld1q_u8(k);
		s = vaesmcq_u8(vaeseq_u8(s, key));
		t = vaesmcq_u8(vaeseq_u8(t, key));
	}
	key = vld1q_u8(k + 16);
	s = veorq_u8(vaeseq_u8(s, vld1q_u8(k)), key);
	t = veorq_u8(vaeseq_u8(t, vld1q_u8(k)), key);
	return (struct steer_aes_two){ vgetq_lane_u64(vreinterpretq_u64_u8(s), 0),
				       vgetq_lane_u64(vreinterpretq_u64_u8(t), 0) };
}

struct steer_aes_impl steer_aes_machine(void)
{
	if (!(getauxval(AT_HWCAP) & HWCAP_AES_BIT))
		return (struct steer_aes_impl){ 0 };
	return (struct steer_aes_impl){ "instructions", block, two };
}
