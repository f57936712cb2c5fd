/*
 * The bench's world and the way in: model to snapshot, pair words, datagrams to verdicts.
 */
#include "tests/dataplane/steer_bench.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const pair_names[] = { "east", "west", "north", "south" };

struct model {
	struct ctl_model m;
	struct ctl_member members[4][3];
	struct ctl_pair pairs[4];
	struct ctl_source source, allow, deny;
	struct ctl_listen listens[4], trunk_listen;
	struct ctl_service services[2];
	unsigned int voice_pairs[4], trunk_pairs[2];
	char names[4][3][16];
	char *emergency[1];
};

struct dp_endpoint bench_endpoint(const char *text)
{
	struct dp_endpoint e = { .transport = DP_UDP };
	const char *colon = strrchr(text, ':');
	char ip[64];
	int n = (int)(colon - text);

	cr_assert(colon && n < 64, "%s", text);
	if (text[0] == '[')
		snprintf(ip, sizeof(ip), "%.*s", n - 2, text + 1);
	else
		snprintf(ip, sizeof(ip), "%.*s", n, text);
	cr_assert(dp_ip_parse(ip, &e.ip) == 0, "%s", text);
	e.port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return e;
}

const char *bench_endpoint_text(const struct dp_endpoint *e)
{
	static char text[4][64];
	static unsigned int next;
	char ip[INET6_ADDRSTRLEN], *out = text[next++ % 4];

	ip[dp_ip_format(&e->ip, ip)] = '\0';
	snprintf(out, 64, dp_ip_is_v4(&e->ip) ? "%s:%u" : "[%s]:%u", ip, e->port);
	return out;
}

static void fill_member(struct model *w, const struct bench_opts *o, unsigned int p, unsigned int k)
{
	char at[64];

	if (o->v6_members && p == 0)
		snprintf(at, sizeof(at), "[2001:db8:1::1%u]:5060", k + 1);
	else
		snprintf(at, sizeof(at), "198.51.100.%u:5060", 10 * (p + 1) + k + 1);
	snprintf(w->names[p][k], sizeof(w->names[p][k]), "%s-%c", pair_names[p], 'a' + (int)k);
	w->members[p][k] = (struct ctl_member){
		.name = w->names[p][k],
		.role = k == 0   ? DP_ROLE_PRIMARY
			: k == 1 ? DP_ROLE_BACKUP
				 : DP_ROLE_FALLBACK,
		.at = bench_endpoint(at),
		.methods = k < 2 || o->fallback_all ? UINT32_MAX : 1u << SIP_METHOD_INVITE,
	};
}

static void fill_pair(struct model *w, const struct bench_opts *o, unsigned int p)
{
	struct ctl_pair *pair = &w->pairs[p];

	*pair = (struct ctl_pair){
		.name = (char *)(uintptr_t)pair_names[p],
		.weight = 1,
		.n_members = p == 0 && o->fallback ? 3 : 2,
		.members = w->members[p],
	};
	for (unsigned int k = 0; k < pair->n_members; k++)
		fill_member(w, o, p, k);
	if (p == 0 && o->two_armed) {
		pair->has_egress = true;
		pair->egress[0] = bench_endpoint(o->egress ? o->egress : "198.51.100.1:5060");
		pair->egress[1] = bench_endpoint("[2001:db8:1::1]:5060");
		pair->egress_port[0] = pair->egress_port[1] = 1;
	}
	if (p == 0 && o->prefix) {
		w->source = (struct ctl_source){ .ip = bench_endpoint("198.51.100.128:0").ip,
						 .prefix_len = 96 + 25 };
		pair->sources = &w->source;
		pair->n_sources = 1;
	}
}

static struct ctl_service service(const struct bench_opts *o, const char *name)
{
	return (struct ctl_service){
		.name = (char *)(uintptr_t)name,
		.select = o->select,
		.path = !o->no_path,
		.trust_maddr = o->trust_maddr,
		.in_dialog_active = o->in_dialog_active,
		.map_503 = o->map_503,
		.retry_after_ms = 10000,
		.answers_per_s = o->answers_per_s,
		.requests_per_s = o->requests_per_s,
		.max_message = o->max_message,
	};
}

/* The network that an address is in. */
static struct ctl_source network_of(const char *address)
{
	struct ctl_source s = { 0 };
	unsigned int bytes;

	cr_assert(dp_ip_parse(address, &s.ip) == 0);
	bytes = dp_ip_is_v4(&s.ip) ? 15 : 8;
	s.prefix_len = (uint8_t)(bytes * 8);
	memset(s.ip.b + bytes, 0, 16 - bytes);
	return s;
}

static void fill_services(struct model *w, const struct bench_opts *o, unsigned int n_pairs)
{
	struct ctl_service *voice = &w->services[0], *trunk = &w->services[1];
	unsigned int n = 0;

	w->listens[n++].at = bench_endpoint("192.0.2.10:5060");
	if (!o->no_v6)
		w->listens[n++].at = bench_endpoint("[2001:db8::10]:5060");
	if (o->second_listener)
		w->listens[n++].at = bench_endpoint("192.0.2.10:5070");
	if (o->listen)
		w->listens[n++].at = bench_endpoint(o->listen);
	*voice = service(o, "voice");
	voice->listens = w->listens;
	voice->n_listens = n;
	voice->pairs = w->voice_pairs;
	for (unsigned int p = 0; p < n_pairs; p++)
		if (!(o->two_services && p == 1))
			w->voice_pairs[voice->n_pairs++] = p;
	if (o->emergency) {
		w->emergency[0] = (char *)(uintptr_t)o->emergency;
		voice->emergency = w->emergency;
		voice->n_emergency = 1;
	}
	if (o->allow) {
		w->allow = network_of(o->allow);
		voice->allow = &w->allow;
		voice->n_allow = 1;
	}
	if (o->deny) {
		w->deny = network_of(o->deny);
		voice->deny = &w->deny;
		voice->n_deny = 1;
	}
	w->m.n_services = 1;
	if (!o->two_services)
		return;
	w->m.n_services = 2;
	w->trunk_listen.at = bench_endpoint("192.0.2.20:5060");
	*trunk = service(o, "trunk");
	trunk->listens = &w->trunk_listen;
	trunk->n_listens = 1;
	trunk->pairs = w->trunk_pairs;
	w->trunk_pairs[trunk->n_pairs++] = 1;
	if (o->shared_pair)
		w->trunk_pairs[trunk->n_pairs++] = 0;
}

static struct dp_cfg *build_cfg(struct bench *b)
{
	static struct model w;
	struct bench_opts *o = &b->opts;
	unsigned int n = o->n_pairs ? o->n_pairs : 1;
	struct dp_cfg *cfg;

	if (o->two_services && n < 2)
		n = 2;
	memset(&w, 0, sizeof(w));
	w.m = (struct ctl_model){
		.instance = "bench", .n_pairs = n, .pairs = w.pairs, .services = w.services
	};
	for (unsigned int p = 0; p < n; p++)
		fill_pair(&w, o, p);
	fill_services(&w, o, n);
	cr_assert(ctl_numbers_assign(b->numbers, &w.m, 0) == 0);
	cfg = ctl_build_cfg(&w.m, b->numbers, &b->secrets, b->cfg);
	cr_assert(cfg != NULL);
	return cfg;
}

/* A service's own names, at the end of the block. */
static struct dp_cfg *add_name(struct dp_cfg *cfg, const char *name)
{
	uint32_t size = ((uint32_t)cfg->size + 7) & ~7u, len = (uint32_t)strlen(name);
	struct dp_service *s;
	struct dp_text *t;

	cfg = realloc(cfg, size + sizeof(*t) + len);
	cr_assert(cfg != NULL);
	s = (struct dp_service *)((uint8_t *)cfg + cfg->services);
	t = (struct dp_text *)((uint8_t *)cfg + size);
	*t = (struct dp_text){ size + (uint32_t)sizeof(*t) - cfg->strings, len };
	memcpy((uint8_t *)cfg + size + sizeof(*t), name, len);
	s->names = size;
	s->n_names = 1;
	cfg->size = size + sizeof(*t) + len;
	return cfg;
}

/* What the pairs want for requests in flight. */
static void set_failover(const struct bench_opts *o, struct dp_cfg *cfg)
{
	for (unsigned int i = 0; i < cfg->n_pairs; i++) {
		struct dp_pair *p = (struct dp_pair *)((uint8_t *)cfg + cfg->pairs) + i;

		if (!p->valid)
			continue;
		p->failover_methods = o->failover_methods
					      ? o->failover_methods
					      : 1u << SIP_METHOD_REGISTER | 1u << SIP_METHOD_INVITE
							| 1u << SIP_METHOD_BYE;
		p->signal_methods = o->signal_methods;
		p->no_response_us = (o->no_response_ms ? o->no_response_ms : 4000) * 1000;
		p->retry_counts = o->retry_counts ? o->retry_counts : 3;
		p->flags = o->pair_flags;
	}
}

void bench_reload(struct bench *b)
{
	struct dp_cfg *old = b->cfg;

	b->cfg = build_cfg(b);
	set_failover(&b->opts, b->cfg);
	if (b->opts.own_name)
		b->cfg = add_name(b->cfg, b->opts.own_name);
	free(old);
}

static void init_words(struct bench *b)
{
	for (unsigned int i = 0; i < b->cfg->n_pairs; i++) {
		const struct dp_pair *p = dp_cfg_pair(b->cfg, i);

		if (p)
			b->words[i] = DP_WORD_VALID | p->order[0];
	}
}

static void take_sent(void *arg, const struct steer_send *out)
{
	struct bench *b = arg;
	struct bench_sent *s = &b->sent[b->n_sent];

	cr_assert(b->n_sent < BENCH_SENT && out->len < sizeof(s->text));
	b->n_sent++;
	s->from = out->from->at;
	s->to = out->to;
	s->member = out->member;
	s->len = out->len;
	memcpy(s->text, out->buf, out->len);
	s->text[out->len] = '\0';
}

const struct dp_secret bench_owner_key = { .b = "owner-key-of-all" };

struct bench *bench_new(const struct bench_opts *opts)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct steer_params p = {
		.worker = 3,
		.n_limits = 64,
		.record_hold_ms = 32000,
		.seed = 42,
		.owner_key = bench_owner_key,
	};

	cr_assert(b != NULL);
	if (opts)
		b->opts = *opts;
	if (b->opts.n_workers) {
		p.worker = (uint16_t)b->opts.worker;
		p.n_workers = (uint16_t)b->opts.n_workers;
	}
	b->numbers = ctl_numbers_new();
	b->secrets.n = 1;
	memset(b->secrets.key[0].b, 0x5a, sizeof(b->secrets.key[0].b));
	b->words = calloc(DP_MAX_PAIRS, sizeof(*b->words));
	b->members = calloc(DP_MAX_MEMBERS / DP_GROUP_PAIRS, sizeof(*b->members));
	b->events = calloc(1, sizeof(*b->events));
	b->trials = calloc(DP_MAX_PAIRS, sizeof(*b->trials));
	b->sent = calloc(BENCH_SENT, sizeof(*b->sent));
	cr_assert(b->numbers && b->words && b->members && b->events && b->trials && b->sent);
	b->events_read.next = 1;
	b->now_us = 1000000;
	guard_init(&b->guard, BENCH_MSG * 5);
	bench_reload(b);
	init_words(b);
	if (!b->opts.no_records) {
		p.n_records = b->opts.n_records ? b->opts.n_records : 64;
		p.n_challenges = b->opts.n_challenges ? b->opts.n_challenges : 16;
	}
	p.counters = &b->counters;
	p.members = b->members;
	p.events = b->events;
	p.pair_words = b->words;
	if (b->opts.store_size || b->opts.no_store) {
		p.store_size = b->opts.store_size;
		p.word_downs = &b->word_downs;
		p.pair_trials = b->trials;
		p.send = take_sent;
		p.send_arg = b;
	}
	b->steer = steer_new(&p);
	cr_assert(b->steer != NULL);
	return b;
}

void bench_free(struct bench *b)
{
	steer_free(b->steer);
	guard_fini(&b->guard);
	ctl_numbers_free(b->numbers);
	free(b->cfg);
	free(b->sent);
	free((void *)b->trials);
	free(b->events);
	free(b->members);
	free(b->words);
	free(b);
}

/* ---- Pair words ---- */

struct dp_member_counters bench_counters(const struct bench *b, uint32_t member)
{
	struct dp_member_counters sum = { 0 };

	dp_member_counters_add(b->members, member, &sum);
	return sum;
}

uint32_t bench_member(const struct bench *b, const char *member)
{
	for (uint32_t i = 0; i < b->cfg->n_pairs * DP_PAIR_MEMBERS; i++) {
		const struct dp_pair *p = dp_cfg_pair(b->cfg, i / DP_PAIR_MEMBERS);
		const struct dp_member *m = p ? dp_pair_member(p, i % DP_PAIR_MEMBERS) : NULL;

		if (m && m->valid && m->name.len == strlen(member)
		    && memcmp(dp_cfg_text(b->cfg, m->name), member, m->name.len) == 0)
			return i;
	}
	cr_assert_fail("no member %s", member);
	return 0;
}

static void set_bit(struct bench *b, const char *member, unsigned int shift, bool on)
{
	uint32_t n = bench_member(b, member);
	uint64_t bit = 1ull << (shift + n % DP_PAIR_MEMBERS);
	_Atomic uint64_t *w = &b->words[n / DP_PAIR_MEMBERS];

	*w = on ? *w | bit : *w & ~bit;
}

void bench_active(struct bench *b, const char *member)
{
	uint32_t n = bench_member(b, member);
	_Atomic uint64_t *w = &b->words[n / DP_PAIR_MEMBERS];

	*w = (*w & ~15ull) | n % DP_PAIR_MEMBERS;
}

void bench_down(struct bench *b, const char *member, bool down)
{
	set_bit(b, member, DP_WORD_DOWN_SHIFT, down);
	b->word_downs += down;
}

void bench_suspect(struct bench *b, const char *member, bool suspect)
{
	set_bit(b, member, DP_WORD_SUSPECT_SHIFT, suspect);
}

void bench_drain(struct bench *b, const char *member, bool draining)
{
	set_bit(b, member, DP_WORD_DRAINING_SHIFT, draining);
}

void bench_pair_flag(struct bench *b, const char *pair, uint64_t flag, bool on)
{
	int n = ctl_numbers_pair(b->numbers, pair);

	cr_assert(n >= 0, "no pair %s", pair);
	b->words[n] = on ? b->words[n] | flag : b->words[n] & ~flag;
}

void bench_trial(struct bench *b, const char *pair, uint32_t trial)
{
	int n = ctl_numbers_pair(b->numbers, pair);

	cr_assert(n >= 0, "no pair %s", pair);
	b->trials[n] = dp_trial(trial, dp_cfg_pair(b->cfg, (unsigned int)n)->order[0]);
	b->words[n] |= DP_WORD_TRIAL;
}

void bench_wait(struct bench *b, uint64_t us)
{
	uint64_t end = b->now_us + us;

	while (b->now_us < end) {
		b->now_us += end - b->now_us < 4000 ? end - b->now_us : 4000;
		steer_begin(b->steer, b->cfg, b->now_us);
		steer_tick(b->steer, b->now_us);
	}
}

/* ---- Datagrams ---- */

/* What every verdict must hold to, whatever came in. */
static void check_verdict(const struct bench *b, const struct dp_worker_counters *before)
{
	const struct steer_verdict *v = &b->v;
	const struct dp_worker_counters *after = &b->counters;
	static struct sip_msg m;
	uint64_t drops = 0;

	for (int i = 0; i < DP_REASON_N; i++)
		drops += after->reason[i] - before->reason[i];
	cr_assert(v->why != NULL);
	switch (v->action) {
	case STEER_DROP:
		cr_assert(v->reason < DP_REASON_N && drops == 1, "a drop is counted once");
		cr_assert(after->reason[v->reason] == before->reason[v->reason] + 1);
		return;
	case STEER_FORWARD:
		cr_assert(after->forwarded == before->forwarded + 1 && drops == 0);
		cr_assert(sip_msg_parse(&m, (const uint8_t *)b->out, b->out_len) == SIP_OK,
			  "what leaves must parse:\n%s", b->out);
		break;
	case STEER_ANSWER:
		cr_assert(after->answered == before->answered + 1);
		/* An answer copies what is malformed as it is. */
		cr_assert(v->status == 0
				  || sip_msg_parse(&m, (const uint8_t *)b->out, b->out_len)
					     != SIP_ERR_NOT_SIP,
			  "what leaves must be SIP:\n%s", b->out);
		cr_assert(v->status == 0 || m.hdrs_end + 2u == b->out_len, "%s", b->out);
		break;
	case STEER_HAND_OVER:
		cr_assert(drops == 0 && after->sip_requests == before->sip_requests
			  && after->sip_responses == before->sip_responses);
		cr_assert(v->owner != b->opts.worker && v->owner < b->opts.n_workers);
		return;
	default: cr_assert_fail("no action");
	}
	cr_assert(v->from && dp_cfg_listener_at(b->cfg, &v->from->at) == v->from);
	cr_assert(v->to.port != 0 && v->to.transport == DP_UDP);
	cr_assert(dp_ip_is_v4(&v->to.ip) == dp_ip_is_v4(&v->from->at.ip), "one family");
	cr_assert(!dp_cfg_listener_at(b->cfg, &v->to), "never to ourselves");
	cr_assert(!dp_ip_is_unanswerable(&v->to.ip));
}

static void take_out(struct bench *b)
{
	const struct steer_verdict *v = &b->v;
	int n = 0;

	if (v->action == STEER_FORWARD)
		n = sip_edits_apply(&v->edits, (const uint8_t *)b->in, b->in_len, (uint8_t *)b->out,
				    sizeof(b->out) - 1);
	else if (v->action == STEER_ANSWER)
		memcpy(b->out, v->answer, (size_t)(n = v->answer_len));
	cr_assert(n >= 0);
	b->out_len = (size_t)n;
	b->out[n] = '\0';
}

/* As a worker does: every second message is looked at before its turn. */
static void look(struct bench *b, struct steer_in *in)
{
	static struct steer_ahead ahead;

	memset(&ahead, 0xee, sizeof(ahead));
	steer_look(b->steer, in, &ahead);
	steer_look_pair(b->steer, &ahead);
	b->likely = steer_look_member(b->steer, &ahead);
	in->ahead = &ahead;
}

enum steer_action bench_bytes(struct bench *b, const char *src, const char *dst, const void *p,
			      size_t len)
{
	struct dp_worker_counters before = b->counters;
	struct steer_in in = {
		.buf = guard_copy(&b->guard, p, len),
		.len = (uint32_t)len,
		.src = bench_endpoint(src),
		.dst = bench_endpoint(dst),
		.spread = b->opts.spread,
		.local = b->opts.local,
	};

	cr_assert(len < sizeof(b->in));
	in.listener = dp_cfg_listener_at(b->cfg, &in.dst);
	cr_assert(in.listener != NULL, "%s is no listener", dst);
	memmove(b->in, p, len);
	b->in[len] = '\0';
	b->in_len = len;
	snprintf(b->src, sizeof(b->src), "%s", src);
	snprintf(b->dst, sizeof(b->dst), "%s", dst);
	memset(&b->v, 0xee, sizeof(b->v));
	steer_begin(b->steer, b->cfg, b->now_us);
	b->likely = NULL;
	if (b->n_messages++ % 2 == 0)
		look(b, &in);
	steer_message(b->steer, &in, &b->v);
	take_out(b);
	check_verdict(b, &before);
	return (enum steer_action)b->v.action;
}

enum steer_action bench_send(struct bench *b, const char *src, const char *dst, const char *text)
{
	static char msg[BENCH_MSG];
	size_t len = bench_text(msg, src, text);

	return bench_bytes(b, src, dst, msg, len);
}

const struct dp_event *bench_event(struct bench *b, enum dp_event_type type)
{
	static struct dp_event ev;

	while (dp_event_get(b->events, &b->events_read, &ev) == 1)
		if (ev.type == type)
			return &ev;
	return NULL;
}
