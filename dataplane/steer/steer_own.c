/*
 * What is ours: listeners by address and by name, and which of them a message leaves from. Reads
 * the snapshot only.
 */
#include "dataplane/steer/steer_internal.h"

#include <errno.h>
#include <string.h>

static bool same_endpoint(const struct dp_endpoint *a, const struct dp_endpoint *b)
{
	return a->port == b->port && a->transport == b->transport && dp_ip_equal(&a->ip, &b->ip);
}

/* Whether a host can be an IP literal at all: most are names. IPv4 ends in a digit, IPv6 in a
 * bracket, or, without brackets, in a hexadecimal digit. */
static bool may_be_literal(const uint8_t *buf, struct sip_span host)
{
	uint8_t last = host.len ? buf[host.off + host.len - 1] : 0;

	if (last <= '9' || last == ']')
		return true;
	return (last | 0x20) <= 'f' && memchr(buf + host.off, ':', host.len);
}

/* Dotted decimal, 1*3DIGIT each, as sip_host_ip() reads it. */
static bool read_ipv4(const uint8_t *p, uint32_t len, uint8_t out[4])
{
	const uint8_t *end = p + len;

	for (unsigned int i = 0; i < 4; i++) {
		unsigned int v = 0, n = 0, digit;

		for (; p < end && (digit = *p - (unsigned int)'0') <= 9; p++, n++)
			v = v * 10 + digit;
		if (n == 0 || n > 3 || v > 255)
			return false;
		out[i] = (uint8_t)v;
		if (i < 3 && (p == end || *p++ != '.'))
			return false;
	}
	return p == end;
}

int steer_host_ip(const uint8_t *buf, struct sip_span host, struct sip_ip *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t v4[4];

	if (host.len > 15 || !read_ipv4(buf + host.off, host.len, v4))
		return sip_host_ip(buf, host, ip);
	memcpy(ip->b, mapped, sizeof(mapped));
	memcpy(ip->b + 12, v4, sizeof(v4));
	return 0;
}

/* Whether a host and port are a listener's as we write them. */
static bool is_text_of(const struct steer_ctx *c, const struct dp_listener *l, struct sip_span host,
		       uint16_t port)
{
	const char *text = dp_cfg_text(c->cfg, l->hostport);

	return port == l->at.port && l->at.transport == DP_UDP && host.len < l->hostport.len
	       && text[host.len] == ':' && memcmp(text, sip_at(c->m, host), host.len) == 0
	       && (text[0] != '[' || text[host.len - 1] == ']');
}

const struct dp_listener *steer_own_listener(const struct steer_ctx *c, struct sip_span host,
					     uint16_t port)
{
	struct dp_endpoint e = { .port = port ? port : STEER_SIP_PORT, .transport = DP_UDP };

	if (!may_be_literal(c->m->buf, host))
		return NULL;
	if (is_text_of(c, c->in->listener, host, e.port))
		return c->in->listener;
	if (steer_host_ip(c->m->buf, host, &e.ip) < 0)
		return NULL;
	if (same_endpoint(&e, &c->in->listener->at))
		return c->in->listener;
	return dp_cfg_listener_at(c->cfg, &e);
}

static bool text_is_nocase(const char *text, uint32_t len, const uint8_t *p, uint32_t n)
{
	if (len != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t a = (uint8_t)text[i], b = p[i];

		if (a != b && ((a ^ b) != 0x20 || (a | 0x20) < 'a' || (a | 0x20) > 'z'))
			return false;
	}
	return true;
}

bool steer_own_name(const struct steer_ctx *c, struct sip_span host)
{
	const struct dp_text *name = dp_cfg_at(c->cfg, c->service->names);

	for (uint32_t i = 0; i < c->service->n_names; i++)
		if (text_is_nocase(dp_cfg_text(c->cfg, name[i]), name[i].len, sip_at(c->m, host),
				   host.len))
			return true;
	return false;
}

static bool over_udp(const struct steer_ctx *c, const struct sip_uri *u)
{
	struct sip_span transport;

	return u->scheme == SIP_SCHEME_SIP
	       && (u->params.len == 0
		   || !sip_param_find(c->m->buf, u->params, "transport", &transport)
		   || sip_span_is_nocase(c->m->buf, transport, "udp"));
}

const struct dp_listener *steer_own_uri(const struct steer_ctx *c, const struct sip_uri *u)
{
	const struct dp_listener *l;

	if (u->host.len == 0 || !over_udp(c, u))
		return NULL;
	l = steer_own_listener(c, u->host, u->port);
	if (l || c->service->n_names == 0 || !steer_own_name(c, u->host))
		return l;
	/* RFC 3261 16.4: names that we answer to; a port, when there is one, must be the one that
	 * was used. */
	return u->port == 0 || u->port == c->in->listener->at.port ? c->in->listener : NULL;
}

const struct dp_listener *steer_default_listener(const struct steer_ctx *c, const struct sip_ip *ip)
{
	uint16_t number = dp_ip_is_v4(ip) ? c->service->listener4 : c->service->listener6;

	return number == DP_NONE16 ? NULL : dp_cfg_listener(c->cfg, number);
}

const struct dp_listener *steer_member_listener(const struct steer_ctx *c, const struct dp_pair *p,
						const struct sip_ip *ip)
{
	bool v4 = dp_ip_is_v4(ip);
	uint16_t egress = v4 ? p->egress4 : p->egress6;

	if (egress != DP_NONE16)
		return dp_cfg_listener(c->cfg, egress);
	if (dp_ip_is_v4(&c->in->listener->at.ip) == v4)
		return c->in->listener;
	return steer_default_listener(c, ip);
}

int steer_uri_endpoint(const struct steer_ctx *c, const struct sip_uri *u, bool ignore_maddr,
		       struct dp_endpoint *to)
{
	struct sip_span host = u->host, maddr;

	if (u->scheme != SIP_SCHEME_SIP)
		return u->scheme == SIP_SCHEME_SIPS ? -EPROTONOSUPPORT : -EINVAL;
	if (!over_udp(c, u))
		return -EPROTONOSUPPORT;
	if (!ignore_maddr && u->params.len && sip_param_find(c->m->buf, u->params, "maddr", &maddr))
		host = maddr;
	if (!may_be_literal(c->m->buf, host))
		return -EINVAL;
	*to = (struct dp_endpoint){
		.port = u->port ? u->port : STEER_SIP_PORT,
		.transport = DP_UDP,
	};
	return steer_host_ip(c->m->buf, host, &to->ip);
}
