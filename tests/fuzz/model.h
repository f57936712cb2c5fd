/*
 * A message as lists of texts, on which edits are easy to do by hand: what the edit target compares
 * an edited message with.
 */
#pragma once

#include "sip/sip_uri.h"

#define MODEL_LIST 400
#define MODEL_TEXT 262144 /* bytes of all texts */

struct model_text {
	uint32_t off;
	uint32_t len;
};

struct model_list {
	unsigned int n;
	struct model_text text[MODEL_LIST];
};

/* Every text is a copy in `bytes`, so that a model outlives the message. */
struct model {
	bool good; /* every Via and Route could be walked, and all of it had room */
	struct model_text start_line;
	struct model_text body;
	struct model_list vias;   /* via-parms, top first */
	struct model_list routes; /* route-params */
	struct model_list contacts;
	struct model_list headers; /* "name\nvalue" of all others, in their order */
	bool has_max_forwards;
	uint32_t max_forwards;
	uint32_t used;
	char bytes[MODEL_TEXT];
};

/** Take a message that parsed apart. */
void model_of(struct model *mo, const struct sip_msg *m);

/** Put a text before the at-th of a list. */
void model_insert(struct model *mo, struct model_list *l, unsigned int at, const char *text);

/** Take the at-th of a list out. */
void model_remove(struct model_list *l, unsigned int at);

/** Put another text in place of one. */
void model_replace(struct model *mo, struct model_text *t, const char *text, size_t len);

/** Whether two models say the same. */
bool model_equal(const struct model *a, const struct model *b);
