/*
 * What the library's own files share: character classes, a few cursors over borrowed bytes, and
 * the decoders that several files call. Not for users of the library.
 *
 * Cursors take an offset and an end and return the offset they stopped at; they never read at or
 * beyond the end. A header value holds CR and LF only as part of a fold, so white space is one
 * class here.
 */
#pragma once

#include "sip/sip_msg.h"
#include "sip/sip_uri.h"

/* Character classes, RFC 3261 25.1; each leniency beyond the grammar is a row of docs/SIP.md. */
enum sip_class {
	SIP_C_LWS = 0x01,   /* SP HTAB CR LF */
	SIP_C_TOKEN = 0x02, /* token */
	SIP_C_HOST = 0x04,  /* hostname, and '_' */
	SIP_C_DIGIT = 0x08,
	SIP_C_HEX = 0x10,
	SIP_C_ALPHA = 0x20,
	SIP_C_PARAM = 0x40, /* parameter name or value: no LWS, control, ';' ',' or '"' */
	SIP_C_URI = 0x80,   /* no LWS, control, '<', '>' or '"' */
};

extern const uint8_t sip_class[256];

static inline bool sip_is(uint8_t c, unsigned int classes)
{
	return (sip_class[c] & classes) != 0;
}

static inline uint8_t sip_lower(uint8_t c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static inline struct sip_span sip_span_of(uint32_t off, uint32_t end)
{
	return (struct sip_span){ (uint16_t)off, (uint16_t)(end - off) };
}

static inline uint32_t sip_span_end(struct sip_span s)
{
	return (uint32_t)s.off + s.len;
}

static inline uint32_t sip_hdr_value_end(const struct sip_hdr *h)
{
	return (uint32_t)h->value_off + h->value_len;
}

/** First byte at or after i that is not of the classes. */
static inline uint32_t sip_skip(const uint8_t *b, uint32_t i, uint32_t end, unsigned int classes)
{
	while (i < end && sip_is(b[i], classes))
		i++;
	return i;
}

/** The end without the white space before it. */
static inline uint32_t sip_trim(const uint8_t *b, uint32_t start, uint32_t end)
{
	while (end > start && sip_is(b[end - 1], SIP_C_LWS))
		end--;
	return end;
}

/** The separator c with the white space around it (SEMI, EQUAL, SLASH, COLON, COMMA of 25.1).
 * @return the offset behind it, or 0 when it is not there. */
static inline uint32_t sip_separator(const uint8_t *b, uint32_t i, uint32_t end, uint8_t c)
{
	i = sip_skip(b, i, end, SIP_C_LWS);
	if (i == end || b[i] != c)
		return 0;
	return sip_skip(b, i + 1, end, SIP_C_LWS);
}

/** Behind the quoted string that starts at i, or 0 when it is not closed (quoted-string, 25.1). */
uint32_t sip_skip_quoted(const uint8_t *b, uint32_t i, uint32_t end);

/** Decode decimal digits that fill [i, end). @return 0, or -EINVAL when empty, not digits or more
 * than 32 bits. */
int sip_u32(const uint8_t *b, uint32_t i, uint32_t end, uint32_t *value);

/** Write a number in decimal, at most ten bytes; returns how many. */
uint16_t sip_put_u32(char *out, uint32_t value);

/** Decode a port, as sip_u32. An explicit 0 counts as absent. */
int sip_port(const uint8_t *b, uint32_t i, uint32_t end, uint16_t *port);

/** Behind the host (hostname, IPv4 or bracketed IPv6 reference) that starts at i, or 0. */
uint32_t sip_skip_host(const uint8_t *b, uint32_t i, uint32_t end);

/**
 * Take one value, and one for each separator c in a span, off what a walk may still have.
 * @return whether there was as much left.
 */
bool sip_walk_take(uint16_t *left, const uint8_t *b, struct sip_span s, uint8_t c);

/** One parameter. */
struct sip_param {
	struct sip_span whole; /* from its ';' to its value's end */
	struct sip_span name;
	struct sip_span value;
};

/**
 * Decode the parameter whose ';' is at i.
 * @return the offset behind it and its trailing white space, or 0 when it is malformed.
 */
uint32_t sip_param_next(const uint8_t *b, uint32_t i, uint32_t end, struct sip_param *p);

/**
 * Decode one via-parm that starts at i.
 * @param next  Out: where the next via-parm of the line starts, or end.
 * @return 0, or -EINVAL; via->value.len is 0 then when not even sent-by could be read, else *via
 * holds what is good before the error.
 */
int sip_via_decode(const uint8_t *b, uint32_t i, uint32_t end, struct sip_via *via, uint32_t *next);

/** First byte at or after i of a comma or end that lies outside quotes and angle brackets, or 0
 * when one of these is not closed. i > 0. */
uint32_t sip_list_elem_end(const uint8_t *b, uint32_t i, uint32_t end);

/** Decode the start line [start, end), its line end taken off. */
enum sip_result sip_start_line(struct sip_msg *m, uint32_t start, uint32_t end);

enum sip_method sip_method_lookup(const uint8_t *name, uint32_t len);
enum sip_hdr_id sip_hdr_lookup(const uint8_t *name, uint32_t len);
