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

/* The classes, and what is not searched for, as the scan wants them; written before main(). */
#define N_CLASSES 8
static struct sip_set class_sets[N_CLASSES], until_sets[SIP_UNTIL_N];

static void fill_set(struct sip_set *set, uint8_t class, const char *until)
{
	for (uint8_t c = 0; c < 0x80; c++)
		if (class ? sip_is(c, class) : !memchr(until, c, strlen(until)))
			set->low[c & 15] |= (uint8_t)(1 << (c >> 4));
	set->upper = !class || sip_is(0x80, class);
}

static __attribute__((constructor)) void fill_sets(void)
{
	static const char *const until[SIP_UNTIL_N] = {
		[SIP_UNTIL_QUOTE] = "\"\\",
		[SIP_UNTIL_ELEMENT] = ",\"<",
		[SIP_UNTIL_DISPLAY] = ";,\"<",
		[SIP_UNTIL_ANGLE] = ";\"<",
	};

	for (int i = 0; i < N_CLASSES; i++)
		fill_set(&class_sets[i], (uint8_t)(1 << i), NULL);
	for (int i = 0; i < SIP_UNTIL_N; i++)
		fill_set(&until_sets[i], 0, until[i]);
}

uint32_t sip_find_far(const uint8_t *b, uint32_t i, uint32_t end, enum sip_until until)
{
	return sip_scan_chosen->skip(b, i, end, &until_sets[until]);
}

uint32_t sip_skip_far(const uint8_t *b, uint32_t i, uint32_t end, enum sip_class class)
{
	return sip_scan_chosen->skip(b, i, end, &class_sets[__builtin_ctz(class)]);
}

uint32_t sip_word_end_far(struct sip_text *t, uint32_t i, uint32_t end)
{
	for (; i < end; i = t->base + 64) {
		t->base = i;
		t->stop = sip_scan_chosen->stops(t->b, i, t->limit);
		if (t->stop) {
			i += (uint32_t)__builtin_ctzll(t->stop);
			return i < end ? i : end;
		}
	}
	return end;
}

uint32_t sip_skip_quoted(const uint8_t *b, uint32_t i, uint32_t end)
{
	for (uint32_t n = 1; ++i < end; n++) {
		if (b[i] == '"')
			return i + 1;
		if (b[i] == '\\')
			i++;
		else if (n % 16 == 0) /* a long one */
			i = sip_find_far(b, i, end, SIP_UNTIL_QUOTE) - 1;
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

/* "00" to "99" */
#define TEN(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9"
static const char two_digits[] =
	TEN("0") TEN("1") TEN("2") TEN("3") TEN("4") TEN("5") TEN("6") TEN("7") TEN("8") TEN("9");

uint16_t sip_put_u32(char *out, uint32_t value)
{
	char digit[10];
	unsigned int at = sizeof(digit);

	for (; value >= 100; value /= 100)
		memcpy(&digit[at -= 2], &two_digits[value % 100 * 2], 2);
	if (value >= 10)
		memcpy(&digit[at -= 2], &two_digits[value * 2], 2);
	else
		digit[--at] = (char)('0' + value);
	for (unsigned int i = at; i < sizeof(digit); i++)
		*out++ = digit[i];
	return (uint16_t)(sizeof(digit) - at);
}

uint32_t sip_port(const uint8_t *b, uint32_t i, uint32_t end, uint16_t *port)
{
	uint32_t start = i, v = 0;

	for (; i < end && sip_is(b[i], SIP_C_DIGIT); i++) {
		v = v * 10 + (uint32_t)(b[i] - '0');
		if (v > UINT16_MAX)
			return 0;
	}
	if (i == start)
		return 0;
	*port = (uint16_t)v;
	return i;
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

uint32_t sip_skip_host(struct sip_text *t, uint32_t i, uint32_t end)
{
	uint32_t stop = sip_skip_words(t, i, end, SIP_C_HOST);

	if (stop > i)
		return stop;
	return i < end && t->b[i] == '[' ? skip_ipv6_reference(t->b, i, end) : 0;
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

/* Behind the parameter name at i. */
static uint32_t skip_param_name(struct sip_text *t, uint32_t i, uint32_t end)
{
	i = sip_word_end(t, i, end);
	while (i < end && t->b[i] != '=' && sip_is(t->b[i], SIP_C_PARAM))
		i++;
	return i;
}

uint32_t sip_param_next(struct sip_text *t, uint32_t i, uint32_t end, struct sip_param *p)
{
	const uint8_t *b = t->b;
	uint32_t start = i, value, stop;

	i = sip_skip_lws(b, i + 1, end);
	stop = skip_param_name(t, i, end);
	if (stop == i)
		return 0;
	p->name = sip_span_of(i, stop);
	value = sip_separator(b, stop, end, '=');
	if (value == 0) {
		p->value = sip_span_of(stop, stop);
		p->whole = sip_span_of(start, stop);
		return sip_skip_lws(b, stop, end);
	}
	if (value < end && b[value] == '"')
		stop = sip_skip_quoted(b, value, end);
	else
		stop = sip_skip_words(t, value, end, SIP_C_PARAM);
	if (stop == 0)
		return 0;
	p->value = sip_span_of(value, stop);
	p->whole = sip_span_of(start, stop > value ? stop : sip_trim(b, start, stop));
	return sip_skip_lws(b, stop, end);
}
