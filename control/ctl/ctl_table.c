/*
 * JSON for people.
 */
#include "control/ctl/ctl_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CELL_SIZE   512
#define COLUMNS_MAX 32

/* Evidence and names come from other hosts and files: no control characters (C0, DEL, and C1 as
 * UTF-8 has them) reach a terminal. */
static void tame(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			*p = p[1] = '?';
	}
}

void ctl_line_begin(struct ctl_line *l)
{
	l->len = 0;
	l->text[0] = '\0';
}

void ctl_line_add(struct ctl_line *l, const char *format, ...)
{
	size_t room = sizeof(l->text) - l->len;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(l->text + l->len, room, format, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n < room ? (size_t)n : room - 1;
}

void ctl_line_print(FILE *out, struct ctl_line *l)
{
	tame(l->text);
	fprintf(out, "%s\n", l->text);
}

/** A value's text: numbers right to be aligned, null as "-". */
static void cell_text(const json_t *v, char *text)
{
	text[0] = '\0';
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING: snprintf(text, CELL_SIZE, "%s", json_string_value(v)); break;
	case JSON_INTEGER:
		snprintf(text, CELL_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL: snprintf(text, CELL_SIZE, "%.2f", json_real_value(v)); break;
	case JSON_TRUE: snprintf(text, CELL_SIZE, "yes"); break;
	case JSON_FALSE: snprintf(text, CELL_SIZE, "no"); break;
	case JSON_NULL: snprintf(text, CELL_SIZE, "-"); break;
	default: break;
	}
	if (v && json_is_array(v)) {
		size_t used = 0;

		for (size_t i = 0; i < json_array_size(v) && used < CELL_SIZE - 1; i++) {
			char one[CELL_SIZE];

			cell_text(json_array_get(v, i), one);
			used += (size_t)snprintf(text + used, CELL_SIZE - used, "%s%s",
						 i ? " " : "", one);
		}
	}
	tame(text);
}

static const json_t *reach(const json_t *object, const char *key)
{
	const char *dot = strchr(key, '.');
	char part[64];

	if (!dot)
		return json_object_get(object, key);
	snprintf(part, sizeof(part), "%.*s", (int)(dot - key), key);
	return reach(json_object_get(object, part), dot + 1);
}

static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80; /* characters, not bytes of UTF-8 */
	return n;
}

/** All scalar members of the first object. @return how many. */
static size_t own_columns(const json_t *array, struct ctl_column *columns)
{
	json_t *first = json_array_get(array, 0);
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(first, key, value)
	{
		if (!json_is_object(value) && !json_is_array(value) && n < COLUMNS_MAX)
			columns[n++] = (struct ctl_column){ .key = key, .heading = key };
	}
	return n;
}

static void print_row(FILE *out, const json_t *row, const struct ctl_column *c, size_t n,
		      const size_t *w)
{
	char text[CELL_SIZE];

	for (size_t i = 0; i < n; i++) {
		const json_t *v = row ? reach(row, c[i].key) : NULL;
		bool number = v && json_is_number(v);
		int pad;

		if (row)
			cell_text(v, text);
		else
			snprintf(text, sizeof(text), "%s", c[i].heading);
		pad = (int)(w[i] - width(text));
		fprintf(out, "%s%*s%s", i ? "  " : "", number ? pad : 0, "", text);
		if (!number && i + 1 < n)
			fprintf(out, "%*s", pad, "");
	}
	fputc('\n', out);
}

void ctl_table_print(FILE *out, const json_t *array, const struct ctl_column *columns)
{
	struct ctl_column own[COLUMNS_MAX];
	size_t w[COLUMNS_MAX], n = 0, i;
	char text[CELL_SIZE];
	json_t *row;

	if (!columns) {
		n = own_columns(array, own);
		columns = own;
	} else {
		while (columns[n].key && n < COLUMNS_MAX)
			n++;
	}
	for (size_t k = 0; k < n; k++)
		w[k] = width(columns[k].heading);
	json_array_foreach(array, i, row)
	{
		for (size_t k = 0; k < n; k++) {
			cell_text(reach(row, columns[k].key), text);
			w[k] = width(text) > w[k] ? width(text) : w[k];
		}
	}
	print_row(out, NULL, columns, n, w);
	json_array_foreach(array, i, row) print_row(out, row, columns, n, w);
}

static void print_scalars(FILE *out, const json_t *object)
{
	char text[CELL_SIZE];
	const char *key;
	json_t *value;
	int w = 0;

	json_object_foreach((json_t *)(uintptr_t)object, key, value) w =
		(int)width(key) > w ? (int)width(key) : w;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		bool flat = !json_is_object(value)
			    && !(json_is_array(value) && json_is_object(json_array_get(value, 0)));

		if (!flat)
			continue;
		cell_text(value, text);
		fprintf(out, "%-*s  %s\n", w, key, text);
	}
}

void ctl_value_print(FILE *out, const char *name, const json_t *value)
{
	char text[CELL_SIZE];
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
		if (name)
			fprintf(out, "\n%s\n", name);
		ctl_table_print(out, value, NULL);
		json_array_foreach(value, i, member)
		{
			const char *label = json_string_value(json_object_get(member, "name"));

			json_object_foreach(member, key, value)
			{
				char heading[CELL_SIZE];

				if (!json_is_object(value)
				    && !(json_is_array(value)
					 && json_is_object(json_array_get(value, 0))))
					continue;
				snprintf(heading, sizeof(heading), "%s %s %s", name ? name : "",
					 label ? label : "", key);
				ctl_value_print(out, heading + (name ? 0 : 1), value);
			}
		}
	} else if (json_is_object(value)) {
		if (name)
			fprintf(out, "\n%s\n", name);
		print_scalars(out, value);
		json_object_foreach((json_t *)(uintptr_t)value, key, member)
		{
			if (json_is_object(member)
			    || (json_is_array(member) && json_is_object(json_array_get(member, 0))))
				ctl_value_print(out, key, member);
		}
	} else {
		cell_text(value, text);
		fprintf(out, "%s\n", text);
	}
}
