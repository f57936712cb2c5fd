#include "dataplane/io/dp_punt.h"

#include <netinet/in.h>
#include <string.h>

#include "dataplane/io/dp_classify.h"

#define TOKEN      1000000ull
#define LEAST      32 /* packets that a bucket holds at least */
#define ETHER_ARP  0x0806
#define ETHER_VLAN 0x8100
#define LLC_MOST   1500 /* an EtherType below is a length: IS-IS, spanning tree */
#define ND_FIRST   133  /* ICMPv6: router solicitation ... */
#define ND_LAST    137  /* ... to redirect (RFC 4861 4) */
#define PROTO_OSPF 89
#define PROTO_PIM  103
#define PROTO_VRRP 112

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool is_routing_udp(uint16_t port)
{
	switch (port) {
	case 520:  /* RIP, RFC 2453 3.1 */
	case 521:  /* RIPng, RFC 2080 2 */
	case 3784: /* BFD, RFC 5881 4 */
	case 3785: /* BFD echo */
	case 4784: /* BFD over several hops, RFC 5883 5 */ return true;
	default: return false;
	}
}

/* An answer of ours to our own self-probe. */
static bool is_own(const struct dp_cfg *cfg, const struct sip_ip *src, uint16_t port)
{
	struct dp_endpoint at = { .ip = *src, .port = port, .transport = DP_UDP };

	return dp_cfg_listener_at(cfg, &at) != NULL;
}

static enum dp_punt class_of_udp(const uint8_t *l4, const struct sip_ip *src,
				 const struct dp_cfg *cfg)
{
	uint16_t from = get16(l4), to = get16(l4 + 2);

	if (is_routing_udp(to))
		return DP_PUNT_ROUTING;
	if (from == 53 || (cfg && (dp_cfg_source(cfg, src, from) || is_own(cfg, src, from))))
		return DP_PUNT_PROBES;
	return DP_PUNT_REST;
}

static enum dp_punt class_of_l4(uint8_t proto, const uint8_t *l4, size_t have,
				const struct sip_ip *src, const struct dp_cfg *cfg)
{
	switch (proto) {
	case PROTO_OSPF:
	case PROTO_PIM:
	case PROTO_VRRP: return DP_PUNT_ROUTING;
	case IPPROTO_ICMP: return DP_PUNT_PING;
	case IPPROTO_ICMPV6:
		return have && l4[0] >= ND_FIRST && l4[0] <= ND_LAST ? DP_PUNT_NEIGHBOURS
								     : DP_PUNT_PING;
	case IPPROTO_TCP:
		/* BGP (RFC 4271 8.2.1), from either side. */
		return have >= 4 && (get16(l4) == 179 || get16(l4 + 2) == 179) ? DP_PUNT_ROUTING
									       : DP_PUNT_REST;
	case IPPROTO_UDP: return have >= 4 ? class_of_udp(l4, src, cfg) : DP_PUNT_REST;
	default: return DP_PUNT_REST;
	}
}

static enum dp_punt class_of_ipv4(const uint8_t *ip, size_t have, const struct dp_cfg *cfg)
{
	struct sip_ip src = { .b = { [10] = 0xff, [11] = 0xff } };
	size_t header = (size_t)(ip[0] & 15) * 4;

	if (have < DP_IPV4_LEN || header < DP_IPV4_LEN || header > have)
		return DP_PUNT_REST;
	memcpy(src.b + 12, ip + 12, 4);
	/* Of a later fragment only the protocol is known. */
	if (get16(ip + 6) & 0x1fff)
		have = header;
	return class_of_l4(ip[9], ip + header, have - header, &src, cfg);
}

static enum dp_punt class_of_ipv6(const uint8_t *ip, size_t have, const struct dp_cfg *cfg)
{
	struct sip_ip src;

	if (have < DP_IPV6_LEN)
		return DP_PUNT_REST;
	memcpy(src.b, ip + 8, 16);
	return class_of_l4(ip[6], ip + DP_IPV6_LEN, have - DP_IPV6_LEN, &src, cfg);
}

enum dp_punt dp_punt_class(const uint8_t *frame, size_t len, const struct dp_cfg *cfg)
{
	size_t at = DP_ETHER_LEN;
	uint16_t type;

	if (len < DP_ETHER_LEN + 4)
		return DP_PUNT_REST;
	type = get16(frame + 12);
	if (type == ETHER_VLAN) {
		type = get16(frame + 16);
		at += 4;
	}
	if (type == ETHER_ARP)
		return DP_PUNT_NEIGHBOURS;
	if (type <= LLC_MOST)
		return DP_PUNT_ROUTING;
	if (type == DP_ETHER_IPV4 && len > at)
		return class_of_ipv4(frame + at, len - at, cfg);
	if (type == DP_ETHER_IPV6)
		return class_of_ipv6(frame + at, len - at, cfg);
	return DP_PUNT_REST;
}

bool dp_punt_take(struct dp_punts *p, unsigned int port, enum dp_punt class, uint32_t per_s,
		  uint64_t now_us)
{
	struct dp_punt_bucket *b = &p->bucket[port][class];
	uint64_t full = per_s / 10 > LEAST ? per_s / 10 * TOKEN : LEAST * TOKEN;
	uint64_t elapsed = now_us > b->used_us ? now_us - b->used_us : 0;

	if (per_s == 0)
		return true;
	/* After so long it is full, whatever the rate; and the product below cannot overflow. */
	b->parts = elapsed > 60 * TOKEN ? full : b->parts + elapsed * per_s;
	if (b->parts > full)
		b->parts = full;
	b->used_us = now_us;
	if (b->parts < TOKEN)
		return false;
	b->parts -= TOKEN;
	return true;
}
