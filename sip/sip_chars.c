/*
 * Character classes and the cursors over quoted strings, numbers, hosts and parameters. Pure; any
 * thread.
 */
#include "sip/sip_internal.h"

#include <errno.h>
#include <string.h>

#define LWS   SIP_C_LWS
#define PARM  (SIP_C_PARAM | SIP_C_URI)        /* any visible character that separates nothing */
#define URIC  SIP_C_URI                        /* ';' ',' */
#define ANGLE SIP_C_PARAM                      /* '<' '>' */
#define TOK   (SIP_C_TOKEN | PARM)             /* token's marks */
#define MARK  (TOK | SIP_C_HOST)               /* '-' '.' '_' */
#define DIG   (MARK | SIP_C_DIGIT | SIP_C_HEX) /* 0-9 */
#define HEX   (MARK | SIP_C_ALPHA | SIP_C_HEX) /* a-f */
#define ALPH  (MARK | SIP_C_ALPHA)             /* g-z */
#define R4(x) x, x, x, x
#define R8(x) R4(x), R4(x)

const uint8_t sip_class[256] = {
	[0x09] = LWS, [0x0a] = LWS,  [0x0d] = LWS,
	[' '] = LWS,  ['!'] = TOK,   ['#'] = PARM,
	['$'] = PARM, ['%'] = TOK,   ['&'] = PARM,
	['\''] = TOK, ['('] = PARM,  [')'] = PARM,
	['*'] = TOK,  ['+'] = TOK,   [','] = URIC,
	['-'] = MARK, ['.'] = MARK,  ['/'] = PARM,
	[':'] = PARM, [';'] = URIC,  ['<'] = ANGLE,
	['='] = PARM, ['>'] = ANGLE, ['?'] = PARM,
	['@'] = PARM, ['['] = PARM,  ['\\'] = PARM,
	[']'] = PARM, ['^'] = PARM,  ['_'] = MARK,
	['`'] = TOK,  ['{'] = PARM,  ['|'] = PARM,
	['}'] = PARM, ['~'] = TOK,   ['0'] = R8(DIG),
	DIG,          DIG,           ['A'] = R4(HEX),
	HEX,          HEX,           ['G'] = R8(ALPH),
	R8(ALPH),     R4(ALPH),      ['a'] = R4(HEX),
	HEX,          HEX,           ['g'] = R8(ALPH),
	R8(ALPH),     R4(ALPH),      [0x80] = R8(PARM),
	R8(PARM),     R8(PARM),      R8(PARM),
	R8(PARM),     R8(PARM),      R8(PARM),
	R8(PARM),     R8(PARM),      R8(PARM),
	R8(PARM),     R8(PARM),      R8(PARM),
	R8(PARM),     R8(PARM),      R8(PARM),
};

uint32_t sip_skip_quoted(const uint8_t *b, uint32_t i, uint32_t end)
{
	for (i++; i < end; i++) {
		if (b[i] == '"')
			return i + 1;
		if (b[i] == '\\')
			i++;
	}
	return 0;
}

int sip_u32(const uint8_t *b, uint32_t i, uint32_t end, uint32_t *value)
{
	uint64_t v = 0;

	if (i >= end)
		return -EINVAL;
	for (; i < end; i++) {
		if (!sip_is(b[i], SIP_C_DIGIT))
			return -EINVAL;
		v = v * 10 + (uint64_t)(b[i] - '0');
		if (v > UINT32_MAX)
			return -EINVAL;
	}
	*value = (uint32_t)v;
	return 0;
}

uint16_t sip_put_u32(char *out, uint32_t value)
{
	char digit[10];
	uint16_t n = 0;

	do {
		digit[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (uint16_t i = 0; i < n; i++)
		out[i] = digit[n - 1 - i];
	return n;
}

int sip_port(const uint8_t *b, uint32_t i, uint32_t end, uint16_t *port)
{
	uint32_t v;

	if (sip_u32(b, i, end, &v) < 0 || v > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)v;
	return 0;
}

static uint32_t skip_ipv6_reference(const uint8_t *b, uint32_t i, uint32_t end)
{
	struct sip_ip ip;
	uint32_t start = i;

	while (i < end && b[i] != ']')
		i++;
	if (i == end || sip_host_ip(b, sip_span_of(start, i + 1), &ip) < 0)
		return 0;
	return i + 1;
}

uint32_t sip_skip_host(const uint8_t *b, uint32_t i, uint32_t end)
{
	uint32_t stop;

	if (i < end && b[i] == '[')
		return skip_ipv6_reference(b, i, end);
	stop = sip_skip(b, i, end, SIP_C_HOST);
	return stop > i ? stop : 0;
}

bool sip_walk_take(uint16_t *left, const uint8_t *b, struct sip_span s, uint8_t c)
{
	const uint8_t *at = b + s.off, *end = at + s.len;

	for (;; at++) {
		if (*left == 0)
			return false;
		*left -= 1;
		at = at < end ? memchr(at, c, (size_t)(end - at)) : NULL;
		if (!at)
			return true;
	}
}

uint32_t sip_param_next(const uint8_t *b, uint32_t i, uint32_t end, struct sip_param *p)
{
	uint32_t start = i, value, stop;

	i = sip_skip(b, i + 1, end, SIP_C_LWS);
	for (stop = i; stop < end && b[stop] != '=' && sip_is(b[stop], SIP_C_PARAM);)
		stop++;
	if (stop == i)
		return 0;
	p->name = sip_span_of(i, stop);
	p->value = sip_span_of(stop, stop);
	value = sip_separator(b, stop, end, '=');
	if (value) {
		if (value < end && b[value] == '"')
			stop = sip_skip_quoted(b, value, end);
		else
			stop = sip_skip(b, value, end, SIP_C_PARAM);
		if (stop == 0)
			return 0;
		p->value = sip_span_of(value, stop);
	}
	p->whole = sip_span_of(start, p->value.len ? stop : sip_trim(b, start, stop));
	return sip_skip(b, stop, end, SIP_C_LWS);
}
