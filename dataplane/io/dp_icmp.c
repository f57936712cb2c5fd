#include "dataplane/io/dp_icmp.h"

#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "dataplane/io/dp_checksum.h"

#define ICMP_LEN     8u
#define FRAGMENT_LEN 8u

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* What of the quoted packet is there. */
struct quote {
	const uint8_t *p;
	uint32_t len;
};

/* RFC 1122 3.2.2.1 names the codes; RFC 3261 18.4 asks to act on host, net, port and protocol
 * unreachable, "administratively prohibited" among them, and to ignore the rest. */
static uint8_t kind_v4(uint8_t type, uint8_t code)
{
	if (type != 3)
		return DP_ICMP_IGNORED;
	switch (code) {
	case 0:  /* net */
	case 1:  /* host */
	case 2:  /* protocol */
	case 3:  /* port */
	case 6:  /* net unknown */
	case 7:  /* host unknown */
	case 9:  /* net prohibited */
	case 10: /* host prohibited */
	case 13: /* RFC 1812 5.2.7.1: prohibited by filtering */ return DP_ICMP_UNREACHABLE;
	case 4: return DP_ICMP_TOO_BIG;
	default: return DP_ICMP_IGNORED; /* 5 source route failed, 8, 11, 12: type of service */
	}
}

/* RFC 4443 3.1, 3.2, 3.4: a parameter problem of code 1 is what "protocol unreachable" was. */
static uint8_t kind_v6(uint8_t type, uint8_t code)
{
	if (type == 1)
		return DP_ICMP_UNREACHABLE;
	if (type == 2)
		return DP_ICMP_TOO_BIG;
	return type == 4 && code == 1 ? DP_ICMP_UNREACHABLE : DP_ICMP_IGNORED;
}

/* RFC 4884 3: where extensions follow, a length says how much is quote, in words of 4 or 8 bytes.
 */
static struct quote find_quote(const uint8_t *icmp, uint32_t len, bool v4)
{
	struct quote q = { icmp + ICMP_LEN, len - ICMP_LEN };
	uint32_t said = v4 ? icmp[5] * 4u : icmp[4] * 8u;
	bool has_length =
		v4 ? icmp[0] == 3 || icmp[0] == 11 || icmp[0] == 12 : icmp[0] == 1 || icmp[0] == 3;

	if (has_length && said && said < q.len)
		q.len = said;
	return q;
}

/* Reads the UDP header that begins `at` bytes into the quote. @param udp_len  By the IP header. */
static enum dp_icmp_outcome read_udp(struct quote q, uint32_t at, uint32_t udp_len,
				     struct dp_icmp *e)
{
	uint32_t n;

	if (q.len < at + DP_UDP_LEN)
		return DP_ICMP_BROKEN;
	n = get16(q.p + at + 4);
	if (n < DP_UDP_LEN || n > udp_len)
		return DP_ICMP_BROKEN;
	e->from.port = (uint16_t)get16(q.p + at);
	e->to.port = (uint16_t)get16(q.p + at + 2);
	e->quote = q.p + at + DP_UDP_LEN;
	e->quote_len = q.len - at - DP_UDP_LEN;
	if (e->quote_len > n - DP_UDP_LEN)
		e->quote_len = n - DP_UDP_LEN;
	return DP_ICMP_READ;
}

static void mapped(struct sip_ip *ip, const uint8_t *v4)
{
	ip->b[10] = ip->b[11] = 0xff;
	memcpy(ip->b + 12, v4, 4);
}

static enum dp_icmp_outcome read_v4(struct quote q, struct dp_icmp *e)
{
	uint32_t header, total;

	if (q.len < DP_IPV4_LEN)
		return DP_ICMP_BROKEN;
	header = (q.p[0] & 15) * 4u;
	total = get16(q.p + 2);
	if (q.p[0] >> 4 != 4 || header < DP_IPV4_LEN || total < header)
		return DP_ICMP_BROKEN;
	if (q.p[9] != IPPROTO_UDP || (get16(q.p + 6) & 0x1fff))
		return DP_ICMP_NOT_UDP;
	mapped(&e->from.ip, q.p + 12);
	mapped(&e->to.ip, q.p + 16);
	/* A first fragment holds less than its datagram. */
	return read_udp(q, header, get16(q.p + 6) & 0x2000 ? UINT16_MAX : total - header, e);
}

static enum dp_icmp_outcome read_v6(struct quote q, struct dp_icmp *e)
{
	uint32_t at = DP_IPV6_LEN, total;

	if (q.len < DP_IPV6_LEN || q.p[0] >> 4 != 6)
		return DP_ICMP_BROKEN;
	total = DP_IPV6_LEN + get16(q.p + 4);
	memcpy(e->from.ip.b, q.p + 8, 16);
	memcpy(e->to.ip.b, q.p + 24, 16);
	e->flow = (q.p[1] & 15u) << 16 | get16(q.p + 2);
	/* We send no extension header but a fragment's. */
	if (q.p[6] == IPPROTO_FRAGMENT && q.len >= at + FRAGMENT_LEN && q.p[at] == IPPROTO_UDP) {
		if (get16(q.p + at + 2) & 0xfff8)
			return DP_ICMP_NOT_UDP;
		return read_udp(q, at + FRAGMENT_LEN, UINT16_MAX, e);
	}
	if (q.p[6] != IPPROTO_UDP)
		return DP_ICMP_NOT_UDP;
	return read_udp(q, at, total - at, e);
}

enum dp_icmp_outcome dp_icmp_read(const uint8_t *frame, const struct dp_packet *p,
				  struct dp_icmp *e)
{
	const uint8_t *icmp = frame + p->l4_off;
	bool v4 = frame[p->l3_off] >> 4 == 4;
	struct quote q = find_quote(icmp, p->payload_len, v4);
	enum dp_icmp_outcome outcome;

	*e = (struct dp_icmp){ .type = icmp[0], .code = icmp[1], .v6 = !v4 };
	e->kind = v4 ? kind_v4(icmp[0], icmp[1]) : kind_v6(icmp[0], icmp[1]);
	outcome = v4 ? read_v4(q, e) : read_v6(q, e);
	if (e->kind == DP_ICMP_TOO_BIG)
		e->mtu = v4 ? get16(icmp + 6) : get16(icmp + 4) << 16 | get16(icmp + 6);
	/* An error goes to who sent the packet that it quotes. */
	if (outcome == DP_ICMP_READ && !dp_ip_equal(&e->from.ip, &p->dst.ip))
		return DP_ICMP_BROKEN;
	return outcome;
}

bool dp_icmp_sum(const uint8_t *frame, const struct dp_packet *p)
{
	dp_sum_t s = dp_sum(frame + p->l4_off, p->payload_len);

	/* RFC 4443 2.3: over the pseudo-header as well. */
	if (frame[p->l3_off] >> 4 == 6)
		s += dp_sum(p->src.ip.b, 16) + dp_sum(p->dst.ip.b, 16) + htons(p->payload_len)
		     + htons(IPPROTO_ICMPV6);
	return dp_sum_fold(s) == 0xffff;
}
