/*
 * Whatever comes in: every length of good messages, every byte of them changed, random mutations.
 * Each lies flush against a guard page; the bench checks that the verdict is whole, that what
 * leaves parses, and that it never goes to ourselves or to many. On top of that: what a client
 * without a cookie sends reaches members only.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_hostile, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define LB "192.0.2.10:5060"
#define MA "198.51.100.11:5060"

struct sample {
	const char *src;
	char msg[4096];
	size_t len;
};

static struct sample samples[8];
static unsigned int n_samples;

static void take(const char *src, const char *msg, size_t len)
{
	struct sample *s = &samples[n_samples++];

	s->src = src;
	cr_assert(len < sizeof(s->msg));
	memcpy(s->msg, msg, len);
	s->len = len;
}

static void take_last(const struct bench *b)
{
	take(strncmp(b->src, "198", 3) == 0 ? MA : A, b->in, b->in_len);
}

/* A request, a response and in-dialog requests with good cookies; a Path with a good token. */
static struct bench *prepare(void)
{
	struct bench_opts o = { .n_pairs = 2, .fallback = true };
	struct bench *b = bench_new(&o);
	struct bench_dialog caller, callee;
	char text[1024];

	n_samples = 0;
	bench_send(b, A, LB,
		   "INVITE sip:bob@example.com;maddr=192.0.2.10 SIP/2.0\n"
		   "Via: SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bK-1, SIP/2.0/UDP h;branch=z\n"
		   "Route: <sip:192.0.2.10;lr>\nContact: <sip:alice@" A ">\n"
		   "Proxy-Authorization: Digest x\nRecord-Route: <sip:203.0.113.1;lr>");
	take_last(b);
	bench_dialog_callee(b, &callee);
	bench_reply(b, 200, "sip:bob@" MA, "Record-Route: <sip:x>\n");
	take_last(b);
	bench_dialog_caller(b, &caller);
	bench_dialog_send(b, &caller, "BYE", "Route: <sip:198.51.100.11;lr>\n");
	take_last(b);
	snprintf(callee.src, sizeof(callee.src), "%s", MA);
	bench_dialog_send(b, &callee, "INFO", "");
	take_last(b);
	bench_send(b, A, LB, "REGISTER sip:example.com SIP/2.0\nPath: <sip:a@b;lr>");
	snprintf(text, sizeof(text), "INVITE sip:alice@203.0.113.5 SIP/2.0\nRoute: %s",
		 bench_header(b->out, "Path", 0));
	bench_send(b, MA, LB, text);
	take_last(b);
	return b;
}

static void send(struct bench *b, const struct sample *s, const char *msg, size_t len)
{
	bench_bytes(b, s->src, LB, msg, len);
}

Test(steer_hostile, every_length)
{
	struct bench *b = prepare();

	for (unsigned int i = 0; i < n_samples; i++)
		for (size_t len = 0; len <= samples[i].len; len++)
			send(b, &samples[i], samples[i].msg, len);
	bench_free(b);
}

Test(steer_hostile, every_byte_changed)
{
	static const char to[] = { 0,   '\n', '\r', ' ', ',', ';', '"',        '<',
				   '>', '@',  ':',  '%', '0', 'z', (char)0x80, (char)0xff };
	struct bench *b = prepare();
	static char msg[4096];

	for (unsigned int i = 0; i < n_samples; i++) {
		memcpy(msg, samples[i].msg, samples[i].len);
		for (size_t k = 0; k < samples[i].len; k++) {
			for (size_t v = 0; v < sizeof(to); v++) {
				msg[k] = to[v];
				send(b, &samples[i], msg, samples[i].len);
			}
			msg[k] = samples[i].msg[k];
		}
	}
	bench_free(b);
}

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 33);
}

/* Pieces of one message put into another, cut out, or doubled. */
static size_t mutate(uint64_t *rnd, char *msg, const struct sample *s)
{
	size_t len = s->len;

	memcpy(msg, s->msg, len);
	for (unsigned int n = 1 + next_random(rnd) % 4; n > 0; n--) {
		const struct sample *from = &samples[next_random(rnd) % n_samples];
		size_t src = next_random(rnd) % from->len, at = next_random(rnd) % (len + 1);
		size_t take_len = next_random(rnd) % 64;
		size_t cut = next_random(rnd) % 2 ? next_random(rnd) % 64 : 0;

		if (take_len > from->len - src)
			take_len = from->len - src;
		if (cut > len - at)
			cut = len - at;
		if (len + take_len - cut > 4000)
			continue;
		memmove(msg + at + take_len, msg + at + cut, len - at - cut);
		memcpy(msg + at, from->msg + src, take_len);
		len = len + take_len - cut;
	}
	return len;
}

Test(steer_hostile, random_mutations)
{
	struct bench *b = prepare();
	static char msg[8192];
	uint64_t rnd = 20240501;

	for (int i = 0; i < 60000; i++) {
		const struct sample *s = &samples[next_random(&rnd) % n_samples];

		send(b, s, msg, mutate(&rnd, msg, s));
		b->now_us += 1000;
		if (i % 512 == 0)
			steer_tick(b->steer, b->now_us);
	}
	cr_expect(b->counters.forwarded > 1000 && b->counters.answered > 1000);
	bench_free(b);
}

/* Requests of a client that has no cookie: to members or nowhere. */
Test(steer_hostile, a_client_without_a_cookie_reaches_members_only)
{
	static const char *const texts[] = {
		"INVITE sip:bob@203.0.113.66 SIP/2.0\nContact: <sip:alice@" A ">",
		("MESSAGE sip:bob@203.0.113.66;maddr=203.0.113.67 SIP/2.0\n"
		 "Route: <sip:192.0.2.10;lr>, <sip:203.0.113.66;lr>"),
		"MESSAGE sip:192.0.2.10;ss=00 SIP/2.0\nRoute: <sip:203.0.113.66>",
		"CANCEL sip:203.0.113.66 SIP/2.0\nRoute: <sip:x@203.0.113.66>\nTo: <sip:a@b>;tag=1",
		"REGISTER sip:203.0.113.66 SIP/2.0\nPath: <sip:203.0.113.66;lr>",
	};
	struct bench *b = bench_new(NULL);
	static char msg[8192];
	uint64_t rnd = 7;
	uint16_t pair;

	n_samples = 0;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t len = bench_text(msg, A, texts[i]);

		take(A, msg, len);
	}
	for (int i = 0; i < 60000; i++) {
		const struct sample *s = &samples[next_random(&rnd) % n_samples];
		size_t len = mutate(&rnd, msg, s);

		send(b, s, msg, len);
		if (b->v.action == STEER_FORWARD)
			cr_expect(dp_cfg_member_at(b->cfg, &b->v.to, &pair) != NULL, "to %s:\n%.*s",
				  bench_endpoint_text(&b->v.to), (int)len, msg);
		if (b->v.action == STEER_ANSWER)
			cr_expect(strcmp(bench_endpoint_text(&b->v.to), A) == 0);
	}
	bench_free(b);
}

/* Lists of Route and Via as long as a message can hold: nothing is quadratic, nothing overflows. */
Test(steer_hostile, long_lists)
{
	static const char *const one[] = {
		"Route: <sip:192.0.2.10;lr>\n",
		"Route: <sip:198.51.100.11;lr>\n",
		"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-2\n",
		"Proxy-Require: a,b,c\n",
		"Resource-Priority: a.b,c.d\n",
	};
	struct bench *b = bench_new(NULL);
	static char text[BENCH_MSG];

	for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++) {
		char *p = text
			  + sprintf(text, "MESSAGE sip:bob@example.com SIP/2.0\n"
					  "Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-1\n");

		for (int n = 0; n < 200; n++)
			p += sprintf(p, "%s", one[i]);
		bench_send(b, A, LB, text);
	}
	/* And in one line. */
	{
		char *p = text + sprintf(text, "MESSAGE sip:bob@example.com SIP/2.0\nRoute: ");

		for (int n = 0; n < 400; n++)
			p += sprintf(p, "<sip:192.0.2.10;lr>,");
		sprintf(p, "<sip:198.51.100.11;lr>");
		bench_send(b, A, LB, text);
		bench_forwarded(b, LB, MA);
		bench_has(b, "Route: <sip:198.51.100.11;lr>");
	}
	bench_free(b);
}
