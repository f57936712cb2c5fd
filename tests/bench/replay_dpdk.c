/*
 * Preloaded into a DPDK program (LD_PRELOAD), sipsteer-dataplane or dpdk-testpmd alike: hangs
 * itself onto every net_pcap device that the program starts, as RX and TX callbacks, so that the
 * program itself stays as it is.
 *
 *	REPLAY_PLAN=FILE      patch what is received, by this plan (replay.h)
 *	REPLAY_SAMPLE=FILE    write what leaves to this pcap file, at the program's end
 *	REPLAY_SKIP=N         but not the first N frames (default 0)
 *	REPLAY_STRIDE=N       one frame out of N of it (default 1)
 *	REPLAY_SAMPLES=N      at most so many (default 4096)
 *	REPLAY_FRAMES=N       frames of the file that is replayed, when there is no plan
 *
 * With neither there are no callbacks. Loaded into a program without DPDK (one that starts such a
 * program) it does nothing: it refers to DPDK's functions only, which are looked up when called.
 * The number that a frame has in the file travels with its
 * mbuf; the file is replayed in order, from one queue.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf_dyn.h>

#include "tests/bench/replay.h"

#define SNAP_LEN 2048

struct sample {
	uint32_t number, len;
	uint64_t pass;
	uint8_t bytes[SNAP_LEN];
};

static struct {
	struct replay *replay;
	const char *sample_file;
	struct sample *sample;
	uint32_t n_samples, max_samples;
	uint32_t stride, wait;
	uint32_t next, n_file;
	size_t field; /* offset of the number in the mbuf */
} state;

/* Number in the file, plus 1; 0: not from there (control's own packets leave here, too). */
static uint32_t *number_of(struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, state.field, uint32_t *);
}

static uint16_t on_rx(uint16_t port, uint16_t queue, struct rte_mbuf **m, uint16_t n, uint16_t max,
		      void *arg)
{
	uint16_t kept = 0;

	(void)port;
	(void)queue;
	(void)max;
	(void)arg;
	for (uint16_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (uint16_t i = 0; i < n; i++) {
		uint32_t number = state.next;

		state.next = number + 1 == state.n_file ? 0 : number + 1;
		*number_of(m[i]) = number + 1;
		if (!state.replay
		    || replay_in(state.replay, number, rte_pktmbuf_mtod(m[i], uint8_t *))) {
			m[kept++] = m[i];
			continue;
		}
		*number_of(m[i]) = 0;
		rte_pktmbuf_free_bulk(&m[i], 1);
	}
	return kept;
}

static void take_sample(struct rte_mbuf *m, uint32_t number)
{
	struct sample *s = &state.sample[state.n_samples];

	s->len = m->data_len < SNAP_LEN ? m->data_len : SNAP_LEN;
	s->number = number;
	memcpy(s->bytes, rte_pktmbuf_mtod(m, void *), s->len);
	state.n_samples++;
}

static uint16_t on_tx(uint16_t port, uint16_t queue, struct rte_mbuf **m, uint16_t n, void *arg)
{
	(void)port;
	(void)queue;
	(void)arg;
	for (uint16_t i = 0; i < n; i++) {
		uint32_t number = *number_of(m[i]);

		if (number-- == 0)
			continue;
		*number_of(m[i]) = 0;
		if (state.replay)
			replay_out(state.replay, number, rte_pktmbuf_mtod(m[i], const uint8_t *),
				   m[i]->data_len);
		if (state.n_samples < state.max_samples && state.wait-- == 0) {
			state.wait = state.stride - 1;
			take_sample(m[i], number);
		}
	}
	return n;
}

static uint32_t number(const char *name, uint32_t otherwise)
{
	const char *text = getenv(name);

	return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static bool set_up(void)
{
	static const struct rte_mbuf_dynfield field = { .name = "sipsteer_bench_number",
							.size = sizeof(uint32_t),
							.align = sizeof(uint32_t) };
	const char *plan = getenv("REPLAY_PLAN");
	int field_at;

	state.sample_file = getenv("REPLAY_SAMPLE");
	if (!plan && !state.sample_file)
		return false;
	field_at = rte_mbuf_dynfield_register(&field);
	state.field = (size_t)field_at;
	state.wait = number("REPLAY_SKIP", 0);
	state.stride = number("REPLAY_STRIDE", 1);
	state.n_file = number("REPLAY_FRAMES", UINT32_MAX);
	if (state.sample_file) {
		state.max_samples = number("REPLAY_SAMPLES", 4096);
		state.sample = calloc(state.max_samples, sizeof(*state.sample));
	}
	if (plan) {
		state.replay = replay_open(plan);
		state.n_file = state.replay ? replay_n(state.replay) : 0;
	}
	if (field_at >= 0 && (!plan || state.replay) && (!state.sample_file || state.sample))
		return true;
	fprintf(stderr, "replay: cannot be set up\n");
	exit(1);
}

/* In place of DPDK's own, which it calls. */
int rte_eth_dev_start(uint16_t port)
{
	int (*start)(uint16_t) = NULL;
	char name[RTE_ETH_NAME_MAX_LEN] = "";
	int ret;

	*(void **)&start = dlsym(RTLD_NEXT, "rte_eth_dev_start");
	if (!start)
		exit(1);
	ret = start(port);
	if (ret == 0 && rte_eth_dev_get_name_by_port(port, name) == 0
	    && strncmp(name, "net_pcap", strlen("net_pcap")) == 0 && set_up()) {
		rte_eth_add_rx_callback(port, 0, on_rx, NULL);
		rte_eth_add_tx_callback(port, 0, on_tx, NULL);
	}
	return ret;
}

/* The samples, each with its number in the file as the time of its capture, in seconds. */
__attribute__((destructor)) static void finish(void)
{
	const uint32_t head[6] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, SNAP_LEN, 1 };
	FILE *f = state.n_samples ? fopen(state.sample_file, "wbe") : NULL;

	if (!f)
		return;
	fwrite(head, sizeof(head), 1, f);
	for (uint32_t i = 0; i < state.n_samples; i++) {
		const struct sample *s = &state.sample[i];
		const uint32_t record[4] = { s->number, 0, s->len, s->len };

		fwrite(record, sizeof(record), 1, f);
		fwrite(s->bytes, s->len, 1, f);
	}
	fclose(f);
}
