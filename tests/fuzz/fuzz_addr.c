/*
 * sip_addr_parse() on anything: name-addr and addr-spec. What is accepted is accepted alike when it
 * stands in a From header, and when it is put together again from its parts.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: "
#define TAIL "\r\nTo: <sip:b@c>\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n"

static size_t put(uint8_t *out, size_t at, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(out + at, bytes, len);
	return at + len;
}

static void parse_in_from(const uint8_t *data, const struct sip_addr *addr)
{
	size_t size = addr->whole.len, len;
	uint8_t *msg = malloc(sizeof(HEAD) + sizeof(TAIL) + size);
	struct sip_span tag = { 0, 0 };
	static struct sip_msg m;

	len = put(msg, 0, HEAD, sizeof(HEAD) - 1);
	len = put(msg, len, data + addr->whole.off, size);
	len = put(msg, len, TAIL, sizeof(TAIL) - 1);
	if (len <= SIP_MSG_MAX && !memchr(data + addr->whole.off, '\n', size)) {
		assert(sip_msg_parse(&m, msg, len) == SIP_OK);
		sip_param_find(data, addr->params, "tag", &tag);
		assert(m.from_uri.len == addr->uri.len && m.from_tag.len == tag.len);
		assert(memcmp(sip_at(&m, m.from_uri), data + addr->uri.off, addr->uri.len) == 0);
	}
	free(msg);
}

/* display <uri>params, without the white space that was around the parts. */
static void parse_rebuilt(const uint8_t *data, const struct sip_addr *addr)
{
	uint8_t *text = malloc((size_t)addr->whole.len + 2);
	struct sip_addr again;
	size_t len;

	len = put(text, 0, data + addr->display.off, addr->display.len);
	len = put(text, len, "<", 1);
	len = put(text, len, data + addr->uri.off, addr->uri.len);
	len = put(text, len, ">", 1);
	len = put(text, len, data + addr->params.off, addr->params.len);
	if (len <= SIP_MSG_MAX) {
		assert(sip_addr_parse(text, (struct sip_span){ 0, (uint16_t)len }, &again) == 0);
		assert(again.uri.len == addr->uri.len && again.display.len == addr->display.len);
		assert(again.params.len == addr->params.len);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_addr addr;

	if (size > SIP_MSG_MAX
	    || sip_addr_parse(data, (struct sip_span){ 0, (uint16_t)size }, &addr) < 0)
		return 0;
	fuzz_check_addr(data, size, &addr);
	parse_in_from(data, &addr);
	parse_rebuilt(data, &addr);
	return 0;
}
