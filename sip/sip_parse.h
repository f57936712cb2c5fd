/*
 * What the pass over a message (sip_pass.h) and the whole grammar (sip_parse.c) share. Not for
 * users of the library.
 *
 * The pass knows messages as most are. Whatever is otherwise, malformed or only rare, it leaves to
 * the functions here, which say the same of what is plain, only later.
 */
#pragma once

#include "sip/sip_internal.h"

#define SIP_BIT(id) (UINT64_C(1) << (id))

/** The headers of which there may be no second (RFC 4475 3.3.8). */
static const uint64_t sip_at_most_once =
	SIP_BIT(SIP_HDR_FROM) | SIP_BIT(SIP_HDR_TO) | SIP_BIT(SIP_HDR_CALL_ID)
	| SIP_BIT(SIP_HDR_CSEQ) | SIP_BIT(SIP_HDR_MAX_FORWARDS) | SIP_BIT(SIP_HDR_CONTENT_LENGTH);

/** The headers that 8.1.1 makes mandatory, but for Max-Forwards, which 16.6 item 3 adds. */
static const uint64_t sip_mandatory = SIP_BIT(SIP_HDR_VIA) | SIP_BIT(SIP_HDR_FROM)
				      | SIP_BIT(SIP_HDR_TO) | SIP_BIT(SIP_HDR_CALL_ID)
				      | SIP_BIT(SIP_HDR_CSEQ);

/** The parse of one message: the view, and its first error in the order of the text. */
struct sip_parse {
	struct sip_msg *m;
	enum sip_result result;
};

/** Where among the header lines it is. */
struct sip_lines {
	uint64_t present; /* as in sip_msg */
	uint32_t i;       /* the line that is next */
	uint32_t n_hdrs;
	uint32_t room; /* lines that may still come; those that are no header count too */
};

/** Remember an error if it is the first. */
void sip_parse_note(struct sip_parse *p, uint32_t off, enum sip_result r);

/** The first line feed at or behind i, which is in the message, or the message's length when there
 * is none. */
uint32_t sip_parse_line_feed(const struct sip_msg *m, uint32_t i);

/** Take the next header line, whatever its form; false behind the last one, with hdrs_end and
 * body_off set. */
bool sip_parse_line(struct sip_parse *p, struct sip_lines *l);

/** Decode the first header of a kind, its value being [i, end), by the whole grammar. */
void sip_parse_via(struct sip_parse *p, uint32_t i, uint32_t end);
void sip_parse_addr(struct sip_parse *p, uint32_t i, uint32_t end, enum sip_hdr_id id);
void sip_parse_cseq(struct sip_parse *p, uint32_t i, uint32_t end);

/** What is to be said when all header lines were seen: what is missing, where the body ends. */
void sip_parse_finish(struct sip_parse *p);
