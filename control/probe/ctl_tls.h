/*
 * TLS towards members: contexts made from configured files, the check of a server's certificate,
 * and the reason when it fails.
 *
 * All members whose settings name the same files share a context. The files are looked at before
 * each new connection, and read again when they have changed, so that a renewed certificate needs
 * no reload; what cannot be read any more leaves the last good one in use. Control thread.
 */
#pragma once

#include <stdbool.h>

#include <openssl/ssl.h>

#include "control/pair/ctl_pair.h"

/** Borrowed. */
struct ctl_tls_files {
	const char *ca;   /* PEM, one or many; NULL: the system's authorities */
	const char *cert; /* PEM, our own with its chain; NULL: none */
	const char *key;  /* PEM; with cert */
	bool verify;      /* the server's certificate */
};

struct ctl_tls; /* the contexts */
struct ctl_tls_ctx;

#define CTL_TLS_WHY 256

/** @return NULL when out of memory. */
struct ctl_tls *ctl_tls_new(void);

/** All contexts must have been put back. */
void ctl_tls_free(struct ctl_tls *t);

/** A context of these files, which are not read yet. @return NULL when out of memory. */
struct ctl_tls_ctx *ctl_tls_get(struct ctl_tls *t, const struct ctl_tls_files *files);
void ctl_tls_put(struct ctl_tls *t, struct ctl_tls_ctx *c);

/**
 * State of a new connection, for a client. TLS 1.2 and up (RFC 8996); SNI (RFC 6066 3) if the name
 * is none of an address.
 * @param name  Whom the server's certificate must name: a domain or an address. Borrowed for the
 *              life of the result.
 * @return      NULL: our own files cannot be used, which has been logged, or no memory.
 */
SSL *ctl_tls_client(struct ctl_tls_ctx *c, const char *name);

/** Why a connection failed. @param err  Of OpenSSL's error queue; 0: it was closed. */
enum ctl_pair_tls ctl_tls_reason(const SSL *ssl, unsigned long err);

/** Whether the files can be used. @param why  Out when not, at least CTL_TLS_WHY bytes. */
bool ctl_tls_usable(const struct ctl_tls_files *files, char *why);

/**
 * Whether a certificate names a domain or an address. RFC 5922 7.1: URIs with scheme sip and no
 * user; DNS names if there are no such URIs; the common name if it has no alternative names at all.
 * 7.2: the whole name, no wildcards. An address: RFC 5280 4.2.1.6 iPAddress too.
 */
bool ctl_tls_names(X509 *cert, const char *name);
