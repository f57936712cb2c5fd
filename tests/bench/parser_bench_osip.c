#include "tests/bench/parser_bench_osip.h"

#include <osipparser2/osip_parser.h>

static void no_trace(const char *file, int line, osip_trace_level_t level, const char *text,
		     va_list args)
{
	(void)file;
	(void)line;
	(void)level;
	(void)text;
	(void)args;
}

void parser_bench_osip_init(void)
{
	osip_trace_initialize_func(OSIP_BUG, no_trace);
	parser_init();
}

long parser_bench_osip(const uint8_t *bytes, size_t len)
{
	osip_message_t *sip;
	long r;

	if (osip_message_init(&sip) != 0)
		return -1;
	r = osip_message_parse(sip, (const char *)bytes, len);
	osip_message_free(sip);
	return r;
}
