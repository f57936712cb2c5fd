/*
 * Targets: what the prober knows of one member, and the templates of its messages.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/probe/ctl_probe_digest.h"
#include "control/probe/ctl_probe_int.h"

#define SOURCE_AGE_US 30000000u /* routes change: look our source address up again after this */
#define URI_SIZE      320

static int copy(char **to, const char *from)
{
	if (from == NULL)
		return 0;
	*to = strdup(from);
	return *to != NULL ? 0 : -ENOMEM;
}

static int secure(struct ctl_target *t, const struct ctl_target_params *params)
{
	const char *name = params->tls_name != NULL ? params->tls_name : params->host;
	char address[46];

	if (t->at.transport != DP_TLS)
		return 0;
	if (name == NULL) {
		dp_ip_format(&t->at.ip, address);
		name = address;
	}
	t->tls = ctl_tls_get(t->prober->tls, &params->tls);
	return t->tls != NULL ? copy(&t->tls_name, name) : -ENOMEM;
}

struct ctl_target *ctl_target_new(struct ctl_prober *p, const struct ctl_target_params *params)
{
	struct ctl_target *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->prober = p;
	t->at = params->at;
	t->from = params->from;
	t->max_forwards = params->max_forwards;
	t->lost = params->lost;
	t->lost_arg = params->lost_arg;
	p->n_targets++;
	if (copy(&t->host, params->host) != 0 || copy(&t->from_uri, params->from_uri) != 0
	    || copy(&t->user_agent, params->user_agent) != 0 || copy(&t->user, params->user) != 0
	    || copy(&t->password, params->password) != 0 || secure(t, params) != 0) {
		ctl_target_free(t);
		return NULL;
	}
	return t;
}

static void free_secret(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

void ctl_target_free(struct ctl_target *t)
{
	if (t == NULL)
		return;
	assert(t->n_probes == 0);
	t->prober->n_targets--;
	ctl_stream_free(t->idle);
	ctl_tls_put(t->prober->tls, t->tls);
	free(t->tls_name);
	ctl_probe_text_fini(&t->text[0]);
	ctl_probe_text_fini(&t->text[1]);
	free(t->host);
	free(t->from_uri);
	free(t->user_agent);
	free(t->user);
	free_secret(t->password);
	free(t);
}

/* ---- What its messages say */

static const char *bracketed(const struct sip_ip *ip, char out[64])
{
	char text[46];
	size_t n = dp_ip_format(ip, text);

	if (dp_ip_is_v4(ip))
		snprintf(out, 64, "%.*s", (int)n, text);
	else
		snprintf(out, 64, "[%.*s]", (int)n, text);
	return out;
}

struct wording {
	char sent_by[96], uri[URI_SIZE], from[URI_SIZE], to[URI_SIZE];
	struct ctl_probe_form form;
};

static const char *const via_transports[] = { "UDP", "TCP", "TLS" };
static const char *const uri_transports[] = { "", ";transport=tcp", ";transport=tls" };

/* RFC 3261 10.2: a REGISTER's Request-URI names the domain, its To the address-of-record. */
static void word(struct wording *w, const struct ctl_target *t, bool is_register)
{
	char own[64], peer[64];
	const char *host = t->host != NULL ? t->host : bracketed(&t->at.ip, peer);

	bracketed(&t->source, own);
	snprintf(w->sent_by, sizeof(w->sent_by), "%s:%u", own, t->source_port);
	if (is_register) {
		bool is_aor = t->user != NULL && strchr(t->user, '@') != NULL;

		snprintf(w->uri, sizeof(w->uri), "sip:%s", host);
		snprintf(w->to, sizeof(w->to), "sip:%s%s%s", t->user != NULL ? t->user : "sipsteer",
			 is_aor ? "" : "@", is_aor ? "" : host);
		snprintf(w->from, sizeof(w->from), "%s", w->to);
	} else {
		snprintf(w->uri, sizeof(w->uri), "sip:%s:%u%s", host, t->at.port,
			 uri_transports[t->at.transport]);
		snprintf(w->to, sizeof(w->to), "%s", w->uri);
		if (t->from_uri != NULL)
			snprintf(w->from, sizeof(w->from), "%s", t->from_uri);
		else
			snprintf(w->from, sizeof(w->from), "sip:sipsteer@%s", own);
	}
	w->form = (struct ctl_probe_form){
		.is_register = is_register,
		.transport = via_transports[t->at.transport],
		.sent_by = w->sent_by,
		.uri = w->uri,
		.from = w->from,
		.to = w->to,
		.user_agent = t->user_agent != NULL ? t->user_agent : "sipsteer/" SIPSTEER_VERSION,
		.max_forwards = t->max_forwards,
	};
}

static bool is_zero(const struct sip_ip *ip)
{
	static const struct sip_ip zero;

	return memcmp(ip, &zero, sizeof(zero)) == 0;
}

/* The templates name it. */
static void take_source(struct ctl_target *t, const struct sip_ip *ip, uint16_t port)
{
	if (dp_ip_equal(ip, &t->source) && port == t->source_port)
		return;
	ctl_probe_text_fini(&t->text[0]);
	ctl_probe_text_fini(&t->text[1]);
	t->source = *ip;
	t->source_port = port;
}

static int look_up_source(struct ctl_target *t, uint64_t now_us)
{
	struct sip_ip source = t->from;
	int err = 0;

	if (is_zero(&t->from))
		err = ctl_udp_source(&t->at, &source);
	if (err != 0)
		return err;
	take_source(t, &source, t->source_port);
	t->source_at_us = now_us;
	return 0;
}

static int have_text(struct ctl_target *t, bool is_register)
{
	struct wording w;

	if (t->text[is_register].b != NULL)
		return 0;
	word(&w, t, is_register);
	return ctl_probe_text_build(&t->text[is_register], &w.form);
}

int ctl_target_ready(struct ctl_target *t, bool is_register, uint64_t now_us)
{
	int err = 0;

	if (t->source_at_us == 0 || now_us - t->source_at_us > SOURCE_AGE_US)
		err = look_up_source(t, now_us);
	if (err != 0)
		return err;
	if (t->sock == NULL)
		t->sock = ctl_udp_socket(t->prober->udp, &t->from, dp_ip_is_v4(&t->at.ip));
	if (t->sock == NULL)
		return -errno;
	take_source(t, &t->source, ctl_udp_port(t->sock));
	return have_text(t, is_register);
}

int ctl_target_ready_from(struct ctl_target *t, bool is_register, const struct dp_endpoint *local)
{
	take_source(t, &local->ip, local->port);
	return have_text(t, is_register);
}

int ctl_target_credentials(const struct ctl_target *t, const struct ctl_probe_response *r,
			   struct ctl_probe_text *text)
{
	char value[CTL_DIGEST_SIZE];
	struct wording w;
	char user[URI_SIZE];
	int which;

	word(&w, t, true);
	snprintf(user, sizeof(user), "%s", t->user);
	user[strcspn(user, "@")] = '\0';
	const struct ctl_digest_who who = { .user = user,
					    .password = t->password != NULL ? t->password : "",
					    .method = "REGISTER",
					    .uri = w.uri };

	which = ctl_digest_answer(r, &who, 1, NULL, value);
	if (which < 0)
		return which;
	w.form.authorization = value;
	w.form.proxy_authorization = r->challenges[which].proxy;
	return ctl_probe_text_build(text, &w.form);
}
