#include "control/probe/ctl_probe_digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#define HEX_SIZE (2 * EVP_MAX_MD_SIZE + 1)

/* Hash of strings joined by colons, in lower-case hexadecimal. */
static int hash(const EVP_MD *md, char out[HEX_SIZE], const char *const *parts, size_t n)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, md, NULL) == 1;

	for (size_t i = 0; ok && i < n; i++) {
		if (i > 0)
			ok = EVP_DigestUpdate(ctx, ":", 1) == 1;
		ok = ok && EVP_DigestUpdate(ctx, parts[i], strlen(parts[i])) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(ctx, sum, &len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		return -ENOTSUP;
	for (unsigned int i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", sum[i]);
	return 0;
}

/* RFC 7616 3.3: absent means MD5. NULL: not one of ours. */
static const EVP_MD *algorithm(const struct ctl_probe_challenge *c)
{
	if (c->algorithm[0] == '\0' || strcasecmp(c->algorithm, "MD5") == 0)
		return EVP_md5();
	return strcasecmp(c->algorithm, "SHA-256") == 0 ? EVP_sha256() : NULL;
}

/* Whether the list of qop options has "auth". */
static bool offers_auth(const char *qop)
{
	while (*qop != '\0') {
		size_t n;

		qop += strspn(qop, " \t,");
		n = strcspn(qop, " \t,");
		if (n == 4 && strncasecmp(qop, "auth", 4) == 0)
			return true;
		qop += n;
	}
	return false;
}

static bool quotable(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\' || (unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	}
	return true;
}

struct sums {
	char ha1[HEX_SIZE], ha2[HEX_SIZE], response[HEX_SIZE];
};

/* RFC 7616 3.4.1 to 3.4.3. */
static int compute(struct sums *s, const EVP_MD *md, const struct ctl_probe_challenge *c,
		   const struct ctl_digest_who *who, const char *nc, const char *cnonce)
{
	const char *const a1[] = { who->user, c->realm, who->password };
	const char *const a2[] = { who->method, who->uri };
	const char *const with_qop[] = { s->ha1, c->nonce, nc, cnonce, "auth", s->ha2 };
	const char *const without[] = { s->ha1, c->nonce, s->ha2 };
	int err = hash(md, s->ha1, a1, 3);

	if (err == 0)
		err = hash(md, s->ha2, a2, 2);
	if (err == 0 && c->qop[0] != '\0')
		err = hash(md, s->response, with_qop, 6);
	else if (err == 0)
		err = hash(md, s->response, without, 3);
	return err;
}

static int write_value(char value[CTL_DIGEST_SIZE], const struct sums *s,
		       const struct ctl_probe_challenge *c, const struct ctl_digest_who *who,
		       const char *nc, const char *cnonce)
{
	char qop[128] = "", opaque[CTL_PROBE_VALUE + 16] = "", alg[64] = "";
	int n;

	if (c->qop[0] != '\0')
		snprintf(qop, sizeof(qop), ", qop=auth, nc=%s, cnonce=\"%s\"", nc, cnonce);
	if (c->opaque[0] != '\0')
		snprintf(opaque, sizeof(opaque), ", opaque=\"%s\"", c->opaque);
	if (c->algorithm[0] != '\0')
		snprintf(alg, sizeof(alg), ", algorithm=%s", c->algorithm);
	n = snprintf(value, CTL_DIGEST_SIZE,
		     "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", "
		     "response=\"%s\"%s%s%s",
		     who->user, c->realm, c->nonce, who->uri, s->response, alg, opaque, qop);
	return n > 0 && n < CTL_DIGEST_SIZE ? 0 : -EINVAL;
}

static int answer_one(const struct ctl_probe_challenge *c, const struct ctl_digest_who *who,
		      uint32_t nc, const char *cnonce, char value[CTL_DIGEST_SIZE])
{
	const EVP_MD *md = algorithm(c);
	struct ctl_probe_ids random;
	char own[CTL_PROBE_TOKEN + 1], count[16];
	struct sums s;
	int err;

	if (md == NULL || (c->qop[0] != '\0' && !offers_auth(c->qop)))
		return -ENOTSUP;
	if (!quotable(who->user) || !quotable(c->realm) || !quotable(c->nonce)
	    || !quotable(c->opaque))
		return -EINVAL;
	if (cnonce == NULL) {
		err = ctl_probe_ids_new(&random);
		if (err != 0)
			return err;
		memcpy(own, random.branch, CTL_PROBE_TOKEN);
		own[CTL_PROBE_TOKEN] = '\0';
		cnonce = own;
	}
	snprintf(count, sizeof(count), "%08x", nc);
	err = compute(&s, md, c, who, count, cnonce);
	if (err == 0)
		err = write_value(value, &s, c, who, count, cnonce);
	explicit_bzero(&s, sizeof(s));
	return err;
}

int ctl_digest_answer(const struct ctl_probe_response *r, const struct ctl_digest_who *who,
		      uint32_t nc, const char *cnonce, char value[CTL_DIGEST_SIZE])
{
	for (unsigned int i = 0; i < r->n_challenges; i++) {
		int err = answer_one(&r->challenges[i], who, nc, cnonce, value);

		if (err == 0)
			return (int)i;
		if (err != -ENOTSUP)
			return err;
	}
	return -ENOTSUP;
}
