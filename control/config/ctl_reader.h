/*
 * What the files of the reader share (ctl_read*.c). Not for others; control thread.
 */
#pragma once

#include <yaml.h>

#include "control/config/ctl_config.h"
#include "control/config/ctl_schema.h"

#define CTL_KEYS_MAX   32 /* of one mapping in the schema */
#define CTL_SHOWN_SIZE 72 /* bytes of a value in a message */

_Static_assert(CTL_KEYS_MAX >= CTL_PAIR_KEYS && CTL_KEYS_MAX >= CTL_GLOBAL_KEYS, "room for all");

struct ctl_reader {
	yaml_document_t *doc;
	struct ctl_diag *d;
	size_t visits;
};

/* ---- ctl_read_node.c */

unsigned int ctl_node_line(const yaml_node_t *n);

/** "a list", "a mapping" or "a single value". */
const char *ctl_node_kind(const yaml_node_t *n);

/** Elements of a list. */
size_t ctl_node_items(const yaml_node_t *n);

/** A node by its number. NULL when the budget of visits is used up, which is said once. */
const yaml_node_t *ctl_read_visit(struct ctl_reader *r, int id);

/** The i-th element of a list, likewise. */
const yaml_node_t *ctl_read_element(struct ctl_reader *r, const yaml_node_t *n, size_t i);

/** A value for a message: quoted, shortened, without what a terminal would act upon; a secret key's
 * is not shown. key may be NULL. */
const char *ctl_read_shown(const struct ctl_key *key, const char *text, size_t len,
			   char out[CTL_SHOWN_SIZE]);

/* ---- ctl_read_value.c */

/** Where a key's field is. */
void *ctl_read_field(void *dst, const struct ctl_key *key);

/**
 * Read a scalar.
 * @param line  Where messages point: the key's line, or the element's.
 * @return      0, or negative errno with an error added and dst untouched.
 */
int ctl_read_scalar(struct ctl_reader *r, const struct ctl_key *key, const yaml_node_t *n,
		    unsigned int line, void *dst);

/** Room for n elements of an allocated list, zeroed; the count stays 0 until they are filled. */
char *ctl_read_new_list(struct ctl_reader *r, const struct ctl_key *key, unsigned int line,
			size_t n, void *dst);
void ctl_read_set_count(const struct ctl_key *key, void *dst, size_t n);

/** A list of scalars into an allocated array; bad elements are told and left out. */
void ctl_read_array(struct ctl_reader *r, const struct ctl_key *key, const yaml_node_t *n,
		    unsigned int line, void *dst);

/** A list of scalars into a set of bits, or an array inside the struct. */
void ctl_read_packed(struct ctl_reader *r, const struct ctl_key *key, const yaml_node_t *n,
		     void *dst);

/** A default as the schema or a profile writes it: "[ a, b ]" or "a". */
void ctl_read_default(struct ctl_reader *r, const struct ctl_key *key, const char *def,
		      unsigned int line, void *dst);

/* ---- ctl_read_keys.c */

/** What was found of one mapping's keys, by their rows. */
struct ctl_found {
	const yaml_node_t *value[CTL_KEYS_MAX]; /* NULL: not there */
	unsigned int line[CTL_KEYS_MAX];
};

/**
 * Note what a mapping has for each key, merged mappings after its own; unknown and double keys are
 * errors.
 * @param depth  0; more within merges.
 */
void ctl_read_collect(struct ctl_reader *r, const struct ctl_map *map, const yaml_node_t *node,
		      unsigned int depth, struct ctl_found *f);
