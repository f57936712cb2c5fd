/*
 * Who is let in: a service's `allow:`, `deny:` and `requests-per-second:`. Nothing is answered: an
 * answer would tell a scanner that somebody is here, and cost what the limit is there to save.
 */
#include <string.h>

#include "dataplane/steer/steer_internal.h"

static bool is_among(const struct dp_access *a, unsigned int n, const struct sip_ip *ip)
{
	for (unsigned int i = 0; i < n; i++)
		if (dp_ip_in_prefix(ip, &a[i].ip, a[i].prefix_len))
			return true;
	return false;
}

static bool is_admitted(const struct steer_ctx *c)
{
	const struct dp_service *s = c->service;
	const struct dp_access *a = dp_cfg_at(c->cfg, s->access);

	if (s->n_allow && !is_among(a, s->n_allow, &c->in->src.ip))
		return false;
	return !is_among(a + s->n_allow, s->n_deny, &c->in->src.ip);
}

/* Without parsing: what is no status line counts as a request, garbage too. */
static bool is_response(const struct steer_in *in)
{
	static const char version[] = "SIP/2.0 ";

	return in->len >= sizeof(version) - 1 && memcmp(in->buf, version, sizeof(version) - 1) == 0;
}

bool steer_guard(struct steer_ctx *c)
{
	if (!is_admitted(c)) {
		steer_drop(c, DP_REASON_ACCESS_DENIED, "the service does not admit the source");
		return false;
	}
	if (is_response(c->in)
	    || steer_limits_take(c->s->requests, &c->in->src.ip, c->service->requests_per_s,
				 c->s->now_us))
		return true;
	steer_drop(c, DP_REASON_REQUEST_LIMITED, "the source has had its share of requests");
	return false;
}
