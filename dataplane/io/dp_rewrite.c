#include "dataplane/io/dp_rewrite.h"

#include <errno.h>
#include <string.h>

#include "dataplane/io/dp_edit.h"
#include "dataplane/io/dp_headers.h"

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The payload's sum, as its datagram's checksum says: all that was summed, less the headers. */
static dp_sum_t payload_sum(const uint8_t *frame, const struct dp_packet *p)
{
	const uint8_t *udp = frame + p->l4_off;
	uint16_t udp_len = (uint16_t)(p->payload_len + DP_UDP_LEN);
	dp_sum_t headers =
		dp_pseudo_sum(&p->src.ip, &p->dst.ip, udp_len) + dp_sum_words(udp, DP_UDP_LEN / 4);

	/* headers, checksum field included, + payload == 0xffff, that is, 0; and so is any
	 * multiple, this one of more than ten words */
	return (65535ull << 20) - headers;
}

/* RFC 768: 0 says that there is none. */
static bool has_sum(const uint8_t *udp)
{
	uint16_t sum;

	memcpy(&sum, udp + 6, sizeof(sum));
	return sum != 0;
}

/*
 * The front moves towards the start by that, and what is behind it away by the rest. Either of them
 * stays where it is, if there is room for that: the rest at best.
 */
static int64_t front_goes_back(int64_t at, int64_t delta, uint32_t len, uint32_t size)
{
	int64_t room = at - DP_HEADERS_MAX;

	if (delta <= room)
		return delta;
	return room >= 0 && at + len + delta <= size ? 0 : room;
}

int dp_rewrite_payload(struct dp_frame *f, const struct dp_packet *p, const struct sip_edits *es,
		       uint8_t *scratch, struct dp_payload *out)
{
	uint8_t *frame = f->buf + f->off;
	int64_t at = f->off + p->payload_off; /* of the payload in the buffer */
	int64_t back = front_goes_back(at, es->delta, p->payload_len, f->size);
	bool summed = has_sum(frame + p->l4_off);
	struct dp_edit d = {
		.edits = es,
		.payload = frame + p->payload_off,
		.len = p->payload_len,
		.summed = summed,
		.back = back,
		.sum = summed ? payload_sum(frame, p) : 0,
		.scratch = scratch,
	};

	if (at + p->payload_len + es->delta - back > f->size)
		return -ENOSPC;
	out->sum = dp_edit(&d);
	out->summed = summed;
	f->off = out->off = (uint32_t)(at - back);
	f->len = out->len = (uint32_t)((int64_t)p->payload_len + es->delta);
	return 0;
}

static void put_ipv6(uint8_t *ip, uint16_t udp_len, const struct dp_headers *h)
{
	put16(ip, (uint16_t)(0x6000u | (h->tclass & 0xfcu) << 4 | h->flow >> 16));
	put16(ip + 2, (uint16_t)h->flow);
	put16(ip + 4, udp_len);
	ip[6] = IPPROTO_UDP;
	ip[7] = DP_TTL;
	memcpy(ip + 8, h->from.ip.b, 16);
	memcpy(ip + 24, h->to.ip.b, 16);
}

uint16_t dp_rewrite_headers(struct dp_frame *f, const struct dp_payload *pl,
			    const struct dp_headers *h)
{
	uint16_t udp_len = (uint16_t)(pl->len + DP_UDP_LEN);
	uint8_t *payload = f->buf + pl->off;
	uint32_t w[DP_UDP_LEN / 4] = { dp_header_word(h->from.port, h->to.port) };

	if (dp_ip_is_v4(&h->to.ip)) {
		dp_header_ipv4(payload, pl, &h->from, &h->to, h->ipv4_id, h->tclass, h->offload);
		f->off = pl->off - DP_UDP_LEN - DP_IPV4_LEN;
		f->len = DP_IPV4_LEN + udp_len;
		return DP_ETHER_IPV4;
	}
	w[1] = dp_header_udp(payload, pl, dp_pseudo_sum(&h->from.ip, &h->to.ip, udp_len), w[0],
			     h->offload);
	memcpy(payload - sizeof(w), w, sizeof(w));
	f->off = pl->off - DP_UDP_LEN - DP_IPV6_LEN;
	f->len = DP_IPV6_LEN + udp_len;
	put_ipv6(f->buf + f->off, udp_len, h);
	return DP_ETHER_IPV6;
}

void dp_rewrite_ether(struct dp_frame *f, const uint8_t *dst, const uint8_t *src,
		      uint16_t ethertype)
{
	uint8_t *e = f->buf + f->off - DP_ETHER_LEN;

	memcpy(e, dst, 6);
	memcpy(e + 6, src, 6);
	put16(e + 12, ethertype);
	f->off -= DP_ETHER_LEN;
	f->len += DP_ETHER_LEN;
}
