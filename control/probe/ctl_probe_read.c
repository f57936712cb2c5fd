/*
 * Which datagrams answer a probe. Apart from ctl_probe_msg.c, since libosip2's headers and sip/'s
 * both claim the name SIP_OK.
 */
#include <errno.h>
#include <string.h>

#include "control/probe/ctl_probe_msg.h"
#include "sip/sip_msg.h"

#define COOKIE "z9hG4bK"

const char *ctl_probe_find_branch(const char *buf, size_t len)
{
	const char *at = memmem(buf, len, COOKIE, sizeof(COOKIE) - 1);

	if (at == NULL || (size_t)(buf + len - at) < sizeof(COOKIE) - 1 + CTL_PROBE_TOKEN)
		return NULL;
	return at + sizeof(COOKIE) - 1;
}

static bool token_is(const struct sip_msg *m, struct sip_span s, const char *token)
{
	return s.len == CTL_PROBE_TOKEN && memcmp(sip_at(m, s), token, CTL_PROBE_TOKEN) == 0;
}

static bool branch_is(const struct sip_msg *m, const char *token)
{
	struct sip_span b = m->via.branch;
	const size_t n = sizeof(COOKIE) - 1;

	return b.len == n + CTL_PROBE_TOKEN && memcmp(sip_at(m, b), COOKIE, n) == 0
	       && memcmp(sip_at(m, b) + n, token, CTL_PROBE_TOKEN) == 0;
}

static bool has_one_via(const struct sip_msg *m)
{
	struct sip_via_iter it;
	struct sip_via via;

	sip_via_iter_init(&it, m);
	return sip_via_iter_next(&it, &via) == 1 && sip_via_iter_next(&it, &via) == 0;
}

/* RFC 3261 8.1.3.3: more than one Via: not for us. 17.1.3: the branch and the CSeq method match. */
static int check(const struct sip_msg *m, const struct ctl_probe_ids *ids, bool is_register)
{
	if (m->is_request || !has_one_via(m))
		return -EBADMSG;
	if (!branch_is(m, ids->branch) || !token_is(m, m->from_tag, ids->tag)
	    || !token_is(m, m->call_id, ids->call_id) || m->cseq != ids->cseq
	    || m->method != (is_register ? SIP_METHOD_REGISTER : SIP_METHOD_OPTIONS))
		return -ESRCH;
	return 0;
}

int ctl_probe_parse(const char *buf, size_t len, const struct ctl_probe_ids *ids, bool is_register,
		    struct ctl_probe_response *r)
{
	struct sip_msg m;
	int err = -EBADMSG;

	r->code = 0;
	r->n_challenges = 0;
	if (sip_msg_parse(&m, (const uint8_t *)buf, len) == SIP_OK)
		err = check(&m, ids, is_register);
	if (err != 0)
		return err;
	r->code = m.status;
	if (is_register && (r->code == 401 || r->code == 407))
		ctl_probe_read_challenges(buf, len, r);
	return 0;
}
