/*
 * Above the pairs: is it we who are cut off? When two or more pairs go silent together, every
 * member of all of them within one probe period, the fault is our own link's (REQUIREMENTS 3,
 * Probes). Pure; times are monotonic microseconds.
 *
 * Pairs that were dead before do not hide it, and do not count: two pairs must have been heard of
 * within one period of each other just before the silence, and have gone silent since the last sign
 * of life from any. So who has not been asked again since the link came back is no proof that it is
 * lost again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/pair/ctl_pair.h"

/** One pair's part. Zeroed at first. */
struct ctl_cut_pair {
	enum ctl_silence silence;
	uint64_t heard_us;  /* 0: never */
	uint64_t silent_us; /* when it was found silent */
	uint64_t round_us;  /* its probe period and timeout */
};

struct ctl_cut {
	size_t n_asked, n_silent; /* pairs */
	uint64_t heard_us;        /* last sign of life from any */
	bool on;
	bool judged; /* this silence was found not to be a cut */
};

/** Bring a pair's part up to date. @return whether all are silent now, and must be judged. */
bool ctl_cut_update(struct ctl_cut *c, struct ctl_cut_pair *p, enum ctl_silence silence,
		    uint64_t heard_us, uint64_t round_us, uint64_t now_us);

/** A pair goes away. */
void ctl_cut_remove(struct ctl_cut *c, struct ctl_cut_pair *p);

/** Whether this pair went silent with the last of them. */
bool ctl_cut_went_together(const struct ctl_cut *c, const struct ctl_cut_pair *p);

/** Judge by the number of pairs that went together. @return whether a cut begins: c->on. */
bool ctl_cut_judge(struct ctl_cut *c, size_t n_together);

/** A sign of life. @return whether it ends a cut. */
bool ctl_cut_heard(struct ctl_cut *c, uint64_t now_us);
