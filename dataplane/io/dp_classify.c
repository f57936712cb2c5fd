#include "dataplane/io/dp_classify.h"

#include <stddef.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "dataplane/io/dp_checksum.h"
#include "dataplane/io/dp_inline.h"

#define IPV6_HEADERS_MAX 8 /* extension headers that we walk past */
#define ICMP_LEN         8u

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void mapped(struct sip_ip *ip, const uint8_t *v4)
{
	memset(ip->b, 0, 10);
	ip->b[10] = ip->b[11] = 0xff;
	memcpy(ip->b + 12, v4, 4);
}

/* RFC 1122 3.2.1.3 (g), RFC 4291 2.5.3: must not appear outside a host. */
static bool is_loopback(const struct sip_ip *ip)
{
	return dp_ip_is_v4(ip) ? ip->b[12] == 127 : IN6_IS_ADDR_LOOPBACK((const void *)ip->b);
}

/* Sets `reason` unless an earlier one is there: the packet's life decides the order. */
static void note(struct dp_packet *p, enum dp_reason reason)
{
	if (p->reason == DP_REASON_N)
		p->reason = (uint8_t)reason;
}

/*
 * RFC 791 3.1: every option but end (0) and no-operation (1) has a length of its own. A source
 * route (131, 137) is refused: its last hop may not be us (RFC 7126 4.3, 4.4).
 */
static bool ipv4_options_sound(const uint8_t *o, size_t len)
{
	size_t at = 0;

	while (at < len && o[at] != 0) {
		if (o[at] == 1) {
			at++;
			continue;
		}
		if (at + 2 > len || o[at + 1] < 2 || at + o[at + 1] > len || o[at] == 131
		    || o[at] == 137)
			return false;
		at += o[at + 1];
	}
	return true;
}

/* The last step of both families. @param end  Where the IP packet ends in the frame. */
static void classify_udp(const uint8_t *f, size_t at, size_t end, struct dp_packet *p)
{
	size_t udp_len;

	if (end - at < DP_UDP_LEN)
		return;
	p->kind = DP_PACKET_UDP;
	p->l4_off = (uint16_t)at;
	p->src.port = get16(f + at);
	p->dst.port = get16(f + at + 2);
	p->payload_off = (uint16_t)(at + DP_UDP_LEN);
	udp_len = get16(f + at + 4);
	if (udp_len < DP_UDP_LEN || udp_len > end - at) {
		note(p, DP_REASON_UDP_LENGTH);
		return;
	}
	p->payload_len = (uint16_t)(udp_len - DP_UDP_LEN);
	/* RFC 8200 8.1: over IPv6 the checksum is not optional. */
	if (get16(f + p->l3_off) >> 12 == 6 && get16(f + at + 6) == 0)
		note(p, DP_REASON_UDP_CHECKSUM);
	if (dp_ip_is_unanswerable(&p->src.ip) || is_loopback(&p->src.ip))
		note(p, DP_REASON_SRC_MULTICAST);
	if (p->src.port == 0)
		note(p, DP_REASON_SRC_PORT_ZERO);
}

COLD void classify_fragment(size_t at, struct dp_packet *p)
{
	p->kind = DP_PACKET_FRAGMENT;
	p->l4_off = (uint16_t)at;
}

/*
 * Errors are RFC 792's 3, 4, 11 and 12, and RFC 4443's 1 to 4. A redirect (5, 137) is the kernel's,
 * whose routes we follow. What does not fit its packet is left to the kernel, too.
 */
COLD void classify_icmp(const uint8_t *f, size_t at, size_t end, bool v4, struct dp_packet *p)
{
	if (end - at < ICMP_LEN || p->reason != DP_REASON_N)
		return;
	if (v4 ? f[at] != 3 && f[at] != 4 && f[at] != 11 && f[at] != 12 : f[at] < 1 || f[at] > 4)
		return;
	p->kind = DP_PACKET_ICMP;
	p->l4_off = (uint16_t)at;
	p->payload_len = (uint16_t)(end - at);
}

/* What all IPv4 packets have, judged. */
static inline void read_ipv4(const uint8_t *ip, size_t have, size_t header, size_t total,
			     struct dp_packet *p)
{
	p->tclass = ip[1];
	mapped(&p->src.ip, ip + 12);
	mapped(&p->dst.ip, ip + 16);
	if (total < header)
		note(p, DP_REASON_IP_HEADER);
	else if (total > have)
		note(p, DP_REASON_L2_SHORT);
	if (!ipv4_options_sound(ip + DP_IPV4_LEN, header - DP_IPV4_LEN))
		note(p, DP_REASON_IP_OPTIONS);
}

/* What is no UDP, or a fragment. */
COLD void classify_ipv4_rest(const uint8_t *f, size_t have, size_t header, size_t total,
			     struct dp_packet *p)
{
	const uint8_t *ip = f + p->l3_off;
	bool fragment = get16(ip + 6) & 0x3fff; /* more fragments, offset */

	if (ip[9] != IPPROTO_UDP && (ip[9] != IPPROTO_ICMP || fragment))
		return;
	read_ipv4(ip, have, header, total, p);
	if (fragment)
		classify_fragment(p->l3_off + header, p);
	else
		classify_icmp(f, p->l3_off + header, p->l3_off + total, true, p);
}

static void classify_ipv4(const uint8_t *f, size_t len, struct dp_packet *p)
{
	const uint8_t *ip = f + p->l3_off;
	size_t have = len - p->l3_off, header, total;

	if (have < DP_IPV4_LEN)
		return;
	header = (size_t)(ip[0] & 15) * 4;
	total = get16(ip + 2);
	if (ip[0] >> 4 != 4 || header < DP_IPV4_LEN || header > have)
		return;
	if (ip[9] != IPPROTO_UDP || (get16(ip + 6) & 0x3fff)) {
		classify_ipv4_rest(f, have, header, total, p);
		return;
	}
	read_ipv4(ip, have, header, total, p);
	/* A frame may be padded (RFC 894), and a bad total length must not hide who it is for. */
	if (p->reason != DP_REASON_N || total > have)
		total = have;
	classify_udp(f, p->l3_off + header, p->l3_off + total, p);
}

/* Where a walk along IPv6's headers ended. */
struct ipv6_end {
	size_t at;        /* from the IPv6 header */
	uint8_t protocol; /* IPPROTO_UDP, _ICMPV6 or _FRAGMENT */
};

/* A fragment that may be of a UDP datagram: what comes first in it is UDP, or goes before it. */
static bool may_carry_udp(uint8_t next)
{
	return next == IPPROTO_UDP || next == IPPROTO_DSTOPTS;
}

/*
 * Walk to the UDP or ICMPv6 header, or to the header of a fragment (RFC 8200 4.1). A packet whose
 * fragment header says that it is whole (RFC 6946) is no fragment. Returns false for what is none
 * of these, or not for us.
 */
static bool ipv6_walk(const uint8_t *ip, size_t have, struct ipv6_end *end)
{
	size_t at = DP_IPV6_LEN;
	uint8_t next = ip[6];

	for (int i = 0; i <= IPV6_HEADERS_MAX && next != IPPROTO_UDP; i++) {
		if (have - at < 8)
			return false;
		switch (next) {
		case IPPROTO_ROUTING:
			if (ip[at + 3] != 0)
				return false;
			/* fall through */
		case IPPROTO_HOPOPTS:
		case IPPROTO_DSTOPTS:
			next = ip[at];
			at += 8 + (size_t)ip[at + 1] * 8;
			break;
		case IPPROTO_FRAGMENT:
			if (get16(ip + at + 2) & 0xfff9) {
				*end = (struct ipv6_end){ at, IPPROTO_FRAGMENT };
				return may_carry_udp(ip[at]);
			}
			next = ip[at];
			at += 8;
			break;
		case IPPROTO_ICMPV6: *end = (struct ipv6_end){ at, IPPROTO_ICMPV6 }; return true;
		default: return false;
		}
		if (at > have)
			return false;
	}
	*end = (struct ipv6_end){ at, IPPROTO_UDP };
	return next == IPPROTO_UDP;
}

static void classify_ipv6(const uint8_t *f, size_t len, struct dp_packet *p)
{
	const uint8_t *ip = f + p->l3_off;
	size_t have = len - p->l3_off, total, in_frame;
	struct ipv6_end end;

	if (have < DP_IPV6_LEN || ip[0] >> 4 != 6)
		return;
	total = DP_IPV6_LEN + (size_t)get16(ip + 4);
	in_frame = total < have ? total : have;
	if (!ipv6_walk(ip, in_frame, &end))
		return;
	p->tclass = (uint8_t)(get16(ip) >> 4);
	memcpy(p->src.ip.b, ip + 8, 16);
	memcpy(p->dst.ip.b, ip + 24, 16);
	if (total > have)
		note(p, DP_REASON_L2_SHORT);
	/* RFC 4038 4.2: mapped addresses do not belong on the wire; one must not pass for IPv4. */
	if (dp_ip_is_v4(&p->src.ip) || dp_ip_is_v4(&p->dst.ip))
		note(p, DP_REASON_IP_HEADER);
	if (end.protocol == IPPROTO_UDP)
		classify_udp(f, p->l3_off + end.at, p->l3_off + in_frame, p);
	else if (end.protocol == IPPROTO_FRAGMENT)
		classify_fragment(p->l3_off + end.at, p);
	else
		classify_icmp(f, p->l3_off + end.at, p->l3_off + in_frame, false, p);
}

/* VLAN 0 is a priority and no VLAN (IEEE 802.1Q 6.9): as if there were no tag. Returns the type of
 * what follows the tag, or the tag's own. */
COLD uint16_t see_through_tag(const uint8_t *f, size_t len, struct dp_packet *p)
{
	if (len < DP_ETHER_LEN + DP_VLAN_LEN || (get16(f + 14) & 0xfff) != 0)
		return DP_ETHER_VLAN;
	p->l3_off = DP_ETHER_LEN + DP_VLAN_LEN;
	return get16(f + 16);
}

__attribute__((noinline)) void dp_classify_whole(const uint8_t *f, size_t len, struct dp_packet *p)
{
	uint16_t type;

	memset(p, 0, sizeof(*p));
	p->kind = DP_PACKET_OTHER;
	p->reason = DP_REASON_N;
	if (len < DP_ETHER_LEN)
		return;
	p->multicast = f[0] & 1;
	p->l3_off = DP_ETHER_LEN;
	type = get16(f + 12);
	if (type == DP_ETHER_VLAN)
		type = see_through_tag(f, len, p);
	switch (type) {
	case DP_ETHER_IPV4: classify_ipv4(f, len, p); break;
	case DP_ETHER_IPV6: classify_ipv6(f, len, p); break;
	default: break;
	}
}

static inline uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void put64(void *to, uint64_t v)
{
	memcpy(to, &v, sizeof(v));
}

/* An endpoint, from an IPv4 address and a port as they stand in headers. */
static inline void put_endpoint(struct dp_endpoint *e, uint32_t ip, uint16_t port)
{
	uint8_t *to = (uint8_t *)e;

	put64(to, 0);
	put64(to + 8, DP_IP_MAPPED | (uint64_t)ip << 32);
	put64(to + 16, ntohs(port));
}

/* Places in a frame of IPv4 without tag and options. */
#define IPV4_AT 14u
#define UDP_AT  (IPV4_AT + DP_IPV4_LEN)
#define DATA_AT (UDP_AT + DP_UDP_LEN)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are read as words");
_Static_assert(offsetof(struct dp_packet, payload_off) == 8
		       && offsetof(struct dp_packet, payload_len) == 10
		       && offsetof(struct dp_packet, multicast) == 3
		       && offsetof(struct dp_packet, l4_off) == 6
		       && sizeof(struct dp_endpoint) == offsetof(struct dp_endpoint, port) + 8,
	       "and records written as words");

/*
 * What nearly every message comes as: UDP over IPv4 without tag, options or fragments, sound in
 * all that is judged here. Returns false for anything else, and for what may be nothing else.
 */
static inline bool classify_plain(const uint8_t *f, size_t len, struct dp_packet *p)
{
	uint64_t kind, fragment, addresses, ports;
	uint32_t have = (uint32_t)len - IPV4_AT, total, udp;

	if (len < DATA_AT)
		return false;
	kind = get64(f + 12);      /* type, version and header length, class, total length, ID */
	fragment = get64(f + 18);  /* ID, fragment, TTL, protocol, checksum */
	addresses = get64(f + 26); /* of source and destination */
	ports = get64(f + 34);     /* of both, length, checksum */
	total = ntohs((uint16_t)(kind >> 32));
	udp = ntohs((uint16_t)(ports >> 32));
	if (((kind ^ 0x450008) & 0xffffff)
	    | ((fragment ^ (uint64_t)IPPROTO_UDP << 40) & 0xff00ff3f0000))
		return false;
	if (total > have || udp < DP_UDP_LEN || total < DP_IPV4_LEN + udp)
		return false;
	/* 1 to 126, 128 to 223: the others may not be answered, or not be on a wire. */
	if ((uint8_t)(addresses - 1) >= 223 || (uint8_t)addresses == 127 || !(uint16_t)ports)
		return false;
	put64(p, DP_PACKET_UDP | DP_REASON_N << 8 | (kind >> 24 & 0xff) << 16
			 | (uint64_t)(f[0] & 1) << 24 | (uint64_t)IPV4_AT << 32
			 | (uint64_t)UDP_AT << 48);
	p->payload_off = DATA_AT;
	p->payload_len = (uint16_t)(udp - DP_UDP_LEN);
	put_endpoint(&p->src, (uint32_t)addresses, (uint16_t)ports);
	put_endpoint(&p->dst, (uint32_t)(addresses >> 32), (uint16_t)(ports >> 16));
	return true;
}

void dp_classify(const uint8_t *f, size_t len, struct dp_packet *p)
{
	if (__builtin_expect(!classify_plain(f, len, p), 0))
		dp_classify_whole(f, len, p);
}

bool dp_classify_ip_sum(const uint8_t *f, const struct dp_packet *p)
{
	const uint8_t *ip = f + p->l3_off;

	if (ip[0] >> 4 != 4)
		return true;
	return dp_sum_fold(dp_sum(ip, (size_t)(ip[0] & 15) * 4)) == 0xffff;
}

uint64_t dp_pseudo_sum(const struct sip_ip *src, const struct sip_ip *dst, uint16_t udp_len)
{
	dp_sum_t rest = (dp_sum_t)htons(udp_len) + htons(IPPROTO_UDP);

	/* An IPv4 address is summed as such: the mapped prefix, ffff, would add nothing but its
	 * own 0 in ones' complement, and is left out all the same. */
	if (dp_ip_is_v4(src))
		return rest + dp_sum_words(src->b + 12, 1) + dp_sum_words(dst->b + 12, 1);
	return rest + dp_sum_words(src->b, 4) + dp_sum_words(dst->b, 4);
}

bool dp_classify_udp_sum(const uint8_t *f, const struct dp_packet *p)
{
	uint16_t udp_len = (uint16_t)(p->payload_len + DP_UDP_LEN);

	if (f[p->l4_off + 6] == 0 && f[p->l4_off + 7] == 0)
		return f[p->l3_off] >> 4 == 4;
	return dp_sum_fold(dp_pseudo_sum(&p->src.ip, &p->dst.ip, udp_len)
			   + dp_sum(f + p->l4_off, udp_len))
	       == 0xffff;
}
