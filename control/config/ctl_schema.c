/*
 * The rows. Their order is that of the reference, and of the `lines` arrays in ctl_model.h.
 */
#include "control/config/ctl_schema.h"

#include <stddef.h>

#include "control/config/ctl_model.h"
#include "control/config/ctl_types.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* Where a field is, and how wide. */
#define AT(s, field) .offset = offsetof(struct s, field), .size = sizeof(((struct s *)NULL)->field)

/* A list that is allocated: element size, and where its count is. */
#define LIST(s, field, count, least, most)                                               \
	.offset = offsetof(struct s, field), .size = sizeof(*((struct s *)NULL)->field), \
	.n_offset = offsetof(struct s, count), .min_items = (least), .max_items = (most)

#define WORDS(array) .words = (array), .n_words = N(array)

static const struct ctl_word idle_words[] = {
	{ "adaptive", DP_IDLE_ADAPTIVE },
	{ "poll", DP_IDLE_POLL },
};

static const struct ctl_word spread_words[] = {
	{ "auto", DP_SPREAD_AUTO },
	{ "always", DP_SPREAD_ALWAYS },
	{ "never", DP_SPREAD_NEVER },
};

static const struct ctl_word checksum_words[] = {
	{ "auto", DP_CHECKSUMS_AUTO },
	{ "always", DP_CHECKSUMS_ALWAYS },
	{ "never", DP_CHECKSUMS_NEVER },
};

static const struct ctl_word huge_words[] = { { "auto", 0 }, { "require", 1 }, { "never", 2 } };

static const struct ctl_word level_words[] = {
	{ "error", 3 }, { "warning", 4 }, { "notice", 5 }, { "info", 6 }, { "debug", 7 },
};

static const struct ctl_word select_words[] = {
	{ "aor", DP_SELECT_AOR },
	{ "call-id", DP_SELECT_CALL_ID },
	{ "request-uri-user", DP_SELECT_REQUEST_URI_USER },
	{ "source-address", DP_SELECT_SOURCE_ADDRESS },
};

static const struct ctl_word in_dialog_words[] = { { "member", 0 }, { "active", 1 } };

static const struct ctl_word map_503_words[] = { { "auto", 0 }, { "500", 500 }, { "503", 503 } };

static const struct ctl_word failback_words[] = {
	{ "immediate", CTL_FAILBACK_IMMEDIATE },
	{ "timed", CTL_FAILBACK_TIMED },
	{ "signal", CTL_FAILBACK_SIGNAL },
};

static const struct ctl_word shares_words[] = { { "transactions", CTL_SHARES_TRANSACTIONS } };

static const struct ctl_word registration_words[] = { { "successive", 0 }, { "concurrent", 1 } };

static const struct ctl_word role_words[] = {
	{ "primary", DP_ROLE_PRIMARY },
	{ "backup", DP_ROLE_BACKUP },
	{ "fallback", DP_ROLE_FALLBACK },
};

static const struct ctl_word transport_words[] = {
	{ "udp", CTL_UDP },
	{ "tcp", CTL_TCP },
	{ "tls", CTL_TLS },
};

static const struct ctl_word family_words[] = {
	{ "any", CTL_FAMILY_ANY },
	{ "ipv4", CTL_FAMILY_IPV4 },
	{ "ipv6", CTL_FAMILY_IPV6 },
};

/* What begins a transaction that is answered: not ACK, nor CANCEL, which follows its INVITE. */
static const struct ctl_word method_words[] = {
	{ "REGISTER", 1u << SIP_METHOD_REGISTER }, { "INVITE", 1u << SIP_METHOD_INVITE },
	{ "BYE", 1u << SIP_METHOD_BYE },           { "OPTIONS", 1u << SIP_METHOD_OPTIONS },
	{ "PRACK", 1u << SIP_METHOD_PRACK },       { "SUBSCRIBE", 1u << SIP_METHOD_SUBSCRIBE },
	{ "NOTIFY", 1u << SIP_METHOD_NOTIFY },     { "PUBLISH", 1u << SIP_METHOD_PUBLISH },
	{ "INFO", 1u << SIP_METHOD_INFO },         { "REFER", 1u << SIP_METHOD_REFER },
	{ "MESSAGE", 1u << SIP_METHOD_MESSAGE },   { "UPDATE", 1u << SIP_METHOD_UPDATE },
};

/* Those whose second copy at another server does no harm, or is told from the first. */
static const struct ctl_word failover_words[] = {
	{ "REGISTER", 1u << SIP_METHOD_REGISTER },
	{ "INVITE", 1u << SIP_METHOD_INVITE },
	{ "BYE", 1u << SIP_METHOD_BYE },
	{ "OPTIONS", 1u << SIP_METHOD_OPTIONS },
	{ "SUBSCRIBE", 1u << SIP_METHOD_SUBSCRIBE },
	{ "PUBLISH", 1u << SIP_METHOD_PUBLISH },
	{ "MESSAGE", 1u << SIP_METHOD_MESSAGE },
};

/* ---- The file's top */

static const struct ctl_key global_keys[CTL_GLOBAL_KEYS] = {
	{ "control-socket", &ctl_type_path, AT(ctl_model, control_socket), .min = 1, .max = 107,
	  .def = "/run/sipsteer/control.sock",
	  .help = "Where `sipsteerd` listens for `sipsteerctl`; the data plane's socket lies "
		  "beside "
		  "it." },
	{ "control-group", &ctl_type_name, AT(ctl_model, control_group), .min = 1, .max = 31,
	  .def_says = "the daemon's own",
	  .help = "Group whose members may use the control socket, besides root; by name or "
		  "number." },
	{ "state-file", &ctl_type_path, AT(ctl_model, state_file), .min = 1, .max = 4000,
	  .def = "/var/lib/sipsteer/state.json",
	  .help = "Which members are active and what operators have set, kept across restarts." },
	{ "key-file", &ctl_type_path, AT(ctl_model, key_file), .min = 1, .max = 4000,
	  .def = "/etc/sipsteer/keys",
	  .help = "Secret keys that all instances share: one a line, 32 hexadecimal digits, the "
		  "first "
		  "one signs, the others are accepted. Made at the first start if missing." },
	{ "instance", &ctl_type_name, AT(ctl_model, instance), .min = 1, .max = 63,
	  .def_says = "the host's name",
	  .help = "Name of this instance, different on each one that serves the same pairs." },
	{ "log-level", &ctl_type_word, AT(ctl_model, log_level), WORDS(level_words), .def = "info",
	  .help = "What is logged: this level and all that are more severe." },
	{ "workers", &ctl_type_number, AT(ctl_model, workers), .min = 1, .max = DP_MAX_WORKERS,
	  .def = "1", .help = "Threads that run the fast path, each on a CPU of its own." },
	{ "worker-cpus", &ctl_type_cpus, AT(ctl_model, worker_cpus), .min = 0, .max = 63, .def = "",
	  .def_says = "not pinned", .help = "CPUs for the workers, such as `2-5`." },
	{ "idle", &ctl_type_word, AT(ctl_model, idle), WORDS(idle_words), .def = "adaptive",
	  .help = "What a worker without packets does: sleep in growing steps, or poll on." },
	{ "spread", &ctl_type_word, AT(ctl_model, spread), WORDS(spread_words), .def = "auto",
	  .help = "Whether workers share the requests of one source, by Call-ID: when its queue "
		  "runs "
		  "full and others have room, always, or never." },
	{ "hand-over-ring", &ctl_type_number, AT(ctl_model, handover_ring), .min = 64, .max = 32768,
	  .def = "512",
	  .help = "Packets that can wait between one worker and another; rounded up to a power of "
		  "two." },
	{ "verify-checksums", &ctl_type_word, AT(ctl_model, verify_checksums),
	  WORDS(checksum_words), .def = "auto",
	  .help = "Whether received checksums are verified in software: where the device does not, "
		  "always, or never." },
	{ "hugepages", &ctl_type_word, AT(ctl_model, huge), WORDS(huge_words), .def = "auto",
	  .help = "Use hugepages where there are enough, insist on them, or do without." },
	{ "memory", &ctl_type_memory, AT(ctl_model, memory_mb), .min = 64, .max = 1024 * 1024,
	  .def = "512M",
	  .help = "Memory for packet buffers without hugepages, and the least of hugepages "
		  "wanted." },
	{ "packet-buffers", &ctl_type_number, AT(ctl_model, n_mbufs), .min = 1024, .max = 4194304,
	  .def = "32767", .help = "Packet buffers of each worker." },
	{ "receive-ring", &ctl_type_number, AT(ctl_model, rx_ring), .min = 64, .max = 32768,
	  .flags = CTL_ZERO, .def = "0", .def_says = "the device's",
	  .help = "Packets in each receive queue of a port; rounded up to a power of two. 0: what "
		  "the device's driver prefers." },
	{ "transmit-ring", &ctl_type_number, AT(ctl_model, tx_ring), .min = 64, .max = 32768,
	  .flags = CTL_ZERO, .def = "0", .def_says = "the device's",
	  .help = "The same for transmit queues." },
	{ "transaction-records", &ctl_type_number, AT(ctl_model, n_records), .min = 1024,
	  .max = 16777216, .flags = CTL_ZERO, .def = "262144",
	  .help = "Open transactions that each worker can record; 0: none is, and each message is "
		  "steered by what it carries." },
	{ "pending-store", &ctl_type_memory, AT(ctl_model, store_mb), .min = 1, .max = 64 * 1024,
	  .flags = CTL_ZERO, .def = "64M",
	  .help = "Memory of each worker for copies of open requests, which failover in flight "
		  "sends again; 0: none is kept." },
	{ "challenge-records", &ctl_type_number, AT(ctl_model, n_challenges), .min = 256,
	  .max = 16777216, .def = "65536",
	  .help = "Answers 401 and 407 that each worker remembers, so that the credentials go to "
		  "the "
		  "member that asked for them." },
	{ "record-hold", &ctl_type_duration, AT(ctl_model, record_hold_ms), .min = 1000,
	  .max = 600000, .def = "32s",
	  .help = "How long a transaction is remembered after its final response (RFC 3261: "
		  "64*T1)." },
	{ "kernel-neighbours", &ctl_type_number, AT(ctl_model, punt_per_s[DP_PUNT_NEIGHBOURS]),
	  .min = 1, .max = 10000000, .flags = CTL_ZERO, .def = "1000",
	  .help = "ARP, neighbour and router discovery that each worker passes from a port to the "
		  "kernel in a second, in packets; 0: no limit." },
	{ "kernel-ping", &ctl_type_number, AT(ctl_model, punt_per_s[DP_PUNT_PING]), .min = 1,
	  .max = 10000000, .flags = CTL_ZERO, .def = "1000",
	  .help = "The same for ping and other ICMP." },
	{ "kernel-routing", &ctl_type_number, AT(ctl_model, punt_per_s[DP_PUNT_ROUTING]), .min = 1,
	  .max = 10000000, .flags = CTL_ZERO, .def = "10000",
	  .help = "The same for BGP, BFD, OSPF, IS-IS, RIP, PIM and VRRP." },
	{ "kernel-probes", &ctl_type_number, AT(ctl_model, punt_per_s[DP_PUNT_PROBES]), .min = 1,
	  .max = 10000000, .flags = CTL_ZERO, .def = "20000",
	  .help = "The same for what answers the appliance's own probes: what comes from members' "
		  "addresses, and DNS." },
	{ "kernel-rest", &ctl_type_number, AT(ctl_model, punt_per_s[DP_PUNT_REST]), .min = 1,
	  .max = 10000000, .flags = CTL_ZERO, .def = "5000",
	  .help = "The same for everything else." },
	{ "dns", NULL, .map = &ctl_map_dns, AT(ctl_model, dns), .def_says = "see DNS",
	  .help = "How names are looked up." },
	{ "ports", NULL, .map = &ctl_map_port, LIST(ctl_model, ports, n_ports, 1, DP_MAX_PORTS),
	  .flags = CTL_REQUIRED, .help = "Network ports that the fast path drives." },
	{ "services", NULL, .map = &ctl_map_service,
	  LIST(ctl_model, services, n_services, 1, CTL_MAX_SERVICES), .flags = CTL_REQUIRED,
	  .help = "What clients reach." },
	{ "pairs", NULL, .map = &ctl_map_pair, LIST(ctl_model, pairs, n_pairs, 1, DP_MAX_PAIRS),
	  .flags = CTL_REQUIRED, .help = "The SIP servers." },
};

/* ---- DNS */

static const struct ctl_key dns_keys[CTL_DNS_KEYS] = {
	{ "servers", &ctl_type_resolver,
	  LIST(ctl_dns_settings, servers, n_servers, 0, CTL_MAX_RESOLVERS), .def = "[]",
	  .def_says = "those of `resolv-conf`",
	  .help = "DNS servers, asked in this order: the next one when one is silent or fails." },
	{ "resolv-conf", &ctl_type_path, AT(ctl_dns_settings, resolv_conf), .min = 1, .max = 4000,
	  .def = "/etc/resolv.conf",
	  .help = "Where the DNS servers are named, if not here; read again at a reload." },
	{ "timeout", &ctl_type_duration, AT(ctl_dns_settings, timeout_ms), .min = 100, .max = 30000,
	  .def = "1s",
	  .help = "How long the first try of a question waits for one server; later tries wait "
		  "longer." },
	{ "attempts", &ctl_type_number, AT(ctl_dns_settings, attempts), .min = 1, .max = 10,
	  .def = "3",
	  .help = "How often each server is asked before a question counts as failed." },
	{ "min-ttl", &ctl_type_duration, AT(ctl_dns_settings, min_ttl_ms), .min = 1000,
	  .max = 3600000, .def = "5s",
	  .help = "A name is not looked up again sooner than this, however short its TTL." },
	{ "max-ttl", &ctl_type_duration, AT(ctl_dns_settings, max_ttl_ms), .min = 1000,
	  .max = 604800000, .def = "3600s",
	  .help = "A name is looked up again after this time, however long its TTL." },
};

/* ---- Ports */

static const struct ctl_key port_keys[CTL_PORT_KEYS] = {
	{ "name", &ctl_type_netdev, AT(ctl_port, name), .min = 1, .max = 15, .flags = CTL_REQUIRED,
	  .help = "Name of the port, and of the network interface on which the kernel sees it." },
	{ "device", &ctl_type_device, AT(ctl_port, device), .min = 1, .max = 255,
	  .flags = CTL_REQUIRED,
	  .help = "DPDK device: a PCI address (`0000:03:00.0`) or a virtual device "
		  "(`net_af_xdp0,iface=eth1`)." },
	{ "mtu", &ctl_type_number, AT(ctl_port, mtu), .min = 576, .max = 9600,
	  .def_says = "the device's", .help = "Largest IP packet, in bytes." },
	{ "vlan", &ctl_type_number, AT(ctl_port, vlan), .min = 1, .max = 4094,
	  .def_says = "untagged",
	  .help = "802.1Q tag of everything that this port sends and takes. Several ports may have "
		  "one `device`, each with a VLAN of its own there." },
	{ "addresses", &ctl_type_address,
	  LIST(ctl_port, addresses, n_addresses, 1, CTL_MAX_ADDRESSES), .flags = CTL_REQUIRED,
	  .help = "Own addresses, each with its subnet's prefix length." },
	{ "routes", NULL, .map = &ctl_map_route,
	  LIST(ctl_port, routes, n_routes, 0, CTL_MAX_ROUTES), .def = "[]",
	  .help = "Static routes through this port." },
};

static const struct ctl_key route_keys[CTL_ROUTE_KEYS] = {
	{ "to", &ctl_type_prefix, AT(ctl_route, to), .flags = CTL_REQUIRED,
	  .help = "Where to; `0.0.0.0/0` and `::/0` are the default routes." },
	{ "via", &ctl_type_ip, AT(ctl_route, via), .flags = CTL_REQUIRED,
	  .help = "The gateway, in a subnet of this port's." },
};

/* ---- Services */

static const struct ctl_key service_keys[CTL_SERVICE_KEYS] = {
	{ "name", &ctl_type_name, AT(ctl_service, name), .min = 1, .max = 63, .flags = CTL_REQUIRED,
	  .help = "Name of the service." },
	{ "listen", &ctl_type_endpoint, LIST(ctl_service, listens, n_listens, 1, CTL_MAX_LISTENS),
	  .flags = CTL_REQUIRED,
	  .help = "Where clients reach it: transport, an address of a port, port number (5060 if "
		  "left "
		  "out). Only `udp` for now." },
	{ "select", &ctl_type_word, AT(ctl_service, select), WORDS(select_words), .def = "aor",
	  .help = "What chooses the pair of a request outside a dialog: To of a REGISTER and From "
		  "of "
		  "others; Call-ID; the user of the Request-URI; the client's address." },
	{ "path", &ctl_type_bool, AT(ctl_service, path), .def = "yes",
	  .help = "Add Path (RFC 3327) to REGISTER, so that calls to a phone come back this way." },
	{ "trust-maddr", &ctl_type_bool, AT(ctl_service, trust_maddr), .def = "no",
	  .help = "Follow `maddr` in a client's Via." },
	{ "in-dialog", &ctl_type_word, AT(ctl_service, in_dialog_active), WORDS(in_dialog_words),
	  .def = "member",
	  .help = "Where requests in a dialog go: to the member that has it while that is not "
		  "down, or "
		  "always to the active one." },
	{ "map-503", &ctl_type_word, AT(ctl_service, map_503), WORDS(map_503_words), .def = "auto",
	  .help = "What stands for 503 towards clients; `auto`: 500 with several pairs, so that an "
		  "upstream does not block them all, else 503." },
	{ "retry-after", &ctl_type_seconds, AT(ctl_service, retry_after_ms), .min = 1000,
	  .max = 3600000, .def = "30s",
	  .help = "Middle of the Retry-After that is told clients while no member is in service; "
		  "each "
		  "gets a value of its own around it." },
	{ "answers-per-second", &ctl_type_number, AT(ctl_service, answers_per_s), .min = 1,
	  .max = 1000000, .flags = CTL_ZERO, .def = "100",
	  .help = "Answers of the appliance's own to one source address in a second; 0: no "
		  "limit." },
	{ "requests-per-second", &ctl_type_number, AT(ctl_service, requests_per_s), .min = 1,
	  .max = 1000000, .flags = CTL_ZERO, .def = "0",
	  .help = "Requests of one client's address (IPv6: /64) in a second that each worker "
		  "takes; "
		  "more are dropped; 0: no limit. Members are not limited." },
	{ "allow", &ctl_type_access, LIST(ctl_service, allow, n_allow, 0, CTL_MAX_ACCESS),
	  .def = "[]", .def_says = "everybody",
	  .help = "Addresses and prefixes that may reach the service as clients." },
	{ "deny", &ctl_type_access, LIST(ctl_service, deny, n_deny, 0, CTL_MAX_ACCESS), .def = "[]",
	  .help = "Those that may not, even if they are among the allowed." },
	{ "max-message", &ctl_type_number, AT(ctl_service, max_message), .min = 1300,
	  .max = SIP_MSG_MAX, .def = "65535",
	  .help = "Longest request in bytes; a longer one is answered 513." },
	{ "emergency-numbers", &ctl_type_number_of,
	  LIST(ctl_service, emergency, n_emergency, 0, CTL_MAX_EMERGENCY), .min = 1, .max = 32,
	  .def = "[]",
	  .help = "Numbers that are emergency calls, besides `urn:service:sos`: shed last, never "
		  "used "
		  "to try a server." },
	{ "pairs", &ctl_type_word_at, LIST(ctl_service, pair_names, n_pair_names, 1, DP_MAX_PAIRS),
	  .min = 1, .max = 63, .flags = CTL_REQUIRED, .help = "Names of the pairs behind it." },
};

/* ---- Pairs */

static const struct ctl_word probe_transport_words[] = {
	{ "udp", 1 + CTL_UDP },
	{ "tcp", 1 + CTL_TCP },
	{ "tls", 1 + CTL_TLS },
};

static const struct ctl_key probe_keys[CTL_PROBE_KEYS] = {
	{ "from", &ctl_type_uri, AT(ctl_pair_settings, probe_from), .min = 1, .max = 255,
	  .def_says = "sip:sipsteer@ and the probe's own address", .help = "From URI of probes." },
	{ "user-agent", &ctl_type_text, AT(ctl_pair_settings, probe_user_agent), .min = 1,
	  .max = 128, .def_says = "sipsteer/ and its version", .help = "User-Agent of probes." },
	{ "max-forwards", &ctl_type_number, AT(ctl_pair_settings, probe_max_forwards), .min = 0,
	  .max = 255, .def = "70",
	  .help = "Max-Forwards of probes; 0 lets no proxy pass one on (RFC 3261 11)." },
	{ "transport", &ctl_type_word, AT(ctl_pair_settings, probe_transport),
	  WORDS(probe_transport_words), .def_says = "the member's",
	  .help = "Transport of probes. Over `tcp` and `tls` the connection is kept for the next "
		  "probe." },
	{ "port", &ctl_type_number, AT(ctl_pair_settings, probe_port), .min = 1, .max = 65535,
	  .def_says = "the member's; 5061 if only its probes use TLS",
	  .help = "Port that probes go to." },
	{ "source", &ctl_type_ip, AT(ctl_pair_settings, probe_source[0]),
	  .n_offset = offsetof(struct ctl_pair_settings, n_probe_source), .max_items = 2,
	  .flags = CTL_FIXED, .def = "[]",
	  .def_says = "the pair's `egress`, else the kernel's choice",
	  .help = "Source address of probes, one of each address family." },
};

static const struct ctl_key tls_keys[CTL_TLS_KEYS] = {
	{ "ca", &ctl_type_path, AT(ctl_tls_settings, ca), .min = 1, .max = 4000,
	  .def_says = "the system's authorities",
	  .help = "Authorities that a server's certificate may come from, PEM. Read again when it "
		  "has changed, like the other files." },
	{ "cert", &ctl_type_path, AT(ctl_tls_settings, cert), .min = 1, .max = 4000,
	  .def_says = "none",
	  .help = "Our own certificate with its chain, PEM, for servers that ask." },
	{ "key", &ctl_type_path, AT(ctl_tls_settings, key), .min = 1, .max = 4000,
	  .def_says = "none", .help = "Its private key, PEM, without a password." },
	{ "server-name", &ctl_type_domain, AT(ctl_tls_settings, server_name), .min = 1, .max = 253,
	  .def_says = "each member's `address`",
	  .help = "Whom the servers' certificates must name (RFC 5922), and what is asked for by "
		  "SNI." },
	{ "verify", &ctl_type_bool, AT(ctl_tls_settings, verify), .def = "yes",
	  .help = "Whether servers' certificates are checked." },
};

#define SET(field) AT(ctl_pair, set.field)

static const struct ctl_key pair_keys[CTL_PAIR_KEYS] = {
	{ "name", &ctl_type_name, AT(ctl_pair, name), .min = 1, .max = 63, .flags = CTL_REQUIRED,
	  .help = "Name of the pair. Cookies and branches are made of it: the same on all "
		  "instances." },
	{ "members", NULL, .map = &ctl_map_member,
	  LIST(ctl_pair, members, n_members, 1, DP_PAIR_MEMBERS),
	  .def_says = "required without `servers`",
	  .help = "A primary, a backup, then fallbacks in order." },
	{ "servers", NULL, .map = &ctl_map_servers, AT(ctl_pair, servers),
	  .def_says = "none; see Servers", .from = "AudioCodes",
	  .help = "A DNS name that stands for the members, instead of `members`." },
	{ "profile", &ctl_type_profile, AT(ctl_pair, profile), WORDS(ctl_profile_words),
	  .def_says = "none",
	  .help = "Whose behaviour the defaults of this pair follow; see docs/SETTINGS.md." },
	{ "weight", &ctl_type_number, AT(ctl_pair, weight), .min = 1, .max = 1000, .def = "1",
	  .help = "Share of the service's users, in proportion to the other pairs' weights." },
	{ "egress", &ctl_type_endpoint,
	  LIST(ctl_pair, egress_as_written, n_egress_as_written, 0, 2), .def = "[]",
	  .def_says = "the service's listener",
	  .help = "Source address and port towards the members, one of each address family." },
	{ "sources", &ctl_type_source, LIST(ctl_pair, sources, n_sources, 0, CTL_MAX_SOURCES),
	  .def = "[]",
	  .help = "Further addresses and prefixes from which the members send requests." },
	{ "oos-check", &ctl_type_duration, SET(oos_check_ms), .min = 100, .max = 300000,
	  .flags = CTL_ZERO, .def = "5s", .from = "Genesys",
	  .help = "Pause between probes of a member that answers; 0: no periodic probes." },
	{ "oos-force", &ctl_type_duration, SET(oos_force_ms), .min = 100, .max = 32000, .def = "5s",
	  .def_says = "5s, at most `oos-check`", .from = "Genesys",
	  .help = "Pause between probes while nobody knows which member is active; not longer than "
		  "`oos-check`." },
	{ "probe-timeout", &ctl_type_duration, SET(probe_timeout_ms), .min = 10, .max = 32000,
	  .def_says = "the period, at most 5s", .from = "Genesys",
	  .help = "How long a probe waits for an answer; its sends are spread over it." },
	{ "fall", &ctl_type_number, SET(fall), .min = 1, .max = 100, .def = "1",
	  .help = "Failed probes in a row that put a member down." },
	{ "rise", &ctl_type_number, SET(rise), .min = 1, .max = 100, .def = "1",
	  .help = "Answered probes in a row that bring a member back." },
	{ "probe-all", &ctl_type_bool, SET(probe_all), .def = "yes",
	  .help = "Also probe the members that are not active, so that a switch need not search." },
	{ "unavailable-codes", &ctl_type_number, SET(unavailable_codes[0]),
	  .n_offset = offsetof(struct ctl_pair, set.n_unavailable_codes), .max_items = 16,
	  .flags = CTL_FIXED, .min = 300, .max = 699, .def = "[ 408, 503 ]",
	  .help = "Final responses that do not count as a sign of life." },
	{ "failback", &ctl_type_word, SET(failback), .max_items = 3, .flags = CTL_SET,
	  WORDS(failback_words), .def = "[ timed ]", .from = "Genesys, Yealink, Fanvil, Baker",
	  .help = "How the primary gets the pair back: `[]` not before the active member fails; "
		  "`immediate` once it has answered `rise` probes; `timed` when the probe of every "
		  "`failback-interval` succeeds; `signal` when a live request that is tried there "
		  "succeeds." },
	{ "failback-interval", &ctl_type_duration, SET(failback_interval_ms), .min = 100,
	  .max = 86400000, .def = "1800s", .from = "Fanvil, Baker",
	  .help = "Pause between the probes of `timed` failback." },
	{ "failback-hold", &ctl_type_duration, SET(failback_hold_ms), .min = 100, .max = 86400000,
	  .flags = CTL_ZERO, .def = "60s",
	  .help = "No return before this time has passed since the switch away; doubled at each "
		  "flap "
		  "within ten minutes." },
	{ "signal-methods", &ctl_type_word, SET(signal_methods), .min_items = 1, .max_items = 12,
	  .flags = CTL_SET, WORDS(method_words), .def = "[ REGISTER, INVITE ]", .from = "Fanvil",
	  .help = "Requests that `signal` failback may try on the primary." },
	{ "gray-failover", &ctl_type_bool, SET(gray_failover), .def = "no",
	  .help = "Treat a member that answers probes but fails or delays live requests as down." },
	{ "failover-methods", &ctl_type_word, SET(failover_methods), .max_items = 7,
	  .flags = CTL_SET, WORDS(failover_words), .def = "[ REGISTER, INVITE, BYE ]",
	  .from = "Fanvil, Baker",
	  .help = "Requests that are sent to the next member when their own does not answer." },
	{ "retry-counts", &ctl_type_number, SET(retry_counts), .min = 3, .max = 10, .def = "3",
	  .from = "Fanvil, Baker, Yealink",
	  .help = "Which send of a request goes to the next member: a client's own sends are "
		  "counted, and those that the appliance makes for it." },
	{ "no-response-timeout", &ctl_type_duration, SET(no_response_ms), .min = 500, .max = 32000,
	  .def = "4s", .from = "AudioCodes",
	  .help = "A request without any response for so long goes to the next member." },
	{ "shares", &ctl_type_word, SET(shares), .max_items = 1, .flags = CTL_SET,
	  WORDS(shares_words), .def = "[]",
	  .help = "What the members know of each other besides accounts, registrations and "
		  "dialogs; `transactions`: a call that rings when its member dies goes on at the "
		  "other, and is not ended from here." },
	{ "registration", &ctl_type_word, SET(concurrent), WORDS(registration_words),
	  .def = "successive", .from = "Yealink",
	  .help = "`concurrent`: a copy of each REGISTER also goes to the next member, whose "
		  "answers the phone never sees; it needs a nonce that both know, or trust in "
		  "this appliance's address." },
	{ "probe", NULL, .map = &ctl_map_probe, AT(ctl_pair, set), .def_says = "see Probes",
	  .help = "What probes look like." },
	{ "tls", NULL, .map = &ctl_map_tls, AT(ctl_pair, tls), .def_says = "see TLS",
	  .help = "Certificates for TLS with the members." },
};

/* ---- Members */

static const struct ctl_key member_keys[CTL_MEMBER_KEYS] = {
	{ "name", &ctl_type_name, AT(ctl_member, name), .min = 1, .max = 63, .flags = CTL_REQUIRED,
	  .help = "Name of the member within its pair." },
	{ "role", &ctl_type_word, AT(ctl_member, role), WORDS(role_words), .flags = CTL_REQUIRED,
	  .help = "One primary, one backup, any number of fallbacks." },
	{ "address", &ctl_type_host, AT(ctl_member, host), .min = 1, .max = 253,
	  .flags = CTL_REQUIRED, .from = "Fanvil, Baker, Yealink, AudioCodes",
	  .help = "IPv4 or IPv6 address, without brackets, or a DNS name." },
	{ "port", &ctl_type_number, AT(ctl_member, at.port), .min = 0, .max = 65535, .def = "5060",
	  .from = "Fanvil, Baker, AudioCodes",
	  .help = "Port number. With a name, 0 or 65535 have it looked up by SRV; with an address, "
		  "they are the transport's own port." },
	{ "transport", &ctl_type_word, AT(ctl_member, at.transport), WORDS(transport_words),
	  .def = "udp", .from = "Baker, AudioCodes", .help = "Only `udp` for now." },
	{ "user", &ctl_type_text, AT(ctl_member, user), .min = 1, .max = 128, .def_says = "none",
	  .from = "Fanvil",
	  .help = "Account whose REGISTER is the probe of `timed` failback, instead of OPTIONS." },
	{ "password", &ctl_type_text, AT(ctl_member, password), .min = 1, .max = 128,
	  .flags = CTL_SECRET, .def_says = "none", .from = "Fanvil",
	  .help = "The account's password." },
	{ "methods", &ctl_type_word, AT(ctl_member, methods), .min_items = 1, .max_items = 12,
	  .flags = CTL_SET, WORDS(method_words), .def_says = "any",
	  .help = "Requests that a fallback may get; ACK and CANCEL go with INVITE." },
	{ "server-name", &ctl_type_domain, AT(ctl_member, server_name), .min = 1, .max = 253,
	  .def_says = "the pair's `tls`",
	  .help = "Whom this member's certificate must name, where it differs from its twin's." },
};

/* ---- Servers: members by name */

static const struct ctl_key servers_keys[CTL_SERVERS_KEYS] = {
	{ "name", &ctl_type_dns_name, AT(ctl_servers, name), .min = 1, .max = 253,
	  .def_says = "required", .from = "AudioCodes", .help = "The name." },
	{ "port", &ctl_type_number, AT(ctl_servers, port), .min = 0, .max = 65535, .def = "0",
	  .from = "AudioCodes",
	  .help = "0 or 65535: NAPTR and SRV records say which servers and ports, in which order; "
		  "any other: the name's addresses, at this port." },
	{ "transport", &ctl_type_word, AT(ctl_servers, transport), WORDS(transport_words),
	  .def = "udp", .help = "Which of the name's services is wanted. Only `udp` for now." },
	{ "family", &ctl_type_word, AT(ctl_servers, family), WORDS(family_words), .def = "any",
	  .help = "Which of the servers' addresses are used, among those that there is a listener "
		  "or egress address for." },
	{ "user", &ctl_type_text, AT(ctl_servers, user), .min = 1, .max = 128, .def_says = "none",
	  .help = "As a member's: for the REGISTER probe to the primary." },
	{ "password", &ctl_type_text, AT(ctl_servers, password), .min = 1, .max = 128,
	  .flags = CTL_SECRET, .def_says = "none", .help = "The account's password." },
};

/* ---- Mappings */

static const char *pair_default(const void *dst, const struct ctl_key *key)
{
	const struct ctl_pair *p = dst;

	return p->profile ? ctl_profile_default(p->profile, key->name) : NULL;
}

#define MAP(s, title, rows)                                                           \
	.what = (title), .keys = (rows), .n_keys = N(rows), .size = sizeof(struct s), \
	.lines_offset = offsetof(struct s, lines)

const struct ctl_map ctl_map_global = { MAP(ctl_model, "the file's top", global_keys),
					.line_offset = -1 };
const struct ctl_map ctl_map_port = { MAP(ctl_port, "a port", port_keys),
				      .line_offset = offsetof(struct ctl_port, line) };
const struct ctl_map ctl_map_route = { MAP(ctl_route, "a route", route_keys),
				       .line_offset = offsetof(struct ctl_route, line) };
const struct ctl_map ctl_map_service = { MAP(ctl_service, "a service", service_keys),
					 .line_offset = offsetof(struct ctl_service, line) };
const struct ctl_map ctl_map_pair = { MAP(ctl_pair, "a pair", pair_keys),
				      .line_offset = offsetof(struct ctl_pair, line),
				      .default_of = pair_default };
const struct ctl_map ctl_map_member = { MAP(ctl_member, "a member", member_keys),
					.line_offset = offsetof(struct ctl_member, line) };
const struct ctl_map ctl_map_servers = { MAP(ctl_servers, "servers", servers_keys),
					 .line_offset = offsetof(struct ctl_servers, line) };
const struct ctl_map ctl_map_dns = { MAP(ctl_dns_settings, "dns", dns_keys), .line_offset = -1 };
const struct ctl_map ctl_map_probe = {
	.what = "a probe",
	.keys = probe_keys,
	.n_keys = N(probe_keys),
	.size = sizeof(struct ctl_pair_settings),
	.line_offset = offsetof(struct ctl_pair_settings, probe_line),
	.lines_offset = offsetof(struct ctl_pair_settings, probe_lines),
};
const struct ctl_map ctl_map_tls = { MAP(ctl_tls_settings, "TLS", tls_keys),
				     .line_offset = offsetof(struct ctl_tls_settings, line) };

const struct ctl_map *const ctl_maps[] = {
	&ctl_map_global, &ctl_map_dns,   &ctl_map_port, &ctl_map_route,  &ctl_map_service,
	&ctl_map_pair,   &ctl_map_probe, &ctl_map_tls,  &ctl_map_member, &ctl_map_servers,
};
const size_t ctl_n_maps = N(ctl_maps);
