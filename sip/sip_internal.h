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
#include "sip/sip_scan.h"
#include "sip/sip_uri.h"

#include <assert.h>
#include <string.h>

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

/* Of what is in this library and nobody else's: no table of offsets between it and who uses it. */
#define SIP_HIDDEN __attribute__((visibility("hidden")))

extern const uint8_t sip_class[256] SIP_HIDDEN;

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

/**
 * Tables of the scan (sip_scan.c), where compilers do not see what is in them: they would build
 * them anew at every use. Sets are as sip_set.low; all are 16 bytes, twice.
 */
extern const struct sip_tables {
	uint8_t word[32];     /* what words are made of */
	uint8_t unbroken[32]; /* URIs but for ';' ',' '\\' and bytes from 0x80 on */
	uint8_t high_bit[32]; /* the bit of sip_set.low that a high nibble stands for */
	uint8_t nibble[32];   /* 0x0f */
	uint8_t feed[32];     /* LF */
} sip_tables SIP_HIDDEN;

/** The scan in use; written by sip_scan.c alone. */
extern const struct sip_scan *sip_scan_chosen SIP_HIDDEN;

/**
 * A text, and where words end in the 64 bytes of it that a decoder is at. A decoder's own: looking
 * at other bytes moves the window.
 */
struct sip_text {
	const uint8_t *b;
	uint32_t limit; /* bytes of b that may be read */
	uint32_t base;  /* the window is [base, base + 64) */
	uint64_t stop;  /* its bytes that are in no word, and those from limit on */
};

static inline struct sip_text sip_text_of(const uint8_t *b, uint32_t limit)
{
	return (struct sip_text){ b, limit, UINT32_MAX - 64, 0 };
}

static inline uint64_t sip_load64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t sip_load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t sip_load16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/** As sip_word_end(), when the window says nothing of it. */
uint32_t sip_word_end_far(struct sip_text *t, uint32_t i, uint32_t end);

/** The first byte in [i, end) that is in no word, or end. */
static inline uint32_t sip_word_end(struct sip_text *t, uint32_t i, uint32_t end)
{
	uint64_t stop;

	if (i - t->base >= 64)
		return sip_word_end_far(t, i, end);
	stop = t->stop >> (i - t->base);
	if (stop == 0)
		return sip_word_end_far(t, i, end);
	i += (uint32_t)__builtin_ctzll(stop);
	return i < end ? i : end;
}

/** First byte at or after i that is not of the classes. */
static inline uint32_t sip_skip(const uint8_t *b, uint32_t i, uint32_t end, unsigned int classes)
{
	while (i < end && sip_is(b[i], classes))
		i++;
	return i;
}

/** As sip_skip(), for a run that may be long. */
uint32_t sip_skip_far(const uint8_t *b, uint32_t i, uint32_t end, enum sip_class class);

/** Bytes that a few are searched for among. */
enum sip_until {
	SIP_UNTIL_QUOTE,   /* '"' '\\' */
	SIP_UNTIL_ELEMENT, /* ',' '"' '<' */
	SIP_UNTIL_DISPLAY, /* ';' ',' '"' '<' */
	SIP_UNTIL_ANGLE,   /* ';' '"' '<' */
	SIP_UNTIL_N,
};

/** The first of these in [i, end), or end; for runs that may be long. */
uint32_t sip_find_far(const uint8_t *b, uint32_t i, uint32_t end, enum sip_until until);

/** Whether four bytes are "sip:": a letter's case is one bit, which no other byte of a URI becomes
 * a letter or a colon by. */
static inline bool sip_is_sip_colon(const uint8_t *p)
{
	return (sip_load32(p) | UINT32_C(0x20202020)) == sip_load32("sip:") && p[3] == ':';
}

/* Where a text has a separator in every other place, jumps cost more than bytes. */
#define SIP_JUMPS 8

/** As sip_skip(), for a class that words are of: in jumps as long as words follow. */
static inline uint32_t sip_skip_words(struct sip_text *t, uint32_t i, uint32_t end,
				      enum sip_class class)
{
	for (int jumps = 0; jumps < SIP_JUMPS; jumps++) {
		i = sip_word_end(t, i, end);
		if (i == end || !sip_is(t->b[i], class))
			return i;
		i++;
	}
	return sip_skip_far(t->b, i, end, class);
}

/** Behind the white space at i: mostly there is none, or one space. */
static inline uint32_t sip_skip_lws(const uint8_t *b, uint32_t i, uint32_t end)
{
	if (i == end || b[i] > ' ')
		return i;
	i = sip_skip(b, i, end - i > 16 ? i + 16 : end, SIP_C_LWS);
	return i < end && b[i] <= ' ' ? sip_skip_far(b, i, end, SIP_C_LWS) : i;
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
	i = sip_skip_lws(b, i, end);
	if (i == end || b[i] != c)
		return 0;
	return sip_skip_lws(b, i + 1, end);
}

/** Behind the quoted string that starts at i, or 0 when it is not closed (quoted-string, 25.1). */
uint32_t sip_skip_quoted(const uint8_t *b, uint32_t i, uint32_t end);

/** Decode decimal digits that fill [i, end). @return 0, or -EINVAL when empty, not digits or more
 * than 32 bits. */
int sip_u32(const uint8_t *b, uint32_t i, uint32_t end, uint32_t *value);

/** Write a number in decimal, at most ten bytes; returns how many. */
uint16_t sip_put_u32(char *out, uint32_t value);

/** Decode the digits at i as a port; an explicit 0 counts as absent.
 * @return the offset behind them, or 0 when there are none or more than 16 bits. */
uint32_t sip_port(const uint8_t *b, uint32_t i, uint32_t end, uint16_t *port);

/** Behind the host (hostname, IPv4 or bracketed IPv6 reference) that starts at i, or 0. */
uint32_t sip_skip_host(struct sip_text *t, uint32_t i, uint32_t end);

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
uint32_t sip_param_next(struct sip_text *t, uint32_t i, uint32_t end, struct sip_param *p);

/**
 * Decode one via-parm that starts at i.
 * @param next  Out: where the next via-parm of the line starts, or end.
 * @return 0, or -EINVAL; via->value.len is 0 then when not even sent-by could be read, else *via
 * holds what is good before the error.
 */
int sip_via_decode(struct sip_text *t, uint32_t i, uint32_t end, struct sip_via *via,
		   uint32_t *next);

/**
 * Decode the name-addr or addr-spec that fills [i, end), white space around it left out, and its
 * first parameter "tag" (off and len 0 when there is none).
 * @return 0, or -EINVAL.
 */
int sip_addr_decode(struct sip_text *t, uint32_t i, uint32_t end, struct sip_addr *addr,
		    struct sip_span *tag);

/** First byte at or after i of a comma or end that lies outside quotes and angle brackets, or 0
 * when one of these is not closed or there are too many strings. i > 0. */
uint32_t sip_list_elem_end(const uint8_t *b, uint32_t i, uint32_t end);

/** Decode the start line [start, end), its line end taken off. */
enum sip_result sip_start_line(struct sip_msg *m, uint32_t start, uint32_t end);

enum sip_method sip_method_lookup(const uint8_t *name, uint32_t len);

/** Methods by their first eight bytes (zeros behind a shorter one); written before main(). */
struct sip_method_entry {
	uint64_t first;
	uint8_t len;
	uint8_t id;
};

#define SIP_METHOD_BITS 4
#define SIP_METHOD_HASH UINT64_C(0x1c7e5cd70a130ba3)
extern struct sip_method_entry sip_methods[1 << SIP_METHOD_BITS] SIP_HIDDEN;

static inline const struct sip_method_entry *sip_method_place(uint64_t first)
{
	return &sip_methods[first * SIP_METHOD_HASH >> (64 - SIP_METHOD_BITS)];
}
enum sip_hdr_id sip_hdr_lookup(const uint8_t *name, uint32_t len);

/**
 * "Name: " and one byte more, as 16 bytes of a line are compared with it: that byte must be above a
 * space, those before it are equal under the mask. Letters have one bit that tells upper from lower
 * case, which no other byte differs from a letter by; the mask leaves it out. Of the longest, 16
 * bytes with its space, the byte behind is not seen.
 *
 * One stands where the hash of the first three bytes of its text points; others that are hashed to
 * the same place are found by `next`. Names stand there as they are nearly always written, and in
 * capitals or small letters alone; as they are written otherwise they may not be found. Where none
 * belongs stands one of three bytes that are hashed to another place.
 */
struct sip_pattern {
	uint8_t text[16]; /* zeros where the mask has them */
	uint8_t mask[16];
	uint8_t lift[16]; /* takes the byte behind "Name: " to 0xff, or over it, when it is none to
			     stop at */
	uint64_t hdr;     /* sip_hdr_fields() */
	uint8_t id;
	uint8_t value; /* bytes of "Name: " */
	uint16_t next; /* bytes from the first pattern to the next, or 0 */
} __attribute__((aligned(64)));

#define SIP_PATTERN_BITS 7
#define SIP_PATTERN_HASH UINT32_C(0x93db8b00) /* the fourth byte brings nothing */
#define SIP_PATTERN_MORE 64                   /* not where their hash points */

/* Written before main(). */
extern struct sip_pattern sip_patterns[(1 << SIP_PATTERN_BITS) + SIP_PATTERN_MORE] SIP_HIDDEN;

/** The place of the pattern that a line may begin with, in bytes from the first. */
static inline size_t sip_pattern_place(const uint8_t *line)
{
	static_assert(sizeof(struct sip_pattern) == 64, "shifted as an index");
	return (size_t)(sip_load32(line) * SIP_PATTERN_HASH >> (32 - SIP_PATTERN_BITS)) << 6;
}

static inline const struct sip_pattern *sip_pattern_at(size_t place)
{
	return (const struct sip_pattern *)((const uint8_t *)sip_patterns + place);
}

/*
 * A struct sip_hdr is one number of 64 bits, and that a sum: of what the line's start and end
 * bring, and of what its name brings, `value` being the bytes from the line's start to its value.
 */
static inline uint64_t sip_hdr_fields(uint64_t value, uint64_t name_len, uint64_t id)
{
	return (value << 16) - ((value + 1) << 32) + (name_len << 48) + (id << 56);
}

/* What a line's start counts for in the sum. */
#define SIP_HDR_START_WEIGHT (UINT64_C(0x10001) - (UINT64_C(1) << 32))

/** The header of the line at i whose line feed, behind a CR, is at end. */
static inline struct sip_hdr sip_hdr_sum(uint64_t i, uint64_t end, uint64_t fields, uint64_t weight)
{
	/* A rotation, which is one instruction where a shift is two. */
	uint64_t sum = i * weight + (end << 32 | end >> 32) + fields;
	struct sip_hdr h;

	static_assert(sizeof(h) == sizeof(sum) && offsetof(struct sip_hdr, value_off) == 2
			      && offsetof(struct sip_hdr, value_len) == 4
			      && offsetof(struct sip_hdr, name_len) == 6
			      && offsetof(struct sip_hdr, id) == 7,
		      "fields of a number");
	memcpy(&h, &sum, sizeof(h));
	return h;
}
