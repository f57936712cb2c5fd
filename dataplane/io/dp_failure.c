#include "dataplane/io/dp_failure.h"

#include <stdarg.h>
#include <stdio.h>

int dp_fail(struct dp_failure *f, const char *format, ...)
{
	va_list ap;

	if (f->text[0] != '\0')
		return -1;
	va_start(ap, format);
	vsnprintf(f->text, sizeof(f->text), format, ap);
	va_end(ap);
	return -1;
}
