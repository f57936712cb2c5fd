/*
 * Which pair: the key of each `select`, byte for byte, looked up in the service's Maglev table; and
 * which requests are emergency calls. RFC 3261 19.1.4, RFC 3891, RFC 3911, RFC 3966; RFC 5031, RFC
 * 7135, RFC 4412.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/steer/steer_internal.h"
#include "dataplane/steer/steer_maglev.h"
#include "tests/dataplane/steer_bench.h"
#include "tests/leaks.h"

TestSuite(steer_select, .fini = leaks_check);

#define A  "203.0.113.5:5060"
#define LB "192.0.2.10:5060"

struct row {
	enum dp_select select;
	const char *in;
	const char *key; /* NULL: the source address */
};

static const struct row rows[] = {
	/* aor: To of a REGISTER, From of anything else */
	{ DP_SELECT_AOR, "INVITE sip:x@y SIP/2.0\nFrom: <sip:alice@example.com>;tag=1",
	  "alice@example.com" },
	{ DP_SELECT_AOR,
	  "REGISTER sip:y SIP/2.0\nFrom: <sip:admin@z>;tag=1\nTo: <sip:alice@example.com>",
	  "alice@example.com" },
	{ DP_SELECT_AOR,
	  "INVITE sip:x@y SIP/2.0\nFrom: \"A\" "
	  "<sips:alice:pw@EXAMPLE.com:5071;user=phone?X=1>;tag=1",
	  "alice@example.com" },
	{ DP_SELECT_AOR, "INVITE sip:x@y SIP/2.0\nFrom: sip:%61l%69ce@Example.COM;tag=1",
	  "alice@example.com" },
	{ DP_SELECT_AOR, "INVITE sip:x@y SIP/2.0\nFrom: <sip:Alice@example.com>;tag=1",
	  "Alice@example.com" },
	{ DP_SELECT_AOR, "INVITE sip:x@y SIP/2.0\nFrom: <sip:example.com>;tag=1", "@example.com" },
	{ DP_SELECT_AOR, "INVITE sip:x@y SIP/2.0\nFrom: <sip:+49-30@[2001:DB8::1]:5060>;tag=1",
	  "+49-30@[2001:db8::1]" },
	{ DP_SELECT_AOR, "INVITE sip:x@y SIP/2.0\nFrom: <tel:+49-30(1)2.3;phone-context=x>;tag=1",
	  "+4930123" },
	{ DP_SELECT_AOR, "INVITE sip:x@y SIP/2.0\nFrom: <xmpp:A@b>;tag=1", "xmpp:A@b" },
	{ DP_SELECT_AOR, "INVITE sip:x@y SIP/2.0\nFrom: <sip:a@b@c>;tag=1", "sip:a@b@c" },
	/* call-id, RFC 3891, RFC 3911 */
	{ DP_SELECT_CALL_ID, "INVITE sip:x@y SIP/2.0\nCall-ID: abc@h", "abc@h" },
	{ DP_SELECT_CALL_ID,
	  "INVITE sip:x@y SIP/2.0\nCall-ID: new\nReplaces: old@h;to-tag=1;from-tag=2", "old@h" },
	{ DP_SELECT_CALL_ID,
	  "INVITE sip:x@y SIP/2.0\nCall-ID: new\nReplaces: old@h ;to-tag=1;from-tag=2", "old@h" },
	{ DP_SELECT_CALL_ID,
	  "INVITE sip:x@y SIP/2.0\nCall-ID: new\nJoin: old@h;to-tag=1;from-tag=2", "old@h" },
	{ DP_SELECT_CALL_ID, "INVITE sip:x@y SIP/2.0\nCall-ID: new\nJoin: j;a=1\nReplaces: r;a=1",
	  "r" },
	{ DP_SELECT_CALL_ID, "INVITE sip:x@y SIP/2.0\nCall-ID: new\nReplaces: ;a", "new" },
	{ DP_SELECT_CALL_ID,
	  "REFER sip:x@y SIP/2.0\nCall-ID: new\nRefer-To: <sip:a@b?Replaces=old%3Bto-tag%3D1>",
	  "new" },
	/* request-uri-user */
	{ DP_SELECT_REQUEST_URI_USER, "INVITE sip:b%6Fb:pw@y:99 SIP/2.0", "bob" },
	{ DP_SELECT_REQUEST_URI_USER, "INVITE tel:+49-30-1 SIP/2.0", "+49301" },
	{ DP_SELECT_REQUEST_URI_USER, "INVITE urn:service:sos SIP/2.0", "service:sos" },
	{ DP_SELECT_REQUEST_URI_USER, "REGISTER sip:example.com SIP/2.0\nTo: <sip:bob@x>", "bob" },
	/* source-address, whatever the port */
	{ DP_SELECT_SOURCE_ADDRESS, "INVITE sip:x@y SIP/2.0", NULL },
};

static const struct dp_pair *pair_of_key(const struct bench *b, const void *key, size_t len)
{
	const struct dp_service *s = dp_cfg_service(b->cfg, 0);

	return dp_cfg_pair(b->cfg, steer_maglev_lookup(dp_cfg_at(b->cfg, s->maglev), s->maglev_size,
						       steer_hash(key, len)));
}

Test(steer_select, keys_byte_for_byte)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bench_opts o = { .n_pairs = 4, .select = rows[i].select };
		struct bench *b = bench_new(&o);
		struct dp_endpoint src = bench_endpoint(A);
		const struct dp_pair *want =
			rows[i].key ? pair_of_key(b, rows[i].key, strlen(rows[i].key))
				    : pair_of_key(b, &src.ip, sizeof(src.ip));

		bench_send(b, A, LB, rows[i].in);
		cr_expect(bench_forwarded(
				  b, LB,
				  bench_endpoint_text(&dp_pair_member(want, want->order[0])->at)),
			  "row %zu: %s", i, rows[i].in);
		bench_free(b);
	}
}

/* Written plainly or with an escape, a port and capitals in the host, it is one address of record:
 * the first is hashed where it stands, the second is decoded. */
Test(steer_select, an_address_of_record_in_its_plain_form_and_in_another)
{
	struct bench_opts o = { .n_pairs = 4, .no_records = true };
	struct bench *b = bench_new(&o);
	static const char bytes[] = "abcxyzABCXYZ0189-._+!~*'()&=+$,;?/";
	char text[256];

	for (size_t i = 0; bytes[i]; i++) {
		struct dp_endpoint to;

		snprintf(text, sizeof(text),
			 "INVITE sip:x@y SIP/2.0\nFrom: <sip:%zuu%cr@h0-s_t.x>;tag=1", i, bytes[i]);
		bench_send(b, A, LB, text);
		cr_assert(b->v.action == STEER_FORWARD, "%s", text);
		to = b->v.to;
		snprintf(text, sizeof(text),
			 "INVITE sip:x@y SIP/2.0\nFrom: <sip:%zuu%%%02xr@H0-s_T.X:5060>;tag=1", i,
			 (unsigned char)bytes[i]);
		bench_send(b, A, LB, text);
		cr_expect(memcmp(&to, &b->v.to, sizeof(to)) == 0, "%s", text);
	}
	bench_free(b);
}

/* A key longer than what is kept of it: cut, and the same for all that is equal up to there. */
Test(steer_select, a_very_long_key)
{
	struct bench_opts o = { .n_pairs = 4, .select = DP_SELECT_CALL_ID };
	struct bench *b = bench_new(&o);
	static char text[4096];
	char key[512];

	memset(key, 'x', sizeof(key));
	snprintf(text, sizeof(text), "INVITE sip:x@y SIP/2.0\nCall-ID: %.512s%s", key, "abcdef");
	bench_send(b, A, LB, text);
	cr_expect(b->v.member / DP_PAIR_MEMBERS
		  == dp_cfg_pair_number(b->cfg, pair_of_key(b, key, sizeof(key))));
	bench_free(b);
}

/* A phone's registration and its calls meet, on every instance. */
Test(steer_select, a_phones_calls_and_registration_meet)
{
	struct bench_opts o = { .n_pairs = 4, .no_records = true };
	struct bench *b = bench_new(&o), *other = bench_new(&o);
	unsigned int seen[4] = { 0 };
	char text[256];

	for (int i = 0; i < 200; i++) {
		uint32_t member;

		snprintf(text, sizeof(text), "REGISTER sip:y SIP/2.0\nTo: <sip:u%d@y>\nCall-ID: %d",
			 i, i);
		bench_send(b, A, LB, text);
		member = b->v.member;
		seen[member / DP_PAIR_MEMBERS]++;
		snprintf(text, sizeof(text), "INVITE sip:z@y SIP/2.0\nFrom: <sip:u%d@Y:5>;tag=1",
			 i);
		bench_send(other, "203.0.113.99:5060", LB, text);
		cr_expect(other->v.member == member, "user %d", i);
	}
	for (int p = 0; p < 4; p++)
		cr_expect(seen[p] > 20, "pair %d has %u of 200", p, seen[p]);
	bench_free(b);
	bench_free(other);
}

/* A pair that is out of service keeps its users: they are told so, not given to another. */
Test(steer_select, a_pair_is_never_rehashed_onto_another)
{
	struct bench_opts o = { .n_pairs = 2, .no_records = true };
	struct bench *b = bench_new(&o);
	unsigned int refused = 0;
	char text[256];

	bench_pair_flag(b, "east", DP_WORD_OUT_OF_SERVICE, true);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "INVITE sip:z@y SIP/2.0\nFrom: <sip:u%d@y>;tag=1", i);
		bench_send(b, A, LB, text);
		if (b->v.action == STEER_ANSWER)
			refused++;
		else
			bench_forwarded(b, LB, "198.51.100.21:5060");
	}
	cr_expect(refused > 20 && refused < 80, "%u", refused);
	bench_free(b);
}

/* ---- Emergency calls ---- */

static const struct {
	const char *in;
	bool emergency;
} calls[] = {
	{ "INVITE urn:service:sos SIP/2.0", true }, /* RFC 5031 4.2 */
	{ "INVITE URN:SERVICE:SOS.police SIP/2.0", true },
	{ "INVITE urn:service:sosumi SIP/2.0", false },
	{ "INVITE urn:service:counseling SIP/2.0", false },
	{ "INVITE sip:112@example.com SIP/2.0", true },
	{ "INVITE sip:%3112;phone-context=+49@example.com;user=phone SIP/2.0", true },
	{ "INVITE tel:1-1-2;phone-context=+49 SIP/2.0", true },
	{ "INVITE sip:1123@example.com SIP/2.0", false },
	{ "INVITE sip:11@example.com SIP/2.0", false },
	{ "INVITE sip:example.com SIP/2.0", false },
	{ "INVITE sip:b@c SIP/2.0\nResource-Priority: esnet.0", true },        /* RFC 7135 */
	{ "INVITE sip:b@c SIP/2.0\nResource-Priority: q735.3 , WPS.1", true }, /* RFC 4412 */
	{ "INVITE sip:b@c SIP/2.0\nResource-Priority: dsn.flash", false },
	{ "INVITE sip:b@c SIP/2.0\nResource-Priority: esnet", false },
	{ "INVITE sip:b@c SIP/2.0\nResource-Priority: esnet2.0", false },
	{ "INVITE sip:b@c SIP/2.0\nPriority: emergency", false },
	{ "SIP/2.0 200 OK\nResource-Priority: esnet.0", false },
};

Test(steer_select, emergency_calls_rfc5031_rfc7135_rfc4412)
{
	struct bench_opts o = { .emergency = "112" };
	struct bench *b = bench_new(&o);
	static struct sip_msg m;
	static char msg[BENCH_MSG];

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		size_t len = bench_text(msg, A, calls[i].in);

		cr_assert(sip_msg_parse(&m, (uint8_t *)msg, len) == SIP_OK, "%s", calls[i].in);
		cr_expect(steer_is_emergency(b->cfg, dp_cfg_service(b->cfg, 0), &m)
				  == calls[i].emergency,
			  "%s", calls[i].in);
	}
	bench_free(b);
}
