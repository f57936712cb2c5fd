/*
 * What a message costs in steering, with and without hand-over; for callgrind, which counts the
 * instructions in steer_message().
 *
 *	owner_cost CONFIG CASE N
 *
 * CASE: own-request (not spread), spread-own (spread, and this worker's), spread-other (handed on),
 * own-response, other-response (handed on). N messages, each a transaction of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config/ctl_config.h"
#include "control/snapshot/ctl_snapshot.h"
#include "dataplane/steer/steer.h"
#include "dataplane/steer/steer_owner.h"

#define MESSAGE 2048

struct world {
	struct ctl_secrets secrets;
	struct dp_cfg *cfg;
	struct steer *steer[2];
	struct dp_worker_counters counters;
	struct dp_secret owner_key;
	_Atomic uint64_t *words;
	struct dp_endpoint client, member, us;
	const struct dp_listener *listener;
};

static void die(const char *what)
{
	fprintf(stderr, "owner_cost: %s\n", what);
	exit(1);
}

static void load(struct world *w, const char *path)
{
	struct ctl_numbers *numbers = ctl_numbers_new();
	struct ctl_diag diag;
	struct ctl_model *m;

	ctl_diag_init(&diag);
	m = ctl_config_load(path, &diag);
	if (!m) {
		ctl_diag_print(&diag, path, stderr);
		die("the configuration");
	}
	w->secrets.n = 1;
	memset(w->secrets.key[0].b, 0x5a, sizeof(w->secrets.key[0].b));
	if (!numbers || ctl_numbers_assign(numbers, m, 0) != 0)
		die("numbers");
	w->cfg = ctl_build_cfg(m, numbers, &w->secrets, NULL);
	w->words = calloc(DP_MAX_PAIRS, sizeof(*w->words));
	if (!w->cfg || !w->words)
		die("memory");
	w->words[0] = DP_WORD_VALID;
	w->us = m->services[0].listens[0].at;
	w->member = m->pairs[0].members[0].at;
	w->listener = dp_cfg_listener_at(w->cfg, &w->us);
	w->client = (struct dp_endpoint){ .port = 5060, .transport = DP_UDP };
	if (!w->listener || dp_ip_parse("203.0.113.10", &w->client.ip) != 0)
		die("addresses");
	ctl_model_free(m);
	ctl_numbers_free(numbers);
	ctl_diag_fini(&diag);
}

static void make_workers(struct world *w, uint32_t n_records)
{
	for (uint16_t i = 0; i < 2; i++) {
		struct steer_params p = { .worker = i,
					  .n_workers = 2,
					  .n_records = n_records,
					  .n_challenges = 64,
					  .n_limits = 64,
					  .record_hold_ms = 32000,
					  .seed = 1,
					  .owner_key = w->owner_key,
					  .counters = &w->counters,
					  .pair_words = w->words };

		w->steer[i] = steer_new(&p);
		if (!w->steer[i])
			die("memory");
		steer_begin(w->steer[i], w->cfg, 1000000);
	}
}

static size_t invite(char *out, unsigned int i)
{
	return (size_t)snprintf(
		out, MESSAGE,
		"INVITE sip:bob@example.com SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK-%u;rport\r\n"
		"Max-Forwards: 70\r\nFrom: \"Alice\" <sip:alice%u@example.com>;tag=%u\r\n"
		"To: <sip:bob@example.com>\r\nCall-ID: %u-call@203.0.113.10\r\nCSeq: 1 INVITE\r\n"
		"Contact: <sip:alice@203.0.113.10:5060>\r\nUser-Agent: a phone\r\n"
		"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, PRACK, INFO\r\n"
		"Supported: 100rel, timer, replaces\r\nContent-Type: application/sdp\r\n"
		"Content-Length: 129\r\n\r\n"
		"v=0\r\no=- 53655765 2353687637 IN IP4 203.0.113.10\r\ns=-\r\n"
		"c=IN IP4 203.0.113.10\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 "
		"PCMU/8000\r\n",
		i, i, i, i);
}

/* A member's 200 to the request that a verdict sends it. */
static size_t answer(char *out, const struct steer_verdict *v, const char *msg, size_t len)
{
	char sent[2 * MESSAGE], *at, *end;
	int n = sip_edits_apply(&v->edits, (const uint8_t *)msg, len, (uint8_t *)sent,
				sizeof(sent) - 1);

	if (n < 0)
		die("edits");
	sent[n] = '\0';
	at = strstr(sent, "\r\n");
	end = strstr(sent, "Contact:");
	return (size_t)snprintf(out, 2 * MESSAGE, "SIP/2.0 200 OK%.*sContent-Length: 0\r\n\r\n",
				(int)(end - at), at);
}

static void steer_one(struct world *w, unsigned int worker, const struct dp_endpoint *src,
		      const char *msg, size_t len, uint8_t spread, struct steer_verdict *v)
{
	struct steer_in in = { .buf = (const uint8_t *)msg,
			       .len = (uint32_t)len,
			       .src = *src,
			       .dst = w->us,
			       .listener = w->listener,
			       .spread = spread };

	steer_message(w->steer[worker], &in, v);
}

int main(int argc, char **argv)
{
	static struct world w;
	static struct steer_verdict v;
	unsigned int n = argc == 4 ? (unsigned int)strtoul(argv[3], NULL, 10) : 0, done = 0;
	const char *what = argc == 4 ? argv[2] : "";
	bool response = strstr(what, "response") != NULL, other = strncmp(what, "other", 5) == 0;
	bool spread = strncmp(what, "spread", 6) == 0, away = strcmp(what, "spread-other") == 0;

	if (n == 0) {
		fprintf(stderr, "usage: owner_cost CONFIG CASE N\n");
		return 2;
	}
	load(&w, argv[1]);
	make_workers(&w, 2 * n + 64);
	for (unsigned int i = 0; done < n; i++) {
		char msg[MESSAGE], reply[2 * MESSAGE], id[64];
		size_t len = invite(msg, i);
		size_t id_len = (size_t)snprintf(id, sizeof(id), "%u-call@203.0.113.10", i);
		unsigned int owner =
			steer_owner_of_call(&w.owner_key, (const uint8_t *)id, id_len, 2);

		if (spread && (owner != 0) != away)
			continue;
		steer_one(&w, 0, &w.client, msg, len, spread ? STEER_SPREAD_ALL : STEER_SPREAD_NONE,
			  &v);
		if (v.action != (away ? STEER_HAND_OVER : STEER_FORWARD))
			die(v.why);
		done++;
		if (!response)
			continue;
		len = answer(reply, &v, msg, len);
		steer_one(&w, other, &w.member, reply, len, STEER_SPREAD_NONE, &v);
		if (v.action != (other ? STEER_HAND_OVER : STEER_FORWARD))
			die(v.why);
	}
	return 0;
}
