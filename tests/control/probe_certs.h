/*
 * Certificates for the prober's tests, made anew at each run, as files in a directory of their own.
 */
#pragma once

#include <stdbool.h>

struct cert {
	char cert[256], key[256]; /* paths */
};

struct cert_params {
	const char *common_name;
	const char *names;     /* "DNS:a,IP:127.0.0.1,URI:sip:a"; NULL: no alternative names */
	const struct cert *by; /* the authority; NULL: itself */
	bool is_ca;
	int from_days, to_days; /* validity, from today */
};

/** Make the directory. */
void certs_begin(void);

/** Remove it with all that is in it. */
void certs_end(void);

void certs_make(struct cert *c, const struct cert_params *p);
