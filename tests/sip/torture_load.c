/*
 * The torture messages' way from the RFCs' archives to the wire. RFC 5118's archive ends its lines
 * with a bare LF and leaves out what a figure does not show.
 */
#include "tests/sip/torture_load.h"

#include <stdio.h>
#include <string.h>

static size_t read_file(const char *name, uint8_t *out, size_t out_size)
{
	char path[1024];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", TORTURE_DIR, name);
	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return 0;
	}
	len = fread(out, 1, out_size, f);
	fclose(f);
	return len < out_size ? len : 0;
}

static size_t lf_to_crlf(const uint8_t *in, size_t len, uint8_t *out, size_t out_size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (n + 2 > out_size)
			return 0;
		if (in[i] == '\n')
			out[n++] = '\r';
		out[n++] = in[i];
	}
	return n;
}

/* Write the body's size over the value of Content-Length, which has as many digits. */
static void set_content_length(uint8_t *msg, size_t len)
{
	static const char name[] = "Content-Length: ";
	uint8_t *value = memmem(msg, len, name, sizeof(name) - 1);
	uint8_t *end = memmem(msg, len, "\r\n\r\n", 4);
	char digits[16];

	if (!value || !end)
		return;
	value += sizeof(name) - 1;
	snprintf(digits, sizeof(digits), "%03zu", (size_t)(msg + len - (end + 4)));
	memcpy(value, digits, 3);
}

size_t torture_load(const struct torture_row *row, uint8_t *out)
{
	uint8_t file[TORTURE_MAX];
	size_t len = read_file(row->file, file, sizeof(file));

	if (row->wire & TORTURE_WIRE_CRLF)
		len = lf_to_crlf(file, len, out, TORTURE_MAX - 2);
	else if (len <= TORTURE_MAX - 2)
		memcpy(out, file, len);
	else
		len = 0;
	if (len > 0 && row->wire & TORTURE_WIRE_END) {
		memcpy(out + len, "\r\n", 2);
		len += 2;
	}
	if (row->wire & TORTURE_WIRE_LENGTH)
		set_content_length(out, len);
	return len;
}

const char *torture_verdict_text(const struct torture_row *row)
{
	static char code[8];

	switch (row->verdict) {
	case TORTURE_FORWARD: return "forward";
	case TORTURE_DROP: return "drop";
	case TORTURE_ANSWER: break;
	}
	snprintf(code, sizeof(code), "%u", row->code);
	return code;
}
