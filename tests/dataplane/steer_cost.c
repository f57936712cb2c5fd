/*
 * What steering costs per message: without records, with records, and with copies of what is in
 * flight. Prints nanoseconds of CPU; under `valgrind --tool=callgrind --collect-atstart=no
 * '--toggle-collect=burst*'` the instructions.
 *
 *   steer_cost off|records|flights requests|calls [TRANSACTIONS [OPEN]]
 *
 * requests: INVITEs of some 700 bytes, each of a transaction of its own, OPEN of them in flight at
 * a time. calls: each INVITE with its 100, 180 and 200.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/dataplane/steer_bench.h"

#define BURST 32

static const char invite[] =
	"INVITE sip:bob@example.com SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK-%012lu;rport\r\n"
	"Max-Forwards: 70\r\n"
	"From: \"Alice\" <sip:alice@example.com>;tag=%012lu\r\n"
	"To: <sip:bob@example.com>\r\n"
	"Call-ID: %012lu@203.0.113.5\r\n"
	"CSeq: 1 INVITE\r\n"
	"Contact: <sip:alice@203.0.113.5:5060>\r\n"
	"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, SUBSCRIBE, NOTIFY, REFER, INFO, "
	"MESSAGE\r\n"
	"Supported: replaces, timer, 100rel\r\n"
	"User-Agent: a phone of some maker/1.2.3\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Length: 177\r\n\r\n"
	"v=0\r\no=- 1234567890 1234567890 IN IP4 203.0.113.5\r\ns=-\r\nc=IN IP4 203.0.113.5\r\n"
	"t=0 0\r\nm=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\n"
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 te\r\n";

static const unsigned int answers[] = { 100, 180, 200 };

struct message {
	struct steer_in in;
	uint8_t buf[2048];
};

static void drop_sent(void *arg, const struct steer_send *out)
{
	(void)arg;
	(void)out;
}

/* What is measured. */
__attribute__((noinline)) void burst(struct steer *s, struct bench *b, struct message *m,
				     unsigned int n, struct steer_verdict *v);

void burst(struct steer *s, struct bench *b, struct message *m, unsigned int n,
	   struct steer_verdict *v)
{
	steer_begin(s, b->cfg, b->now_us);
	for (unsigned int i = 0; i < n; i++)
		steer_message(s, &m[i].in, &v[i]);
	steer_tick(s, b->now_us);
}

static void fill_request(const struct bench *b, struct message *m, unsigned long n)
{
	m->in = (struct steer_in){
		.buf = m->buf,
		.len = (uint32_t)snprintf((char *)m->buf, sizeof(m->buf), invite, n, n, n),
		.src = bench_endpoint("203.0.113.5:5060"),
		.dst = bench_endpoint("192.0.2.10:5060"),
	};
	m->in.listener = dp_cfg_listener_at(b->cfg, &m->in.dst);
}

/* The answer to what a verdict made of a request. */
static void fill_answer(struct bench *b, struct message *m, const struct message *request,
			const struct steer_verdict *v, unsigned int status)
{
	int n = sip_edits_apply(&v->edits, request->buf, request->in.len, (uint8_t *)b->out,
				sizeof(b->out) - 1);

	b->out[n] = '\0';
	bench_reply_text(b, (char *)m->buf, status, "sip:bob@198.51.100.11:5060", "");
	m->in = (struct steer_in){
		.buf = m->buf,
		.len = (uint32_t)strlen((char *)m->buf),
		.src = v->to,
		.dst = v->from->at,
		.listener = v->from,
	};
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static struct steer *make(struct bench *b, const char *mode, uint32_t open)
{
	struct steer_params p = {
		.worker = 1,
		.n_limits = 64,
		.record_hold_ms = 32000,
		.seed = 1,
		.counters = &b->counters,
		.members = b->members,
		.events = b->events,
		.pair_words = b->words,
	};

	if (strcmp(mode, "off") != 0) {
		p.n_records = 4 * open;
		p.n_challenges = 1024;
	}
	if (strcmp(mode, "flights") == 0) {
		p.store_size = (uint64_t)open * 8192;
		p.word_downs = &b->word_downs;
		p.pair_trials = b->trials;
		p.send = drop_sent;
	}
	return steer_new(&p);
}

int main(int argc, char **argv)
{
	static struct message req[BURST], ans[BURST];
	static struct steer_verdict v[BURST], w[BURST];
	unsigned long n = argc > 3 ? strtoul(argv[3], NULL, 10) : 100000;
	uint32_t open = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 4096;
	bool calls = argc > 2 && strcmp(argv[2], "calls") == 0;
	struct bench_opts o = { .store_size = 65536 };
	struct bench *b = bench_new(&o);
	struct steer *s = make(b, argc > 1 ? argv[1] : "off", open);
	unsigned long messages = 0;
	double spent = 0, start;

	if (!s)
		return 1;
	for (unsigned long i = 0; i < n; i += BURST) {
		b->now_us += 32000000ull * BURST / open;
		for (unsigned int k = 0; k < BURST; k++)
			fill_request(b, &req[k], i + k);
		start = seconds();
		burst(s, b, req, BURST, v);
		spent += seconds() - start;
		messages += BURST;
		for (unsigned int a = 0; calls && a < 3; a++) {
			for (unsigned int k = 0; k < BURST; k++)
				fill_answer(b, &ans[k], &req[k], &v[k], answers[a]);
			start = seconds();
			burst(s, b, ans, BURST, w);
			spent += seconds() - start;
			messages += BURST;
		}
		for (unsigned int k = 0; !calls && k < BURST; k++) {
			fill_answer(b, &ans[k], &req[k], &v[k], 486);
			steer_message(s, &ans[k].in, &w[k]);
		}
	}
	printf("%lu messages of %u bytes, %.0f ns each; %lu forwarded, %lu records made (%lu "
	       "full), "
	       "%lu copies made (%lu full), %lu in use\n",
	       messages, req[0].in.len, spent * 1e9 / (double)messages,
	       (unsigned long)b->counters.forwarded, (unsigned long)b->counters.records_made,
	       (unsigned long)b->counters.records_full, (unsigned long)b->counters.copies_made,
	       (unsigned long)b->counters.copies_full, (unsigned long)b->counters.copies_in_use);
	steer_free(s);
	bench_free(b);
	return 0;
}
