/*
 * Requests in flight: random sequences of requests, responses, ICMP errors, deaths and time through
 * steer, in virtual time, with a store that runs full.
 *
 * Checked: nothing is left once nobody waits any more; a client transaction gets one non-2xx final
 * at most and none after a 2xx; every 2xx to an INVITE passes; what goes to a member is what that
 * member may get; what is sent twice on one branch is the same; the store's bound holds.
 */
#include "control/snapshot/ctl_snapshot.h"
#include "dataplane/steer/steer.h"
#include "dataplane/steer/steer_token.h"
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERS   3
#define CLIENTS   4
#define LOG       32
#define TEXT      2048
#define BRANCHES  512
#define T1_64_US  32000000ull
#define STORE     (24 * 1024)
#define PAIR_WORD (f.words[0])

/* What a client knows of its transaction. */
struct client {
	unsigned int branch; /* number in its Via; 0: none yet */
	enum sip_method method;
	bool in_dialog;
	bool accepted;       /* a 2xx has come */
	unsigned int status; /* of the non-2xx final that has come, 0: none */
	char tag[64];        /* its To tag */
	uint64_t sent_us, final_us;
};

/* A request that a member got. */
struct logged {
	char text[TEXT];
	int member;
	uint64_t branch;
};

/* A branch of ours: what was sent on it. */
struct branch {
	uint64_t tag;
	uint64_t hash;
	uint8_t final; /* how the member answered it, 0: not yet */
};

static struct fuzz {
	struct dp_cfg *cfg[2];
	struct steer *steer;
	_Atomic uint64_t *words;
	_Atomic uint64_t downs;
	_Atomic uint32_t *trials;
	struct dp_worker_counters counters;
	struct dp_event_ring *events;
	uint64_t now_us;
	const struct dp_cfg *now_cfg;
	unsigned int branches; /* of clients, counted */
	struct client clients[CLIENTS];
	struct logged log[LOG];
	unsigned int n_log;
	struct branch seen[BRANCHES];
	unsigned int n_seen;
	bool shares;
	bool tried; /* a member that is down may be on trial */
	bool trace; /* FLIGHT_TRACE is set: say what happens */
	const uint8_t *in;
	size_t left;
} f;

static struct dp_endpoint at(unsigned int a, unsigned int b, unsigned int c, unsigned int d)
{
	struct dp_endpoint e = { .port = 5060, .transport = DP_UDP };

	e.ip.b[10] = e.ip.b[11] = 0xff;
	e.ip.b[12] = (uint8_t)a;
	e.ip.b[13] = (uint8_t)b;
	e.ip.b[14] = (uint8_t)c;
	e.ip.b[15] = (uint8_t)d;
	return e;
}

static struct dp_endpoint member_at(int m)
{
	return at(198, 51, 100, (unsigned int)(11 + m));
}

static struct dp_endpoint ours(void)
{
	return at(192, 0, 2, 10);
}

static struct dp_endpoint client_at(unsigned int i)
{
	return at(203, 0, 113, 5 + i);
}

static uint8_t take(void)
{
	if (f.left == 0)
		return 0;
	f.left--;
	return *f.in++;
}

/* ---- The world ---- */

static struct dp_cfg *build(struct ctl_numbers *numbers)
{
	static char *names[MEMBERS] = { "a", "b", "c" };
	static struct ctl_member members[MEMBERS];
	static struct ctl_pair pair;
	static struct ctl_listen listen;
	static unsigned int pairs[1];
	static struct ctl_service service;
	struct ctl_model model = { .instance = "fuzz",
				   .n_pairs = 1,
				   .pairs = &pair,
				   .n_services = 1,
				   .services = &service };
	struct ctl_secrets secrets = { .n = 1 };

	for (int i = 0; i < MEMBERS; i++)
		members[i] = (struct ctl_member){
			.name = names[i],
			.role = i == 0   ? DP_ROLE_PRIMARY
				: i == 1 ? DP_ROLE_BACKUP
					 : DP_ROLE_FALLBACK,
			.at = member_at(i),
			.methods = i < 2 ? UINT32_MAX : 1u << SIP_METHOD_INVITE,
		};
	pair = (struct ctl_pair){
		.name = "p", .weight = 1, .n_members = MEMBERS, .members = members
	};
	listen.at = ours();
	service = (struct ctl_service){
		.name = "s", .listens = &listen, .n_listens = 1, .pairs = pairs, .n_pairs = 1
	};
	assert(ctl_numbers_assign(numbers, &model, 0) == 0);
	return ctl_build_cfg(&model, numbers, &secrets, NULL);
}

static void set_pair(struct dp_cfg *cfg, uint8_t flags)
{
	struct dp_pair *p = (struct dp_pair *)((uint8_t *)cfg + cfg->pairs);

	p->failover_methods =
		1u << SIP_METHOD_INVITE | 1u << SIP_METHOD_REGISTER | 1u << SIP_METHOD_BYE;
	p->signal_methods =
		1u << SIP_METHOD_INVITE | 1u << SIP_METHOD_REGISTER | 1u << SIP_METHOD_MESSAGE;
	p->no_response_us = flags & 4 ? 1000000 : 4000000;
	p->retry_counts = flags & 8 ? 5 : 3;
	p->flags = flags & 3;
}

/* ---- What leaves ---- */

static bool is_down(int m)
{
	return dp_word_down(PAIR_WORD, (unsigned int)m);
}

static uint64_t hash_of(const uint8_t *p, size_t len)
{
	uint64_t h = 14695981039346656037ull; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 1099511628211ull;
	return h;
}

/* Whether this branch has had a send; notes it, and that it is the same again. */
static bool seen_before(uint64_t tag, const uint8_t *p, size_t len)
{
	uint64_t hash = hash_of(p, len);

	for (unsigned int i = 0; i < f.n_seen; i++)
		if (f.seen[i].tag == tag) {
			assert(f.seen[i].hash == hash);
			return true;
		}
	assert(f.n_seen < BRANCHES);
	f.seen[f.n_seen++] = (struct branch){ .tag = tag, .hash = hash };
	return false;
}

static int member_of(const struct dp_endpoint *to)
{
	for (int m = 0; m < MEMBERS; m++) {
		struct dp_endpoint e = member_at(m);

		if (memcmp(&e, to, sizeof(e)) == 0)
			return m;
	}
	return -1;
}

/* To a member: not one that is down or that does not serve it, but for what goes nowhere else. */
static void to_member(int m, const struct sip_msg *msg, const uint8_t *p, size_t len, bool own)
{
	struct steer_branch b;
	struct logged *l = &f.log[f.n_log++ % LOG];

	assert(msg->is_request);
	assert(steer_branch_read(sip_at(msg, msg->via.branch), msg->via.branch.len, &b) == 0);
	l->member = m;
	l->branch = b.tag ^ msg->method ^ (uint64_t)b.owner << 32;
	snprintf(l->text, sizeof(l->text), "%.*s", (int)len, (const char *)p);
	if (msg->method == SIP_METHOD_ACK)
		return;
	if (msg->method == SIP_METHOD_CANCEL) {
		assert(!own || !is_down(m) || f.shares || f.tried
		       || f.trials[0] & DP_TRIAL_TAKEN); /* on trial */
		return;
	}
	/* A faulty client's second request under one branch has no record, so no owner. */
	if (seen_before(l->branch, p, len) || b.attempt == 15)
		return;
	if (b.attempt > 0) { /* a further branch of a request in flight */
		assert(!is_down(m));
		assert(m < 2 || msg->method == SIP_METHOD_INVITE || msg->to_tag.len > 0);
		assert(msg->to_tag.len > 0 || !dp_word_draining(PAIR_WORD, (unsigned int)m));
	}
}

/* Whether a client can still be waiting: its transaction, and ours, are not over. */
static bool waits(const struct client *c)
{
	if (c->accepted || c->status)
		return f.now_us < c->final_us + T1_64_US;
	return c->method == SIP_METHOD_INVITE || f.now_us < c->sent_us + T1_64_US;
}

static void final_to_client(struct client *c, const struct sip_msg *m)
{
	char tag[64];

	snprintf(tag, sizeof(tag), "%.*s", (int)m->to_tag.len, (const char *)sip_at(m, m->to_tag));
	if (m->status / 100 == 2) {
		assert(c->method == SIP_METHOD_INVITE || c->status == 0);
		if (!c->accepted)
			c->final_us = f.now_us;
		c->accepted = true;
		return;
	}
	assert(!c->accepted);
	assert(c->status == 0 || (c->status == m->status && strcmp(c->tag, tag) == 0));
	if (c->status == 0)
		c->final_us = f.now_us;
	c->status = m->status;
	memcpy(c->tag, tag, sizeof(tag));
}

static void to_client(const struct dp_endpoint *to, const struct sip_msg *m)
{
	unsigned int i = to->ip.b[15] - 5u, branch = 0;
	struct client *c;

	assert(!m->is_request && i < CLIENTS);
	c = &f.clients[i];
	sscanf((const char *)sip_at(m, m->via.branch), "z9hG4bK-%u", &branch);
	if (branch != c->branch || m->method != c->method || !waits(c))
		return;
	if (m->status >= 200)
		final_to_client(c, m);
}

static void leaves(const struct dp_endpoint *to, const uint8_t *p, size_t len, bool own)
{
	static struct sip_msg m;
	int member = member_of(to);

	assert(sip_msg_parse(&m, p, len) == SIP_OK);
	if (f.trace)
		printf("  %c < %.*s %.*s\n", member >= 0 ? 'A' + member : 'c', 12, (const char *)p,
		       (int)m.via.branch.len, (const char *)sip_at(&m, m.via.branch));
	if (member >= 0)
		to_member(member, &m, p, len, own);
	else
		to_client(to, &m);
}

static void send_out(void *arg, const struct steer_send *out)
{
	uint8_t *copy = malloc(out->len);

	(void)arg;
	memcpy(copy, out->buf, out->len);
	leaves(&out->to, copy, out->len, true);
	free(copy);
}

/* ---- What comes in ---- */

static enum steer_action datagram(const struct dp_endpoint *src, const char *text, size_t len)
{
	static struct steer_verdict v;
	static uint8_t out[8192];
	struct steer_in in = { .len = (uint32_t)len, .src = *src, .dst = ours() };
	uint8_t *copy = malloc(len ? len : 1);
	int n;

	memcpy(copy, text, len);
	in.buf = copy;
	in.listener = dp_cfg_listener_at(f.now_cfg, &in.dst);
	steer_begin(f.steer, f.now_cfg, f.now_us);
	steer_message(f.steer, &in, &v);
	if (v.action == STEER_FORWARD) {
		n = sip_edits_apply(&v.edits, copy, len, out, sizeof(out));
		assert(n > 0);
		leaves(&v.to, out, (size_t)n, false);
	}
	if (f.trace && v.action != STEER_FORWARD)
		printf("  %s: %s\n", v.action == STEER_DROP ? "dropped" : "answered", v.why);
	/* What is answered without a record (out of service) is answered each time anew. */
	free(copy);
	return (enum steer_action)v.action;
}

static void request(unsigned int i, const char *method)
{
	struct client *c = &f.clients[i];
	struct dp_endpoint src = client_at(i);
	char text[TEXT], to[128] = "";
	int len;

	if (c->branch == 0)
		return;
	/* As if its final had been lost; but not to the twin of one that died since, which would
	 * answer in its own words. */
	if ((c->status || c->accepted) && strcmp(method, sip_method_name(c->method)) == 0
	    && PAIR_WORD & DP_WORD_DOWN_MASK)
		return;
	if (f.trace)
		printf("client %u: %s %u\n", i, method, c->branch);
	if (strcmp(method, "ACK") == 0)
		snprintf(to, sizeof(to), ";tag=%s", c->tag[0] ? c->tag : "t");
	else if (c->in_dialog)
		snprintf(to, sizeof(to), ";tag=dialog");
	len = snprintf(text, sizeof(text),
		       "%s sip:bob@example.com SIP/2.0\r\n"
		       "Via: SIP/2.0/UDP 203.0.113.%u;branch=z9hG4bK-%u\r\n"
		       "From: <sip:alice@example.com>;tag=f\r\nTo: <sip:bob@example.com>%s\r\n"
		       "Call-ID: call-%u\r\nCSeq: 1 %s\r\nMax-Forwards: 70\r\n"
		       "Content-Length: 0\r\n\r\n",
		       method, 5 + i, c->branch, to, c->branch, method);
	datagram(&src, text, (size_t)len);
}

static void begin(unsigned int i, uint8_t how)
{
	static const enum sip_method methods[] = { SIP_METHOD_INVITE, SIP_METHOD_REGISTER,
						   SIP_METHOD_INVITE, SIP_METHOD_BYE,
						   SIP_METHOD_MESSAGE };
	struct client *c = &f.clients[i];

	if (f.branches >= 40)
		return;
	*c = (struct client){
		.branch = ++f.branches,
		.method = methods[how % 5],
		.in_dialog = how % 5 == 3 || how >= 200,
		.sent_us = f.now_us,
	};
	request(i, sip_method_name(c->method));
}

static void copy_header(char *out, const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = strstr(text, "\r\n"); p && p[2] != '\r'; p = strstr(p + 2, "\r\n")) {
		const char *end = strstr(p + 2, "\r\n");

		if (strncmp(p + 2, name, len) == 0)
			strncat(out, p + 2, (size_t)(end - p));
	}
}

/* How a member answers: with one final for each branch, but for an INVITE's 2xx of several tags. */
static uint8_t consistent(const struct logged *l, uint8_t how)
{
	for (unsigned int i = 0; i < f.n_seen; i++) {
		struct branch *b = &f.seen[i];

		if (b->tag != l->branch)
			continue;
		if (b->final == 0 && how % 16 > 2)
			b->final = how;
		if (b->final == 0 || (how % 16 <= 2 && strncmp(l->text, "INVITE", 6) == 0))
			return how;
		if ((b->final % 16 == 3 || b->final % 16 == 4)
		    && strncmp(l->text, "INVITE", 6) == 0)
			return (uint8_t)((how & 0xf0) | 3);
		return b->final;
	}
	return how;
}

/* A member answers something that it got. */
static void respond(uint8_t which, uint8_t how)
{
	static const unsigned int codes[] = { 100, 180, 183, 200, 202, 302, 401, 404,
					      407, 482, 486, 487, 500, 503, 603, 481 };
	const struct logged *l = &f.log[which % LOG];
	struct dp_endpoint src = member_at(l->member);
	static char text[2 * TEXT];
	enum steer_action action;
	unsigned int status;
	bool invite = strstr(l->text, "INVITE sip:") == l->text;
	char *to;

	if (f.n_log <= which % LOG || strncmp(l->text, "ACK", 3) == 0)
		return;
	if (how != 0xff)
		how = consistent(l, how);
	status = codes[how % 16];
	if (f.trace)
		printf("%c answers %u to %.6s\n", 'A' + l->member, status, l->text);
	snprintf(text, sizeof(text), "SIP/2.0 %u X\r\n", status);
	copy_header(text, l->text, "Via");
	copy_header(text, l->text, "From");
	copy_header(text, l->text, "To");
	to = text + strlen(text) - 2;
	if (status > 100 && !strstr(text, "dialog"))
		sprintf(to, ";tag=%c%u\r\n", 'a' + l->member, how / 16 % 2);
	copy_header(text, l->text, "Call-ID");
	copy_header(text, l->text, "CSeq");
	strcat(text, "Content-Length: 0\r\n\r\n");
	if (how == 0xff && strlen(text) > 80) /* forged */
		text[60] ^= 1;
	action = datagram(&src, text, strlen(text));
	/* 16.7 item 5, but for a forged one. */
	if (how != 0xff && invite && status / 100 == 2)
		assert(action == STEER_FORWARD);
}

static void icmp(uint8_t which, uint8_t how)
{
	const struct logged *l = &f.log[which % LOG];
	size_t len = strlen(l->text);
	struct steer_icmp in = {
		.from = ours(),
		.to = member_at(how & 8 ? (l->member + 1) % MEMBERS : l->member),
		.type = 3,
		.code = how & 3,
	};
	uint8_t *quote, owner;

	if (f.n_log <= which % LOG)
		return;
	if (f.trace)
		printf("ICMP about %.6s to %c\n", l->text, 'A' + l->member);
	if (how & 4)
		len = len * (how >> 4) / 16;
	quote = malloc(len ? len : 1);
	memcpy(quote, l->text, len);
	in.quote = quote;
	in.quote_len = (uint32_t)len;
	steer_begin(f.steer, f.now_cfg, f.now_us);
	steer_icmp(f.steer, &in, &owner);
	free(quote);
}

static void pass(uint64_t us, unsigned int steps)
{
	if (f.trace)
		printf("%lu us pass\n", (unsigned long)us);
	for (unsigned int i = 0; i < steps; i++) {
		f.now_us += us / steps;
		steer_begin(f.steer, f.now_cfg, f.now_us);
		steer_tick(f.steer, f.now_us);
		assert(f.counters.store_used <= f.counters.store_size
		       && f.counters.store_size <= STORE);
	}
}

static void wait_some(uint8_t how)
{
	static const struct {
		uint32_t ms;
		unsigned int steps;
	} waits[] = { { 1, 1 },      { 5, 1 },       { 20, 2 },      { 100, 10 },
		      { 500, 20 },   { 1000, 20 },   { 4000, 40 },   { 8000, 40 },
		      { 16000, 60 }, { 32000, 100 }, { 60000, 100 }, { 181000, 200 } };

	how %= 12;
	pass(waits[how].ms * 1000ull, waits[how].steps);
}

static void flip(uint8_t how)
{
	unsigned int m = how % MEMBERS;
	static const unsigned int shifts[] = { DP_WORD_DOWN_SHIFT, DP_WORD_DOWN_SHIFT,
					       DP_WORD_SUSPECT_SHIFT, DP_WORD_DRAINING_SHIFT };
	uint64_t bit = 1ull << (shifts[how / 4 % 4] + m), old = PAIR_WORD;

	switch (how >> 5) {
	case 0:
	case 1:
	case 2: PAIR_WORD ^= bit; break;
	case 3: PAIR_WORD = (old & ~15ull) | m; break;
	case 4: PAIR_WORD ^= how & 1 ? DP_WORD_OUT_OF_SERVICE : DP_WORD_UNKNOWN; break;
	case 5: steer_stream_failed(f.steer, m); break;
	case 6:
		f.tried |= f.trials[0] & DP_TRIAL_TAKEN;
		f.trials[0] = dp_trial(dp_trial_number(f.trials[0]) + 1, m);
		PAIR_WORD |= DP_WORD_TRIAL;
		break;
	default:
		f.now_cfg = f.cfg[how & 1];
		f.shares = ((const struct dp_pair *)dp_cfg_at(f.now_cfg, f.now_cfg->pairs))->flags
			   & DP_PAIR_SHARES_TRANSACTIONS;
	}
	if (f.trace)
		printf("word %lx\n", (unsigned long)PAIR_WORD);
	if (PAIR_WORD & ~old & DP_WORD_DOWN_MASK)
		f.downs++;
	steer_begin(f.steer, f.now_cfg, f.now_us);
}

static void step(void)
{
	uint8_t op = take(), a = take();
	unsigned int i = a % CLIENTS;

	switch (op % 10) {
	case 0: begin(i, take()); break;
	case 1:
	case 2: request(i, sip_method_name(f.clients[i].method)); break;
	case 3: request(i, f.clients[i].method == SIP_METHOD_INVITE ? "CANCEL" : "OPTIONS"); break;
	case 4: request(i, "ACK"); break;
	case 5:
	case 6: respond(a, take()); break;
	case 7: wait_some(a); break;
	case 8: flip(a); break;
	default: icmp(a, take()); break;
	}
}

static void start(uint8_t how)
{
	struct steer_params p = {
		.worker = 2,
		.n_records = 1024,
		.n_challenges = 64,
		.n_limits = 8,
		.record_hold_ms = 32000,
		.seed = 1,
		.counters = &f.counters,
		.events = f.events,
		.pair_words = f.words,
		.store_size = STORE,
		.word_downs = &f.downs,
		.pair_trials = f.trials,
		.send = send_out,
	};

	PAIR_WORD = DP_WORD_VALID;
	f.counters = (struct dp_worker_counters){ 0 };
	f.now_us = 1000000;
	f.branches = f.n_log = f.n_seen = 0;
	f.trials[0] = 0;
	f.tried = false;
	memset(f.clients, 0, sizeof(f.clients));
	set_pair(f.cfg[0], how & 15);
	set_pair(f.cfg[1], how >> 4);
	f.now_cfg = f.cfg[0];
	f.shares = how & DP_PAIR_SHARES_TRANSACTIONS;
	f.steer = steer_new(&p);
	assert(f.steer);
}

static void make_world(void)
{
	struct ctl_numbers *numbers = ctl_numbers_new();

	f.cfg[0] = build(numbers);
	f.cfg[1] = build(numbers);
	f.words = calloc(DP_MAX_PAIRS, sizeof(*f.words));
	f.trials = calloc(DP_MAX_PAIRS, sizeof(*f.trials));
	f.events = calloc(1, sizeof(*f.events));
	assert(numbers && f.cfg[0] && f.cfg[1] && f.words && f.trials && f.events);
	ctl_numbers_free(numbers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 1024)
		return 0;
	if (!f.words)
		make_world();
	f.trace = getenv("FLIGHT_TRACE") != NULL;
	f.in = data + 1;
	f.left = size - 1;
	start(data[0]);
	while (f.left)
		step();
	pass(800000000, 8); /* the wheel is looked through once a step */
	assert(f.counters.store_used == 0 && f.counters.copies_in_use == 0);
	assert(f.counters.contexts_in_use == 0 && f.counters.records_in_use == 0);
	steer_free(f.steer);
	return 0;
}
