/*
 * sip/ against libosip2, over the torture messages and the corpus from real stacks. Every fact on
 * which they differ must be explained in tests/sip/differential_table.h, and every explanation must
 * still be needed.
 */
#include "tests/sip/differential.h"
#include "tests/sip/differential_table.h"
#include "tests/sip/torture_load.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_EXPLAINED (sizeof(explained) / sizeof(explained[0]))

static bool used[N_EXPLAINED];
static unsigned int n_messages, n_facts, n_differences;

/* A difference: what both say of one fact of one message, NULL for nothing. */
static void differ(const char *message, const char *fact, const char *ours, const char *osip)
{
	bool found = false;

	n_differences++;
	for (size_t i = 0; i < N_EXPLAINED; i++) {
		const struct explanation *e = &explained[i];

		if (fnmatch(e->message, message, 0) != 0 || fnmatch(e->fact, fact, 0) != 0)
			continue;
		used[i] = true;
		found = true;
	}
	cr_expect(found, "%s: %s: ours \"%s\", libosip2's \"%s\": not explained", message, fact,
		  ours ? ours : "(none)", osip ? osip : "(none)");
}

static void compare(const char *message, const uint8_t *bytes, size_t len)
{
	static struct facts ours, osip;

	facts_ours(&ours, bytes, len);
	facts_osip(&osip, bytes, len);
	n_messages++;
	if (ours.parsed != osip.parsed) {
		differ(message, "parsed", ours.parsed ? "yes" : "no", osip.parsed ? "yes" : "no");
		return;
	}
	for (unsigned int i = 0; i < ours.n; i++) {
		const char *other = facts_find(&osip, ours.fact[i].name);

		n_facts++;
		if (!other || strcmp(other, ours.fact[i].value) != 0)
			differ(message, ours.fact[i].name, ours.fact[i].value, other);
	}
	for (unsigned int i = 0; i < osip.n; i++)
		if (!facts_find(&ours, osip.fact[i].name))
			differ(message, osip.fact[i].name, NULL, osip.fact[i].value);
}

static void compare_torture(void)
{
	static uint8_t bytes[TORTURE_MAX];

	for (size_t i = 0; i < TORTURE_ROWS; i++) {
		const struct torture_row *row = &torture_table[i];
		size_t len = torture_load(row, bytes);

		cr_assert_gt(len, 0, "%s", row->file);
		compare(strstr(row->clause, "archived") ? row->clause : row->file, bytes, len);
	}
}

static int is_message(const struct dirent *entry)
{
	return fnmatch("*.sip", entry->d_name, 0) == 0;
}

static void compare_corpus(void)
{
	static uint8_t bytes[65536];
	struct dirent **entries;
	int n = scandir(CORPUS_DIR, &entries, is_message, alphasort);

	cr_assert_gt(n, 100, "%s: %d messages", CORPUS_DIR, n);
	for (int i = 0; i < n; i++) {
		char path[1024];
		size_t len;
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", CORPUS_DIR, entries[i]->d_name);
		f = fopen(path, "rb");
		cr_assert_not_null(f, "%s", path);
		len = fread(bytes, 1, sizeof(bytes), f);
		fclose(f);
		compare(entries[i]->d_name, bytes, len);
		free(entries[i]);
	}
	free(entries);
}

Test(differential, libosip2_agrees_or_the_table_says_why)
{
	compare_torture();
	compare_corpus();
	for (size_t i = 0; i < N_EXPLAINED; i++)
		cr_expect(used[i], "stale: no difference in \"%s\" of \"%s\" (%s)",
			  explained[i].fact, explained[i].message, explained[i].why);
	printf("# %u messages, %u facts compared, %u differ\n", n_messages, n_facts, n_differences);
}
