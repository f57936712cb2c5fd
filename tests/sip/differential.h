/*
 * A message as a list of facts ("via[0].host" is "192.0.2.1"), told by sip/ and by libosip2 in the
 * same words, so that the two can be compared.
 *
 * Both tellers write spelling differences out of the way: white space outside quotes is left out of
 * generic header values, URI parts are unescaped, and an IPv6 reference loses its brackets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FACTS_MAX  400
#define FACT_NAME  96
#define FACT_VALUE 2048

struct fact {
	char name[FACT_NAME];
	char value[FACT_VALUE];
};

struct facts {
	bool parsed; /* else the list is empty */
	unsigned int n;
	struct fact fact[FACTS_MAX];
};

/** How a header is told beyond the facts of its own: by its value, by the number of its values
 * (where libosip2 keeps a structure and no text), or not at all (where every part is a fact). */
enum facts_kind {
	FACTS_VALUE,
	FACTS_COUNT_LIST,  /* values between commas */
	FACTS_COUNT_LINES, /* header lines: a comma is part of the value */
	FACTS_NOTHING,
};

/** The kind of a header by its full name in lower case. */
enum facts_kind facts_kind(const char *name);

/** Add a fact, or to the value of the fact of that name with a comma between. Longer values are
 * cut. */
void facts_add(struct facts *f, const char *name, const char *value, size_t len);

/** The value of a fact, or NULL. */
const char *facts_find(const struct facts *f, const char *name);

/** Decode %-escapes in place, but for %00, which would end a string; returns the new length. */
size_t facts_unescape(char *text, size_t len);

/** Leave out white space outside quotes, in place; returns the new length. */
size_t facts_squeeze(char *text, size_t len);

/** What sip/ says of a message. */
void facts_ours(struct facts *f, const uint8_t *msg, size_t len);

/** What libosip2 says of it. */
void facts_osip(struct facts *f, const uint8_t *msg, size_t len);
