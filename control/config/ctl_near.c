/*
 * Optimal string alignment (Damerau-Levenshtein without repeated edits), folded. Pure; any thread.
 */
#include "control/config/ctl_near.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define WORD_MAX 48 /* longer words are nobody's typing error */

static char fold(char c)
{
	return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Optimal string alignment over three rows: the current one, the one before, and the one before
 * that for swaps. */
static unsigned int distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned int row[3][WORD_MAX + 1] = { 0 };

	for (unsigned int j = 0; j <= b_len; j++)
		row[0][j] = j;
	for (unsigned int i = 1; i <= a_len; i++) {
		unsigned int *cur = row[i % 3], *prev = row[(i + 2) % 3], *old = row[(i + 1) % 3];

		cur[0] = i;
		for (unsigned int j = 1; j <= b_len; j++) {
			unsigned int cost = fold(a[i - 1]) != fold(b[j - 1]);

			cur[j] = min3(prev[j] + 1, cur[j - 1] + 1, prev[j - 1] + cost);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2])
			    && fold(a[i - 2]) == fold(b[j - 1]) && old[j - 2] + 1 < cur[j])
				cur[j] = old[j - 2] + 1;
		}
	}
	return row[a_len % 3][b_len];
}

int ctl_nearest(const char *word, size_t len, size_t n,
		const char *(*name_of)(const void *arg, size_t i), const void *arg)
{
	unsigned int best_distance = len < 9 ? (unsigned int)len / 3 : 3;
	int best = -1;

	if (len == 0 || len > WORD_MAX)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const char *name = name_of(arg, i);
		size_t name_len = name ? strlen(name) : 0;
		unsigned int d;

		if (name_len == 0 || name_len > WORD_MAX)
			continue;
		d = distance(word, len, name, name_len);
		if (d < best_distance || (d == best_distance && best < 0)) {
			best_distance = d;
			best = (int)i;
		}
	}
	return best;
}
