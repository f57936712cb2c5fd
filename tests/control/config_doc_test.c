/*
 * docs/CONFIGURATION.md against the schema: the tables between its markers are what this file
 * makes of the rows. CONFIG_DOC_WRITE=1 writes them anew instead.
 */
#include "control/config/ctl_schema.h"
#include "tests/leaks.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(config_doc, .fini = leaks_check);

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	cr_assert_not_null(f, "%s", path);
	cr_assert_gt(getdelim(&text, &size, '\0', f), 0, "%s", path);
	fclose(f);
	return text;
}

/* ---- One row */

static void print_values(FILE *out, const struct ctl_key *key)
{
	char expect[320];
	const char *text = expect;

	if (key->map && key->max_items) {
		fprintf(out, "%" PRIu32 " to %" PRIu32 " mappings", key->min_items, key->max_items);
		return;
	}
	if (key->max_items) {
		fprintf(out, "a list of %" PRIu32 " to %" PRIu32 ", each ", key->min_items,
			key->max_items);
		key->type->expect(key, expect, sizeof(expect));
	} else {
		ctl_key_expect(key, expect, sizeof(expect));
	}
	fputs(text, out);
}

static void print_default(FILE *out, const struct ctl_key *key)
{
	if (key->flags & CTL_REQUIRED)
		fputs("required", out);
	else if (key->def_says)
		fputs(key->def_says, out);
	else
		fprintf(out, "`%s`", key->def);
}

static void print_table(FILE *out, const struct ctl_map *map)
{
	fputs("| key | value | default | meaning |\n| --- | --- | --- | --- |\n", out);
	for (size_t i = 0; i < map->n_keys; i++) {
		const struct ctl_key *key = &map->keys[i];

		fprintf(out, "| `%s` | ", key->name);
		print_values(out, key);
		fputs(" | ", out);
		print_default(out, key);
		fprintf(out, " | %s", key->help);
		if (key->from)
			fprintf(out, " (%s)", key->from);
		fputs(" |\n", out);
	}
}

/* ---- The document */

static char *table_of(const struct ctl_map *map)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	print_table(out, map);
	fclose(out);
	return text;
}

/* The document with every table made anew. */
static char *made_anew(const char *doc)
{
	static const char end[] = "<!-- end -->";
	char *text = NULL, marker[64];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	for (size_t i = 0; i < ctl_n_maps; i++) {
		char *table = table_of(ctl_maps[i]);
		const char *at, *stop;

		snprintf(marker, sizeof(marker), "<!-- keys of %s -->\n", ctl_maps[i]->what);
		at = strstr(doc, marker);
		cr_assert_not_null(at, "the document has no marker %s", marker);
		at += strlen(marker);
		stop = strstr(at, end);
		cr_assert_not_null(stop);
		fwrite(doc, 1, (size_t)(at - doc), out);
		fputs(table, out);
		doc = stop;
		free(table);
	}
	fputs(doc, out);
	fclose(out);
	return text;
}

Test(config_doc, tables_say_what_the_schema_says)
{
	const char *write = getenv("CONFIG_DOC_WRITE");
	char *doc = slurp(CONFIG_DOC), *want = made_anew(doc);

	if (write) {
		FILE *f = fopen(CONFIG_DOC, "w");

		cr_assert_not_null(f);
		cr_assert(fputs(want, f) >= 0 && fclose(f) == 0);
	} else {
		cr_expect(strcmp(doc, want) == 0, "docs/CONFIGURATION.md differs from the schema; "
						  "CONFIG_DOC_WRITE=1 with this "
						  "test writes it anew");
	}
	free(doc);
	free(want);
}

/* ---- The rows themselves */

/* Every default can be read by its own type, and every row says what it is for. */
Test(config_doc, rows_are_whole)
{
	for (size_t m = 0; m < ctl_n_maps; m++) {
		for (size_t i = 0; i < ctl_maps[m]->n_keys; i++) {
			const struct ctl_key *key = &ctl_maps[m]->keys[i];
			size_t len = strlen(key->help);

			cr_expect(!key->type != !key->map, "%s: a type or a mapping", key->name);
			cr_expect(len > 5 && key->help[len - 1] == '.', "%s: a sentence",
				  key->name);
			cr_expect(islower((unsigned char)key->name[0]), "%s", key->name);
			cr_expect_eq((key->flags & CTL_REQUIRED) != 0, !key->def && !key->def_says,
				     "%s: a default, or required", key->name);
			cr_expect(key->max >= key->min, "%s", key->name);
			cr_expect(key->max_items || !(key->flags & (CTL_SET | CTL_FIXED)), "%s",
				  key->name);
			cr_expect(!key->def || strlen(key->def) < 60, "%s: fits its buffer",
				  key->name);
			for (size_t k = 0; k < i; k++)
				cr_expect_str_neq(ctl_maps[m]->keys[k].name, key->name);
		}
	}
}
