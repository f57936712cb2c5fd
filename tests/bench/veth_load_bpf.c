/*
 * The load in the kernel: feed() makes frames and redirects them into an interface, take() counts
 * and times what comes out of it and lets nobody else see it. veth_load.c runs them.
 */
#include "tests/bench/veth_load.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#define HEADERS   (14 + 20 + 8)
#define LATE_MOST 64 /* frames that may be sent one right after the other */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, VETH_FILE_MAX);
	__type(key, __u32);
	__type(value, struct veth_frame);
} file SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* as many as are to be sent */
	__type(key, __u32);
	__type(value, struct veth_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct veth_state);
} state SEC(".maps");

/* Writes the digits and returns their sum, as 16-bit words from an even address on. */
static __always_inline __u32 put_serial(__u8 *p, __u64 v)
{
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < VETH_SERIAL_LEN; i++) {
		__u8 nibble = v >> (4 * (VETH_SERIAL_LEN - 1 - i)) & 15;
		__u8 c = nibble + (nibble < 10 ? '0' : 'a' - 10);

		p[i] = c;
		sum += i & 1 ? c : (__u32)c << 8;
	}
	return sum;
}

static __always_inline void number(struct veth_frame *f, __u32 at, __u64 serial)
{
	__u32 sum = put_serial(f->bytes + at, serial);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	if (at & 1)
		sum = (sum >> 8 | sum << 8) & 0xffff;
	sum += f->sum;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	sum = sum ? sum : 0xffff;
	f->bytes[VETH_UDP_SUM] = sum >> 8;
	f->bytes[VETH_UDP_SUM + 1] = sum & 0xff;
}

/* Time in which the load itself was kept waiting is not made up for: what then came in one burst
 * would not be the rate that is asked for. */
static __always_inline int is_due(struct veth_state *s, __u64 now)
{
	__u64 due = (now - s->begin_ns) * s->rate / 1000000000;

	if (due > s->sent + LATE_MOST)
		s->begin_ns += (due - s->sent - LATE_MOST) * 1000000000 / s->rate;
	return due > s->sent;
}

/* Is given one empty frame after the other, each VETH_FRAME_MAX long. Those that are not due yet
 * are dropped, which is how time passes. */
SEC("xdp") int feed(struct xdp_md *ctx)
{
	__u32 key = 0, at, len;
	struct veth_state *s = bpf_map_lookup_elem(&state, &key);
	struct veth_frame *f;
	struct veth_slot *slot;
	__u64 now = bpf_ktime_get_ns();

	if (!s)
		return XDP_DROP;
	if (s->sent >= s->most || !is_due(s, now))
		return XDP_DROP;
	key = s->sent % s->n_file;
	f = bpf_map_lookup_elem(&file, &key);
	key = s->sent;
	slot = bpf_map_lookup_elem(&slots, &key);
	if (!f || !slot)
		return XDP_DROP;
	len = f->len;
	if (len < VETH_LEAST || len > VETH_FRAME_MAX)
		return XDP_DROP;
	at = len - VETH_TAIL;
	if (at > VETH_FRAME_MAX - VETH_TAIL)
		return XDP_DROP;
	number(f, at, s->sent);
	if (bpf_xdp_store_bytes(ctx, 0, f->bytes, len) != 0
	    || bpf_xdp_adjust_tail(ctx, (int)len - VETH_FRAME_MAX) != 0)
		return XDP_DROP;
	slot->sent_ns = now;
	s->sent++;
	return bpf_redirect(s->ifindex, 0);
}

static __always_inline int nibble_of(__u8 c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static __always_inline __u64 get_serial(const __u8 *p)
{
	__u64 v = 0;

#pragma unroll
	for (int i = 0; i < VETH_SERIAL_LEN; i++) {
		int n = nibble_of(p[i]);

		if (n < 0)
			return ~0ull;
		v = v << 4 | (__u64)n;
	}
	return v;
}

static __always_inline int is_for(const __u8 *h, const struct veth_state *s)
{
	__u32 ip = *(const __u32 *)(h + 32);
	__u16 port = *(const __u16 *)(h + 38);

#pragma unroll
	for (unsigned int i = 0; i < sizeof(s->to_mac); i++)
		if (h[2 + i] != s->to_mac[i])
			return 0;
	return ip == s->to_ip && port == s->to_port;
}

/* Every UDP datagram ends here. */
SEC("tc") int take(struct __sk_buff *skb)
{
	__u8 h[HEADERS + 2] __attribute__((aligned(8))), digits[VETH_SERIAL_LEN];
	__u32 key = 0;
	struct veth_state *s = bpf_map_lookup_elem(&state, &key);
	struct veth_slot *slot;
	__u64 serial, delay;

	/* Two bytes in, so that addresses are aligned. */
	if (!s || bpf_skb_load_bytes(skb, 0, h + 2, HEADERS) != 0 || h[14] != 8 || h[15] != 0
	    || h[16] != 0x45 || h[25] != 17)
		return TC_ACT_OK;
	if (!is_for(h, s)
	    || bpf_skb_load_bytes(skb, skb->len - VETH_TAIL, digits, sizeof(digits)) != 0)
		goto wrong;
	serial = get_serial(digits);
	key = serial;
	slot = serial < s->sent ? bpf_map_lookup_elem(&slots, &key) : 0;
	if (!slot || slot->delay_ns)
		goto wrong;
	delay = bpf_ktime_get_ns() - slot->sent_ns;
	slot->delay_ns = delay > 0 && delay < 0xffffffff ? delay : 1;
	s->received++;
	return TC_ACT_SHOT;
wrong:
	s->wrong++;
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "BSD-3-Clause";
