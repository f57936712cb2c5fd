#include "dataplane/steer/steer_prepare.h"

#include <string.h>

#include "dataplane/steer/steer_hex.h"

_Static_assert(sizeof(STEER_VIA_HEAD) + STEER_HOSTPORT_MAX + sizeof(STEER_VIA_TAIL) - 2
		       <= DP_PREPARED_SIZE,
	       "room for a Via");
_Static_assert(sizeof(STEER_ROUTE_HEAD) + STEER_HOSTPORT_MAX + sizeof(STEER_ROUTE_TAIL) - 2
		       <= DP_PREPARED_SIZE,
	       "room for a Record-Route");

static uint8_t prepare(char *out, const char *head, const char *hostport, size_t len,
		       const char *tail)
{
	char *p = out;

	memcpy(p, head, strlen(head));
	p += strlen(head);
	memcpy(p, hostport, len);
	p += len;
	memcpy(p, tail, strlen(tail));
	p += strlen(tail);
	return (uint8_t)(p - out);
}

void steer_prepare_listener(struct dp_listener *l, const char *hostport, size_t len)
{
	char digits[16];

	l->via_len = prepare(l->via, STEER_VIA_HEAD, hostport, len, STEER_VIA_TAIL);
	l->route_len = prepare(l->route, STEER_ROUTE_HEAD, hostport, len, STEER_ROUTE_TAIL);
	steer_hex_put(digits, l->key);
	memcpy(l->digits, digits + 8, sizeof(l->digits));
}

void steer_prepare_member(struct dp_member *m, uint32_t pair_key)
{
	steer_hex_put(m->digits, (uint64_t)pair_key << 32 | m->key);
}
