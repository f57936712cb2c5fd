/*
 * A line's beginning against a pattern, in one register of 16 bytes: SSE4.2's and AVX2's scans
 * share it, each compiled for its own instructions.
 */
#pragma once

#include "sip/sip_block.h"

#include <immintrin.h>

static inline bool has_prefix(const uint8_t *line, const struct sip_pattern *p)
{
	__m128i text = _mm_load_si128((const __m128i *)p->text);
	__m128i mask = _mm_load_si128((const __m128i *)p->mask);
	__m128i lift = _mm_load_si128((const __m128i *)p->lift);

	return _mm_testz_si128(
		_mm_xor_si128(_mm_adds_epu8(lift, _mm_loadu_si128((const __m128i *)line)), text),
		mask);
}
