/*
 * UDP and IPv4 headers, put together in registers and summed on the way: what has just been stored
 * in pieces is slow to load. For the two callers on a message's way; dp_rewrite.h has what they do
 * in words.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>

#include "dataplane/io/dp_checksum.h"
#include "dataplane/io/dp_rewrite.h"

#define DP_TTL 64

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are put together as words");

/** A word of a header, from its two halves. */
static inline uint32_t dp_header_word(uint32_t first, uint32_t second)
{
	return htonl(first << 16 | second);
}

/**
 * The second word of a UDP header: length and checksum.
 * @param payload  For those that have not been summed.
 * @param pseudo   The pseudo-header's sum (RFC 768; RFC 8200 8.1).
 * @param ports    The first word.
 */
static inline uint32_t dp_header_udp(const uint8_t *payload, const struct dp_payload *pl,
				     dp_sum_t pseudo, uint32_t ports, bool offload)
{
	uint32_t len = htons((uint16_t)(pl->len + DP_UDP_LEN)), field;

	if (offload)
		return len | (uint32_t)dp_sum_fold(pseudo) << 16;
	field = dp_sum_finish_high(pseudo + ports + len
				   + (pl->summed ? pl->sum : dp_sum(payload, pl->len)));
	/* RFC 768: 0 would say that there is none */
	return len | (field ? field : 0xffff0000);
}

/**
 * IPv4 and UDP headers in front of a payload.
 * @param from, to  IPv4's; the other parameters as in struct dp_headers.
 */
static inline void dp_header_ipv4(uint8_t *payload, const struct dp_payload *pl,
				  const struct dp_endpoint *from, const struct dp_endpoint *to,
				  uint16_t id, uint8_t tclass, bool offload)
{
	uint64_t first = dp_header_word(0x4500u | (tclass & 0xfcu),
					pl->len + DP_UDP_LEN + DP_IPV4_LEN),
		 second = dp_header_word(id, 0),
		 third = dp_header_word(DP_TTL << 8 | IPPROTO_UDP, 0),
		 ports = dp_header_word(from->port, to->port), w[3];
	uint32_t src, dst, last;
	dp_sum_t addresses;

	memcpy(&src, from->ip.b + 12, 4);
	memcpy(&dst, to->ip.b + 12, 4);
	addresses = (dp_sum_t)src + dst;
	third |= dp_sum_finish_high(addresses + first + second + third);
	last = dp_header_udp(payload, pl,
			     addresses + htons((uint16_t)(pl->len + DP_UDP_LEN))
				     + htons(IPPROTO_UDP),
			     (uint32_t)ports, offload);
	w[0] = first | second << 32;
	w[1] = third | (uint64_t)src << 32;
	w[2] = dst | ports << 32;
	memcpy(payload - 28, &w[0], 8);
	memcpy(payload - 20, &w[1], 8);
	memcpy(payload - 12, &w[2], 8);
	memcpy(payload - 4, &last, 4);
}
