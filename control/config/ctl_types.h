/*
 * The types of values (see struct ctl_type): what a scalar of the configuration may be. Pure but
 * for the memory of strings; any thread.
 */
#pragma once

#include "control/config/ctl_schema.h"

/* Numbers into an unsigned field of `size` bytes. */
extern const struct ctl_type ctl_type_number;   /* decimal digits */
extern const struct ctl_type ctl_type_duration; /* with a unit; milliseconds */
extern const struct ctl_type ctl_type_seconds;  /* a duration of whole seconds; milliseconds */
extern const struct ctl_type ctl_type_memory;   /* with a unit; MiB */
extern const struct ctl_type ctl_type_bool;     /* into a bool */
extern const struct ctl_type ctl_type_word;     /* into an unsigned field, or a bit with CTL_SET */

/* Strings into a char *. */
extern const struct ctl_type ctl_type_text;   /* anything printable */
extern const struct ctl_type ctl_type_name;   /* letters, digits, '.', '_', '-' */
extern const struct ctl_type ctl_type_netdev; /* a network interface's name */
extern const struct ctl_type ctl_type_device; /* a DPDK device string */
extern const struct ctl_type ctl_type_path;
extern const struct ctl_type ctl_type_cpus;      /* "2-5,7" */
extern const struct ctl_type ctl_type_host;      /* an address or a DNS name */
extern const struct ctl_type ctl_type_domain;    /* likewise, of a certificate */
extern const struct ctl_type ctl_type_dns_name;  /* a DNS name */
extern const struct ctl_type ctl_type_uri;       /* sip: or sips: */
extern const struct ctl_type ctl_type_number_of; /* what one dials */
extern const struct ctl_type ctl_type_word_at;   /* a name into a struct ctl_word_at */
extern const struct ctl_type ctl_type_profile;   /* one of the row's words, kept as a string */

/* Addresses. */
extern const struct ctl_type ctl_type_address;  /* own address with prefix, struct ctl_address */
extern const struct ctl_type ctl_type_prefix;   /* a route's, into its `to` and `prefix_len` */
extern const struct ctl_type ctl_type_access;   /* struct ctl_source */
extern const struct ctl_type ctl_type_source;   /* struct ctl_source */
extern const struct ctl_type ctl_type_ip;       /* struct sip_ip */
extern const struct ctl_type ctl_type_endpoint; /* struct ctl_listen, `port` left 0 */
extern const struct ctl_type ctl_type_resolver; /* struct ctl_resolver */

#define CTL_DURATION_SIZE 24

/** Shortest exact text of a duration, in ms or s: "500ms", "1800s". @return text. */
const char *ctl_duration_format(uint64_t ms, char text[CTL_DURATION_SIZE]);

/** CPUs of a list that ctl_type_cpus has accepted. */
unsigned int ctl_cpus_count(const char *list);
