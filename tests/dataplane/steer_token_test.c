/*
 * Branches, cookies and flow tokens: what is written is read back, nothing else is, and a tag
 * covers all that it should. RFC 3261 16.6 item 8 and 16.11 (branch), 16.6 item 4 (Record-Route
 * parameter); RFC 3327 (Path).
 */
#include "dataplane/steer/steer_prepare.h"
#include "dataplane/steer/steer_token.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/steer/steer_hex.h"
#include "tests/leaks.h"
#include "tests/sip/guard.h"

static void spread_keys(void);

TestSuite(steer_token, .init = spread_keys, .fini = leaks_check);

static struct dp_secret key = { .b = { 0x9b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } };
static struct dp_secret other_key = { .b = { 0x9c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
					     15 } };

static void spread_keys(void)
{
	steer_secret_spread(&key);
	steer_secret_spread(&other_key);
}

static const uint8_t call_id[] = "a84b4c76e66710@pc33.atlanta.example.com";
#define CALL_ID_LEN (sizeof(call_id) - 1)
#define TRANSACTION 0x0123456789abcdefull

static const struct {
	struct steer_branch b;
	const char *text;
} branches[] = {
	{ { 0, 0, 0, 0, 0, false, 0 },
	  "z9hG4bKss"
	  "00000000"
	  "00000000"
	  "00000000"
	  "00"
	  "00"
	  "0000000000000000" },
	{ { 0x01234567, 0x89abcdef, 0xfedcba98, 15, STEER_NO_OWNER, true, 0x0f1e2d3c4b5a6978 },
	  "z9hG4bKss"
	  "01234567"
	  "89abcdef"
	  "fedcba98"
	  "1f"
	  "ff"
	  "0f1e2d3c4b5a6978" },
	{ { UINT32_MAX, 1, 0x80000000, 9, DP_MAX_WORKERS - 1, false, UINT64_MAX },
	  "z9hG4bKss"
	  "ffffffff"
	  "00000001"
	  "80000000"
	  "09"
	  "0f"
	  "ffffffffffffffff" },
};

static bool branch_equal(const struct steer_branch *a, const struct steer_branch *b)
{
	return a->listener == b->listener && a->member == b->member && a->loop == b->loop
	       && a->attempt == b->attempt && a->owner == b->owner && a->outward == b->outward
	       && a->tag == b->tag;
}

Test(steer_token, branch_has_the_form_that_the_header_says)
{
	struct guard g;

	guard_init(&g, STEER_BRANCH_LEN);
	for (size_t i = 0; i < sizeof(branches) / sizeof(branches[0]); i++) {
		char *out = (char *)(uintptr_t)guard_copy(&g, branches[i].text, STEER_BRANCH_LEN);
		struct steer_branch b;

		memset(out, 'x', STEER_BRANCH_LEN);
		steer_branch_write(&branches[i].b, out);
		cr_expect(strlen(branches[i].text) == STEER_BRANCH_LEN, "row %zu", i);
		cr_expect(memcmp(out, branches[i].text, STEER_BRANCH_LEN) == 0,
			  "row %zu: \"%.*s\", not \"%s\"", i, STEER_BRANCH_LEN, out,
			  branches[i].text);
		cr_expect(steer_branch_read((uint8_t *)out, STEER_BRANCH_LEN, &b) == 0, "row %zu",
			  i);
		cr_expect(branch_equal(&b, &branches[i].b), "row %zu", i);
	}
	guard_fini(&g);
}

/* Each is our second row with something changed in a way that another proxy might. */
static const char *const foreign_branches[] = {
	"",
	"z9hG4bK",
	"z9hG4bKss",
	"z9hG4bK776asdhds",
	/* upper case, in each field */
	"z9hG4bKss0123456789ABcdeffedcba981fff0f1e2d3c4b5a6978",
	"z9hG4bKss0123456789abcdefFEDCBA981fff0f1e2d3c4b5a6978",
	"z9hG4bKss0123456789abcdeffedcba981fff0f1e2d3c4b5a697G",
	"z9hG4bKss0123456789abcdeffedcba981FFf0f1e2d3c4b5a6978",
	"z9hG4bKss0123456789abcdeffedcba981fff0F1e2d3c4b5a6978",
	"Z9HG4BKSS0123456789abcdeffedcba981fff0f1e2d3c4b5a6978",
	/* too short, too long */
	"z9hG4bKss0123456789abcdeffedcba981fff0f1e2d3c4b5a697",
	"z9hG4bKss0123456789abcdeffedcba981fff0f1e2d3c4b5a69780",
	/* flags that do not exist */
	"z9hG4bKss0123456789abcdeffedcba982fff0f1e2d3c4b5a6978",
	"z9hG4bKss0123456789abcdeffedcba989fff0f1e2d3c4b5a6978",
	/* owners that cannot be */
	"z9hG4bKss0123456789abcdeffedcba981f100f1e2d3c4b5a6978",
	"z9hG4bKss0123456789abcdeffedcba981ffe0f1e2d3c4b5a6978",
};

Test(steer_token, branch_of_somebody_else_is_refused_and_leaves_the_output_alone)
{
	struct guard g;

	guard_init(&g, 64);
	for (size_t i = 0; i < sizeof(foreign_branches) / sizeof(foreign_branches[0]); i++) {
		const char *text = foreign_branches[i];
		struct steer_branch b = { .listener = 77 };

		cr_expect(steer_branch_read(guard_copy(&g, text, strlen(text)), strlen(text), &b)
				  == -EINVAL,
			  "\"%s\"", text);
		cr_expect(b.listener == 77, "\"%s\"", text);
	}
	guard_fini(&g);
}

/* What a token is read and checked with. */
struct kind {
	const char *name;
	size_t len;
	size_t owner_at; /* two digits that no tag covers; 0: none */
	bool (*good)(const uint8_t *p, size_t len, const struct dp_secret *k);
};

static bool branch_good(const uint8_t *p, size_t len, const struct dp_secret *k)
{
	struct steer_branch b;

	return steer_branch_read(p, len, &b) == 0 && steer_branch_tag(k, &b, TRANSACTION) == b.tag;
}

static bool cookie_good(const uint8_t *p, size_t len, const struct dp_secret *k)
{
	struct steer_cookie c;

	return steer_cookie_read(p, len, &c) == 0
	       && steer_cookie_tag(k, &c, call_id, CALL_ID_LEN) == c.tag;
}

static bool flow_good(const uint8_t *p, size_t len, const struct dp_secret *k)
{
	struct steer_flow f;

	return steer_flow_read(p, len, &f) == 0 && steer_flow_tag(k, &f) == f.tag;
}

static const struct kind kinds[] = {
	{ "branch", STEER_BRANCH_LEN, 9 + 24 + 2, branch_good },
	{ "cookie", STEER_COOKIE_LEN, 0, cookie_good },
	{ "flow", STEER_FLOW_LEN, 0, flow_good },
};

/* One good token of each kind. */
static void write_token(size_t kind, char *out)
{
	struct steer_branch b = { 0x01234567, 0x89abcdef, 0xfedcba98, 3, 4, true, 0 };
	struct steer_cookie c = { 0x01234567, 0x89abcdef, 0xfedcba98, STEER_OUTWARD, 0 };
	struct steer_flow f = { 0x01234567,
				0x89abcdef,
				{ { 0x20, 1, 0xd, 0xb8, [14] = 0xab, [15] = 0xcd } },
				0x13c4,
				0 };

	b.tag = steer_branch_tag(&key, &b, TRANSACTION);
	c.tag = steer_cookie_tag(&key, &c, call_id, CALL_ID_LEN);
	f.tag = steer_flow_tag(&key, &f);
	if (kind == 0)
		steer_branch_write(&b, out);
	else if (kind == 1)
		steer_cookie_write(&c, out);
	else
		steer_flow_write(&f, out);
}

/* What a request's header fields are put together from is what is written and sealed one by one. */
Test(steer_token, a_request_s_tokens_are_those_written_one_by_one)
{
	for (unsigned int i = 0; i < 64; i++) {
		struct steer_branch b = { 0x01234567u * i,
					  0x89abcdefu ^ i,
					  0xfedcba98u * i,
					  (uint8_t)(i & 15),
					  (uint8_t)(i * 4),
					  i & 1,
					  0 };
		struct steer_cookie c = { ~i, i * 0x1357u, 0x2468ace0u ^ i, i & 1, 0 };
		char branch[STEER_BRANCH_LEN], cookie[STEER_COOKIE_LEN], rest[64];
		struct dp_listener l = { .key = b.listener };
		struct dp_member m = { .key = c.member };

		steer_tag_both(&key, &b, TRANSACTION + i, &c, call_id, CALL_ID_LEN);
		cr_expect(b.tag == steer_branch_tag(&key, &b, TRANSACTION + i), "%u", i);
		cr_expect(c.tag == steer_cookie_tag(&key, &c, call_id, CALL_ID_LEN), "%u", i);
		steer_branch_write(&b, branch);
		steer_cookie_write(&c, cookie);
		steer_prepare_listener(&l, "192.0.2.10:5060", 15);
		steer_prepare_member(&m, c.pair);
		cr_expect(memcmp(l.digits, branch + 9, 8) == 0, "%u", i);
		cr_expect(memcmp(l.via, "Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bKss",
				 l.via_len)
					  == 0
				  && l.via_len == 17 + 15 + 14 + 9,
			  "%u", i);
		cr_expect(memcmp(l.route, "Record-Route: <sip:192.0.2.10:5060;lr;ss=", l.route_len)
					  == 0
				  && l.route_len == 19 + 15 + 7,
			  "%u", i);
		cr_expect(memcmp(m.digits, cookie, 16) == 0, "%u", i);
		cr_expect(steer_branch_put_rest(&b, rest) == rest + STEER_BRANCH_REST_LEN);
		cr_expect(memcmp(rest, branch + 25, STEER_BRANCH_REST_LEN) == 0, "%u", i);
		cr_expect(steer_cookie_put_rest(&c, rest) == rest + STEER_COOKIE_REST_LEN);
		cr_expect(memcmp(rest, cookie + 24, STEER_COOKIE_REST_LEN) == 0, "%u", i);
	}
}

Test(steer_token, every_change_of_one_character_is_refused_or_fails_the_tag)
{
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const struct kind *kind = &kinds[k];
		char token[STEER_FLOW_LEN + 1];
		uint8_t *p = (uint8_t *)token;

		write_token(k, token);
		cr_assert(kind->good(p, kind->len, &key), "%s as written", kind->name);
		cr_expect(!kind->good(p, kind->len, &other_key), "%s, another key", kind->name);
		for (size_t at = 0; at < kind->len; at++) {
			bool owner = kind->owner_at != 0
				     && (at == kind->owner_at || at == kind->owner_at + 1);
			uint8_t was = p[at];

			for (unsigned int c = 0; c < 256; c++) {
				bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

				p[at] = (uint8_t)c;
				/* The owner is not covered: only another owner may be read. */
				if (c != was && !(owner && digit))
					cr_expect(!kind->good(p, kind->len, &key),
						  "%s: byte %02x at %zu", kind->name, c, at);
			}
			p[at] = was;
		}
	}
}

Test(steer_token, every_other_length_is_refused)
{
	struct guard g;

	guard_init(&g, 128);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		char token[128];

		memset(token, '0', sizeof(token));
		write_token(k, token);
		for (size_t len = 0; len <= sizeof(token); len++) {
			bool good = kinds[k].good(guard_copy(&g, token, len), len, &key);

			cr_expect(good == (len == kinds[k].len), "%s of %zu bytes", kinds[k].name,
				  len);
		}
	}
	guard_fini(&g);
}

Test(steer_token, branch_tag_covers_all_fields_but_the_owner)
{
	struct steer_branch b = { 1, 2, 3, 4, 5, false, 0 };
	uint64_t tag = steer_branch_tag(&key, &b, TRANSACTION);
	struct steer_branch c = b;

	c.owner = STEER_NO_OWNER;
	cr_expect(steer_branch_tag(&key, &c, TRANSACTION) == tag, "owner");
	cr_expect(steer_branch_tag(&key, &b, TRANSACTION ^ 1) != tag, "transaction");
	c = b;
	c.listener ^= 1u << 31;
	cr_expect(steer_branch_tag(&key, &c, TRANSACTION) != tag, "listener");
	c = b;
	c.member ^= 1u << 31;
	cr_expect(steer_branch_tag(&key, &c, TRANSACTION) != tag, "member");
	c = b;
	c.loop ^= 1u << 31;
	cr_expect(steer_branch_tag(&key, &c, TRANSACTION) != tag, "loop");
	c = b;
	c.attempt ^= 1;
	cr_expect(steer_branch_tag(&key, &c, TRANSACTION) != tag, "attempt");
	c = b;
	c.outward = true;
	cr_expect(steer_branch_tag(&key, &c, TRANSACTION) != tag, "outward");
}

/* A tag written under any of the shared keys is good, in whatever place that key is by now. */
Test(steer_token, cookie_and_flow_are_valid_under_older_keys)
{
	struct dp_cfg *cfg = calloc(1, sizeof(*cfg));
	struct steer_cookie c = { 1, 2, 3, STEER_INWARD, 0 };
	struct steer_flow f = { 1, 2, { { [15] = 9 } }, 5060, 0 };

	c.tag = steer_cookie_tag(&key, &c, call_id, CALL_ID_LEN);
	f.tag = steer_flow_tag(&key, &f);

	cr_expect(!steer_cookie_valid(cfg, &c, call_id, CALL_ID_LEN), "no keys at all");
	cr_expect(!steer_flow_valid(cfg, &f), "no keys at all");
	cfg->n_secrets = DP_MAX_KEYS;
	for (unsigned int i = 0; i < DP_MAX_KEYS; i++)
		cfg->secrets[i].b[3] = (uint8_t)i;
	cr_expect(!steer_cookie_valid(cfg, &c, call_id, CALL_ID_LEN), "not among them");
	cr_expect(!steer_flow_valid(cfg, &f), "not among them");
	for (unsigned int i = 0; i < DP_MAX_KEYS; i++) {
		struct dp_secret was = cfg->secrets[i];

		cfg->secrets[i] = key;
		cr_expect(steer_cookie_valid(cfg, &c, call_id, CALL_ID_LEN), "key %u", i);
		cr_expect(steer_flow_valid(cfg, &f), "key %u", i);
		cfg->n_secrets = i;
		cr_expect(!steer_cookie_valid(cfg, &c, call_id, CALL_ID_LEN), "key %u is over", i);
		cr_expect(!steer_flow_valid(cfg, &f), "key %u is over", i);
		cfg->n_secrets = DP_MAX_KEYS;
		cfg->secrets[i] = was;
	}
	free(cfg);
}

Test(steer_token, cookie_of_another_call_is_a_forgery)
{
	struct dp_cfg *cfg = calloc(1, sizeof(*cfg));
	struct steer_cookie c = { 1, 2, 3, STEER_INWARD, 0 };

	cfg->n_secrets = 1;
	cfg->secrets[0] = key;
	c.tag = steer_cookie_tag(&key, &c, call_id, CALL_ID_LEN);
	cr_expect(steer_cookie_valid(cfg, &c, call_id, CALL_ID_LEN), "its own call");
	cr_expect(!steer_cookie_valid(cfg, &c, call_id, CALL_ID_LEN - 1), "a Call-ID cut short");
	cr_expect(!steer_cookie_valid(cfg, &c, call_id + 1, CALL_ID_LEN - 1), "cut at its start");
	cr_expect(!steer_cookie_valid(cfg, &c, (const uint8_t *)"x", 1), "another Call-ID");
	cr_expect(!steer_cookie_valid(cfg, &c, call_id, 0), "no Call-ID");
	c.direction = STEER_OUTWARD;
	cr_expect(!steer_cookie_valid(cfg, &c, call_id, CALL_ID_LEN), "the other direction");
	free(cfg);
}

#if defined(__x86_64__)
/* The digits of any byte, alone among good ones, and what is written. */
Test(steer_token, hexadecimal_by_instructions_and_in_plain_c_agree)
{
	uint8_t text[16];
	char plain[32], machine[32];
	uint64_t v = 0x9e3779b97f4a7c15ull;

	if (!__builtin_cpu_supports("ssse3"))
		return;
	for (unsigned int i = 0; i < 1000; i++, v = v * 6364136223846793005ull + 1) {
		steer_hex_put_plain(plain, v);
		steer_hex_put_plain(plain + 16, ~v);
		steer_hex_put_ssse3(machine, v);
		cr_assert_eq(memcmp(plain, machine, 16), 0, "%016lx", v);
		steer_hex_put2_ssse3(machine, v, ~v);
		cr_assert_eq(memcmp(plain, machine, 32), 0, "%016lx", v);
	}
	for (unsigned int at = 0; at < 16; at++)
		for (unsigned int byte = 0; byte < 256; byte++) {
			uint64_t bad[2] = { 0, 0 }, got[2];

			memcpy(text, "0123456789abcdef", 16);
			text[at] = (uint8_t)byte;
			got[0] = steer_hex_get_plain(text, &bad[0]);
			got[1] = steer_hex_get_ssse3(text, &bad[1]);
			cr_expect_eq(bad[0] != 0, bad[1] != 0, "%02x at %u", byte, at);
			cr_expect(bad[0] || got[0] == got[1], "%02x at %u", byte, at);
		}
}
#endif
