/*
 * Replaying with patches: before a frame of the file is received it gets this pass's serial number
 * and what its call has learned from the frames that left; from each request that leaves, what its
 * responses and the rest of its call need is kept. traffic.py makes the file and its plan, which is
 * little-endian:
 *
 *	"sipplan1", u32 frames, u32 calls, then per frame:
 *	u32 call; u8 is_request, starts, slot, n_patches; u16 capture_off, capture_len;
 *	8 times: u8 what, slot; u16 at, len, off
 *
 * Offsets count from the frame's start; at counts from the captured bytes' start. Checksums are
 * corrected by what changes (RFC 1624). One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay;

/** @return NULL with a sentence on stderr: no such plan, or none. */
struct replay *replay_open(const char *plan);
void replay_close(struct replay *r);

/** Frames of the file. */
uint32_t replay_n(const struct replay *r);

/**
 * Patch the frame of that number in the file, which has just been read from it.
 * @return false when its call has not come so far yet: it is not to be received.
 */
bool replay_in(struct replay *r, uint32_t number, uint8_t *frame);

/** Keep what the frame that was of that number, and now leaves, has to tell its call. */
void replay_out(struct replay *r, uint32_t number, const uint8_t *frame, size_t len);
