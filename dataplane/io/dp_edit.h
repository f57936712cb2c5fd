/*
 * Edits carried out on a payload where it lies, and its sum carried on (RFC 1624). Owns one
 * pointer, set before main() and never again; one thread per payload.
 */
#pragma once

#include "dataplane/io/dp_checksum.h"
#include "sip/sip_edit.h"

/** What is edited. */
struct dp_edit {
	const struct sip_edits
		*edits;   /* in their bounds; what they insert may lie in the payload */
	uint8_t *payload; /* with 32 bytes or more before it and before where its start goes */
	uint32_t len;
	bool summed;      /* whether there is a sum to carry on */
	int64_t back;     /* the front moves towards the start by so many bytes, room for which is
			     there; what it grows by besides moves the rest away from it */
	dp_sum_t sum;     /* the payload's, below 2^40 */
	uint8_t *scratch; /* as long as the payload */
};

/** @return the new payload's sum, below 2^57; 0 without one to carry on. */
typedef dp_sum_t dp_edit_fn(const struct dp_edit *d);
dp_edit_fn dp_edit;

/** Whether an edit inserts some of the payload itself. What inserts nothing inserts NULL, or bytes
 * whose place does not matter. */
static inline bool dp_edit_is_own(const struct dp_edit *d, const struct sip_edit *e)
{
	return (uintptr_t)e->ins - (uintptr_t)d->payload < d->len;
}

/** For edits of which some are: a list that inserts the same from the scratch. @return moved. */
const struct sip_edits *dp_edit_keep_aside(const struct dp_edit *d, struct sip_edits *moved);

/** The ways to do it: in plain C, and by the machine's instructions (dp_edit_x86.c, or
 * dp_edit_none.c); NULL: it has none that are worth it. */
dp_edit_fn dp_edit_plain;
dp_edit_fn *dp_edit_machine(void);
