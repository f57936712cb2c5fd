/*
 * What each stage of a message's way costs, without ports: classify, parse, decide, edit, checksum.
 *
 *	stages CONFIG PCAP PLAN ROUNDS RECORDS
 *
 * Goes through the file ROUNDS times, in bursts, and prints a line for each stage: its name and
 * nanoseconds per message; then "messages N", and "drops N". Under callgrind, the inclusive costs
 *of the stage_*() functions tell the instructions.
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

#define BURST  32
#define NOTING __attribute__((noinline)) /* a name of its own in profiles */

enum { CLASSIFY, PARSE, DECIDE, EDIT, REWRITE, N_STAGES };
static const char *const stage_name[N_STAGES] = { "classify", "parse", "decide", "edit",
						  "rewrite" };

struct slot {
	uint32_t number; /* in the file */
	struct dp_packet packet;
	uint32_t off, len;
	uint8_t buf[WORLD_ROOM];
	uint8_t copy[WORLD_ROOM];
};

struct bench {
	struct world w;
	struct replay *replay;
	struct slot slot[BURST];
	unsigned int n;
	struct sip_msg msg;
	struct steer_verdict verdict;
	uint8_t scratch[DP_SCRATCH_SIZE];
	uint64_t ns[N_STAGES];
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

static NOTING void stage_decide(struct bench *b, const struct slot *s)
{
	struct steer_in in = {
		.buf = s->buf + s->off + s->packet.payload_off,
		.len = s->packet.payload_len,
		.src = s->packet.src,
		.dst = s->packet.dst,
		.listener = dp_cfg_listener_at(b->w.cfg, &s->packet.dst),
		.dst_multicast = s->packet.multicast,
	};

	if (in.listener)
		steer_message(b->w.steer, &in, &b->verdict);
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

static void carry_out(struct bench *b, struct slot *s)
{
	uint64_t t[4];
	struct dp_frame f;

	prepare_copy(s);
	t[0] = now_ns();
	stage_decide(b, s);
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
	b->now_us += 20;
	steer_begin(b->w.steer, b->w.cfg, b->now_us);
	for (unsigned int i = 0; i < b->n; i++)
		carry_out(b, &b->slot[i]);
	b->messages += b->n;
}

/* What reading the clock costs, per reading. */
static double clock_cost(void)
{
	uint64_t begin = now_ns(), end = 0;

	for (int i = 0; i < 100000; i++)
		end = now_ns();
	return (double)(end - begin) / 100000;
}

static void show(const struct bench *b)
{
	double clock = clock_cost();

	for (int i = 0; i < N_STAGES; i++) {
		double each = (double)b->ns[i] / (double)b->messages;

		printf("%s %.1f\n", stage_name[i],
		       i >= DECIDE ? each - clock : each - clock / BURST);
	}
	printf("messages %llu\ndrops %llu\n", (unsigned long long)b->messages,
	       (unsigned long long)b->drops);
}

int main(int argc, char **argv)
{
	static struct bench b = { .now_us = 1000000 };

	if (argc != 6) {
		fprintf(stderr, "Usage: stages CONFIG PCAP PLAN ROUNDS RECORDS\n");
		return 1;
	}
	world_open(&b.w, argv[1], (uint32_t)strtoul(argv[5], NULL, 10), 1000);
	world_load(&b.w, argv[2]);
	b.replay = replay_open(argv[3]);
	if (!b.replay || replay_n(b.replay) != b.w.n_frames)
		return 1;
	for (unsigned long round = strtoul(argv[4], NULL, 10); round > 0; round--) {
		for (uint32_t next = 0; next < b.w.n_frames;) {
			fill(&b, &next);
			burst(&b);
		}
		steer_tick(b.w.steer, b.now_us);
	}
	show(&b);
	replay_close(b.replay);
	world_close(&b.w);
	return 0;
}
