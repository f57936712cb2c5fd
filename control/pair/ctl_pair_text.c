/*
 * The pair machine's words: names of states and events, causes, the sentences of evidence, and the
 * pair's 64-bit word.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/pair/ctl_pair_int.h"

const char *ctl_pair_phase_name(unsigned int phase)
{
	static const char *const names[CTL_PAIR_PHASE_N] = {
		[CTL_PAIR_UNKNOWN] = "unknown",
		[CTL_PAIR_PRIMARY] = "primary",
		[CTL_PAIR_BACKUP] = "backup",
		[CTL_PAIR_FALLBACK] = "fallback",
		[CTL_PAIR_OUT_OF_SERVICE] = "out-of-service",
	};

	return phase < CTL_PAIR_PHASE_N ? names[phase] : "?";
}

const char *ctl_pair_health_name(unsigned int health)
{
	static const char *const names[CTL_HEALTH_N] = {
		[CTL_HEALTH_NEW] = "unknown",
		[CTL_HEALTH_UP] = "up",
		[CTL_HEALTH_SUSPECT] = "suspect",
		[CTL_HEALTH_DOWN] = "down",
	};

	return health < CTL_HEALTH_N ? names[health] : "?";
}

const char *ctl_pair_event_name(unsigned int event)
{
	static const char *const names[CTL_EV_N] = {
		[CTL_EV_TICK] = "tick",
		[CTL_EV_ANSWER] = "answer",
		[CTL_EV_ERROR] = "error",
		[CTL_EV_UNANSWERED] = "unanswered",
		[CTL_EV_LIVE_CODE] = "live-code",
		[CTL_EV_ICMP] = "icmp",
		[CTL_EV_STREAM] = "stream",
		[CTL_EV_ALIVE] = "alive",
		[CTL_EV_SIGNAL] = "signal",
		[CTL_EV_LIVE] = "live",
		[CTL_EV_CUT] = "cut",
		[CTL_EV_MENDED] = "mended",
		[CTL_EV_SWITCH] = "switch",
		[CTL_EV_PIN] = "pin",
		[CTL_EV_UNPIN] = "unpin",
		[CTL_EV_DRAIN] = "drain",
		[CTL_EV_DISABLE] = "disable",
		[CTL_EV_ENABLE] = "enable",
		[CTL_EV_GONE] = "gone",
		[CTL_EV_CHANGE] = "change",
		[CTL_EV_ACTIVE_LOST] = "active-lost",
		[CTL_EV_FIRST_ANSWER] = "first-answer",
		[CTL_EV_ALL_MISSED] = "all-missed",
	};

	return event < CTL_EV_N ? names[event] : "?";
}

/* One word for all marks: what an operator needs to know first. */
const char *ctl_pair_member_name(const struct ctl_pair_member *m)
{
	if (m->disabled)
		return "disabled";
	if (m->health == CTL_HEALTH_DOWN)
		return "down";
	if (m->draining)
		return "draining";
	if (m->health == CTL_HEALTH_SUSPECT)
		return "suspect";
	return m->degraded ? "degraded" : ctl_pair_health_name(m->health);
}

const char *pp_name(const struct pp *c, unsigned int slot)
{
	const char *name = slot < DP_PAIR_MEMBERS ? c->conf->m[slot].name : NULL;

	return name != NULL ? name : "?";
}

void pp_note(struct pp *c, unsigned int slot, const char *from, const char *to, const char *cause,
	     const char *text)
{
	struct ctl_pair_actions *out = c->out;
	struct ctl_pair_note *n;

	if (out->n_notes == CTL_PAIR_NOTES)
		return;
	n = &out->notes[out->n_notes++];
	n->slot = (uint8_t)slot;
	n->from = from;
	n->to = to;
	n->cause = cause;
	n->who = c->ev != NULL ? c->ev->who : NULL;
	memcpy(n->text, text, CTL_PAIR_TEXT);
	n->text[CTL_PAIR_TEXT - 1] = '\0';
}

void pp_say(struct pp *c, const char *cause, const char *format, ...)
{
	va_list ap;

	c->cause = cause;
	va_start(ap, format);
	vsnprintf(c->text, sizeof(c->text), format, ap);
	va_end(ap);
}

void pp_add(struct pp *c, const char *format, ...)
{
	size_t len = strlen(c->text);
	va_list ap;

	va_start(ap, format);
	vsnprintf(c->text + len, sizeof(c->text) - len, format, ap);
	va_end(ap);
}

struct words {
	uint32_t detail; /* errno */
	const char *cause, *text;
};

static const struct words *stream_words(uint32_t detail)
{
	static const struct words words[] = {
		{ 0, "connection-failed", NULL },
		{ ECONNREFUSED, "connection-refused", "connection refused" },
		{ ECONNRESET, "connection-reset", "connection reset" },
		{ ETIMEDOUT, "connection-timed-out", "no connection within the probe's time" },
		{ EPIPE, "connection-closed", "connection closed without an answer" },
		{ ENOTCONN, "connection-lost", "the connection that it had kept was closed" },
		{ EBADMSG, "connection-garbage", "what came is no SIP message" },
		{ EMSGSIZE, "connection-garbage", "what came is too much for an answer" },
	};

	for (size_t i = 1; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].detail == detail)
			return &words[i];
	}
	return &words[0];
}

static const struct words tls_words[CTL_TLS_N] = {
	[CTL_TLS_FAILED] = { 0, "tls-failed", "TLS failed" },
	[CTL_TLS_TIMED_OUT] = { 0, "tls-timed-out", "no TLS handshake within the probe's time" },
	[CTL_TLS_CLOSED] = { 0, "tls-closed", "connection closed within the TLS handshake" },
	[CTL_TLS_NO_TLS] = { 0, "tls-not-spoken", "what came is no TLS" },
	[CTL_TLS_NO_COMMON] = { 0, "tls-no-common", "no TLS version or cipher suite in common" },
	[CTL_TLS_EXPIRED] = { 0, "tls-certificate-expired", "its certificate has expired" },
	[CTL_TLS_NOT_YET] = { 0, "tls-certificate-not-yet", "its certificate is not valid yet" },
	[CTL_TLS_WRONG_NAME] = { 0, "tls-wrong-name", "its certificate names somebody else" },
	[CTL_TLS_UNKNOWN_CA] = { 0, "tls-unknown-ca",
				 "its certificate is of an authority unknown here" },
	[CTL_TLS_CERTIFICATE] = { 0, "tls-bad-certificate", "its certificate is not valid" },
	[CTL_TLS_REFUSED_US] = { 0, "tls-refused", "it refuses our certificate, or wants one" },
	[CTL_TLS_OWN_FILES] = { 0, "tls-own-files", "our own certificate files cannot be used" },
};

const char *pp_cause(const struct ctl_pair_reason *r)
{
	switch (r->kind) {
	case PP_WHY_TIMEOUT: return "probe-timeout";
	case PP_WHY_CODE: return "unavailable-code";
	case PP_WHY_ICMP: return "icmp";
	case PP_WHY_SEND: return "send-error";
	case PP_WHY_STREAM: return stream_words(r->detail)->cause;
	case PP_WHY_TLS: return tls_words[r->detail < CTL_TLS_N ? r->detail : 0].cause;
	case PP_WHY_UNANSWERED: return "unanswered";
	case PP_WHY_LIVE_CODE: return "live-code";
	default: return "probe-burst";
	}
}

const char *pp_span(uint64_t us, char *buf, size_t size)
{
	if (us < 10000)
		snprintf(buf, size, "%llu.%03llu ms", (unsigned long long)(us / 1000),
			 (unsigned long long)(us % 1000));
	else if (us < 1000000)
		snprintf(buf, size, "%llu ms", (unsigned long long)(us / 1000));
	else
		snprintf(buf, size, "%llu.%llu s", (unsigned long long)(us / 1000000),
			 (unsigned long long)(us % 1000000 / 100000));
	return buf;
}

static const char *method_name(unsigned int method)
{
	static const char *const names[SIP_METHOD_N] = {
		[SIP_METHOD_INVITE] = "INVITE",     [SIP_METHOD_ACK] = "ACK",
		[SIP_METHOD_BYE] = "BYE",           [SIP_METHOD_CANCEL] = "CANCEL",
		[SIP_METHOD_REGISTER] = "REGISTER", [SIP_METHOD_OPTIONS] = "OPTIONS",
		[SIP_METHOD_PRACK] = "PRACK",       [SIP_METHOD_SUBSCRIBE] = "SUBSCRIBE",
		[SIP_METHOD_NOTIFY] = "NOTIFY",     [SIP_METHOD_PUBLISH] = "PUBLISH",
		[SIP_METHOD_INFO] = "INFO",         [SIP_METHOD_REFER] = "REFER",
		[SIP_METHOD_MESSAGE] = "MESSAGE",   [SIP_METHOD_UPDATE] = "UPDATE",
	};

	return method < SIP_METHOD_N && names[method] != NULL ? names[method] : "request";
}

const char *pp_why(const struct ctl_pair_reason *r, char *buf, size_t size)
{
	char span[24];

	switch (r->kind) {
	case PP_WHY_TIMEOUT:
		pp_span(r->span_us, span, sizeof(span));
		if (r->transport == DP_UDP)
			snprintf(buf, size, "no answer to %u sends of an OPTIONS within %s",
				 r->n_sends, span);
		else
			snprintf(buf, size, "no answer to an OPTIONS over %s within %s",
				 r->transport == DP_TLS ? "TLS" : "TCP", span);
		break;
	case PP_WHY_CODE: snprintf(buf, size, "%u to a probe", r->code); break;
	case PP_WHY_ICMP:
		snprintf(buf, size, "ICMP type %u code %u", r->detail >> 8, r->detail & 255);
		break;
	case PP_WHY_SEND:
		snprintf(buf, size, "sending failed: %s", strerrordesc_np((int)r->detail));
		break;
	case PP_WHY_STREAM:
		if (stream_words(r->detail)->text != NULL)
			snprintf(buf, size, "%s", stream_words(r->detail)->text);
		else
			snprintf(buf, size, "connection failed: %s",
				 strerrordesc_np((int)r->detail));
		break;
	case PP_WHY_TLS:
		snprintf(buf, size, "%s", tls_words[r->detail < CTL_TLS_N ? r->detail : 0].text);
		break;
	case PP_WHY_UNANSWERED:
		snprintf(buf, size, "%s without an answer", method_name(r->method));
		break;
	case PP_WHY_LIVE_CODE:
		snprintf(buf, size, "%u to %s", r->code, method_name(r->method));
		break;
	default: snprintf(buf, size, "asked again");
	}
	return buf;
}

const char *ctl_pair_last_failure(const struct ctl_pair_member *m, char *buf, size_t size)
{
	return m->last_bad_us != 0 ? pp_why(&m->last_bad, buf, size) : NULL;
}

/* The active member of a pair whose state is not known has no down bit: traffic stays with it, and
 * its suspect bit has the data plane tell us when it answers. */
static uint64_t member_bits(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf,
			    unsigned int slot)
{
	const struct ctl_pair_member *m = &p->m[slot];
	bool is_active = slot == p->active;
	bool down = m->health == CTL_HEALTH_DOWN || (conf->gray_failover && m->degraded);
	bool suspect = m->health == CTL_HEALTH_SUSPECT || (down && is_active);
	uint64_t bits = 0;

	if (m->disabled || (down && !is_active))
		bits |= 1ull << (DP_WORD_DOWN_SHIFT + slot);
	if (suspect)
		bits |= 1ull << (DP_WORD_SUSPECT_SHIFT + slot);
	if (m->draining)
		bits |= 1ull << (DP_WORD_DRAINING_SHIFT + slot);
	return bits;
}

uint64_t ctl_pair_word(const struct ctl_pair_state *p, const struct ctl_pair_conf *conf)
{
	uint64_t w;

	if (p->active == CTL_PAIR_NONE)
		return 0;
	w = p->active | DP_WORD_VALID;
	if (p->phase == CTL_PAIR_OUT_OF_SERVICE)
		w |= DP_WORD_OUT_OF_SERVICE;
	if (p->phase == CTL_PAIR_UNKNOWN)
		w |= DP_WORD_UNKNOWN;
	for (unsigned int s = 0; s < DP_PAIR_MEMBERS; s++) {
		if (p->m[s].present)
			w |= member_bits(p, conf, s);
	}
	return w;
}
