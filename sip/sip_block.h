/*
 * What the scan's variants share, given how each looks at 64 bytes, or at 16:
 *
 *     uint64_t feeds64(const uint8_t *p)                             the bytes that are LF
 *     uint64_t stops64(const uint8_t *p)                             those that are in no word
 *     uint64_t breaks64(const uint8_t *p)                            those not in .unbroken
 *     uint64_t out64(const uint8_t *p, const struct sip_set *set)    those that are not in a set
 *     bool has_prefix(const uint8_t *line, const struct sip_pattern *p)  whether it begins so
 *
 * A variant defines these and then includes sip_pass.h, which makes the rest of a struct sip_scan
 * of them.
 */
#pragma once

#include "sip/sip_internal.h"

#define SIP_BLOCK 64

/* 64 bytes that hold those of [i, limit), fewer than 64, and how far they are shifted up: bytes
 * before them, or zeros behind. */
static inline const uint8_t *sip_block_cut(const uint8_t *buf, uint32_t i, uint32_t limit,
					   uint8_t copy[SIP_BLOCK], unsigned int *shift)
{
	if (limit >= SIP_BLOCK) {
		*shift = SIP_BLOCK - (limit - i);
		return buf + limit - SIP_BLOCK;
	}
	*shift = 0;
	memset(copy, 0, SIP_BLOCK);
	memcpy(copy, buf + i, limit - i);
	return copy;
}
