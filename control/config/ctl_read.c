/*
 * Reading is driven by the schema, so its depth is the schema's; aliases are followed wherever they
 * lead, and `<<` merges mappings. What aliases can blow up is bounded by a budget of nodes.
 * Control thread; no state but the reader's.
 */
#include "control/config/ctl_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_near.h"
#include "control/config/ctl_schema.h"

#define NODES_MAX    16000000u /* visits; a full configuration with 16,384 pairs needs 6 million */
#define MERGE_DEPTH  8
#define KEYS_MAX     32 /* of one mapping in the schema */
#define DEFAULT_SIZE 64 /* bytes of a default's text */
#define SHOWN_SIZE   72 /* bytes of a value in a message */

struct reader {
	yaml_document_t *doc;
	struct ctl_diag *d;
	size_t visits;
};

/** What was found of one mapping's keys. */
struct found {
	const yaml_node_t *value[KEYS_MAX];
	unsigned int line[KEYS_MAX];
	bool merged[KEYS_MAX]; /* by <<: what is written in the mapping itself replaces it */
};

static void read_map(struct reader *r, const struct ctl_map *map, const yaml_node_t *node,
		     unsigned int line, void *dst);

static unsigned int node_line(const yaml_node_t *n)
{
	return (unsigned int)n->start_mark.line + 1;
}

static void check_tag(struct reader *r, const yaml_node_t *n)
{
	const char *tag = (const char *)n->tag;

	if (tag && strncmp(tag, "tag:yaml.org,2002:", 18) != 0 && strcmp(tag, "!") != 0)
		ctl_diag_add(r->d, true, node_line(n), "tag %.60s has no meaning here: remove it",
			     tag);
}

/* NULL when the budget is used up, which is said once. */
static const yaml_node_t *visit(struct reader *r, int id)
{
	const yaml_node_t *n;

	if (r->visits > NODES_MAX)
		return NULL;
	n = yaml_document_get_node(r->doc, id);
	if (++r->visits > NODES_MAX) {
		ctl_diag_add(r->d, true, n ? node_line(n) : 0,
			     "aliases and merges blow the file up to more than %u values: write "
			     "them out",
			     NODES_MAX);
		return NULL;
	}
	if (n)
		check_tag(r, n);
	return n;
}

/* A value for a message: quoted, shortened, without what a terminal would act upon. */
static const char *shown(const struct ctl_key *key, const char *text, size_t len,
			 char out[SHOWN_SIZE])
{
	size_t n = len < SHOWN_SIZE - 6 ? len : SHOWN_SIZE - 6;

	if (key && (key->flags & CTL_SECRET))
		return "the value";
	while (n < len && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--; /* not in the middle of a UTF-8 character */
	snprintf(out, SHOWN_SIZE, "\"%.*s%s\"", (int)n, text, n < len ? "..." : "");
	for (char *c = out; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return out;
}

static const char *kind_of(const yaml_node_t *n)
{
	switch (n->type) {
	case YAML_SEQUENCE_NODE: return "a list";
	case YAML_MAPPING_NODE: return "a mapping";
	default: return "a single value";
	}
}

static void wrong_kind(struct reader *r, const struct ctl_key *key, unsigned int line,
		       const yaml_node_t *n)
{
	char expect[320];

	ctl_key_expect(key, expect, sizeof(expect));
	ctl_diag_add(r->d, true, line, "%s: this is %s; it must be %s", key->name, kind_of(n),
		     expect);
}

/* ---- Scalars */

static bool has_value(const yaml_node_t *n)
{
	const char *text = (const char *)n->data.scalar.value;

	if (n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return true;
	return *text && strcmp(text, "~") != 0 && strcmp(text, "null") != 0;
}

static bool has_control_characters(const yaml_node_t *n)
{
	for (size_t i = 0; i < n->data.scalar.length; i++) {
		if (n->data.scalar.value[i] < ' ' || n->data.scalar.value[i] == 0x7f)
			return true;
	}
	return false;
}

/* The row of one element, which must not be read as a list's. */
static void type_expect(const struct ctl_key *key, char *text, size_t size)
{
	key->type->expect(key, text, size);
}

static int read_item(struct reader *r, const struct ctl_key *key, const struct ctl_item *it,
		     void *dst)
{
	struct ctl_why why = { "" };
	char expect[256], value[SHOWN_SIZE];
	int ret = key->type->read(key, it, dst, &why);

	if (ret == -ENOMEM) {
		ctl_diag_add(r->d, true, it->line, "%s: out of memory", key->name);
	} else if (ret < 0 && why.text[0]) {
		ctl_diag_add(r->d, true, it->line, "%s: %s %s", key->name,
			     shown(key, it->text, it->len, value), why.text);
	} else if (ret < 0) {
		type_expect(key, expect, sizeof(expect));
		ctl_diag_add(r->d, true, it->line, "%s: %s is not %s", key->name,
			     shown(key, it->text, it->len, value), expect);
	}
	return ret;
}

/* A node as one scalar. `line` is where the message points: the key's line, or the element's. */
static int read_scalar(struct reader *r, const struct ctl_key *key, const yaml_node_t *n,
		       unsigned int line, void *dst)
{
	struct ctl_item it = { .line = line };
	char expect[256];

	type_expect(key, expect, sizeof(expect));
	if (n->type != YAML_SCALAR_NODE) {
		ctl_diag_add(r->d, true, line, "%s: this is %s; it must be %s", key->name,
			     kind_of(n), expect);
		return -EINVAL;
	}
	if (!has_value(n)) {
		ctl_diag_add(r->d, true, line, "%s: has no value; write %s", key->name, expect);
		return -EINVAL;
	}
	if (has_control_characters(n)) {
		ctl_diag_add(r->d, true, line, "%s: has control characters in it; write %s",
			     key->name, expect);
		return -EINVAL;
	}
	it.text = (const char *)n->data.scalar.value;
	it.len = n->data.scalar.length;
	return read_item(r, key, &it, dst);
}

/* ---- Lists */

static void *field(void *dst, const struct ctl_key *key)
{
	return (char *)dst + key->offset;
}

/* Room for n elements, zeroed; the count stays 0 until they are filled. */
static char *new_list(struct reader *r, const struct ctl_key *key, unsigned int line, size_t n,
		      void *dst)
{
	char *elements = calloc(n ? n : 1, key->size);

	if (!elements) {
		ctl_diag_add(r->d, true, line, "%s: out of memory", key->name);
		return NULL;
	}
	memcpy(field(dst, key), &elements, sizeof(elements));
	return elements;
}

static void set_count(const struct ctl_key *key, void *dst, size_t n)
{
	memcpy((char *)dst + key->n_offset, &n, sizeof(n));
}

static bool check_count(struct reader *r, const struct ctl_key *key, unsigned int line, size_t n)
{
	if (n < key->min_items)
		ctl_diag_add(r->d, true, line, "%s: the list is empty; at least %u is needed",
			     key->name, key->min_items);
	else if (n > key->max_items)
		ctl_diag_add(r->d, true, line, "%s: a list of %zu; at most %u are possible",
			     key->name, n, key->max_items);
	return n >= key->min_items && n <= key->max_items;
}

static size_t items_of(const yaml_node_t *n)
{
	return (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
}

static const yaml_node_t *item(struct reader *r, const yaml_node_t *n, size_t i)
{
	return visit(r, n->data.sequence.items.start[i]);
}

static void read_maps(struct reader *r, const struct ctl_key *key, const yaml_node_t *n,
		      unsigned int line, void *dst)
{
	size_t n_items = items_of(n), filled = 0;
	char *elements = new_list(r, key, line, n_items, dst);

	for (size_t i = 0; elements && i < n_items; i++) {
		const yaml_node_t *e = item(r, n, i);

		if (!e)
			break;
		if (e->type != YAML_MAPPING_NODE) {
			ctl_diag_add(r->d, true, node_line(e),
				     "%s: this is %s; each one in the list must be a mapping",
				     key->name, kind_of(e));
			continue;
		}
		set_count(key, dst, filled + 1);
		read_map(r, key->map, e, node_line(e), elements + filled * key->size);
		filled++;
	}
}

static void read_array(struct reader *r, const struct ctl_key *key, const yaml_node_t *n,
		       unsigned int line, void *dst)
{
	size_t n_items = items_of(n), filled = 0;
	char *elements = new_list(r, key, line, n_items, dst);

	for (size_t i = 0; elements && i < n_items; i++) {
		const yaml_node_t *e = item(r, n, i);

		if (!e)
			break;
		if (read_scalar(r, key, e, node_line(e), elements + filled * key->size) == 0)
			set_count(key, dst, ++filled);
	}
}

/* Adds an element to a set or to an array inside the struct; a second mention is an error. */
static void add_packed(struct reader *r, const struct ctl_key *key, const struct ctl_item *it,
		       void *dst)
{
	unsigned char value[8] = { 0 };
	char *at = field(dst, key), text[SHOWN_SIZE];
	bool twice = false;

	if (read_item(r, key, it, value) < 0)
		return;
	if (key->flags & CTL_SET) {
		uint32_t set, bit;

		memcpy(&set, at, sizeof(set));
		memcpy(&bit, value, sizeof(bit));
		twice = set & bit;
		set |= bit;
		memcpy(at, &set, sizeof(set));
	} else {
		unsigned int n;

		memcpy(&n, (char *)dst + key->n_offset, sizeof(n));
		for (unsigned int i = 0; i < n; i++)
			twice |= memcmp(at + i * key->size, value, key->size) == 0;
		memcpy(at + n * key->size, value, key->size);
		n++;
		memcpy((char *)dst + key->n_offset, &n, sizeof(n));
	}
	if (twice)
		ctl_diag_add(r->d, true, it->line, "%s: %s is in the list twice", key->name,
			     shown(key, it->text, it->len, text));
}

static void read_packed(struct reader *r, const struct ctl_key *key, const yaml_node_t *n,
			void *dst)
{
	for (size_t i = 0; i < items_of(n); i++) {
		const yaml_node_t *e = item(r, n, i);
		struct ctl_item it = { 0 };
		char expect[256];

		if (!e)
			break;
		it.line = node_line(e);
		if (e->type != YAML_SCALAR_NODE || !has_value(e) || has_control_characters(e)) {
			type_expect(key, expect, sizeof(expect));
			ctl_diag_add(r->d, true, it.line, "%s: each one in the list must be %s",
				     key->name, expect);
			continue;
		}
		it.text = (const char *)e->data.scalar.value;
		it.len = e->data.scalar.length;
		add_packed(r, key, &it, dst);
	}
}

/* @return whether it is a list at all, of a possible length. */
static bool read_list(struct reader *r, const struct ctl_key *key, const yaml_node_t *n,
		      unsigned int line, void *dst)
{
	if (n->type != YAML_SEQUENCE_NODE) {
		wrong_kind(r, key, line, n);
		return false;
	}
	if (!check_count(r, key, line, items_of(n)))
		return false;
	if (key->map)
		read_maps(r, key, n, line, dst);
	else if (key->flags & (CTL_SET | CTL_FIXED))
		read_packed(r, key, n, dst);
	else
		read_array(r, key, n, line, dst);
	return true;
}

/* ---- Defaults */

/* "[ a, b ]" or "a", as a profile or the schema writes it; never the document's text. */
static void read_default(struct reader *r, const struct ctl_key *key, const char *def,
			 unsigned int line, void *dst)
{
	char copy[DEFAULT_SIZE], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", def);
	if (!key->max_items) {
		struct ctl_item it = { .text = copy, .len = strlen(copy), .line = line };

		read_item(r, key, &it, field(dst, key));
		return;
	}
	while ((word = strsep(&rest, "[], ")) != NULL) {
		struct ctl_item it = { .text = word, .len = strlen(word), .line = line };

		if (it.len)
			add_packed(r, key, &it, dst);
	}
}

/* What is not there, or could not be read, has its default. */
static void put_default(struct reader *r, const struct ctl_map *map, const struct ctl_key *key,
			unsigned int line, void *dst)
{
	const char *def = map->default_of ? map->default_of(dst, key) : NULL;

	if (!def)
		def = key->def;
	if (key->map && !key->max_items)
		read_map(r, key->map, NULL, line, field(dst, key));
	else if (def && (!key->max_items || key->flags & (CTL_SET | CTL_FIXED)))
		read_default(r, key, def, line, dst);
}

/* ---- Mappings */

static const char *key_name(const void *map, size_t i)
{
	return ((const struct ctl_map *)map)->keys[i].name;
}

/* Another mapping that knows this key, for those who put it in the wrong place. */
static const struct ctl_map *home_of(const char *name, size_t len)
{
	for (size_t i = 0; i < ctl_n_maps; i++) {
		if (ctl_map_find(ctl_maps[i], name, len) >= 0)
			return ctl_maps[i];
	}
	return NULL;
}

static void list_keys(const struct ctl_map *map, char *text, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < map->n_keys && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", i ? ", " : "",
					map->keys[i].name);
}

static void unknown_key(struct reader *r, const struct ctl_map *map, const char *name, size_t len,
			unsigned int line)
{
	int near = ctl_nearest(name, len, map->n_keys, key_name, map);
	const struct ctl_map *home = home_of(name, len);
	char text[SHOWN_SIZE], keys[512];

	shown(NULL, name, len, text);
	if (near >= 0) {
		ctl_diag_add(r->d, true, line, "unknown key %s in %s; did you mean \"%s\"?", text,
			     map->what, map->keys[near].name);
	} else if (home) {
		ctl_diag_add(r->d, true, line, "key %s does not belong in %s, but in %s", text,
			     map->what, home->what);
	} else {
		list_keys(map, keys, sizeof(keys));
		ctl_diag_add(r->d, true, line, "unknown key %s in %s, which knows %s", text,
			     map->what, keys);
	}
}

static void note_key(struct reader *r, const struct ctl_map *map, const yaml_node_t *k,
		     const yaml_node_t *v, bool merged, struct found *f)
{
	const char *name = (const char *)k->data.scalar.value;
	int i = ctl_map_find(map, name, k->data.scalar.length);

	if (map == &ctl_map_global && strncmp(name, "x-", 2) == 0)
		return; /* a place for anchors */
	if (i < 0) {
		unknown_key(r, map, name, k->data.scalar.length, node_line(k));
	} else if (!f->value[i] || (f->merged[i] && !merged)) {
		f->value[i] = v;
		f->line[i] = node_line(k);
		f->merged[i] = merged;
	} else if (!merged) {
		ctl_diag_add(r->d, true, node_line(k),
			     "key \"%s\" is in this mapping twice: it stands in line %u already",
			     name, f->line[i]);
	}
}

static void collect(struct reader *r, const struct ctl_map *map, const yaml_node_t *node,
		    unsigned int depth, struct found *f);

/* `<<`: a mapping, or a list of mappings, of which the first that has a key gives its value. */
static void merge(struct reader *r, const struct ctl_map *map, const yaml_node_t *v,
		  unsigned int line, unsigned int depth, struct found *f)
{
	if (depth >= MERGE_DEPTH) {
		ctl_diag_add(r->d, true, line, "<<: merges more than %d mappings deep",
			     MERGE_DEPTH);
	} else if (v->type == YAML_MAPPING_NODE) {
		collect(r, map, v, depth + 1, f);
	} else if (v->type == YAML_SEQUENCE_NODE) {
		for (size_t i = 0; i < items_of(v); i++) {
			const yaml_node_t *e = item(r, v, i);

			if (!e)
				return;
			merge(r, map, e, line, depth + 1, f);
		}
	} else {
		ctl_diag_add(r->d, true, line,
			     "<<: this is a single value; it must be a mapping, as in <<: *name");
	}
}

/* Notes what a mapping has for each key, merged mappings after its own. */
static void collect(struct reader *r, const struct ctl_map *map, const yaml_node_t *node,
		    unsigned int depth, struct found *f)
{
	const yaml_node_pair_t *start = node->data.mapping.pairs.start;
	const yaml_node_pair_t *top = node->data.mapping.pairs.top;

	for (int pass = 0; pass < 2; pass++) {
		for (const yaml_node_pair_t *p = start; p < top; p++) {
			const yaml_node_t *k = visit(r, p->key), *v = visit(r, p->value);
			bool is_merge;

			if (!k || !v)
				return;
			if (k->type != YAML_SCALAR_NODE) {
				if (pass == 0)
					ctl_diag_add(r->d, true, node_line(k),
						     "%s as a key; keys are single words",
						     kind_of(k));
				continue;
			}
			is_merge = strcmp((const char *)k->data.scalar.value, "<<") == 0;
			if (is_merge && pass == 1)
				merge(r, map, v, node_line(k), depth, f);
			else if (!is_merge && pass == 0)
				note_key(r, map, k, v, depth > 0, f);
		}
	}
}

/* @return whether nothing was wrong with it; if it was no value at all, the default is in its
 * place. */
static bool read_value(struct reader *r, const struct ctl_map *map, const struct ctl_key *key,
		       const yaml_node_t *v, unsigned int line, void *dst)
{
	size_t before = r->d->n_errors;
	bool good;

	if (key->max_items) {
		good = read_list(r, key, v, line, dst);
	} else if (!key->map) {
		good = read_scalar(r, key, v, line, field(dst, key)) == 0;
	} else {
		good = v->type == YAML_MAPPING_NODE;
		if (good)
			read_map(r, key->map, v, line, field(dst, key));
		else
			wrong_kind(r, key, line, v);
	}
	if (!good)
		put_default(r, map, key, line, dst);
	return r->d->n_errors == before;
}

static void missing(struct reader *r, const struct ctl_map *map, const struct ctl_key *key,
		    unsigned int line)
{
	char expect[320];

	ctl_key_expect(key, expect, sizeof(expect));
	ctl_diag_add(r->d, true, line, "%s has no \"%s\"; it needs %s", map->what, key->name,
		     expect);
}

/* node NULL: nothing is there, all keys have their defaults. */
static void read_map(struct reader *r, const struct ctl_map *map, const yaml_node_t *node,
		     unsigned int line, void *dst)
{
	struct found f = { 0 };

	_Static_assert(KEYS_MAX >= CTL_PAIR_KEYS && KEYS_MAX >= CTL_GLOBAL_KEYS, "room for all");
	if (map->line_offset >= 0)
		memcpy((char *)dst + map->line_offset, &line, sizeof(line));
	if (node)
		collect(r, map, node, 0, &f);
	for (size_t i = 0; i < map->n_keys; i++) {
		if (f.value[i] && !read_value(r, map, &map->keys[i], f.value[i], f.line[i], dst))
			f.line[i] |= CTL_LINE_BAD;
	}
	for (size_t i = 0; i < map->n_keys; i++) {
		if (f.value[i])
			continue;
		if (map->keys[i].flags & CTL_REQUIRED)
			missing(r, map, &map->keys[i], line);
		else
			put_default(r, map, &map->keys[i], line, dst);
	}
	if (map->lines_offset >= 0)
		memcpy((char *)dst + map->lines_offset, f.line, map->n_keys * sizeof(f.line[0]));
}

void ctl_read_model(yaml_document_t *doc, struct ctl_model *m, struct ctl_diag *d)
{
	struct reader r = { .doc = doc, .d = d };
	const yaml_node_t *root = yaml_document_get_root_node(doc);

	if (root->type != YAML_MAPPING_NODE)
		ctl_diag_add(d, true, node_line(root),
			     "the file's top is %s; it must be a mapping with ports, services and "
			     "pairs",
			     kind_of(root));
	else
		read_map(&r, &ctl_map_global, root, node_line(root), m);
}
