/*
 * JSON for people: arrays of objects as aligned tables, objects as "key value" lines. No colour, no
 * lines drawn; the order of columns is that of the data or of the caller's list.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** One column of a table. */
struct ctl_column {
	const char *key;     /* "a.b" reaches into objects */
	const char *heading; /* with its unit */
};

/** A line that is put together piece by piece; what a terminal might take for a command is shown as
 * '?', and what does not fit is left out. */
struct ctl_line {
	char text[1024];
	size_t len;
};

void ctl_line_begin(struct ctl_line *l);
void ctl_line_add(struct ctl_line *l, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void ctl_line_print(FILE *out, struct ctl_line *l);

/** Print an array of objects. columns end with a NULL key; NULL: all scalar members of the first
 * object. */
void ctl_table_print(FILE *out, const json_t *array, const struct ctl_column *columns);

/** Print any value: scalars of an object first, then its arrays and objects under headings of their
 * own. */
void ctl_value_print(FILE *out, const char *name, const json_t *value);
