#include "control/probe/ctl_tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "control/base/ctl_log.h"
#include "dataplane/dp_cfg.h"

#define DEPTH 8 /* certificates in a chain */
#define FILES 3 /* ca, cert, key */

/* What a file was when it was read. */
struct stamp {
	struct timespec changed;
	ino_t inode;
	off_t size;
};

struct ctl_tls_ctx {
	struct ctl_tls_ctx *next;
	unsigned int refs;
	char *file[FILES]; /* owned; NULL as in the settings */
	bool verify;
	bool failed; /* the last try to read the files, which has been logged */
	struct stamp stamp[FILES];
	SSL_CTX *ssl; /* the last good one; NULL: none yet */
};

struct ctl_tls {
	struct ctl_tls_ctx *list;
};

/* ---- Reading the files */

static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1; /* else OpenSSL asks at the terminal */
}

static void because(char *why, const char *what, const char *file)
{
	unsigned long err = ERR_peek_error();
	const char *reason = err ? ERR_reason_error_string(err) : NULL;

	if (ERR_GET_LIB(err) == ERR_LIB_SYS)
		reason = strerrordesc_np((int)ERR_GET_REASON(err));
	snprintf(why, CTL_TLS_WHY, "%s: \"%.120s\" cannot be used: %s", what, file,
		 reason ? reason : "it is no PEM file of that kind");
	ERR_clear_error();
}

/* RFC 5922 7.1, when the chain is good: the names of the server's own certificate. */
static int on_verify(int good, X509_STORE_CTX *x)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	const char *name = SSL_get_app_data(ssl);

	if (!good || X509_STORE_CTX_get_error_depth(x) > 0)
		return good;
	if (ctl_tls_names(X509_STORE_CTX_get_current_cert(x), name))
		return 1;
	X509_STORE_CTX_set_error(x, X509_V_ERR_HOSTNAME_MISMATCH);
	return 0;
}

/* A renewed file may be half written: whatever is wrong is said, and the old context stays. */
static int load(SSL_CTX *ctx, const struct ctl_tls_files *f, char *why)
{
	if (f->ca != NULL) {
		if (SSL_CTX_load_verify_locations(ctx, f->ca, NULL) != 1) {
			because(why, "ca", f->ca);
			return -EINVAL;
		}
	} else if (f->verify) {
		SSL_CTX_set_default_verify_paths(ctx);
	}
	if (f->cert == NULL)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(ctx, f->cert) != 1) {
		because(why, "cert", f->cert);
		return -EINVAL;
	}
	if (SSL_CTX_use_PrivateKey_file(ctx, f->key, SSL_FILETYPE_PEM) != 1
	    || SSL_CTX_check_private_key(ctx) != 1) {
		because(why, "key", f->key);
		return -EINVAL;
	}
	return 0;
}

static SSL_CTX *make(const struct ctl_tls_files *f, char *why)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx == NULL) {
		snprintf(why, CTL_TLS_WHY, "out of memory");
		return NULL;
	}
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
					 | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	/* No resumption: each connection shows the certificate anew, so that an expired one is
	 * seen. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, f->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
			   f->verify ? on_verify : NULL);
	SSL_CTX_set_verify_depth(ctx, DEPTH);
	if (load(ctx, f, why) != 0) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

bool ctl_tls_usable(const struct ctl_tls_files *files, char *why)
{
	SSL_CTX *ctx = make(files, why);

	SSL_CTX_free(ctx);
	return ctx != NULL;
}

/* ---- Contexts */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static struct ctl_tls_files files_of(const struct ctl_tls_ctx *c)
{
	return (struct ctl_tls_files){
		.ca = c->file[0], .cert = c->file[1], .key = c->file[2], .verify = c->verify
	};
}

static void ctx_free(struct ctl_tls_ctx *c)
{
	for (unsigned int i = 0; i < FILES; i++)
		free(c->file[i]);
	SSL_CTX_free(c->ssl);
	free(c);
}

struct ctl_tls_ctx *ctl_tls_get(struct ctl_tls *t, const struct ctl_tls_files *files)
{
	const char *const want[FILES] = { files->ca, files->cert, files->key };
	struct ctl_tls_ctx *c;

	for (c = t->list; c != NULL; c = c->next) {
		if (c->verify == files->verify && same_text(c->file[0], want[0])
		    && same_text(c->file[1], want[1]) && same_text(c->file[2], want[2])) {
			c->refs++;
			return c;
		}
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	for (unsigned int i = 0; i < FILES; i++) {
		c->file[i] = want[i] != NULL ? strdup(want[i]) : NULL;
		if (want[i] != NULL && c->file[i] == NULL) {
			ctx_free(c);
			return NULL;
		}
	}
	c->verify = files->verify;
	c->refs = 1;
	c->next = t->list;
	t->list = c;
	return c;
}

void ctl_tls_put(struct ctl_tls *t, struct ctl_tls_ctx *c)
{
	struct ctl_tls_ctx **at = &t->list;

	if (c == NULL || --c->refs > 0)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	ctx_free(c);
}

struct ctl_tls *ctl_tls_new(void)
{
	return calloc(1, sizeof(struct ctl_tls));
}

void ctl_tls_free(struct ctl_tls *t)
{
	while (t != NULL && t->list != NULL) {
		struct ctl_tls_ctx *c = t->list;

		t->list = c->next;
		ctx_free(c);
	}
	free(t);
}

static void look(const struct ctl_tls_ctx *c, struct stamp s[FILES])
{
	struct stat st;

	memset(s, 0, FILES * sizeof(*s));
	for (unsigned int i = 0; i < FILES; i++) {
		if (c->file[i] != NULL && stat(c->file[i], &st) == 0)
			s[i] = (struct stamp){ st.st_mtim, st.st_ino, st.st_size };
	}
}

static bool same_stamps(const struct stamp *a, const struct stamp *b)
{
	for (unsigned int i = 0; i < FILES; i++) {
		if (a[i].changed.tv_sec != b[i].changed.tv_sec
		    || a[i].changed.tv_nsec != b[i].changed.tv_nsec || a[i].inode != b[i].inode
		    || a[i].size != b[i].size)
			return false;
	}
	return true;
}

static void refresh(struct ctl_tls_ctx *c)
{
	const struct ctl_tls_files f = files_of(c);
	struct stamp now[FILES];
	char why[CTL_TLS_WHY];
	SSL_CTX *ssl;

	look(c, now);
	if ((c->ssl != NULL || c->failed) && same_stamps(now, c->stamp))
		return;
	memcpy(c->stamp, now, sizeof(now));
	ssl = make(&f, why);
	c->failed = ssl == NULL;
	if (ssl == NULL) {
		ctl_log(LOG_ERR, "tls: %s; %s", why,
			c->ssl != NULL ? "what was read before stays in use"
				       : "members cannot be asked over TLS");
		return;
	}
	SSL_CTX_free(c->ssl);
	c->ssl = ssl;
}

SSL *ctl_tls_client(struct ctl_tls_ctx *c, const char *name)
{
	struct sip_ip literal;
	SSL *ssl;

	refresh(c);
	ssl = c->ssl != NULL ? SSL_new(c->ssl) : NULL;
	if (ssl == NULL)
		return NULL;
	SSL_set_app_data(ssl, (void *)(uintptr_t)name);
	SSL_set_connect_state(ssl);
	if (dp_ip_parse(name, &literal) != 0 && SSL_set_tlsext_host_name(ssl, name) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}

/* ---- Reasons */

static enum ctl_pair_tls of_certificate(long result)
{
	switch (result) {
	case X509_V_ERR_CERT_HAS_EXPIRED: return CTL_TLS_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID: return CTL_TLS_NOT_YET;
	case X509_V_ERR_HOSTNAME_MISMATCH: return CTL_TLS_WRONG_NAME;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED: return CTL_TLS_UNKNOWN_CA;
	default: return CTL_TLS_CERTIFICATE;
	}
}

/* RFC 8446 6.2, RFC 5246 7.2.2: alerts about our certificate. */
static bool refuses_us(int reason)
{
	switch (reason - SSL_AD_REASON_OFFSET) {
	case SSL_AD_NO_CERTIFICATE:
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case TLS13_AD_CERTIFICATE_REQUIRED: return true;
	default: return false;
	}
}

enum ctl_pair_tls ctl_tls_reason(const SSL *ssl, unsigned long err)
{
	long result = SSL_get_verify_result(ssl);
	int reason = ERR_GET_REASON(err);

	if (ERR_GET_LIB(err) == 0)
		return CTL_TLS_CLOSED;
	if (ERR_GET_LIB(err) == ERR_LIB_SSL && refuses_us(reason))
		return CTL_TLS_REFUSED_US;
	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return of_certificate(result);
	switch (reason) {
	case SSL_R_UNEXPECTED_EOF_WHILE_READING: return CTL_TLS_CLOSED;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_BAD_RECORD_TYPE:
	case SSL_R_UNEXPECTED_MESSAGE:
	case SSL_R_UNEXPECTED_RECORD:
	case SSL_R_RECORD_LENGTH_MISMATCH: return CTL_TLS_NO_TLS;
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY: return CTL_TLS_NO_COMMON;
	default: return CTL_TLS_FAILED;
	}
}
