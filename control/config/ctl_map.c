/*
 * What can be done with any mapping by its rows alone: find, free, describe.
 */
#include "control/config/ctl_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ctl_map_find(const struct ctl_map *map, const char *name, size_t len)
{
	for (size_t i = 0; i < map->n_keys; i++) {
		if (strlen(map->keys[i].name) == len && memcmp(map->keys[i].name, name, len) == 0)
			return (int)i;
	}
	return -ENOENT;
}

static unsigned int line_at(const void *dst, int offset)
{
	unsigned int line;

	memcpy(&line, (const char *)dst + offset, sizeof(line));
	return line;
}

static unsigned int key_line(const struct ctl_map *map, const void *dst, const char *key)
{
	int i = ctl_map_find(map, key, strlen(key));

	return i < 0 || map->lines_offset < 0
		       ? 0
		       : line_at(dst, map->lines_offset + i * (int)sizeof(unsigned int));
}

unsigned int ctl_map_line(const struct ctl_map *map, const void *dst, const char *key)
{
	unsigned int line = key_line(map, dst, key) & ~CTL_LINE_BAD;

	if (line || map->line_offset < 0)
		return line;
	return line_at(dst, map->line_offset);
}

bool ctl_map_given(const struct ctl_map *map, const void *dst, const char *key)
{
	unsigned int line = key_line(map, dst, key);

	return line && !(line & CTL_LINE_BAD);
}

bool ctl_map_bad(const struct ctl_map *map, const void *dst, const char *key)
{
	return key_line(map, dst, key) & CTL_LINE_BAD;
}

static void element_fini(const struct ctl_key *key, void *element)
{
	if (key->map)
		ctl_map_fini(key->map, element);
	else if (key->type->fini)
		key->type->fini(element);
}

static void list_fini(const struct ctl_key *key, void *dst)
{
	char *elements;
	size_t n;

	memcpy(&elements, (char *)dst + key->offset, sizeof(elements));
	memcpy(&n, (char *)dst + key->n_offset, sizeof(n));
	for (size_t i = 0; i < n; i++)
		element_fini(key, elements + i * key->size);
	free(elements);
}

void ctl_map_fini(const struct ctl_map *map, void *dst)
{
	for (size_t i = 0; i < map->n_keys; i++) {
		const struct ctl_key *key = &map->keys[i];

		if (key->flags & (CTL_SET | CTL_FIXED))
			continue;
		if (key->max_items)
			list_fini(key, dst);
		else
			element_fini(key, (char *)dst + key->offset);
	}
}

void ctl_key_expect(const struct ctl_key *key, char *text, size_t size)
{
	char element[256];

	if (key->map) {
		snprintf(text, size, "a %s", key->max_items ? "list of mappings" : "mapping");
		return;
	}
	key->type->expect(key, element, sizeof(element));
	if (!key->max_items)
		snprintf(text, size, "%s", element);
	else
		snprintf(text, size, "a list [ ... ] of at most %" PRIu32 ", each %s",
			 key->max_items, element);
}
