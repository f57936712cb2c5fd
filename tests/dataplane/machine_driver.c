/*
 * What a worker decides and sends, without ports, and on any machine: says so for each frame of a
 * file, so that two machines can be compared. Needs nothing but libc.
 *
 *	machine_driver PCAP PLAN N_RECORDS <REGION
 *
 * REGION is the shared region's memfd (machine_region.c). Prints what the machine uses, where
 * structures have what, what AES makes of some blocks; then for each frame what it was taken for,
 * the verdict and, in hexadecimal, the packet that leaves for it; what steering sends of its own
 * accord; events and counters. Exit status 1: AES is wrong, or something is missing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/dp_net.h"
#include "dataplane/io/dp_checksum.h"
#include "dataplane/io/dp_rewrite.h"
#include "dataplane/steer/steer.h"
#include "dataplane/steer/steer_aes.h"
#include "dataplane/steer/steer_mac.h"
#include "sip/sip_scan.h"
#include "tests/bench/replay.h"

#define ROOM    65536u
#define STEP_US 2000 /* by the worker's clock, between two frames */
#define TICK_US 1000
#define REST_US 45000000 /* afterwards, for timers */

struct driver {
	struct dp_region *region;
	struct dp_worker_block *block;
	struct dp_view view;
	struct steer *steer;
	struct replay *replay;
	struct steer_ahead ahead;
	struct steer_verdict v;
	uint64_t now_us;
	uint8_t buf[ROOM], made[ROOM], scratch[DP_SCRATCH_SIZE];
};

static _Noreturn void die(const char *what, const char *name)
{
	fprintf(stderr, "machine_driver: %s: %s\n", name, what);
	exit(1);
}

/* ---- The machine */

static void show_uses(void)
{
	const struct steer_aes_impl *aes;
	const struct sip_scan *scan;

	for (size_t i = 0, n = steer_aes_impls(&aes); i < n; i++)
		printf("uses AES %s\n", aes[i].name);
	for (unsigned int i = 0; (scan = sip_scan_nth(i)); i++)
		printf("uses scan %s\n", scan->name);
}

#define LAYOUT(type, last)                                                                      \
	printf("layout " #type " %zu, aligned to %zu, " #last " at %zu\n", sizeof(struct type), \
	       _Alignof(struct type), offsetof(struct type, last))

static void show_layouts(void)
{
	printf("layout version %u\n", DP_LAYOUT_VERSION);
	LAYOUT(dp_region, pair_trials);
	LAYOUT(dp_boot, ports);
	LAYOUT(dp_worker_block, members);
	LAYOUT(dp_worker_counters, port);
	LAYOUT(dp_event_ring, ev);
	LAYOUT(dp_cfg, punt_per_s);
	LAYOUT(dp_listener, route);
	LAYOUT(dp_service, n_names);
	LAYOUT(dp_pair, first);
	LAYOUT(dp_member, digits);
	LAYOUT(dp_source, pair);
	LAYOUT(dp_secret, seal);
	LAYOUT(dp_net, lens);
	LAYOUT(dp_net_route, metric);
	LAYOUT(dp_net_neigh, valid);
}

/* FIPS 197, appendix C.1; then random keys and blocks, each way against the plain one. */
static void show_aes(void)
{
	uint64_t in[4] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x7766554433221100,
			   0xffeeddccbbaa9988 };
	uint64_t want = 0x30047b6ad8e0c469, other, state = 1;
	const struct steer_aes_impl *aes;
	size_t n = steer_aes_impls(&aes);
	uint8_t round[16 * STEER_AES_ROUNDS];

	for (unsigned int k = 0; k < 256; k++) {
		steer_aes_expand((const uint8_t *)in, round);
		want = k == 0 ? want : steer_aes_block_plain(round, in[2], in[3]);
		other = steer_aes_block_plain(round, in[3], in[2]);
		for (size_t i = 0; i < n; i++) {
			struct steer_aes_two two = aes[i].two(round, in[2], in[3], in[3], in[2]);

			if (aes[i].block(round, in[2], in[3]) != want || two.first != want
			    || two.second != other)
				die("AES is wrong", aes[i].name);
		}
		printf("AES %016" PRIx64 " %016" PRIx64 "\n", want, other);
		for (unsigned int i = 0; i < 4; i++) {
			state = state * 6364136223846793005 + 1442695040888963407;
			in[i] = state ^ state >> 29;
		}
	}
}

/* What control's machine made of a key is what this one makes of it. */
static void show_secret(const struct dp_cfg *cfg)
{
	struct dp_secret s = cfg->secrets[0];

	memset((uint8_t *)&s + sizeof(s.b), 0, sizeof(s) - sizeof(s.b));
	steer_secret_spread(&s);
	if (memcmp(&s, &cfg->secrets[0], sizeof(s)) != 0)
		die("spread otherwise here", "the key");
}

/* ---- What leaves */

static void show_packet(const char *what, const struct dp_frame *f)
{
	printf("  %s ", what);
	for (uint32_t i = 0; i < f->len; i++)
		printf("%02x", f->buf[f->off + i]);
	printf("\n");
}

/* A payload that is made anew, as dp_tx_answer() and dp_tx_send() put it into a packet. */
static void show_made(struct driver *d, const char *what, const uint8_t *p, uint32_t len,
		      const struct dp_headers *h)
{
	struct dp_frame f = { .buf = d->made, .size = ROOM };
	struct dp_payload pl = { DP_HEADERS_MAX, len, dp_sum(p, len), true };

	memcpy(d->made + pl.off, p, len);
	dp_rewrite_headers(&f, &pl, h);
	show_packet(what, &f);
}

static void on_send(void *arg, const struct steer_send *out)
{
	struct dp_headers h = { .from = out->from->at, .to = out->to };

	printf("  for member %u\n", out->member);
	show_made(arg, "sent", out->buf, out->len, &h);
}

static void carry_out(struct driver *d, uint32_t number, struct dp_frame *f,
		      const struct dp_packet *p)
{
	const struct steer_verdict *v = &d->v;
	struct dp_headers h = { .tclass = p->tclass, .offload = number % 8 == 7 };
	struct dp_payload pl;

	printf("  action %u reason %u status %u member %u: %s\n", v->action, v->reason, v->status,
	       v->member, v->why);
	if (v->action == STEER_DROP)
		return;
	h.from = v->from->at;
	h.to = v->to;
	if (v->action == STEER_ANSWER) {
		show_made(d, "answer", v->answer, v->answer_len, &h);
		return;
	}
	if (dp_rewrite_payload(f, p, &v->edits, d->scratch, &pl) != 0)
		die("no room", "a frame");
	dp_rewrite_headers(f, &pl, &h);
	show_packet("forwarded", f);
	replay_out(d->replay, number, f->buf + f->off - DP_ETHER_LEN, f->len + DP_ETHER_LEN);
}

/* ---- Frames */

static void handle(struct driver *d, uint32_t number, struct dp_frame *f)
{
	uint8_t *frame = f->buf + f->off;
	struct steer_in in;
	struct dp_packet p;

	dp_classify(frame, f->len, &p);
	printf("%u: packet %u reason %u\n", number, p.kind, p.reason);
	if (p.kind != DP_PACKET_UDP || p.reason != DP_REASON_N || !dp_classify_ip_sum(frame, &p)
	    || !dp_classify_udp_sum(frame, &p))
		die("not sound", "a frame");
	in = (struct steer_in){
		.buf = frame + p.payload_off,
		.len = p.payload_len,
		.src = p.src,
		.dst = p.dst,
		.listener = dp_cfg_listener_at(d->view.cfg, &p.dst),
	};
	if (!in.listener)
		die("for nobody", "a frame");
	d->now_us += STEP_US;
	steer_begin(d->steer, d->view.cfg, d->now_us);
	if (number % 2) {
		steer_look(d->steer, &in, &d->ahead);
		steer_look_pair(d->steer, &d->ahead);
		steer_look_member(d->steer, &d->ahead);
		in.ahead = &d->ahead;
	}
	steer_message(d->steer, &in, &d->v);
	carry_out(d, number, f, &p);
	steer_tick(d->steer, d->now_us);
}

/* What is behind a frame differs in where it lies and how much room is before it. */
static void replay_file(struct driver *d, const char *pcap)
{
	FILE *file = fopen(pcap, "rbe");
	uint32_t head[6], record[4];

	if (!file || fread(head, sizeof(head), 1, file) != 1)
		die("no such frames", pcap);
	for (uint32_t i = 0; fread(record, sizeof(record), 1, file) == 1; i++) {
		struct dp_frame f = { d->buf, ROOM, 128 + i % 5 * 100, record[2] };

		if (f.off + f.len > ROOM || fread(f.buf + f.off, f.len, 1, file) != 1)
			die("no such frames", pcap);
		if (replay_in(d->replay, i, f.buf + f.off))
			handle(d, i, &f);
	}
	fclose(file);
}

/* Open requests leave the first pair's first member, the others by their timers. */
static void rest(struct driver *d)
{
	uint64_t end = d->now_us + REST_US;

	dp_region_set_word(d->region, 0, DP_WORD_VALID | 1 | 1ull << DP_WORD_DOWN_SHIFT);
	for (; d->now_us < end; d->now_us += TICK_US) {
		steer_begin(d->steer, d->view.cfg, d->now_us);
		steer_tick(d->steer, d->now_us);
	}
}

static void show_words(const char *what, uint32_t number, const void *words, size_t size)
{
	const uint64_t *w = words;

	for (size_t i = 0; i < size / sizeof(*w); i++)
		if (w[i])
			printf("%s %u: counter %zu is %" PRIu64 "\n", what, number, i, w[i]);
}

static void show_counters(const struct driver *d)
{
	struct dp_event_reader reader = { .next = 1 };
	struct dp_event ev;

	while (dp_event_get(&d->block->events, &reader, &ev))
		printf("event %u of %u value %u id %" PRIx64 " at %" PRIu64 "\n", ev.type,
		       ev.member, ev.value, ev.id, ev.time_ns);
	show_words("worker", 0, &d->block->counters, sizeof(d->block->counters));
	for (uint32_t i = 0; i < d->view.cfg->n_pairs * DP_PAIR_MEMBERS; i++) {
		struct dp_member_counters sum = { 0 };

		dp_member_counters_add(d->block->members, i, &sum);
		show_words("member", i, &sum, sizeof(sum));
	}
}

static void open_all(struct driver *d, const char *plan, uint32_t n_records)
{
	struct steer_params p = {
		.n_records = n_records,
		.n_challenges = n_records ? 64 : 0,
		.n_limits = 4096,
		.record_hold_ms = 32000,
		.seed = 1,
		.owner_key = { .b = "owner-key-of-all" },
		.store_size = n_records ? 4ull << 20 : 0,
		.send = on_send,
		.send_arg = d,
	};

	d->region = dp_region_map(STDIN_FILENO);
	d->replay = replay_open(plan);
	if (!d->region || !d->replay)
		die("no plan, or no region with it", plan);
	d->block = dp_region_worker(d->region, 0);
	dp_region_online(d->region, 0, &d->view);
	p.counters = &d->block->counters;
	p.members = d->block->members;
	p.events = &d->block->events;
	p.pair_words = d->region->pair_words;
	p.word_downs = &d->region->word_downs;
	p.pair_trials = d->region->pair_trials;
	d->steer = steer_new(&p);
	if (!d->steer || !d->view.cfg)
		die("no snapshot, or no memory", "steering");
}

int main(int argc, char **argv)
{
	static struct driver d = { .now_us = 1000000 };

	if (argc != 4) {
		fprintf(stderr, "Usage: machine_driver PCAP PLAN N_RECORDS <REGION\n");
		return 1;
	}
	show_uses();
	show_layouts();
	show_aes();
	open_all(&d, argv[2], (uint32_t)strtoul(argv[3], NULL, 10));
	show_secret(d.view.cfg);
	replay_file(&d, argv[1]);
	rest(&d);
	show_counters(&d);
	dp_region_offline(d.region, 0, &d.view);
	steer_free(d.steer);
	replay_close(d.replay);
	dp_region_unmap(d.region);
	return 0;
}
