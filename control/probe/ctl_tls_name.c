/*
 * Whom a certificate names. Pure.
 */
#include <string.h>
#include <strings.h>

#include <openssl/x509v3.h>

#include "control/probe/ctl_tls.h"
#include "dataplane/dp_cfg.h"

struct bytes {
	const char *at;
	size_t len;
};

static struct bytes string_of(const ASN1_STRING *s)
{
	return (struct bytes){ (const char *)ASN1_STRING_get0_data(s),
			       (size_t)ASN1_STRING_length(s) };
}

/* RFC 5922 7.2: case-insensitive, in its entirety; a NUL in it matches nothing. */
static bool same(struct bytes b, const char *name)
{
	size_t len = strlen(name);

	if (len > 1 && name[len - 1] == '.')
		len--;
	return b.len == len && strncasecmp(b.at, name, len) == 0;
}

/* RFC 5922 7.1: the host of a sip URI without userinfo. @return whether it is an identity. */
static bool domain_of_uri(struct bytes uri, struct bytes *host)
{
	size_t n = 0;

	if (uri.len < 5 || strncasecmp(uri.at, "sip:", 4) != 0 || memchr(uri.at, '@', uri.len))
		return false;
	host->at = uri.at + 4;
	host->len = uri.len - 4;
	if (host->at[0] == '[') {
		const char *end = memchr(host->at, ']', host->len);

		host->at++;
		host->len = end ? (size_t)(end - host->at) : 0;
		return end != NULL;
	}
	while (n < host->len && !memchr(":;?/", host->at[n], 4))
		n++;
	host->len = n;
	return n > 0;
}

static bool has_address(const struct bytes b, const struct sip_ip *ip)
{
	if (dp_ip_is_v4(ip))
		return b.len == 4 && memcmp(b.at, ip->b + 12, 4) == 0;
	return b.len == 16 && memcmp(b.at, ip->b, 16) == 0;
}

struct found {
	bool uri; /* there is a sip URI among them */
	bool by_uri, by_dns, by_address;
};

static void look_at(const GENERAL_NAME *n, const char *name, const struct sip_ip *ip,
		    struct found *f)
{
	struct bytes host;

	switch (n->type) {
	case GEN_URI:
		if (!domain_of_uri(string_of(n->d.uniformResourceIdentifier), &host))
			return;
		f->uri = true;
		f->by_uri |= same(host, name);
		return;
	case GEN_DNS: f->by_dns |= !ip && same(string_of(n->d.dNSName), name); return;
	case GEN_IPADD: f->by_address |= ip && has_address(string_of(n->d.iPAddress), ip); return;
	default: return;
	}
}

static bool common_name_is(X509 *cert, const char *name)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const X509_NAME_ENTRY *e = at >= 0 ? X509_NAME_get_entry(subject, at) : NULL;

	return e != NULL && same(string_of(X509_NAME_ENTRY_get_data(e)), name);
}

bool ctl_tls_names(X509 *cert, const char *name)
{
	struct sip_ip literal;
	const struct sip_ip *ip = dp_ip_parse(name, &literal) == 0 ? &literal : NULL;
	struct found f = { 0 };
	int crit = -1;
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, &crit, NULL);

	/* crit -1: it has none; -2: several. */
	if (names == NULL)
		return crit == -1 && !ip && common_name_is(cert, name);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
		look_at(sk_GENERAL_NAME_value(names, i), name, ip, &f);
	GENERAL_NAMES_free(names);
	return f.by_uri || f.by_address || (f.by_dns && !f.uri);
}
