/*
 * Reading is driven by the schema, so its depth is the schema's; aliases are followed wherever they
 * lead, and `<<` merges mappings. What aliases can blow up is bounded by a budget of nodes.
 * Control thread; no state but the reader's.
 */
#include "control/config/ctl_read.h"

#include <string.h>

#include "control/config/ctl_reader.h"

static void read_map(struct ctl_reader *r, const struct ctl_map *map, const yaml_node_t *node,
		     unsigned int line, void *dst);

static void wrong_kind(struct ctl_reader *r, const struct ctl_key *key, unsigned int line,
		       const yaml_node_t *n)
{
	char expect[320];

	ctl_key_expect(key, expect, sizeof(expect));
	ctl_diag_add(r->d, true, line, "%s: this is %s; it must be %s", key->name, ctl_node_kind(n),
		     expect);
}

static bool check_count(struct ctl_reader *r, const struct ctl_key *key, unsigned int line,
			size_t n)
{
	if (n < key->min_items)
		ctl_diag_add(r->d, true, line, "%s: the list is empty; at least %u is needed",
			     key->name, key->min_items);
	else if (n > key->max_items)
		ctl_diag_add(r->d, true, line, "%s: a list of %zu; at most %u are possible",
			     key->name, n, key->max_items);
	return n >= key->min_items && n <= key->max_items;
}

static void read_maps(struct ctl_reader *r, const struct ctl_key *key, const yaml_node_t *n,
		      unsigned int line, void *dst)
{
	size_t n_items = ctl_node_items(n), filled = 0;
	char *elements = ctl_read_new_list(r, key, line, n_items, dst);

	for (size_t i = 0; elements && i < n_items; i++) {
		const yaml_node_t *e = ctl_read_element(r, n, i);

		if (!e)
			break;
		if (e->type != YAML_MAPPING_NODE) {
			ctl_diag_add(r->d, true, ctl_node_line(e),
				     "%s: this is %s; each one in the list must be a mapping",
				     key->name, ctl_node_kind(e));
			continue;
		}
		ctl_read_set_count(key, dst, filled + 1);
		read_map(r, key->map, e, ctl_node_line(e), elements + filled * key->size);
		filled++;
	}
}

/* @return whether it is a list at all, of a possible length. */
static bool read_list(struct ctl_reader *r, const struct ctl_key *key, const yaml_node_t *n,
		      unsigned int line, void *dst)
{
	if (n->type != YAML_SEQUENCE_NODE) {
		wrong_kind(r, key, line, n);
		return false;
	}
	if (!check_count(r, key, line, ctl_node_items(n)))
		return false;
	if (key->map)
		read_maps(r, key, n, line, dst);
	else if (key->flags & (CTL_SET | CTL_FIXED))
		ctl_read_packed(r, key, n, dst);
	else
		ctl_read_array(r, key, n, line, dst);
	return true;
}

/* What is not there, or could not be read, has its default. */
static void put_default(struct ctl_reader *r, const struct ctl_map *map, const struct ctl_key *key,
			unsigned int line, void *dst)
{
	const char *def = map->default_of ? map->default_of(dst, key) : NULL;

	if (!def)
		def = key->def;
	if (key->map && !key->max_items)
		read_map(r, key->map, NULL, line, ctl_read_field(dst, key));
	else if (def && (!key->max_items || key->flags & (CTL_SET | CTL_FIXED)))
		ctl_read_default(r, key, def, line, dst);
}

/* @return whether nothing was wrong with it; if it was no value at all, the default is in its
 * place. */
static bool read_value(struct ctl_reader *r, const struct ctl_map *map, const struct ctl_key *key,
		       const yaml_node_t *v, unsigned int line, void *dst)
{
	size_t before = r->d->n_errors;
	bool good;

	if (key->max_items) {
		good = read_list(r, key, v, line, dst);
	} else if (!key->map) {
		good = ctl_read_scalar(r, key, v, line, ctl_read_field(dst, key)) == 0;
	} else {
		good = v->type == YAML_MAPPING_NODE;
		if (good)
			read_map(r, key->map, v, line, ctl_read_field(dst, key));
		else
			wrong_kind(r, key, line, v);
	}
	if (!good)
		put_default(r, map, key, line, dst);
	return r->d->n_errors == before;
}

static void missing(struct ctl_reader *r, const struct ctl_map *map, const struct ctl_key *key,
		    unsigned int line)
{
	char expect[320];

	ctl_key_expect(key, expect, sizeof(expect));
	ctl_diag_add(r->d, true, line, "%s has no \"%s\"; it needs %s", map->what, key->name,
		     expect);
}

/* node NULL: nothing is there, all keys have their defaults. */
static void read_map(struct ctl_reader *r, const struct ctl_map *map, const yaml_node_t *node,
		     unsigned int line, void *dst)
{
	struct ctl_found f = { 0 };

	if (map->line_offset >= 0)
		memcpy((char *)dst + map->line_offset, &line, sizeof(line));
	if (node)
		ctl_read_collect(r, map, node, 0, &f);
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
	struct ctl_reader r = { .doc = doc, .d = d };
	const yaml_node_t *root = yaml_document_get_root_node(doc);

	if (root->type != YAML_MAPPING_NODE)
		ctl_diag_add(d, true, ctl_node_line(root),
			     "the file's top is %s; it must be a mapping with ports, services and "
			     "pairs",
			     ctl_node_kind(root));
	else
		read_map(&r, &ctl_map_global, root, ctl_node_line(root), m);
}
