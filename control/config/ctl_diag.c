#include "control/config/ctl_config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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
	char *text;

	return vasprintf(&text, format, ap) < 0 ? NULL : text;
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

void ctl_diag_add(struct ctl_diag *d, bool error, unsigned int line, const char *format, ...)
{
	struct ctl_diag_entry *e;
	va_list ap;
	char *text;
	size_t at;

	if (error)
		d->n_errors++;
	va_start(ap, format);
	text = format_text(format, ap);
	va_end(ap);
	e = text ? reallocarray(d->e, d->n + 1, sizeof(*e)) : NULL;
	if (!e) {
		/* What cannot be kept must not be lost: a warning too counts as an error then. */
		if (!error)
			d->n_errors++;
		free(text);
		return;
	}
	d->e = e;
	at = place_of(d, line);
	memmove(&e[at + 1], &e[at], (d->n - at) * sizeof(*e));
	e[at] = (struct ctl_diag_entry){ .line = line, .error = error, .text = text };
	d->n++;
}

void ctl_diag_print(const struct ctl_diag *d, const char *file, FILE *out)
{
	size_t shown = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct ctl_diag_entry *e = &d->e[i];

		if (e->line)
			fprintf(out, "%s:%u: %s%s\n", file, e->line,
				e->error ? "" : "warning: ", e->text);
		else
			fprintf(out, "%s: %s%s\n", file, e->error ? "" : "warning: ", e->text);
		shown += e->error;
	}
	if (shown < d->n_errors)
		fprintf(out, "%s: out of memory while checking; not everything could be told\n",
			file);
}
