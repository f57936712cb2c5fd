/*
 * What each stage of a message's way costs, without ports: classify, parse, decide, edit, checksum.
 *
 *	stages CONFIG PCAP PLAN ROUNDS RECORDS [OPEN]
 *
 * First lets OPEN transactions begin that are never answered. Then goes through the file ROUNDS
 * times, in bursts, and prints a line for each stage: its name and nanoseconds per message, the
 * median of all bursts; then "messages N", "drops N", "unrecorded N" requests for which there was
 * no room, and "memory N", bytes that the worker's steering takes. Under callgrind, the inclusive
 *costs of the stage_*() functions tell the instructions.
 *
 * stage_decide() parses once more, so its own share is less by that of stage_parse(); and
 * stage_rewrite() does both editing and checksums, stage_edit() the same without checksums.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/replay.h"
#include "tests/bench/world.h"

#define BURST    32
#define FETCH    2
#define BURST_US 64 /* that it takes by the worker's clock: half a million messages a second */
#define HOLD_MS  100
#define NOTING   __attribute__((noinline)) /* a name of its own in profiles */

enum { CLASSIFY, PARSE, DECIDE, EDIT, REWRITE, N_STAGES };
static const char *const stage_name[N_STAGES] = { "classify", "parse", "decide", "edit",
						  "rewrite" };

struct slot {
	uint32_t number; /* in the file */
	struct dp_packet packet;
	uint32_t off, len;
	struct steer_in in;
	uint8_t buf[WORLD_ROOM];
	uint8_t copy[WORLD_ROOM];
};

struct bench {
	struct world w;
	struct replay *replay;
	struct slot slot[BURST];
	unsigned int n;
	struct sip_msg msg;
	struct steer_ahead ahead[BURST];
	struct steer_verdict verdict;
	uint8_t scratch[DP_SCRATCH_SIZE];
	uint64_t ns[N_STAGES];   /* of this burst */
	float *sample[N_STAGES]; /* nanoseconds per message, by burst */
	uint32_t n_samples, room;
	uint64_t messages, drops;
	uint64_t now_us;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- Stages */

static NOTING void stage_classify(struct bench *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		struct slot *s = &b->slot[i];

		dp_classify(s->buf + s->off, s->len, &s->packet);
	}
}

static NOTING void stage_parse(struct bench *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		const struct slot *s = &b->slot[i];

		sip_msg_parse(&b->msg, s->buf + s->off + s->packet.payload_off,
			      s->packet.payload_len);
	}
}

static inline void fill_in(struct bench *b, struct slot *s)
{
	s->in = (struct steer_in){
		.buf = s->buf + s->off + s->packet.payload_off,
		.len = s->packet.payload_len,
		.src = s->packet.src,
		.dst = s->packet.dst,
		.listener = dp_cfg_listener_at(b->w.cfg, &s->packet.dst),
		.dst_multicast = s->packet.multicast,
	};
}

/* As the worker does: all are looked at before the first one is decided. */
static void look_ahead(struct bench *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		struct slot *s = &b->slot[i];

		fill_in(b, s);
		if (s->in.listener)
			steer_look(b->w.steer, &s->in, &b->ahead[i]);
		s->in.ahead = &b->ahead[i];
	}
}

static void fetch(struct bench *b, unsigned int i)
{
	if (i < b->n && b->slot[i].in.listener)
		steer_look_pair(b->w.steer, &b->ahead[i]);
}

static NOTING void stage_decide(struct bench *b, unsigned int i)
{
	struct steer_in *in = &b->slot[i].in;

	if (i == 0) {
		look_ahead(b);
		for (unsigned int k = 0; k < FETCH; k++)
			fetch(b, k);
	}
	fetch(b, i + FETCH);
	if (steer_has_many_pairs(b->w.cfg) && i + 1 < b->n && b->slot[i + 1].in.listener)
		steer_look_member(b->w.steer, &b->ahead[i + 1]);
	if (in->listener)
		steer_message(b->w.steer, in, &b->verdict);
}

static void rewrite(struct bench *b, struct slot *s, uint8_t *buf, bool offload, struct dp_frame *f)
{
	struct dp_headers h = { .from = b->verdict.from->at,
				.to = b->verdict.to,
				.offload = offload };
	struct dp_payload pl;

	*f = (struct dp_frame){ buf, WORLD_ROOM, s->off, s->len };
	if (dp_rewrite_payload(f, &s->packet, &b->verdict.edits, b->scratch, &pl) == 0)
		dp_rewrite_headers(f, &pl, &h);
}

static NOTING void stage_edit(struct bench *b, struct slot *s)
{
	struct dp_frame f;

	rewrite(b, s, s->copy, true, &f);
}

static NOTING void stage_rewrite(struct bench *b, struct slot *s, struct dp_frame *f)
{
	rewrite(b, s, s->buf, false, f);
}

/* ---- Bursts */

static void fill(struct bench *b, uint32_t *next)
{
	b->n = 0;
	for (unsigned int i = 0; i < BURST && *next < b->w.n_frames; i++, (*next)++) {
		const struct world_frame *f = &b->w.frames[*next];
		struct slot *s = &b->slot[b->n];

		s->number = *next;
		s->off = WORLD_HEADROOM;
		s->len = f->len;
		memcpy(s->buf + s->off, f->bytes, f->len);
		b->n += replay_in(b->replay, *next, s->buf + s->off);
	}
}

/* Without a checksum that could be carried on. */
static void prepare_copy(struct slot *s)
{
	memcpy(s->copy, s->buf, s->off + s->len);
	memset(s->copy + s->off + s->packet.l4_off + 6, 0, 2);
}

static void carry_out(struct bench *b, unsigned int number)
{
	struct slot *s = &b->slot[number];
	uint64_t t[4];
	struct dp_frame f;

	prepare_copy(s);
	t[0] = now_ns();
	stage_decide(b, number);
	t[1] = now_ns();
	b->ns[DECIDE] += t[1] - t[0];
	if (b->verdict.action != STEER_FORWARD) {
		b->drops++;
		return;
	}
	t[1] = now_ns();
	stage_edit(b, s);
	t[2] = now_ns();
	stage_rewrite(b, s, &f);
	t[3] = now_ns();
	b->ns[EDIT] += t[2] - t[1];
	b->ns[REWRITE] += t[3] - t[2];
	replay_out(b->replay, s->number, f.buf + f.off - DP_ETHER_LEN, f.len + DP_ETHER_LEN);
}

static void burst(struct bench *b)
{
	uint64_t t[3] = { now_ns() };

	stage_classify(b);
	t[1] = now_ns();
	stage_parse(b);
	t[2] = now_ns();
	b->ns[CLASSIFY] += t[1] - t[0];
	b->ns[PARSE] += t[2] - t[1];
	b->now_us += BURST_US;
	steer_begin(b->w.steer, b->w.cfg, b->now_us);
	for (unsigned int i = 0; i < b->n; i++)
		carry_out(b, i);
	b->messages += b->n;
	for (int i = 0; i < N_STAGES && b->n_samples < b->room; i++)
		b->sample[i][b->n_samples] = (float)b->ns[i] / (float)b->n;
	b->n_samples += b->n_samples < b->room;
	memset(b->ns, 0, sizeof(b->ns));
}

/* Requests, each of a transaction of its own; nothing comes back for them. */
static void open_transactions(struct bench *b, uint64_t n)
{
	struct slot *s = &b->slot[0];

	for (uint32_t i = 0; n > 0; i = i + 1 == b->w.n_frames ? 0 : i + 1) {
		const struct world_frame *f = &b->w.frames[i];

		if (memcmp(f->bytes + DP_ETHER_LEN + DP_IPV4_LEN + DP_UDP_LEN, "INVITE", 6) != 0)
			continue;
		s->off = WORLD_HEADROOM;
		memcpy(s->buf + s->off, f->bytes, f->len);
		replay_in(b->replay, i, s->buf + s->off);
		dp_classify(s->buf + s->off, f->len, &s->packet);
		steer_begin(b->w.steer, b->w.cfg, b->now_us);
		b->n = 1;
		stage_decide(b, 0);
		n--;
	}
}

static uint64_t resident(void)
{
	unsigned long total, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%lu %lu", &total, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return (uint64_t)pages * 4096;
}

/* What reading the clock costs, per reading, when nothing gets in between. */
static double clock_cost(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t begin = now_ns(), end = begin;

		for (int k = 0; k < 100; k++)
			end = now_ns();
		least = end - begin < least ? end - begin : least;
	}
	return (double)least / 100;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void show(struct bench *b)
{
	double clock = clock_cost();

	for (int i = 0; i < N_STAGES; i++) {
		double each;

		qsort(b->sample[i], b->n_samples, sizeof(float), by_value);
		each = (double)b->sample[i][b->n_samples / 2];
		printf("%s %.1f\n", stage_name[i],
		       i >= DECIDE ? each - clock : each - clock / BURST);
	}
	printf("messages %lu\ndrops %lu\nunrecorded %lu\n", b->messages, b->drops,
	       b->w.counters.records_full);
}

static bool prepare(struct bench *b, char **argv, unsigned long rounds)
{
	uint64_t before = resident();

	world_open(&b->w, argv[1], (uint32_t)strtoul(argv[5], NULL, 10), HOLD_MS);
	printf("memory %lu\n", resident() - before);
	world_load(&b->w, argv[2]);
	b->replay = replay_open(argv[3]);
	b->room = (uint32_t)(rounds * (b->w.n_frames / BURST + 1));
	for (int i = 0; i < N_STAGES; i++) {
		b->sample[i] = calloc(b->room, sizeof(float));
		if (!b->sample[i])
			return false;
	}
	return b->replay && replay_n(b->replay) == b->w.n_frames;
}

int main(int argc, char **argv)
{
	static struct bench b = { .now_us = 1000000 };

	unsigned long rounds;

	if (argc < 6 || argc > 7 || (rounds = strtoul(argv[4], NULL, 10)) == 0) {
		fprintf(stderr, "Usage: stages CONFIG PCAP PLAN ROUNDS RECORDS [OPEN]\n");
		return 1;
	}
	if (!prepare(&b, argv, rounds))
		return 1;
	if (argc == 7)
		open_transactions(&b, strtoull(argv[6], NULL, 10));
	for (; rounds > 0; rounds--) {
		for (uint32_t next = 0; next < b.w.n_frames;) {
			fill(&b, &next);
			burst(&b);
		}
		steer_tick(b.w.steer, b.now_us);
	}
	show(&b);
	for (int i = 0; i < N_STAGES; i++)
		free(b.sample[i]);
	replay_close(b.replay);
	world_close(&b.w);
	return 0;
}
