/*
 * The request around a value.
 */
#include "tests/fuzz/wrap.h"

#include <string.h>

static size_t put(uint8_t *out, size_t at, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(out + at, bytes, len);
	return at + len;
}

static size_t put_text(uint8_t *out, size_t at, const char *text)
{
	return put(out, at, text, strlen(text));
}

size_t wrap_value(uint8_t *out, const char *name, const uint8_t *value, size_t value_len)
{
	size_t len = put_text(out, 0, "BYE sip:a@b SIP/2.0\r\n");

	if (strcmp(name, "Via") != 0)
		len = put_text(out, len, "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n");
	len = put_text(out, len, name);
	len = put_text(out, len, ": ");
	len = put(out, len, value, value_len);
	return put_text(
		out, len,
		"\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@c>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n"
		"Max-Forwards: 70\r\n\r\n");
}
