/*
 * The list of facts, and how their spelling is levelled.
 */
#include "tests/sip/differential.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fact *find(struct facts *f, const char *name)
{
	for (unsigned int i = 0; i < f->n; i++)
		if (strcmp(f->fact[i].name, name) == 0)
			return &f->fact[i];
	return NULL;
}

void facts_add(struct facts *f, const char *name, const char *value, size_t len)
{
	struct fact *at = find(f, name);
	size_t used;

	if (!at) {
		if (f->n == FACTS_MAX)
			abort();
		at = &f->fact[f->n++];
		snprintf(at->name, sizeof(at->name), "%s", name);
		at->value[0] = '\0';
		used = 0;
	} else {
		used = strlen(at->value);
		if (used + 1 < sizeof(at->value))
			at->value[used++] = ',';
	}
	if (len > sizeof(at->value) - 1 - used)
		len = sizeof(at->value) - 1 - used;
	memcpy(at->value + used, value, len);
	at->value[used + len] = '\0';
}

const char *facts_find(const struct facts *f, const char *name)
{
	for (unsigned int i = 0; i < f->n; i++)
		if (strcmp(f->fact[i].name, name) == 0)
			return f->fact[i].value;
	return NULL;
}

enum facts_kind facts_kind(const char *name)
{
	static const struct {
		const char *name;
		enum facts_kind kind;
	} kinds[] = {
		{ "via", FACTS_NOTHING },
		{ "from", FACTS_NOTHING },
		{ "to", FACTS_NOTHING },
		{ "call-id", FACTS_NOTHING },
		{ "cseq", FACTS_NOTHING },
		{ "contact", FACTS_NOTHING },
		{ "route", FACTS_NOTHING },
		{ "record-route", FACTS_NOTHING },
		{ "content-length", FACTS_NOTHING },
		{ "accept", FACTS_COUNT_LIST },
		{ "accept-encoding", FACTS_COUNT_LIST },
		{ "accept-language", FACTS_COUNT_LIST },
		{ "alert-info", FACTS_COUNT_LIST },
		{ "allow", FACTS_COUNT_LIST },
		{ "call-info", FACTS_COUNT_LIST },
		{ "content-encoding", FACTS_COUNT_LIST },
		{ "content-type", FACTS_COUNT_LINES },
		{ "error-info", FACTS_COUNT_LIST },
		{ "authorization", FACTS_COUNT_LINES },
		{ "proxy-authorization", FACTS_COUNT_LINES },
		{ "www-authenticate", FACTS_COUNT_LINES },
		{ "proxy-authenticate", FACTS_COUNT_LINES },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].kind;
	return FACTS_VALUE;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

size_t facts_unescape(char *text, size_t len)
{
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		char c = 0;

		if (text[i] == '%' && len - i > 2 && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0)
			c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
		if (c) {
			text[to++] = c;
			i += 2;
		} else {
			text[to++] = text[i];
		}
	}
	return to;
}

size_t facts_squeeze(char *text, size_t len)
{
	bool quoted = false;
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		if (quoted && text[i] == '\\' && i + 1 < len) {
			text[to++] = text[i++];
		} else if (text[i] == '"') {
			quoted = !quoted;
		} else if (!quoted && memchr(" \t\r\n", text[i], 4)) {
			continue;
		}
		text[to++] = text[i];
	}
	return to;
}
