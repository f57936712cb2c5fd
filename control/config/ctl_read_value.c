/*
 * Values that are no mappings: scalars, lists of them, defaults. What kind of list a key has is
 * said by its row: an allocated array, a set of bits, or an array inside the struct.
 */
#include "control/config/ctl_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SIZE 64 /* bytes of a default's text */

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

static int read_item(struct ctl_reader *r, const struct ctl_key *key, const struct ctl_item *it,
		     void *dst)
{
	struct ctl_why why = { "" };
	char expect[256], value[CTL_SHOWN_SIZE];
	int ret = key->type->read(key, it, dst, &why);

	if (ret == -ENOMEM) {
		ctl_diag_add(r->d, true, it->line, "%s: out of memory", key->name);
	} else if (ret < 0 && why.text[0]) {
		ctl_diag_add(r->d, true, it->line, "%s: %s %s", key->name,
			     ctl_read_shown(key, it->text, it->len, value), why.text);
	} else if (ret < 0) {
		key->type->expect(key, expect, sizeof(expect));
		ctl_diag_add(r->d, true, it->line, "%s: %s is not %s", key->name,
			     ctl_read_shown(key, it->text, it->len, value), expect);
	}
	return ret;
}

/* A node as an item, or an error. */
static int item_of(struct ctl_reader *r, const struct ctl_key *key, const yaml_node_t *n,
		   unsigned int line, struct ctl_item *it)
{
	char expect[256];

	key->type->expect(key, expect, sizeof(expect));
	if (n->type != YAML_SCALAR_NODE) {
		ctl_diag_add(r->d, true, line, "%s: this is %s; it must be %s", key->name,
			     ctl_node_kind(n), expect);
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
	it->text = (const char *)n->data.scalar.value;
	it->len = n->data.scalar.length;
	it->line = line;
	return 0;
}

int ctl_read_scalar(struct ctl_reader *r, const struct ctl_key *key, const yaml_node_t *n,
		    unsigned int line, void *dst)
{
	struct ctl_item it;
	int ret = item_of(r, key, n, line, &it);

	return ret < 0 ? ret : read_item(r, key, &it, dst);
}

/* ---- Lists */

void *ctl_read_field(void *dst, const struct ctl_key *key)
{
	return (char *)dst + key->offset;
}

char *ctl_read_new_list(struct ctl_reader *r, const struct ctl_key *key, unsigned int line,
			size_t n, void *dst)
{
	char *elements = calloc(n ? n : 1, key->size);

	if (!elements) {
		ctl_diag_add(r->d, true, line, "%s: out of memory", key->name);
		return NULL;
	}
	memcpy(ctl_read_field(dst, key), &elements, sizeof(elements));
	return elements;
}

void ctl_read_set_count(const struct ctl_key *key, void *dst, size_t n)
{
	memcpy((char *)dst + key->n_offset, &n, sizeof(n));
}

void ctl_read_array(struct ctl_reader *r, const struct ctl_key *key, const yaml_node_t *n,
		    unsigned int line, void *dst)
{
	size_t n_items = ctl_node_items(n), filled = 0;
	char *elements = ctl_read_new_list(r, key, line, n_items, dst);

	for (size_t i = 0; elements && i < n_items; i++) {
		const yaml_node_t *e = ctl_read_element(r, n, i);

		if (!e)
			break;
		if (ctl_read_scalar(r, key, e, ctl_node_line(e), elements + filled * key->size)
		    == 0)
			ctl_read_set_count(key, dst, ++filled);
	}
}

/* @return whether the bit was in the set already. */
static bool add_to_set(const struct ctl_key *key, const void *value, void *dst)
{
	uint32_t set, bit;

	memcpy(&set, ctl_read_field(dst, key), sizeof(set));
	memcpy(&bit, value, sizeof(bit));
	if (set & bit)
		return true;
	set |= bit;
	memcpy(ctl_read_field(dst, key), &set, sizeof(set));
	return false;
}

/* @return whether the value was in the array already. The list is no longer than the array. */
static bool add_to_array(const struct ctl_key *key, const void *value, void *dst)
{
	char *array = ctl_read_field(dst, key);
	unsigned int n;

	memcpy(&n, (char *)dst + key->n_offset, sizeof(n));
	for (unsigned int i = 0; i < n; i++) {
		if (memcmp(array + i * key->size, value, key->size) == 0)
			return true;
	}
	memcpy(array + n * key->size, value, key->size);
	n++;
	memcpy((char *)dst + key->n_offset, &n, sizeof(n));
	return false;
}

static void add_packed(struct ctl_reader *r, const struct ctl_key *key, const struct ctl_item *it,
		       void *dst)
{
	unsigned char value[sizeof(struct sip_ip)] = { 0 };
	char text[CTL_SHOWN_SIZE];
	bool twice;

	if (read_item(r, key, it, value) < 0)
		return;
	twice = key->flags & CTL_SET ? add_to_set(key, value, dst) : add_to_array(key, value, dst);
	if (twice)
		ctl_diag_add(r->d, true, it->line, "%s: %s is in the list twice", key->name,
			     ctl_read_shown(key, it->text, it->len, text));
}

void ctl_read_packed(struct ctl_reader *r, const struct ctl_key *key, const yaml_node_t *n,
		     void *dst)
{
	for (size_t i = 0; i < ctl_node_items(n); i++) {
		const yaml_node_t *e = ctl_read_element(r, n, i);
		struct ctl_item it;

		if (!e)
			break;
		if (item_of(r, key, e, ctl_node_line(e), &it) == 0)
			add_packed(r, key, &it, dst);
	}
}

/* ---- Defaults */

void ctl_read_default(struct ctl_reader *r, const struct ctl_key *key, const char *def,
		      unsigned int line, void *dst)
{
	char copy[DEFAULT_SIZE], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", def);
	if (!key->max_items) {
		struct ctl_item it = { .text = copy, .len = strlen(copy), .line = line };

		read_item(r, key, &it, ctl_read_field(dst, key));
		return;
	}
	while ((word = strsep(&rest, "[], ")) != NULL) {
		struct ctl_item it = { .text = word, .len = strlen(word), .line = line };

		if (it.len)
			add_packed(r, key, &it, dst);
	}
}
