/*
 * ICMP errors: which are proven ours, which count (RFC 3261 18.4), and what anyone can do who
 * forges them.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_icmp, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define LB "192.0.2.10:5060"
#define MA "198.51.100.11:5060"
#define MB "198.51.100.12:5060"

static struct bench *new_bench(void)
{
	struct bench_opts o = { .store_size = 65536 };

	return bench_new(&o);
}

/* Quotes the first len bytes of what was forwarded last, flush against a guard page. */
static enum steer_icmp_proof proof_of(struct bench *b, const char *from, const char *to, size_t len,
				      uint8_t type, uint8_t code, bool v6)
{
	struct steer_icmp in = {
		.from = bench_endpoint(from),
		.to = bench_endpoint(to),
		.quote = guard_copy(&b->guard, b->out, len),
		.quote_len = (uint32_t)len,
		.type = type,
		.code = code,
		.v6 = v6,
	};

	steer_begin(b->steer, b->cfg, b->now_us);
	return steer_icmp(b->steer, &in, &b->v.owner);
}

static bool report(struct bench *b, const char *from, const char *to, size_t len, uint8_t type,
		   uint8_t code, bool v6)
{
	return proof_of(b, from, to, len, type, code, v6) == STEER_ICMP_PROVEN;
}

static void invite(struct bench *b, const char *more)
{
	char text[1024];

	snprintf(text, sizeof(text), "INVITE sip:bob@example.com SIP/2.0\n%s", more);
	bench_send(b, A, LB, text);
	bench_forwarded(b, LB, MA);
}

static uint64_t tag_of(const char *text)
{
	const char *branch = strstr(text, "branch=");
	struct steer_branch br;

	cr_assert(branch
		  && steer_branch_read((const uint8_t *)branch + 7, STEER_BRANCH_LEN, &br) == 0);
	return br.tag;
}

Test(steer_icmp, which_errors_count_rfc3261_18_4)
{
	static const struct {
		uint8_t type, code;
		bool v6, counts;
	} rows[] = {
		{ 3, 0, false, true },   { 3, 1, false, true },
		{ 3, 2, false, true },   { 3, 3, false, true },
		{ 3, 4, false, false }, /* too big */
		{ 3, 5, false, false },  { 3, 6, false, true },
		{ 3, 7, false, true },   { 3, 9, false, false },
		{ 3, 10, false, false }, { 3, 11, false, true },
		{ 3, 12, false, true },  { 3, 13, false, false },
		{ 4, 0, false, false }, /* quench */
		{ 5, 1, false, false },  { 11, 0, false, false },
		{ 12, 0, false, false }, { 1, 0, true, true },
		{ 1, 1, true, false },   { 1, 3, true, true },
		{ 1, 4, true, true },    { 1, 5, true, false },
		{ 2, 0, true, false },   { 3, 3, true, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench *b = new_bench();
		const struct dp_event *ev;
		uint64_t tag;

		invite(b, "");
		tag = tag_of(b->out);
		cr_expect(report(b, LB, MA, b->out_len, rows[i].type, rows[i].code, rows[i].v6),
			  "row %zu: proven all the same", i);
		ev = bench_event(b, DP_EVENT_ICMP);
		cr_expect((ev != NULL) == rows[i].counts && (b->n_sent == 1) == rows[i].counts,
			  "row %zu", i);
		cr_expect(bench_counters(b, bench_member(b, "east-a")).icmp == rows[i].counts);
		if (ev)
			cr_expect(ev->id == tag
				  && ev->value == ((uint32_t)rows[i].type << 8 | rows[i].code)
				  && ev->member == bench_member(b, "east-a"));
		bench_free(b);
	}
}

/* Quoted up to the client's Via, it is proven; up to less, it is a hint and moves nothing. */
Test(steer_icmp, how_much_must_be_quoted)
{
	struct bench *b = new_bench();
	size_t enough = 0;

	invite(b, "");
	for (size_t len = 0; len <= b->out_len; len++) {
		bool proven = report(b, LB, MA, len, 3, 4, false);

		if (proven && enough == 0)
			enough = len;
		cr_expect(proven == (enough != 0), "%zu bytes", len);
	}
	cr_expect(enough > 100 && enough < b->out_len);
	cr_expect(memcmp(b->out + enough - 2, "\r\n", 2) == 0
		  || strncmp(b->out + enough - 40, "Via", 1) != 0);
	cr_expect(b->n_sent == 0 && bench_event(b, DP_EVENT_ICMP) == NULL);
	bench_free(b);
}

/* An RFC 2543 client's transaction is named by From, Call-ID and CSeq too (17.2.3). */
Test(steer_icmp, rfc2543_clients_rfc3261_17_2_3)
{
	struct bench *b = new_bench();
	const char *cseq;

	invite(b, "Via: SIP/2.0/UDP 203.0.113.5;branch=1");
	cseq = strstr(b->out, "CSeq:");
	cr_expect(!report(b, LB, MA, (size_t)(cseq - b->out), 3, 3, false));
	cr_expect(b->n_sent == 0);
	cr_expect(report(b, LB, MA, b->out_len, 3, 3, false));
	cr_expect(b->n_sent == 1);
	bench_free(b);
}

Test(steer_icmp, what_is_not_proven)
{
	static const struct {
		const char *name, *from, *to;
		const char *find, *put; /* in the quote */
	} rows[] = {
		{ "a destination that the branch does not name", LB, MB, "", "" },
		{ "a destination that is no member", LB, "198.51.100.99:5060", "", "" },
		{ "another port", LB, "198.51.100.11:5061", "", "" },
		{ "a source that is not ours", "192.0.2.99:5060", MA, "", "" },
		{ "another client's transaction", LB, MA, "z9hG4bK-1", "z9hG4bK-2" },
		{ "another Via on top", LB, MA, "z9hG4bKss", "z9hG4bKst" },
		{ "a response", LB, MA, "INVITE sip:bob@", "SIP/2.0 200 OK " },
		{ "another address in our Via", LB, MA, "192.0.2.10:5060", "192.0.2.99:5060" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench *b = new_bench();
		char *at;

		invite(b, "");
		at = strstr(b->out, rows[i].find);
		cr_assert(at != NULL);
		memcpy(at, rows[i].put, strlen(rows[i].put));
		cr_expect(!report(b, rows[i].from, rows[i].to, b->out_len, 3, 3, false), "%s",
			  rows[i].name);
		cr_expect(b->n_sent == 0 && bench_event(b, DP_EVENT_ICMP) == NULL, "%s",
			  rows[i].name);
		bench_free(b);
	}
}

/* A flood of forged errors costs control some twenty hints a second, and nobody anything else. */
Test(steer_icmp, hints_are_seldom)
{
	struct bench *b = new_bench();
	unsigned int hints = 0;

	invite(b, "");
	for (int i = 0; i < 10000; i++) {
		b->now_us += 100;
		report(b, LB, MA, 8, 3, 3, false);
	}
	while (bench_event(b, DP_EVENT_UNANSWERED))
		hints++;
	cr_expect(hints >= 10 && hints <= 21, "%u", hints);
	cr_expect(b->n_sent == 0);
	bench_free(b);
}

/* Errors that are proven are told of as they come, up to some; two branches prove a death. */
Test(steer_icmp, proven_ones_of_different_branches_are_told_at_once)
{
	struct bench *b = new_bench();
	const struct dp_event *ev;
	uint64_t first;
	unsigned int n = 0;
	char text[128];

	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "Via: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bK-%d",
			 i);
		b->n_sent = 0;
		invite(b, text);
		cr_expect(report(b, LB, MA, b->out_len, 3, 3, false));
	}
	ev = bench_event(b, DP_EVENT_ICMP);
	cr_assert(ev != NULL);
	first = ev->id;
	ev = bench_event(b, DP_EVENT_ICMP);
	cr_assert(ev != NULL && ev->id != first);
	for (n = 2; bench_event(b, DP_EVENT_ICMP); n++)
		;
	cr_expect(n <= 8, "%u", n);
	cr_expect(bench_counters(b, bench_member(b, "east-a")).icmp == 100);
	bench_free(b);
}

/* Two workers over the same keys: an error goes to the one whose request it quotes, once it is
 * proven, and that one alone acts on it. */
Test(steer_icmp, an_error_goes_to_the_worker_that_owns_the_request_rfc3261_16_9)
{
	struct bench_opts o[2] = { { .store_size = 65536, .n_workers = 2 },
				   { .store_size = 65536, .n_workers = 2, .worker = 1 } };
	struct bench *zero = bench_new(&o[0]), *one = bench_new(&o[1]);

	invite(one, "");
	strcpy(zero->out, one->out);
	zero->out_len = one->out_len;
	cr_expect_eq(proof_of(zero, LB, MA, zero->out_len, 3, 3, false), STEER_ICMP_HAND_OVER);
	cr_expect(zero->v.owner == 1 && zero->counters.handed_others == 1);
	cr_expect(zero->n_sent == 0 && bench_event(zero, DP_EVENT_ICMP) == NULL);
	cr_expect(bench_counters(zero, bench_member(zero, "east-a")).icmp == 0);
	/* What all workers share is judged where it came. */
	cr_expect_eq(proof_of(zero, LB, MA, zero->out_len, 3, 4, false), STEER_ICMP_PROVEN);
	/* As handed over. */
	cr_expect_eq(proof_of(one, LB, MA, one->out_len, 3, 3, false), STEER_ICMP_PROVEN);
	cr_expect(one->n_sent == 1 && bench_event(one, DP_EVENT_ICMP) != NULL);
	cr_expect(bench_counters(one, bench_member(one, "east-a")).icmp == 1);
	/* A forgery makes no mail. */
	strstr(zero->out, "z9hG4bKss")[40] ^= 1;
	cr_expect_eq(proof_of(zero, LB, MA, zero->out_len, 3, 3, false), STEER_ICMP_UNPROVEN);
	cr_expect(zero->counters.handed_others == 1);
	bench_free(zero);
	bench_free(one);
}

/* A branch of a worker that is not there: nothing is moved here, control hears of it. */
Test(steer_icmp, of_a_worker_s_branch_that_is_not_there)
{
	struct bench *b = new_bench();
	char *owner;

	invite(b, "");
	owner = strstr(b->out, "z9hG4bKss") + 9 + 24 + 2;
	cr_assert(memcmp(owner, "03", 2) == 0);
	owner[1] = '4';
	cr_expect(report(b, LB, MA, b->out_len, 3, 3, false));
	cr_expect(b->n_sent == 0 && bench_event(b, DP_EVENT_ICMP) != NULL);
	bench_free(b);
}

Test(steer_icmp, without_a_snapshot_or_a_quote)
{
	struct bench *b = new_bench();

	invite(b, "");
	cr_expect(!report(b, LB, MA, 0, 3, 3, false));
	bench_free(b);
}
