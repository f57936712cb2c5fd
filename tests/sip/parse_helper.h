/*
 * What the message tests share: parsing from a guarded buffer, and comparing spans with text.
 */
#pragma once

#include "sip/sip_msg.h"
#include "tests/sip/guard.h"

#include <criterion/criterion.h>
#include <string.h>

/* The mandatory headers but Via, From and To, of an OPTIONS. */
#define REST              \
	"Call-ID: c1\r\n" \
	"CSeq: 1 OPTIONS\r\n"
#define VIA  "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
#define FROM "From: <sip:a@h>;tag=f\r\n"
#define TO   "To: <sip:b@h>\r\n"

/* A whole request with one more header line (or none). */
#define WITH(lines)      "OPTIONS sip:b@h SIP/2.0\r\n" VIA FROM TO REST lines "\r\n"
#define WITH_VIA(value)  "OPTIONS sip:b@h SIP/2.0\r\nVia: " value "\r\n" FROM TO REST "\r\n"
#define WITH_FROM(value) "OPTIONS sip:b@h SIP/2.0\r\n" VIA "From: " value "\r\n" TO REST "\r\n"

extern struct sip_msg msg;

void parse_set_up(void);
void parse_tear_down(void);

/** Parse from a buffer flush against a guard page, into a view full of rubbish. */
enum sip_result parse_bytes(const void *data, size_t len);
enum sip_result parse(const char *text);

/** The span of the last message parsed, as a string in one of a few static buffers. */
const char *text_of(struct sip_span s);

#define expect_span(span, ...) cr_expect_str_eq(text_of(span), __VA_ARGS__)
#define n_rows(rows)           (sizeof(rows) / sizeof((rows)[0]))
