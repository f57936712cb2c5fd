#include "dataplane/steer/steer_plain.h"

#include <string.h>

/* The port that fills [p, end) with its colon, or -1: it is none. Eight bytes behind p can be read.
 */
static inline int32_t port_of(const uint8_t *p, const uint8_t *end)
{
	if (end - p < 2 || end - p > 6 || *p != ':')
		return -1;
	return steer_plain_port(p + 1, (uint32_t)(end - p) - 1);
}

bool steer_plain_uri(const struct sip_msg *m, struct sip_span s, struct sip_uri *uri)
{
	const uint8_t *p = sip_at(m, s);
	uint32_t off = s.off + 4u, len = s.len - 4u;
	struct steer_plain parts;
	int32_t port = 0;

	if (s.len <= 4 || memcmp(p, "sip:", 4) != 0 || off + len + STEER_PLAIN_STEP > m->len
	    || !steer_plain_read(p + 4, len, m->len - off, STEER_PLAIN_HOST, &parts))
		return false;
	if (parts.stop < len)
		port = port_of(p + 4 + parts.stop, p + s.len);
	if (port < 0)
		return false;
	*uri = (struct sip_uri){
		.scheme = SIP_SCHEME_SIP,
		.whole = s,
		.host = { (uint16_t)(off + parts.host), (uint16_t)(parts.stop - parts.host) },
		.port = (uint16_t)port,
	};
	if (parts.host) {
		uri->has_user = true;
		uri->user = (struct sip_span){ (uint16_t)off, (uint16_t)parts.at };
	}
	return true;
}
