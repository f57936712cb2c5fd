/*
 * A frame off the wire: classified, and if it is a sound datagram edited in place and given new
 * headers of either family. What leaves has the payload that applying the edits to a copy gives,
 * classifies as what it was meant to be, and has right checksums, unless it came with a wrong one:
 * then a wrong one goes out as well.
 *
 * Twelve bytes of orders come first (room before and behind, family, three edits), then the frame.
 */
#include "dataplane/io/dp_rewrite.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#define ORDERS     12
#define FRAME_MAX  4096
#define INSERT_MAX 255

static uint8_t scratch[DP_SCRATCH_SIZE];

static void add_edits(const uint8_t *orders, uint16_t len, const uint8_t *text,
		      struct sip_edits *es)
{
	uint32_t at = 0;

	sip_edits_init(es);
	for (unsigned int i = 0; i < 3; i++) {
		uint32_t off = at + orders[3 * i] * 4u % (len - at + 1);
		uint32_t del = orders[3 * i + 1] % (len - off + 1);

		assert(sip_edits_add(es, (uint16_t)off, (uint16_t)del, text, orders[3 * i + 2])
		       == 0);
		at = off + del;
	}
}

static struct dp_headers headers_of(bool v4)
{
	struct dp_headers h = { .ipv4_id = 1, .tclass = 0xb8, .flow = 0xfffff };

	assert(dp_ip_parse(v4 ? "192.0.2.10" : "2001:db8::10", &h.from.ip) == 0);
	assert(dp_ip_parse(v4 ? "198.51.100.11" : "2001:db8::11", &h.to.ip) == 0);
	h.from.port = 5060;
	h.to.port = 5070;
	return h;
}

static void check_packet(const struct dp_frame *f, const struct dp_headers *h, bool sound,
			 const uint8_t *want, size_t len)
{
	struct dp_packet p;
	const uint8_t *frame = f->buf + f->off;

	dp_classify(frame, f->len, &p);
	assert(p.kind == DP_PACKET_UDP && p.reason == DP_REASON_N);
	assert(memcmp(&p.src, &h->from, sizeof(p.src)) == 0);
	assert(memcmp(&p.dst, &h->to, sizeof(p.dst)) == 0);
	assert(p.tclass == h->tclass && p.payload_len == len);
	assert(memcmp(frame + p.payload_off, want, len) == 0);
	assert(dp_classify_ip_sum(frame, &p));
	assert(dp_classify_udp_sum(frame, &p) == sound);
}

static void rewrite(const uint8_t *orders, const uint8_t *frame, size_t size,
		    const struct dp_packet *p)
{
	static uint8_t buf[256 + FRAME_MAX + 256], want[FRAME_MAX + 3 * INSERT_MAX];
	static const uint8_t mac[6] = { 2 };
	static uint8_t text[INSERT_MAX];
	struct dp_frame f = { buf, (uint32_t)(orders[0] + size + orders[1]), orders[0],
			      (uint32_t)size };
	struct dp_headers h = headers_of(orders[2] & 1);
	bool sound = dp_classify_udp_sum(frame, p);
	struct dp_payload pl;
	struct sip_edits es;
	int len;

	memset(text, 'i', sizeof(text));
	memcpy(buf + f.off, frame, size);
	add_edits(orders + 3, p->payload_len, text, &es);
	len = sip_edits_apply(&es, frame + p->payload_off, p->payload_len, want, sizeof(want));
	assert(len >= 0);
	if (dp_rewrite_payload(&f, p, &es, scratch, &pl) != 0) {
		assert(DP_HEADERS_MAX + (uint32_t)len > f.size);
		return;
	}
	dp_rewrite_ether(&f, mac, mac, dp_rewrite_headers(&f, &pl, &h));
	check_packet(&f, &h, sound, want, (size_t)len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dp_packet p, whole;

	if (size < ORDERS || size > ORDERS + FRAME_MAX)
		return 0;
	dp_classify(data + ORDERS, size - ORDERS, &p);
	dp_classify_whole(data + ORDERS, size - ORDERS, &whole);
	assert(memcmp(&p, &whole, sizeof(p)) == 0);
	if (p.kind == DP_PACKET_OTHER)
		return 0;
	assert(p.payload_off <= size - ORDERS);
	dp_classify_ip_sum(data + ORDERS, &p);
	if (p.kind != DP_PACKET_UDP || p.reason != DP_REASON_N)
		return 0;
	assert((size_t)p.payload_off + p.payload_len <= size - ORDERS);
	rewrite(data, data + ORDERS, size - ORDERS, &p);
	return 0;
}
