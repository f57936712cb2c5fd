/*
 * A bench for the pair machine: virtual time, and members that answer, keep silent, answer an
 * unavailable code, or make their host send ICMP errors.
 */
#pragma once

#include "control/pair/ctl_pair.h"

#define SEC 1000000ull
#define MS  1000ull

#define BENCH_PENDING 256
#define BENCH_LOG     256

enum bench_mood { BENCH_DEAD, BENCH_ALIVE, BENCH_ICMP, BENCH_ERROR };

struct bench_pending {
	uint32_t id;
	uint64_t at_us;
	struct ctl_pair_event ev;
};

struct bench_sent {
	uint64_t at_us;
	struct ctl_pair_send send;
};

struct bench {
	struct ctl_pair_state p;
	struct ctl_pair_conf conf;
	struct ctl_pair_actions out;
	uint64_t now_us;
	enum bench_mood mood[DP_PAIR_MEMBERS];
	uint16_t code[DP_PAIR_MEMBERS];
	uint16_t register_code[DP_PAIR_MEMBERS]; /* 0: as code */
	uint64_t rtt_us[DP_PAIR_MEMBERS];
	uint16_t error;  /* BENCH_ERROR: enum ctl_pair_error */
	uint32_t detail; /* its detail */
	bool late;       /* it comes just before the probe's time is over */
	unsigned int n_pending;
	struct bench_pending pending[BENCH_PENDING];
	unsigned int n_outstanding; /* probes sent that neither ended nor were cancelled */
	uint32_t outstanding[BENCH_PENDING];
	unsigned int n_sent; /* all; the log keeps the first BENCH_LOG since bench_clear_log() */
	struct bench_sent sent[BENCH_LOG];
	unsigned int n_notes;
	struct ctl_pair_note last; /* note about the pair */
	struct ctl_pair_note last_member;
	unsigned int n_switches; /* changes of the active member */
	uint64_t switched_us;    /* the last one's time */
};

/** A pair of n members (primary, backup, fallbacks) with Genesys's defaults, all alive with a round
 * trip of 1 ms, at time 1000 s, not started. */
void bench_init(struct bench *b, unsigned int n);

/** Bring the members in. */
void bench_start(struct bench *b);

/** One event now. */
void bench_step(struct bench *b, const struct ctl_pair_event *ev);

/** Let time pass until `us` from now, with ticks and answers when they are due. */
void bench_run(struct bench *b, uint64_t us);

/** The same until the pair is in a phase, at most `us`. @return the time it took, or UINT64_MAX. */
uint64_t bench_until(struct bench *b, enum ctl_pair_phase phase, uint64_t us);

void bench_clear_log(struct bench *b);

/** Number of probes of the log to a slot. */
unsigned int bench_count(const struct bench *b, unsigned int slot);

/** An event about a member, and a plain one. */
void bench_member_event(struct bench *b, enum ctl_pair_event_type type, unsigned int slot,
			unsigned int code, unsigned int method);
void bench_icmp(struct bench *b, unsigned int slot, uint64_t id);
void bench_event(struct bench *b, enum ctl_pair_event_type type);
