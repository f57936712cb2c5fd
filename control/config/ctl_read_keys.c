/*
 * Keys of a mapping: which there are, once, known, merged.
 */
#include "control/config/ctl_reader.h"

#include <stdio.h>
#include <string.h>

#include "control/config/ctl_near.h"

#define MERGE_DEPTH 8

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

static void unknown_key(struct ctl_reader *r, const struct ctl_map *map, const char *name,
			size_t len, unsigned int line)
{
	int near = ctl_nearest(name, len, map->n_keys, key_name, map);
	const struct ctl_map *home = home_of(name, len);
	char text[CTL_SHOWN_SIZE], keys[512];

	ctl_read_shown(NULL, name, len, text);
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

static void note_key(struct ctl_reader *r, const struct ctl_map *map, const yaml_node_t *k,
		     const yaml_node_t *v, bool merged, struct ctl_found *f)
{
	const char *name = (const char *)k->data.scalar.value;
	int i = ctl_map_find(map, name, k->data.scalar.length);

	if (map == &ctl_map_global && strncmp(name, "x-", 2) == 0)
		return; /* a place for anchors */
	if (i < 0) {
		unknown_key(r, map, name, k->data.scalar.length, ctl_node_line(k));
	} else if (!f->value[i]) {
		f->value[i] = v;
		f->line[i] = ctl_node_line(k);
	} else if (!merged) {
		ctl_diag_add(r->d, true, ctl_node_line(k),
			     "key \"%s\" is in this mapping twice: it stands in line %u already",
			     name, f->line[i]);
	}
}

/* `<<`: a mapping, or a list of mappings, of which the first that has a key gives its value. */
static void merge(struct ctl_reader *r, const struct ctl_map *map, const yaml_node_t *v,
		  unsigned int line, unsigned int depth, struct ctl_found *f)
{
	if (depth >= MERGE_DEPTH) {
		ctl_diag_add(r->d, true, line, "<<: merges more than %d mappings deep",
			     MERGE_DEPTH);
	} else if (v->type == YAML_MAPPING_NODE) {
		ctl_read_collect(r, map, v, depth + 1, f);
	} else if (v->type == YAML_SEQUENCE_NODE) {
		for (size_t i = 0; i < ctl_node_items(v); i++) {
			const yaml_node_t *e = ctl_read_element(r, v, i);

			if (!e)
				return;
			merge(r, map, e, line, depth + 1, f);
		}
	} else {
		ctl_diag_add(r->d, true, line,
			     "<<: this is a single value; it must be a mapping, as in <<: *name");
	}
}

static bool is_merge(const yaml_node_t *key)
{
	return key->type == YAML_SCALAR_NODE
	       && strcmp((const char *)key->data.scalar.value, "<<") == 0;
}

static void note_own(struct ctl_reader *r, const struct ctl_map *map, const yaml_node_pair_t *p,
		     bool merged, struct ctl_found *f)
{
	const yaml_node_t *k = ctl_read_visit(r, p->key), *v = ctl_read_visit(r, p->value);

	if (!k || !v || is_merge(k))
		return;
	if (k->type != YAML_SCALAR_NODE)
		ctl_diag_add(r->d, true, ctl_node_line(k), "%s as a key; keys are single words",
			     ctl_node_kind(k));
	else
		note_key(r, map, k, v, merged, f);
}

void ctl_read_collect(struct ctl_reader *r, const struct ctl_map *map, const yaml_node_t *node,
		      unsigned int depth, struct ctl_found *f)
{
	const yaml_node_pair_t *start = node->data.mapping.pairs.start;
	const yaml_node_pair_t *top = node->data.mapping.pairs.top;

	for (const yaml_node_pair_t *p = start; p < top; p++)
		note_own(r, map, p, depth > 0, f);
	for (const yaml_node_pair_t *p = start; p < top; p++) {
		const yaml_node_t *k = ctl_read_visit(r, p->key), *v = ctl_read_visit(r, p->value);

		if (k && v && is_merge(k))
			merge(r, map, v, ctl_node_line(k), depth, f);
	}
}
