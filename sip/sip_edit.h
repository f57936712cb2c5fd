/*
 * Edits: an ordered list of byte-range replacements on a parsed message, applied once.
 *
 * An edit deletes `del` bytes at `off` and puts `ins_len` bytes there. Offsets are those of the
 * unedited message. The list is kept sorted by offset and never overlaps; edits at one offset are
 * applied in the order they were added. Inserted bytes are borrowed until the list has been
 * applied. Pure; any thread; no allocation.
 */
#pragma once

#include "sip/sip_uri.h"

#define SIP_EDIT_MAX 24

struct sip_edit {
	uint16_t off;
	uint16_t del;
	uint16_t ins_len;
	const uint8_t *ins;
};

struct sip_edits {
	uint16_t n;
	int32_t delta; /* bytes that the message grows (or shrinks) by */
	struct sip_edit e[SIP_EDIT_MAX];
};

static inline void sip_edits_init(struct sip_edits *es)
{
	es->n = 0;
	es->delta = 0;
}

/**
 * Add one edit.
 * @return 0, -ENOSPC when the list is full, -EINVAL when it overlaps another; the list is untouched
 * on failure.
 */
int sip_edits_add(struct sip_edits *es, uint16_t off, uint16_t del, const void *ins,
		  uint16_t ins_len);

/** Bytes of the edited message. */
static inline size_t sip_edits_len(const struct sip_edits *es, size_t len)
{
	return (size_t)((int64_t)len + es->delta);
}

/**
 * Write the edited message.
 * @return its length, or -ENOSPC when it does not fit out_size (nothing is written then).
 */
int sip_edits_apply(const struct sip_edits *es, const uint8_t *buf, size_t len, uint8_t *out,
		    size_t out_size);

/* What steering does, in terms of the above. All return sip_edits_add()'s result, or -EINVAL if m
 * lacks the part. */

/** Insert whole header lines (with their CRLFs) before the first header line: a Via, with
 * Record-Route or Path after it. */
int sip_edit_push_top(struct sip_edits *es, const struct sip_msg *m, const void *lines,
		      uint16_t len);

/** Insert whole header lines before the first header with that id, or at the top when there is
 * none. */
int sip_edit_insert_before(struct sip_edits *es, const struct sip_msg *m, enum sip_hdr_id id,
			   const void *lines, uint16_t len);

/** Remove the topmost Via: its line, or its list element with the comma (RFC 3261 16.7 item 3). */
int sip_edit_pop_via(struct sip_edits *es, const struct sip_msg *m);

/** Remove the first n Route entries: whole lines, or list elements (RFC 3261 16.4). */
int sip_edit_pop_route(struct sip_edits *es, const struct sip_msg *m, unsigned int n);

/** Remove one element of a header's comma list, or its line when it is the only one. `addr` is from
 * sip_addr_iter. */
int sip_edit_remove_addr(struct sip_edits *es, const struct sip_msg *m, const struct sip_hdr *h,
			 const struct sip_addr *addr);

/** Replace a span. */
int sip_edit_replace(struct sip_edits *es, struct sip_span s, const void *ins, uint16_t ins_len);

/**
 * Set `received` and `rport` in the top Via, overwriting what is there (RFC 3581 4; RFC
 * 3261 18.2.1).
 * @param text  Scratch that must outlive the list: room for at least 80 bytes.
 * @param ip    Text of the source address, without brackets.
 * @param port  Source port, host order.
 */
int sip_edit_via_received(struct sip_edits *es, const struct sip_msg *m, char *text, const char *ip,
			  size_t ip_len, uint16_t port);

/**
 * Set Max-Forwards to a value, adding the header when it is absent (RFC 3261 16.6 item 3).
 * @param text  Scratch that must outlive the list: room for at least 32 bytes.
 */
int sip_edit_max_forwards(struct sip_edits *es, const struct sip_msg *m, char *text,
			  uint32_t value);
