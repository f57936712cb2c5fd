#include "tests/sip/parse_helper.h"

struct sip_msg msg;
static struct guard guard;

void parse_set_up(void)
{
	guard_init(&guard, 128 * 1024);
}

void parse_tear_down(void)
{
	guard_fini(&guard);
}

enum sip_result parse_bytes(const void *data, size_t len)
{
	memset(&msg, 0xa5, sizeof(msg));
	return sip_msg_parse(&msg, guard_copy(&guard, data, len), len);
}

enum sip_result parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

const char *text_of(struct sip_span s)
{
	static char text[4][2048];
	static unsigned int turn;
	char *t = text[turn++ % 4];

	cr_assert_lt(s.len, sizeof(text[0]));
	if (s.len)
		memcpy(t, sip_at(&msg, s), s.len);
	t[s.len] = '\0';
	return t;
}
