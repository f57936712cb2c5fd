/*
 * What is ours: listeners by address and by name, and which of them a message leaves from. Reads
 * the snapshot only.
 */
#include "dataplane/steer/steer_ipv4.h"

#include <errno.h>
#include <string.h>

static bool same_endpoint(const struct dp_endpoint *a, const struct dp_endpoint *b)
{
	return a->port == b->port && a->transport == b->transport && dp_ip_equal(&a->ip, &b->ip);
}

/* A digit at p, or more than 9: the end, or none. */
static inline unsigned int digit_at(const uint8_t *p, const uint8_t *end)
{
	return p < end ? *p - (unsigned int)'0' : 10;
}

/* Dotted decimal, 1*3DIGIT each, as sip_host_ip() reads it. */
static bool read_ipv4(const uint8_t *p, const uint8_t *end, uint32_t *ip)
{
	uint32_t all = 0;

#pragma GCC unroll 4
	for (unsigned int i = 0; i < 4; i++) {
		unsigned int v = digit_at(p++, end), digit = digit_at(p, end);

		if (v > 9)
			return false;
		if (digit <= 9) {
			v = v * 10 + digit;
			digit = digit_at(++p, end);
			if (digit <= 9) {
				v = v * 10 + digit;
				p++;
			}
		}
		if (v > 255 || (i < 3 && (p == end || *p++ != '.')))
			return false;
		all |= v << 8 * i;
	}
	*ip = all;
	return p == end;
}

int steer_host_ip(const uint8_t *buf, struct sip_span host, struct sip_ip *ip)
{
	const uint8_t *p = buf + host.off;
	uint64_t mapped[2] = { 0, DP_IP_MAPPED };
	uint32_t v4;

	if (!read_ipv4(p, p + host.len, &v4))
		return sip_host_ip(buf, host, ip);
	mapped[1] |= (uint64_t)v4 << 32;
	memcpy(ip->b, mapped, sizeof(mapped));
	return 0;
}

const struct dp_listener *steer_own_listener_any(const struct steer_ctx *c, struct sip_span host,
						 uint16_t port)
{
	struct dp_endpoint e = { .port = port, .transport = DP_UDP };

	if (!steer_may_be_literal(c->m->buf, host))
		return NULL;
	if (steer_msg_ip(c->m, host, &e.ip) < 0)
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
	if (!steer_may_be_literal(c->m->buf, host))
		return -EINVAL;
	*to = (struct dp_endpoint){
		.port = u->port ? u->port : STEER_SIP_PORT,
		.transport = DP_UDP,
	};
	return steer_msg_ip(c->m, host, &to->ip);
}
