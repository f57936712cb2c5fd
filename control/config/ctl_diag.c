/*
 * The list of what is wrong: sorted by line at every moment, each thing once, bounded. Its owner's
 * thread only.
 */
#include "control/config/ctl_config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CTL_DIAG_MAX  1024 /* entries; who has more mends the first ones first */
#define CTL_DIAG_TEXT 1024 /* bytes of one */

void ctl_diag_init(struct ctl_diag *d)
{
	*d = (struct ctl_diag){ 0 };
}

void ctl_diag_fini(struct ctl_diag *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->e[i].text);
	free(d->e);
	*d = (struct ctl_diag){ 0 };
}

static char *format_text(const char *format, va_list ap) __attribute__((format(printf, 1, 0)));

static char *format_text(const char *format, va_list ap)
{
	char text[CTL_DIAG_TEXT];
	int len = vsnprintf(text, sizeof(text), format, ap);
	char *copy = len < 0 ? NULL : malloc(strlen(text) + 1);

	return copy ? strcpy(copy, text) : NULL;
}

/* Behind the last entry whose line is not larger, so that equal lines keep their order of
 * discovery. */
static size_t place_of(const struct ctl_diag *d, unsigned int line)
{
	size_t i = d->n;

	while (i > 0 && d->e[i - 1].line > line)
		i--;
	return i;
}

/* Several aliases of one node give its errors once. */
static bool is_known(const struct ctl_diag *d, unsigned int line, const char *text)
{
	for (size_t i = place_of(d, line); i > 0 && d->e[i - 1].line == line; i--) {
		if (strcmp(d->e[i - 1].text, text) == 0)
			return true;
	}
	return false;
}

static int make_room(struct ctl_diag *d)
{
	size_t room = d->room ? 2 * d->room : 16;
	struct ctl_diag_entry *e;

	if (d->n < d->room)
		return 0;
	if (d->n == CTL_DIAG_MAX)
		return -ENOSPC;
	e = realloc(d->e, room * sizeof(*e));
	if (!e)
		return -ENOMEM;
	d->e = e;
	d->room = room;
	return 0;
}

void ctl_diag_add(struct ctl_diag *d, bool error, unsigned int line, const char *format, ...)
{
	va_list ap;
	char *text;
	size_t at;
	int ret;

	va_start(ap, format);
	text = format_text(format, ap);
	va_end(ap);
	if (text && is_known(d, line, text)) {
		free(text);
		return;
	}
	ret = text ? make_room(d) : -ENOMEM;
	d->n_errors += error || ret == -ENOMEM;
	if (ret < 0) {
		d->n_lost++;
		free(text);
		return;
	}
	at = place_of(d, line);
	memmove(&d->e[at + 1], &d->e[at], (d->n - at) * sizeof(*d->e));
	d->e[at] = (struct ctl_diag_entry){ .line = line, .error = error, .text = text };
	d->n++;
}

void ctl_diag_print(const struct ctl_diag *d, const char *file, FILE *out)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct ctl_diag_entry *e = &d->e[i];

		if (e->line)
			fprintf(out, "%s:%u: %s%s\n", file, e->line,
				e->error ? "" : "warning: ", e->text);
		else
			fprintf(out, "%s: %s%s\n", file, e->error ? "" : "warning: ", e->text);
	}
	if (d->n_lost && d->n == 0) /* none could be kept */
		fprintf(out, "%s: out of memory\n", file);
	else if (d->n_lost)
		fprintf(out, "%s: %zu more that are not shown\n", file, d->n_lost);
}
