#include "dataplane/io/dp_split.h"

#include <stdbool.h>
#include <string.h>

#include <netinet/in.h>

#include "dataplane/io/dp_checksum.h"
#include "dataplane/io/dp_classify.h"

#define FRAGMENT_LEN 8u /* IPv6's fragment header */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static bool is_v4(const struct dp_split *s)
{
	return s->packet[0] >> 4 == 4;
}

unsigned int dp_split_begin(struct dp_split *s, const uint8_t *packet, uint32_t len, uint32_t mtu,
			    uint32_t id)
{
	uint32_t room;

	s->packet = packet;
	s->id = id;
	s->header = is_v4(s) ? DP_IPV4_LEN : DP_IPV6_LEN;
	s->data = len - s->header;
	room = mtu - s->header - (is_v4(s) ? 0 : FRAGMENT_LEN);
	s->step = room & ~7u;
	/* The last one may be no multiple of 8, and longer than the others. */
	s->n = s->data <= room ? 1 : 1 + (s->data - room + s->step - 1) / s->step;
	return s->n;
}

static uint32_t put_ipv4(const struct dp_split *s, uint8_t *ip, uint32_t off, uint32_t n, bool more)
{
	memcpy(ip, s->packet, DP_IPV4_LEN);
	put16(ip + 2, DP_IPV4_LEN + n);
	put16(ip + 6, off / 8 | (more ? 0x2000u : 0));
	put16(ip + 10, 0);
	memcpy(ip + 10, &(uint16_t){ dp_sum_finish(dp_sum(ip, DP_IPV4_LEN)) }, 2);
	return DP_IPV4_LEN;
}

static uint32_t put_ipv6(const struct dp_split *s, uint8_t *ip, uint32_t off, uint32_t n, bool more)
{
	uint8_t *h = ip + DP_IPV6_LEN;

	memcpy(ip, s->packet, DP_IPV6_LEN);
	put16(ip + 4, FRAGMENT_LEN + n);
	h[0] = ip[6];
	ip[6] = IPPROTO_FRAGMENT;
	h[1] = 0;
	put16(h + 2, off | more);
	put16(h + 4, s->id >> 16);
	put16(h + 6, s->id);
	return DP_IPV6_LEN + FRAGMENT_LEN;
}

uint32_t dp_split_put(const struct dp_split *s, unsigned int i, uint8_t *out)
{
	uint32_t off = i * s->step, n = i + 1 == s->n ? s->data - off : s->step;
	bool more = i + 1 < s->n;
	uint32_t header =
		is_v4(s) ? put_ipv4(s, out, off, n, more) : put_ipv6(s, out, off, n, more);

	memcpy(out + header, s->packet + s->header + off, n);
	return header + n;
}
