/*
 * A worker's steering without ports: a configuration file to a snapshot, pair words, one struct
 * steer, and the frames of a pcap file. For the benchmark's programs; one thread. Everything that
 * fails ends the program with a sentence.
 */
#pragma once

#include "dataplane/io/dp_rewrite.h"
#include "dataplane/steer/steer.h"

#define WORLD_ROOM     2176u /* of a buffer that a frame is replayed in, as the data plane has them */
#define WORLD_HEADROOM 128u

struct world_frame {
	uint8_t *bytes;
	uint32_t len;
};

struct world {
	struct dp_cfg *cfg;
	_Atomic uint64_t *words;
	_Atomic uint64_t word_downs;
	_Atomic uint32_t *trials;
	struct dp_worker_counters counters;
	struct dp_member_group *members;
	struct dp_event_ring *events;
	struct steer *steer;
	uint64_t sent; /* by steering of its own accord: retransmissions and rescues */
	uint32_t n_frames;
	struct world_frame *frames;
};

/** The snapshot of a configuration file, with the same key at every run. @return free() it. */
struct dp_cfg *world_snapshot(const char *config);

/** @param n_records  Transaction records, 0: none, and no copies either. @param hold_ms  of a
 * finished one. Copies have the room that the data plane gives them by default. */
void world_open(struct world *w, const char *config, uint32_t n_records, uint32_t hold_ms);
void world_load(struct world *w, const char *pcap);
void world_close(struct world *w);
