#include "tests/control/probe_certs.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static char dir[64];
static unsigned int n_made;

void certs_begin(void)
{
	snprintf(dir, sizeof(dir), "/tmp/sipsteer-certs-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	n_made = 0;
}

static void path(char to[256], unsigned int i, const char *what)
{
	snprintf(to, 256, "%s/%u.%s", dir, i, what);
}

void certs_end(void)
{
	char name[256];

	for (unsigned int i = 0; i < n_made; i++) {
		path(name, i, "cert");
		unlink(name);
		path(name, i, "key");
		unlink(name);
	}
	rmdir(dir);
}

static void add(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	cr_assert_not_null(e, "%s", value);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

static X509 *load_cert(const char *name)
{
	FILE *f = fopen(name, "r");
	X509 *x = PEM_read_X509(f, NULL, NULL, NULL);

	fclose(f);
	return x;
}

static EVP_PKEY *load_key(const char *name)
{
	FILE *f = fopen(name, "r");
	EVP_PKEY *k = PEM_read_PrivateKey(f, NULL, NULL, NULL);

	fclose(f);
	return k;
}

static void write_out(const struct cert *c, X509 *x, EVP_PKEY *key)
{
	FILE *f = fopen(c->cert, "w");

	cr_assert(f != NULL && PEM_write_X509(f, x) == 1);
	fclose(f);
	f = fopen(c->key, "w");
	cr_assert(f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(f);
}

void certs_make(struct cert *c, const struct cert_params *p)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *by_key = p->by ? load_key(p->by->key) : key;
	X509 *x = X509_new(), *by = p->by ? load_cert(p->by->cert) : x;
	X509_NAME *subject = X509_get_subject_name(x);

	path(c->cert, n_made, "cert");
	path(c->key, n_made, "key");
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), (long)++n_made);
	X509_time_adj_ex(X509_getm_notBefore(x), p->from_days, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(x), p->to_days, 0, NULL);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
				   (const unsigned char *)p->common_name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(by));
	X509_set_pubkey(x, key);
	add(x, by, NID_basic_constraints, p->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (p->names != NULL)
		add(x, by, NID_subject_alt_name, p->names);
	cr_assert_gt(X509_sign(x, by_key, EVP_sha256()), 0);
	write_out(c, x, key);
	if (p->by) {
		X509_free(by);
		EVP_PKEY_free(by_key);
	}
	X509_free(x);
	EVP_PKEY_free(key);
}
