/*
 * A wire: sequences of whole frames through all that the data plane does with bytes. Each frame is
 * classified; fragments are put together; ICMP errors are read and handed to steering, also such as
 * quote what left before; datagrams for a listener are decided about, edited, given new headers and
 * split for a small way out.
 *
 * Checked: what leaves is a sound packet of what was decided; its fragments fit the way out and put
 * together are that packet again; every packet that reassembly was given has one end; its bounds
 * hold; what an error quotes of what was sent is found in it, whole and unchanged.
 *
 * Input: items of an order byte, two bytes of length, and that many bytes.
 */
#include "control/snapshot/ctl_snapshot.h"
#include "dataplane/io/dp_frags.h"
#include "dataplane/io/dp_icmp.h"
#include "dataplane/io/dp_rewrite.h"
#include "dataplane/io/dp_split.h"
#include "dataplane/steer/steer.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS        64
#define PACKETS      4096
#define FORGOTTEN_US 600000000 /* whatever steering remembers */
#define BUFFER       (DP_FRAGS_FRAME_MAX + 8192)

enum order {
	ORDER_QUOTE = 1,    /* an ICMP error that quotes what left last */
	ORDER_LATER = 2,    /* half a second passes before */
	ORDER_V6 = 4,       /* the IPv6 member is active */
	ORDER_SMALL = 8,    /* the way out is as small as may be */
	ORDER_REVERSED = 16 /* fragments arrive from last to first */
};

/* A packet that a table of fragments owns. */
struct packet {
	uint8_t *bytes;
	bool ended;
};

static struct {
	struct dp_cfg *cfg;
	_Atomic uint64_t *words;
	struct dp_worker_counters counters;
	struct steer *steer;
	struct steer_verdict v;
	uint64_t now_us;
	struct packet packets[PACKETS];
	unsigned int n_packets;
	struct dp_frags *near, *far;
	uint8_t order;
	uint8_t whole[DP_FRAGS_FRAME_MAX], buf[BUFFER], scratch[DP_SCRATCH_SIZE];
	/* The last packet that left, without Ethernet, and whether a request to a member */
	uint8_t sent[BUFFER];
	uint32_t sent_len;
	bool sent_request;
	unsigned int far_whole;
} w;

static struct dp_endpoint at(const char *ip, uint16_t port)
{
	struct dp_endpoint e = { .port = port };

	assert(dp_ip_parse(ip, &e.ip) == 0);
	return e;
}

static struct dp_cfg *build(void)
{
	struct ctl_member members[] = {
		{ .name = "a", .at = at("198.51.100.11", 5060), .methods = UINT32_MAX },
		{ .name = "b",
		  .role = DP_ROLE_BACKUP,
		  .at = at("2001:db8:1::12", 5060),
		  .methods = UINT32_MAX },
	};
	struct ctl_pair pair = { .name = "p", .weight = 1, .n_members = 2, .members = members };
	struct ctl_listen listens[] = { { .at = at("192.0.2.10", 5060) },
					{ .at = at("2001:db8::10", 5060) } };
	unsigned int pairs[] = { 0 };
	struct ctl_service service = {
		.name = "s", .listens = listens, .n_listens = 2, .pairs = pairs, .n_pairs = 1
	};
	struct ctl_model model = { .instance = "fuzz",
				   .n_pairs = 1,
				   .pairs = &pair,
				   .n_services = 1,
				   .services = &service };
	struct ctl_secrets secrets = { .n = 1 };
	struct ctl_numbers *numbers = ctl_numbers_new();
	struct dp_cfg *cfg;

	service.path = true;
	service.max_message = 65535;
	assert(numbers && ctl_numbers_assign(numbers, &model, 0) == 0);
	cfg = ctl_build_cfg(&model, numbers, &secrets, NULL);
	assert(cfg);
	ctl_numbers_free(numbers);
	return cfg;
}

/* ---- Fragments, at both ends */

static bool wanted(void *arg, const struct dp_endpoint *to)
{
	return arg || dp_cfg_listener_at(w.cfg, to);
}

static void end(struct packet *p)
{
	assert(!p->ended);
	p->ended = true;
	free(p->bytes);
	p->bytes = NULL;
}

static void pass(void *arg, void *packet, unsigned int port)
{
	(void)arg;
	assert(port == 0);
	end(packet);
}

static void drop(void *arg, void *packet, enum dp_reason reason)
{
	(void)arg;
	assert(reason <= DP_REASON_N);
	end(packet);
}

static void take(const uint8_t *frame, size_t len);

static void near_whole(void *arg, const struct dp_frags_datagram *d)
{
	uint32_t len = dp_frags_frame(d, w.whole, sizeof(w.whole));

	(void)arg;
	if (len)
		take(w.whole, len);
}

/* The other side gets what was sent. */
static void far_whole(void *arg, const struct dp_frags_datagram *d)
{
	static uint8_t out[DP_FRAGS_FRAME_MAX];
	uint32_t len = dp_frags_frame(d, out, sizeof(out)), header = out[14] >> 4 == 4 ? 20 : 40;

	(void)arg;
	w.far_whole++;
	if (len == 0) {
		assert(w.sent_len + 14 > sizeof(out));
		return;
	}
	assert(len == w.sent_len + 14);
	assert(memcmp(out + 14 + header, w.sent + header, w.sent_len - header) == 0);
}

/* A fragment into a table, in memory of its own. */
static void put(struct dp_frags *t, const uint8_t *frame, size_t len, const struct dp_packet *c)
{
	struct packet *p = &w.packets[w.n_packets++];
	struct dp_fragment f;

	assert(w.n_packets <= PACKETS);
	*p = (struct packet){ malloc(len), false };
	assert(p->bytes);
	memcpy(p->bytes, frame, len);
	if (dp_fragment_read(p->bytes, c, &f) != DP_REASON_N) {
		end(p);
		return;
	}
	assert(dp_fragment_owner(&f, 3) < 3 && (size_t)f.data_off + f.len <= len);
	dp_frags_put(t, &f, p->bytes, p, w.now_us);
	assert(dp_frags_count(t) <= DP_FRAGS_PACKETS);
}

/* ---- Leaving */

static void split(void)
{
	bool v4 = w.sent[0] >> 4 == 4;
	uint32_t mtu = w.order & ORDER_SMALL ? (v4 ? 576 : 1280) : 1500, n;
	struct dp_split s;
	static uint8_t part[1600];

	if (w.sent_len <= mtu)
		return;
	n = dp_split_begin(&s, w.sent, w.sent_len, mtu, 77);
	assert(n > 1 && n <= DP_SPLIT_MAX);
	if (w.n_packets + n > PACKETS)
		return;
	w.far_whole = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t len =
			dp_split_put(&s, w.order & ORDER_REVERSED ? n - 1 - i : i, part + 14);
		struct dp_packet c;

		assert(len <= mtu);
		part[12] = v4 ? 0x08 : 0x86;
		part[13] = v4 ? 0x00 : 0xdd;
		dp_classify(part, len + 14, &c);
		assert(c.kind == DP_PACKET_FRAGMENT && dp_classify_ip_sum(part, &c));
		put(w.far, part, len + 14, &c);
	}
	assert(w.far_whole == 1);
}

/* Headers for a payload in w.buf, and what they must be. */
static void leave(struct dp_frame *f, const struct dp_payload *pl, uint8_t tclass, bool sound)
{
	struct dp_headers h = {
		.from = w.v.from->at, .to = w.v.to, .ipv4_id = 7, .tclass = tclass
	};
	struct dp_packet c;
	static const uint8_t mac[6] = { 2 };

	if (dp_ip_is_v4(&h.from.ip) != dp_ip_is_v4(&h.to.ip)
	    || dp_rewrite_ip_len(&h.to.ip, pl->len) > UINT16_MAX)
		return;
	dp_rewrite_ether(f, mac, mac, dp_rewrite_headers(f, pl, &h));
	dp_classify(f->buf + f->off, f->len, &c);
	assert(c.kind == DP_PACKET_UDP && c.reason == DP_REASON_N);
	assert(dp_classify_ip_sum(f->buf + f->off, &c));
	assert(!sound || dp_classify_udp_sum(f->buf + f->off, &c));
	w.sent_len = f->len - 14;
	memcpy(w.sent, f->buf + f->off + 14, w.sent_len);
	split();
}

static void forward(const uint8_t *frame, size_t len, const struct dp_packet *c)
{
	struct dp_frame f = { w.buf, sizeof(w.buf), 512, (uint32_t)len };
	bool sound = dp_classify_udp_sum(frame, c);
	struct dp_payload pl;

	memcpy(w.buf + f.off, frame, len);
	/* What the edits insert of the message itself lies in the copy then. */
	for (unsigned int i = 0; i < w.v.edits.n; i++) {
		const uint8_t *ins = w.v.edits.e[i].ins;

		if (ins >= frame && ins < frame + len)
			w.v.edits.e[i].ins = w.buf + f.off + (ins - frame);
	}
	if (dp_rewrite_payload(&f, c, &w.v.edits, w.scratch, &pl) != 0)
		return;
	w.sent_request = w.v.member != UINT32_MAX && !w.v.answer_len
			 && memcmp(w.buf + pl.off, "SIP/2.0 ", 8) != 0;
	leave(&f, &pl, c->tclass, sound);
}

static void answer(const struct dp_packet *c)
{
	struct dp_frame f = { w.buf, sizeof(w.buf), 0, 0 };
	struct dp_payload pl = { .off = DP_HEADERS_MAX, .len = w.v.answer_len };

	memcpy(w.buf + pl.off, w.v.answer, pl.len);
	w.sent_request = false;
	leave(&f, &pl, c->tclass, true);
}

/* ---- Arriving */

static void take_icmp(const uint8_t *frame, const struct dp_packet *c)
{
	struct dp_icmp e;
	uint8_t owner;

	dp_icmp_sum(frame, c);
	if (dp_icmp_read(frame, c, &e) != DP_ICMP_READ || !dp_cfg_listener_at(w.cfg, &e.from))
		return;
	assert(e.quote >= frame + c->l4_off
	       && e.quote + e.quote_len <= frame + c->l4_off + c->payload_len);
	steer_icmp(w.steer,
		   &(struct steer_icmp){ .from = e.from,
					 .to = e.to,
					 .quote = e.quote,
					 .quote_len = e.quote_len,
					 .type = e.type,
					 .code = e.code,
					 .v6 = e.v6,
					 .reporter = c->src.ip },
		   &owner);
}

static void take(const uint8_t *frame, size_t len)
{
	struct dp_packet c;
	struct steer_in in;

	dp_classify(frame, len, &c);
	if (c.kind == DP_PACKET_ICMP) {
		take_icmp(frame, &c);
	} else if (c.kind == DP_PACKET_FRAGMENT) {
		put(w.near, frame, len, &c);
	} else if (c.kind == DP_PACKET_UDP && c.reason == DP_REASON_N) {
		in = (struct steer_in){ .buf = frame + c.payload_off,
					.len = c.payload_len,
					.src = c.src,
					.dst = c.dst,
					.listener = dp_cfg_listener_at(w.cfg, &c.dst),
					.dst_multicast = c.multicast };
		if (!in.listener)
			return;
		steer_message(w.steer, &in, &w.v);
		if (w.v.action == STEER_FORWARD)
			forward(frame, len, &c);
		else if (w.v.action == STEER_ANSWER)
			answer(&c);
	}
}

/* An error that quotes what left last: bytes are type, code, and how much of it is quoted. */
static void quote(const uint8_t *bytes, size_t len)
{
	static uint8_t frame[2048];
	bool v4 = w.sent[0] >> 4 == 4;
	uint32_t header = v4 ? 20 : 40, n = w.sent_len;
	struct dp_packet c;
	struct dp_icmp e;
	uint8_t *ip = frame + 14, *icmp = ip + header;

	if (len < 4 || !w.sent_len)
		return;
	n = n > 1200 ? 1200 : n;
	n = bytes[2] ? n * bytes[2] / 255 : n;
	memset(frame, 0, sizeof(frame));
	frame[12] = v4 ? 0x08 : 0x86;
	frame[13] = v4 ? 0x00 : 0xdd;
	memcpy(ip, w.sent, header);
	ip[v4 ? 2 : 4] = (uint8_t)((n + 8 + (v4 ? 20 : 0)) >> 8);
	ip[v4 ? 3 : 5] = (uint8_t)(n + 8 + (v4 ? 20 : 0));
	ip[v4 ? 9 : 6] = v4 ? 1 : 58;
	memcpy(ip + (v4 ? 16 : 24), w.sent + (v4 ? 12 : 8), v4 ? 4 : 16);
	icmp[0] = bytes[0];
	icmp[1] = bytes[1];
	memcpy(icmp + 8, w.sent, n);
	take(frame, 14 + header + 8 + n);
	dp_classify(frame, 14 + header + 8 + n, &c);
	if (c.kind != DP_PACKET_ICMP || bytes[2] || w.sent_len > 1200 || !w.sent_request)
		return;
	assert(dp_icmp_read(frame, &c, &e) == DP_ICMP_READ);
	assert(e.quote_len == w.sent_len - header - 8);
	assert(memcmp(e.quote, w.sent + header + 8, e.quote_len) == 0);
}

static void one(uint8_t order, const uint8_t *bytes, size_t len)
{
	uint8_t *exact;

	w.order = order;
	w.now_us += order & ORDER_LATER ? 500000 : 100;
	atomic_store(&w.words[0], DP_WORD_VALID | (order & ORDER_V6 ? 1 : 0));
	dp_frags_tick(w.near, w.now_us);
	dp_frags_tick(w.far, w.now_us);
	steer_begin(w.steer, w.cfg, w.now_us);
	steer_tick(w.steer, w.now_us);
	if (order & ORDER_QUOTE) {
		quote(bytes, len);
		return;
	}
	/* Flush against the end of its memory. */
	exact = malloc(len ? len : 1);
	assert(exact);
	memcpy(exact, bytes, len);
	take(exact, len);
	free(exact);
}

static void set_up(void)
{
	struct steer_params p = { .n_records = 256,
				  .n_challenges = 64,
				  .n_limits = 64,
				  .record_hold_ms = 32000,
				  .counters = &w.counters };

	w.n_packets = 0;
	w.sent_len = 0;
	if (w.cfg)
		return;
	w.cfg = build();
	w.words = calloc(DP_MAX_PAIRS, sizeof(*w.words));
	assert(w.words);
	p.pair_words = w.words;
	w.steer = steer_new(&p);
	w.near = dp_frags_new(&(struct dp_frags_ops){ wanted, pass, drop, near_whole, NULL }, 1);
	w.far = dp_frags_new(&(struct dp_frags_ops){ wanted, pass, drop, far_whole, &w }, 2);
	assert(w.steer && w.near && w.far);
}

/* Long after: nothing is left, and the next input begins as this one did. */
static void settle(void)
{
	w.now_us += FORGOTTEN_US;
	dp_frags_tick(w.near, w.now_us);
	dp_frags_tick(w.far, w.now_us);
	assert(dp_frags_count(w.near) == 0 && dp_frags_count(w.far) == 0);
	steer_tick(w.steer, w.now_us);
	for (unsigned int i = 0; i < w.n_packets; i++)
		assert(w.packets[i].ended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at_ = 0;

	set_up();
	for (int i = 0; i < ITEMS && size - at_ >= 3 && w.n_packets + 2 * DP_SPLIT_MAX < PACKETS;
	     i++) {
		size_t len = (size_t)data[at_ + 1] | (size_t)data[at_ + 2] << 8;

		len = len < size - at_ - 3 ? len : size - at_ - 3;
		one(data[at_], data + at_ + 3, len);
		at_ += 3 + len;
	}
	settle();
	return 0;
}
