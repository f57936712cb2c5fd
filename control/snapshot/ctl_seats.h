/*
 * Where the pairs and members of a model are: their numbers and slots, looked up once for all that
 * a snapshot is made of. Control thread.
 */
#pragma once

#include "control/snapshot/ctl_numbers.h"

struct ctl_seats {
	size_t n_pairs;
	size_t n_members;                 /* of all pairs */
	size_t n_rows;                    /* highest pair number + 1 */
	size_t n_more;                    /* member rows besides DP_PAIR_FIRST of each pair */
	uint16_t *number;                 /* of each of the model's pairs */
	uint8_t (*slot)[DP_PAIR_MEMBERS]; /* of each pair's members, in the model's order */
};

/** @param n  Has places for all (ctl_numbers_assign()). @return 0 or -ENOMEM. */
int ctl_seats_init(struct ctl_seats *s, const struct ctl_model *m, const struct ctl_numbers *n);
void ctl_seats_fini(struct ctl_seats *s);

/** How many member rows a pair needs beside DP_PAIR_FIRST: up to its highest slot. */
size_t ctl_seats_more(const struct ctl_seats *s, const struct ctl_model *m, size_t pair);
