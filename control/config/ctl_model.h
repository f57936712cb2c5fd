/*
 * The model: a configuration, checked whole, with every default filled in. Built by
 * ctl_config_load(), never modified afterwards; a reload builds a second one, and whichever is not
 * in force is freed.
 *
 * Strings are owned by the model. Durations are milliseconds. Arrays are in the file's order;
 * members in order of priority (primary, backup, fallbacks).
 *
 * `line` is where a thing begins in the file; `lines` holds, by the order of the keys in
 * ctl_schema.c, where each key stands, 0 for one that is not there and has its default (see
 * ctl_map_line())
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/dp_cfg.h"

/* Keys of each kind of mapping: the sizes of `lines`. */
#define CTL_GLOBAL_KEYS  30
#define CTL_PORT_KEYS    6
#define CTL_ROUTE_KEYS   2
#define CTL_SERVICE_KEYS 15
#define CTL_PAIR_KEYS    26
#define CTL_PROBE_KEYS   6
#define CTL_TLS_KEYS     5
#define CTL_MEMBER_KEYS  9
#define CTL_SERVERS_KEYS 6
#define CTL_DNS_KEYS     6

/* A probe is sent this often, at least so far apart, before it counts as failed. */
#define CTL_PROBE_SENDS  3
#define CTL_PROBE_GAP_MS 10

/* The most that a list may hold. */
#define CTL_MAX_LISTENERS 16384 /* different endpoints of all services and egresses */
#define CTL_MAX_SERVICES  1024
#define CTL_MAX_LISTENS   64   /* of a service */
#define CTL_MAX_EMERGENCY 64   /* of a service */
#define CTL_MAX_ADDRESSES 64   /* of a port */
#define CTL_MAX_ROUTES    1024 /* of a port */
#define CTL_MAX_SOURCES   256  /* of a pair */
#define CTL_MAX_ACCESS    1024 /* of a service: allowed, and denied */
#define CTL_MAX_RESOLVERS 8

enum ctl_transport { CTL_UDP = DP_UDP, CTL_TCP = DP_TCP, CTL_TLS = DP_TLS };

struct ctl_address { /* of a port: an own address and its prefix length */
	struct sip_ip ip;
	uint8_t prefix_len; /* of 32 or 128, as written */
	unsigned int line;
};

struct ctl_route {
	struct sip_ip to;
	uint8_t prefix_len; /* of 32 or 128, as written */
	struct sip_ip via;
	unsigned int line, lines[CTL_ROUTE_KEYS];
};

struct ctl_port {
	char *name; /* also the exception netdev's name */
	char *device;
	uint16_t mtu;  /* 0: the device's */
	uint16_t vlan; /* 0: untagged */
	size_t n_addresses;
	struct ctl_address *addresses;
	size_t n_routes;
	struct ctl_route *routes;
	unsigned int line, lines[CTL_PORT_KEYS];
};

/** A word of a list: a name that is looked up later. */
struct ctl_word_at {
	char *text;
	unsigned int line;
};

struct ctl_listen {
	struct dp_endpoint at;
	unsigned int port; /* index into ports: whose address it is */
	unsigned int line;
};

/** Addresses of a prefix. */
struct ctl_source {
	struct sip_ip ip;
	uint8_t prefix_len; /* of 128 */
	unsigned int line;
};

struct ctl_service {
	char *name;
	size_t n_listens;
	struct ctl_listen *listens;
	enum dp_select select;
	bool path;
	bool trust_maddr;
	bool in_dialog_active;
	int map_503; /* 503 or 500; 0: by number of pairs */
	uint32_t retry_after_ms;
	uint32_t answers_per_s;  /* 0: not limited */
	uint32_t requests_per_s; /* 0: not limited */
	size_t n_allow, n_deny;
	struct ctl_source *allow, *deny;
	uint32_t max_message; /* bytes */
	size_t n_emergency;
	char **emergency; /* configured emergency numbers */
	size_t n_pairs;
	unsigned int *pairs; /* indices into the model's pairs */
	size_t n_pair_names;
	struct ctl_word_at *pair_names; /* as written */
	unsigned int line, lines[CTL_SERVICE_KEYS];
};

enum ctl_failback { CTL_FAILBACK_IMMEDIATE = 1, CTL_FAILBACK_TIMED = 2, CTL_FAILBACK_SIGNAL = 4 };

enum ctl_shares { CTL_SHARES_TRANSACTIONS = 1 };

struct ctl_member {
	char *name;
	enum dp_role role;
	char *host; /* as written: an address or a DNS name */
	struct dp_endpoint
		at; /* of an address; ip all zero when host is a name (see ctl_dns_view.h) */
	char *user, *password; /* NULL: none; for the REGISTER probe of timed failback */
	char *server_name;     /* that its certificate must have; NULL: the pair's, or the host */
	uint32_t methods;      /* bit per enum sip_method; all ones: any */
	uint64_t leaves_ms;    /* in a view: gone from DNS, stays until then (monotonic); 0: it is
				  there */
	unsigned int line, lines[CTL_MEMBER_KEYS];
};

/** Whether a port says "use SRV": 0, and in AudioCodes' notation 65535. */
static inline bool ctl_port_is_srv(uint16_t port)
{
	return port == 0 || port == 65535;
}

enum ctl_family { CTL_FAMILY_ANY, CTL_FAMILY_IPV4, CTL_FAMILY_IPV6 };

struct ctl_servers { /* of a pair: a name that stands for its members */
	char *name;  /* NULL: there is none, the pair has `members` */
	uint16_t port;
	uint8_t transport; /* enum ctl_transport */
	uint8_t family;    /* enum ctl_family */
	char *user, *password;
	unsigned int line, lines[CTL_SERVERS_KEYS];
};

struct ctl_resolver {
	struct sip_ip ip;
	uint16_t port;
	unsigned int line;
};

struct ctl_dns_settings {
	size_t n_servers; /* 0: those of resolv_conf */
	struct ctl_resolver *servers;
	char *resolv_conf;
	uint32_t timeout_ms, attempts;
	uint32_t min_ttl_ms, max_ttl_ms;
	unsigned int lines[CTL_DNS_KEYS];
};

struct ctl_pair_settings {
	uint32_t oos_check_ms; /* 0: no periodic probes */
	uint32_t oos_force_ms;
	uint32_t probe_timeout_ms; /* 0: the period, at most 5 s */
	uint32_t fall, rise;
	bool probe_all;
	uint16_t unavailable_codes[16];
	unsigned int n_unavailable_codes;
	unsigned int failback; /* set of enum ctl_failback; 0: sticky */
	uint32_t failback_interval_ms;
	uint32_t failback_hold_ms;
	uint32_t signal_methods; /* bit per enum sip_method */
	bool gray_failover;
	uint32_t failover_methods; /* bit per enum sip_method; 0: none */
	uint32_t retry_counts;
	uint32_t no_response_ms;
	uint32_t shares;        /* set of enum ctl_shares */
	bool concurrent;        /* registration: concurrent */
	char *probe_from;       /* From URI of probes, NULL: sip:sipsteer@<own address> */
	char *probe_user_agent; /* NULL: "sipsteer/<version>" */
	uint32_t probe_max_forwards;
	uint8_t probe_transport; /* 1 + enum ctl_transport; 0: the member's */
	uint16_t probe_port;     /* 0: see ctl_model_probe_at() */
	struct sip_ip probe_source[2];
	unsigned int n_probe_source;
	unsigned int probe_line, probe_lines[CTL_PROBE_KEYS];
};

/** TLS towards a pair's members. */
struct ctl_tls_settings {
	char *ca;          /* NULL: the system's authorities */
	char *cert, *key;  /* NULL: no client certificate */
	char *server_name; /* NULL: each member's host */
	bool verify;
	unsigned int line, lines[CTL_TLS_KEYS];
};

struct ctl_pair {
	char *name;
	char *profile; /* NULL: none */
	uint32_t weight;
	struct ctl_pair_settings set;
	struct ctl_tls_settings tls;
	bool has_egress;
	struct dp_endpoint egress[2]; /* [0] IPv4, [1] IPv6; port 0: that family has none */
	unsigned int egress_port[2];  /* indices into ports */
	size_t n_egress_as_written;
	struct ctl_listen *egress_as_written;
	size_t n_members; /* at most DP_PAIR_MEMBERS; 0: all come from DNS, see ctl_dns_view.h */
	struct ctl_member *members;
	struct ctl_servers servers;
	size_t n_sources;
	struct ctl_source *sources;
	unsigned int line, lines[CTL_PAIR_KEYS];
};

struct ctl_model {
	char *path; /* of the file */
	char *control_socket;
	char *state_file;
	char *key_file;
	char *instance; /* name of this instance; default: the host name */
	unsigned int workers;
	char *worker_cpus;   /* "" : not pinned */
	char *control_group; /* NULL: the daemon's own */
	uint32_t punt_per_s[DP_PUNT_N];
	uint16_t rx_ring, tx_ring; /* 0: the device's own choice */
	enum dp_idle idle;
	enum dp_spread spread;
	uint32_t handover_ring;
	enum dp_checksums verify_checksums;
	uint8_t huge; /* as in struct dp_boot */
	uint32_t memory_mb;
	uint32_t n_mbufs;
	uint32_t n_records, n_challenges;
	uint32_t record_hold_ms;
	uint32_t store_mb; /* copies of open requests, per worker */
	int log_level;     /* LOG_ERR to LOG_DEBUG */
	struct ctl_dns_settings dns;
	size_t n_ports;
	struct ctl_port *ports;
	size_t n_services;
	struct ctl_service *services;
	size_t n_pairs;
	struct ctl_pair *pairs;
	unsigned int *pairs_by_name; /* indices, sorted by name */
	unsigned int lines[CTL_GLOBAL_KEYS];
	unsigned int refs;    /* views of this model, besides its owner */
	struct ctl_model *of; /* a view: the model that all but `pairs` is borrowed from */
};

/** Free a model, or a view: whose model goes when its owner and the last view have let go of it. */
void ctl_model_free(struct ctl_model *m);

/** Where a member's probes go: its own endpoint unless the pair's `probe` names another transport
 * or port; TLS beside a member of another transport is port 5061 (RFC 3261 19.1.2). */
struct dp_endpoint ctl_model_probe_at(const struct ctl_pair *p, const struct ctl_member *m);

/** Index of a pair by name, or -ENOENT. */
int ctl_model_find_pair(const struct ctl_model *m, const char *name);
