#include "dataplane/io/dp_fragment.h"

#include <string.h>

#include <netinet/in.h>

#define FRAGMENT_LEN 8u /* IPv6's fragment header */

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* The most that a datagram may have behind its IP header (IPv4), or behind the unfragmentable part
 * of which nothing is known but that it is an IPv6 header at least. */
static uint32_t data_max(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? UINT16_MAX - DP_IPV4_LEN : UINT16_MAX;
}

static void read_ipv4(const uint8_t *ip, const struct dp_packet *p, struct dp_fragment *f)
{
	f->id = get16(ip + 4);
	f->off = (get16(ip + 6) & 0x1fff) * 8;
	f->more = get16(ip + 6) & 0x2000;
	f->next = IPPROTO_UDP;
	f->data_off = p->l4_off;
	f->len = get16(ip + 2) - (uint32_t)(p->l4_off - p->l3_off);
}

static void read_ipv6(const uint8_t *ip, const struct dp_packet *p, struct dp_fragment *f)
{
	const uint8_t *h = ip + (p->l4_off - p->l3_off);

	f->id = get16(h + 4) << 16 | get16(h + 6);
	f->off = get16(h + 2) & 0xfff8;
	f->more = h[3] & 1;
	f->next = h[0];
	f->data_off = (uint16_t)(p->l4_off + FRAGMENT_LEN);
	f->len = DP_IPV6_LEN + get16(ip + 4) - (uint32_t)(f->data_off - p->l3_off);
}

enum dp_reason dp_fragment_read(const uint8_t *frame, const struct dp_packet *p,
				struct dp_fragment *f)
{
	const uint8_t *ip = frame + p->l3_off;

	if (p->reason != DP_REASON_N)
		return p->reason;
	*f = (struct dp_fragment){
		.src = p->src.ip, .dst = p->dst.ip, .multicast = p->multicast, .tclass = p->tclass
	};
	if (ip[0] >> 4 == 4)
		read_ipv4(ip, p, f);
	else
		read_ipv6(ip, p, f);
	if (f->len == 0 || (f->more && f->len % 8) || f->off + f->len > data_max(ip))
		return DP_REASON_IP_FRAGMENT;
	return DP_REASON_N;
}

bool dp_fragment_to(const uint8_t *frame, const struct dp_fragment *f, struct dp_endpoint *to)
{
	const uint8_t *d = frame + f->data_off;
	uint32_t at = 0;

	if (f->next == IPPROTO_DSTOPTS) {
		if (f->len < 8 || d[0] != IPPROTO_UDP)
			return false;
		at = 8 + (uint32_t)d[1] * 8;
	} else if (f->next != IPPROTO_UDP) {
		return false;
	}
	if (at + DP_UDP_LEN > f->len)
		return false;
	*to = (struct dp_endpoint){ .ip = f->dst, .port = (uint16_t)get16(d + at + 2) };
	return true;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

unsigned int dp_fragment_owner(const struct dp_fragment *f, unsigned int n_workers)
{
	uint64_t w[4], h = 0;

	if (n_workers < 2)
		return 0;
	memcpy(w, f->src.b, 16);
	memcpy(w + 2, f->dst.b, 16);
	for (int i = 0; i < 4; i++)
		h = mix(h, w[i]);
	return (unsigned int)((h >> 32) * n_workers >> 32);
}
