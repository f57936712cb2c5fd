/*
 * What is wrong with a file: each row varies the example, and names the one thing that must be said
 * of it, with its line. Rows that end in a warning load.
 */
#include "tests/control/config_help.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(config_bad, .fini = leaks_check);

struct row {
	const char *what, *with; /* replaced in the example */
	const char *says;        /* "LINE: text", as printed after the file's name; NULL: nothing */
};

#define EAST_A                                                                                   \
	"      - { name: east-a, role: primary, address: 198.51.100.11, port: 5060, transport: " \
	"udp }\n"
#define EAST_B                                                                                   \
	"      - { name: east-b, role: backup,  address: 198.51.100.12, port: 5060, transport: " \
	"udp }\n"
#define TIMERS "    oos-check: 5s\n    oos-force: 5s\n"
#define TAIL   "    failback-hold: 60s\n"
#define WEST(more)                                                               \
	TAIL "  - name: west\n"                                                  \
	     "    members:\n"                                                    \
	     "      - { name: west-a, role: primary, address: 198.51.100.21 }\n" \
	     "      - { name: west-b, role: backup,  address: 198.51.100.22 }\n" more
#define NAMED(servers)                    \
	TAIL "  - name: west\n"           \
	     "    servers: " servers "\n" \
	     "x-more: {}\n"
#define PORT2(more)                                           \
	"    routes: [ { to: 0.0.0.0/0, via: 192.0.2.1 } ]\n" \
	"  - name: net1\n"                                    \
	"    device: \"net_af_xdp1,iface=veth-b\"\n" more
#define ROUTES "    routes: [ { to: 0.0.0.0/0, via: 192.0.2.1 } ]\n"

/* ---- Form */

static const struct row form_rows[] = {
	{ "workers: 1", "workers: 1", NULL },
	{ "workers: 1", "workres: 1",
	  "4: unknown key \"workres\" in the file's top; did you mean \"workers\"?" },
	{ "workers: 1", "Workers: 1",
	  "4: unknown key \"Workers\" in the file's top; did you mean \"workers\"?" },
	{ "workers: 1", "oos-check: 1s",
	  "4: key \"oos-check\" does not belong in the file's top, but in a pair" },
	{ "    oos-check: 5s", "    flavour: sour",
	  "20: unknown key \"flavour\" in a pair, which knows name, members, servers, profile, "
	  "weight" },
	{ "    select: aor", "    selekt: aor",
	  "13: unknown key \"selekt\" in a service; did you mean \"select\"?" },
	{ "via: 192.0.2.1 }", "via: 192.0.2.1, dev: x }",
	  "9: unknown key \"dev\" in a route, which knows to, via" },
	{ "workers: 1", "workers: 1\nworkers: 2",
	  "5: key \"workers\" is in this mapping twice: it stands in line 4 already" },
	{ "workers: 1", "workers: [ 1 ]",
	  "4: workers: this is a list; it must be a whole number from 1 to 16" },
	{ "workers: 1", "workers: { n: 1 }",
	  "4: workers: this is a mapping; it must be a whole number from 1 to 16" },
	{ "workers: 1", "workers:", "4: workers: has no value; write a whole number from 1 to 16" },
	{ "workers: 1", "workers: ~", "4: workers: has no value" },
	{ "workers: 1", "workers: null", "4: workers: has no value" },
	{ "workers: 1", "workers: \"\"", "4: workers: \"\" is not a whole number from 1 to 16" },
	{ "workers: 1", "workers: \"1\\0\"", "4: workers: has control characters in it" },
	{ "workers: 1", "workers: !int 1", "4: tag !int has no meaning here: remove it" },
	{ "workers: 1", "[ 1 ]: 1", "4: a list as a key; keys are single words" },
	{ "[ timed ]", "timed",
	  "22: failback: this is a single value; it must be a list [ ... ] of at most 3, each "
	  "immediate, timed or signal" },
	{ "[ timed ]", "{ timed: yes }", "22: failback: this is a mapping; it must be a list" },
	{ "[ timed ]", "[ timed, timed ]", "22: failback: \"timed\" is in the list twice" },
	{ "[ timed ]", "[ timed, [ signal ] ]",
	  "22: failback: this is a list; it must be immediate, timed or signal" },
	{ "[ timed ]", "[ timer ]",
	  "22: failback: \"timer\" is not immediate, timed or signal; did you mean \"timed\"?" },
	{ "[ east ]", "[]", "14: pairs: the list is empty; at least 1 is needed" },
	{ "[ east ]", "[ east, { a: b } ]", "14: pairs: this is a mapping; it must be a name" },
	{ "  - name: voice\n", "  - voice\n  - name: voice\n",
	  "11: services: this is a single value; each one in the list must be a mapping" },
	{ "  - name: voice\n", "  - nam: voice\n",
	  "11: unknown key \"nam\" in a service; did you mean \"name\"?\n11: a service has no "
	  "\"name\"; it needs a name" },
	{ "    device: \"net_af_xdp0,iface=veth-lb\"\n", "",
	  "6: a port has no \"device\"; it needs a DPDK device string" },
	{ "    pairs: [ east ]\n", "",
	  "11: a service has no \"pairs\"; it needs a list [ ... ] of at most 16384, each a name" },
	{ "to: 0.0.0.0/0, ", "", "9: a route has no \"to\"; it needs a prefix such as" },
	{ "role: primary, ", "",
	  "18: a member has no \"role\"; it needs primary, backup or fallback" },
	{ "    failback-hold: 60s\n",
	  "    unavailable-codes: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]\n",
	  "24: unavailable-codes: a list of 17; at most 16 are possible" },
	{ "    failback-hold: 60s\n", "    unavailable-codes: [ 408, 299, 408 ]\n",
	  "24: unavailable-codes: \"299\" is not a whole number from 300 to 699\n24: "
	  "unavailable-codes: \"408\" is in the list twice" },
	{ "    failback-hold: 60s\n", "    unavailable-codes: []\n", NULL },
	{ "    failback-hold: 60s\n", "    probe: sip\n",
	  "24: probe: this is a single value; it must be a mapping" },
	{ "    failback-hold: 60s\n", "    probe: { max-forwards: 256, fron: x }\n",
	  "24: unknown key \"fron\" in a probe; did you mean \"from\"?\n24: max-forwards: \"256\" "
	  "is not a whole number from 0 to 255" },
	{ "workers: 1",
	  "workers: "
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "4: workers: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\" "
	  "is not" },
};

/* ---- Ranges of REQUIREMENTS.md, section 3, and of the rest */

static const struct row range_rows[] = {
	{ TIMERS, "    oos-check: 100ms\n", NULL },
	{ TIMERS, "    oos-check: 99ms\n",
	  "20: oos-check: \"99ms\" is not a duration from 100ms to 300s, or 0" },
	{ TIMERS, "    oos-check: 300s\n", NULL },
	{ TIMERS, "    oos-check: 301s\n",
	  "20: oos-check: \"301s\" is not a duration from 100ms to 300s, or 0" },
	{ TIMERS, "    oos-check: 0\n", NULL },
	{ TIMERS, "    oos-check: 5\n", "20: oos-check: \"5\" has no unit: write 5s or 5ms" },
	{ TIMERS, "    oos-check: 60s\n    oos-force: 32s\n", NULL },
	{ TIMERS, "    oos-check: 60s\n    oos-force: 33s\n",
	  "21: oos-force: \"33s\" is not a duration from 100ms to 32s" },
	{ TIMERS, "    oos-force: 99ms\n",
	  "20: oos-force: \"99ms\" is not a duration from 100ms to 32s" },
	{ TAIL, "    probe-timeout: 32s\n", NULL },
	{ TAIL, "    probe-timeout: 33s\n",
	  "24: probe-timeout: \"33s\" is not a duration from 10ms to 32s" },
	{ TAIL, "    fall: 0\n", "24: fall: \"0\" is not a whole number from 1 to 100" },
	{ TAIL, "    fall: 3\n    rise: 3\n", NULL },
	{ TAIL, "    rise: 101\n", "24: rise: \"101\" is not a whole number from 1 to 100" },
	{ TAIL, "    failback-hold: 0\n", NULL },
	{ TAIL, "    failback-hold: 25h\n",
	  "24: failback-hold: \"25h\" is not a duration from 100ms to 86400s, or 0" },
	{ "1800s", "0", "23: failback-interval: \"0\" has no unit: write 0s or 0ms" },
	{ "1800s", "50ms",
	  "23: failback-interval: \"50ms\" is not a duration from 100ms to 86400s" },
	{ TAIL, "    gray-failover: perhaps\n", "24: gray-failover: \"perhaps\" is not yes or no" },
	{ TAIL, "    signal-methods: [ ACK ]\n",
	  "24: signal-methods: \"ACK\" is not REGISTER, INVITE" },
	{ TAIL, "    failover-methods: []\n", NULL },
	{ TAIL, "    failover-methods: [ INVITE, OPTIONS ]\n", NULL },
	{ TAIL, "    failover-methods: [ REFER ]\n",
	  "24: failover-methods: \"REFER\" is not REGISTER, INVITE" },
	{ TAIL, "    retry-counts: 2\n",
	  "24: retry-counts: \"2\" is not a whole number from 3 to 10" },
	{ TAIL, "    retry-counts: 10\n    no-response-timeout: 500ms\n", NULL },
	{ TAIL, "    no-response-timeout: 33s\n",
	  "24: no-response-timeout: \"33s\" is not a duration from 500ms to 32s" },
	{ TAIL, "    shares: [ transactions ]\n    registration: concurrent\n", NULL },
	{ TAIL, "    shares: [ calls ]\n", "24: shares: \"calls\" is not transactions" },
	{ TAIL, "    registration: both\n",
	  "24: registration: \"both\" is not successive or concurrent" },
	{ "workers: 1\n", "workers: 1\npending-store: 0\ntransaction-records: 0\n", NULL },
	{ "workers: 1\n", "workers: 1\npending-store: 65G\n",
	  "5: pending-store: \"65G\" is not an amount of memory from 1M to 64G, or 0" },
	{ TAIL, "    weight: 0\n", "24: weight: \"0\" is not a whole number from 1 to 1000" },
	{ "workers: 1", "workers: 17", "4: workers: \"17\" is not a whole number from 1 to 16" },
	{ "workers: 1", "workers: 16\nmemory: 2G", NULL },
	{ "workers: 1", "transaction-records: 1023",
	  "4: transaction-records: \"1023\" is not a whole number from 1024 to 16777216, or 0" },
	{ "    select: aor\n", "    map-503: 502\n",
	  "13: map-503: \"502\" is not auto, 500 or 503; did you mean" },
	{ "    select: aor\n", "    map-503: 500\n", NULL },
	{ "    select: aor\n", "    answers-per-second: 0\n", NULL },
	{ "    select: aor\n", "    requests-per-second: 0\n", NULL },
	{ "    select: aor\n", "    requests-per-second: 1000001\n",
	  "13: requests-per-second: \"1000001\" is not a whole number from 1 to 1000000, or 0" },
	{ "    select: aor\n",
	  "    allow: [ 0.0.0.0/0, \"2001:db8::/32\" ]\n    deny: [ 192.0.2.66 ]\n", NULL },
	{ "    select: aor\n", "    allow: [ 192.0.2.0/33 ]\n", "13: allow: \"192.0.2.0/33\"" },
	{ "    select: aor\n", "    deny: [ 192.0.2.1/24 ]\n", "13: deny: \"192.0.2.1/24\"" },
	{ "workers: 1", "kernel-rest: 0\nkernel-ping: 1\ncontrol-group: adm", NULL },
	{ "workers: 1", "kernel-routing: -1",
	  "4: kernel-routing: \"-1\" is not a whole number from 1 to 10000000, or 0" },
	{ "workers: 1", "receive-ring: 63",
	  "4: receive-ring: \"63\" is not a whole number from 64 to 32768, or 0" },
	{ "workers: 1", "control-group: a b", "4: control-group: \"a b\"" },
	{ "workers: 1", "hand-over-ring: 63",
	  "4: hand-over-ring: \"63\" is not a whole number from 64 to 32768" },
	{ "workers: 1", "spread: alway", "4: spread: \"alway\" is not auto, always or never" },
	{ "    select: aor\n", "    max-message: 1000\n",
	  "13: max-message: \"1000\" is not a whole number from 1300 to 65535" },
	{ "    select: aor\n", "    retry-after: 0s\n",
	  "13: retry-after: \"0s\" is not a duration of whole seconds from 1s to 3600s" },
	{ "    select: aor\n", "    in-dialog: members\n",
	  "13: in-dialog: \"members\" is not member or active; did you mean \"member\"?" },
	{ "port: 5060", "port: 0", NULL },
	{ "port: 5060", "port: 65535", NULL },
	{ "port: 5060", "port: 65536",
	  "18: port: \"65536\" is not a whole number from 0 to 65535" },
	{ "    device:", "    mtu: 575\n    device:",
	  "7: mtu: \"575\" is not a whole number from 576 to 9600" },
	{ "    device:", "    vlan: 0\n    device:",
	  "7: vlan: \"0\" is not a whole number from 1 to 4094" },
	{ "    device:", "    vlan: 4094\n    device:", NULL },
	{ "workers: 1", "memory: 32M",
	  "4: memory: \"32M\" is not an amount of memory from 64M to 1024G" },
	{ "workers: 1", "log-level: warn",
	  "4: log-level: \"warn\" is not error, warning, notice, info or debug" },
};

/* ---- Ports */

static const struct row port_rows[] = {
	{ ROUTES, PORT2("    addresses: [ 203.0.113.1/24 ]\n"), NULL },
	{ ROUTES, PORT2("    addresses: [ 192.0.2.10/25 ]\n"),
	  "12: addresses: 192.0.2.10 stands in line 8 already" },
	{ ROUTES, PORT2("    addresses: [ 192.0.2.130/25 ]\n"),
	  "12: warning: addresses: the subnet of 192.0.2.130 overlaps with one of another port in "
	  "line 8" },
	{ "192.0.2.10/24, ", "192.0.2.10/24, 192.0.2.11/24, ", NULL },
	{ "192.0.2.10/24, ", "192.0.2.10/24, 192.0.2.10/25, ",
	  "8: addresses: 192.0.2.10 stands in line 8 already" },
	{ ROUTES, ROUTES "  - { name: net0, device: net_tap1, addresses: [ 203.0.113.1/24 ] }\n",
	  "10: port \"net0\": there is one of this name in line 6 already; give it another" },
	{ ROUTES,
	  ROUTES
	  "  - { name: net1, device: \"net_af_xdp0,iface=b\", addresses: [ 203.0.113.1/24 ] }\n",
	  "10: device: \"net_af_xdp0\" is the port's in line 6 already" },
	{ ROUTES,
	  ROUTES "  - { name: net1, device: \"net_af_xdp0,iface=veth-lb\", addresses: [ "
		 "203.0.113.1/24 ] }\n",
	  "10: device: the port in line 6 has it already, with the same VLAN" },
	{ ROUTES,
	  ROUTES "  - name: net1\n    device: \"net_af_xdp0,iface=veth-lb\"\n    vlan: 7\n"
		 "    addresses: [ 203.0.113.1/24 ]\n",
	  NULL },
	{ "    device:", "    mtu: 1279\n    device:",
	  "7: mtu: 1279 is too small for the port's IPv6 addresses; at least 1280 is needed" },
	{ "via: 192.0.2.1 }", "via: 203.0.113.1 }",
	  "9: via: 203.0.113.1 is in no subnet of this port" },
	{ "via: 192.0.2.1 }", "via: 192.0.2.10 }",
	  "9: via: 192.0.2.10 is our own address; write the gateway's" },
	{ "via: 192.0.2.1 }", "via: 2001:db8::1 }",
	  "9: via: 2001:db8::1 is IPv6, but the route is to an IPv4 prefix" },
	{ "via: 192.0.2.1 }", "via: 192.0.2.1 }, { to: \"::/0\", via: 192.0.2.1 }",
	  "9: via: 192.0.2.1 is IPv4, but the route is to an IPv6 prefix" },
	{ "via: 192.0.2.1 }", "via: 192.0.2.1 }, { to: \"::/0\", via: \"fe80::1\" }", NULL },
	{ "via: 192.0.2.1 }", "via: 192.0.2.1 }, { to: 0.0.0.0/0, via: 192.0.2.2 }",
	  "9: to: there is a route to 0.0.0.0/0 in line 9 already" },
	{ "to: 0.0.0.0/0", "to: 198.51.100.1/24",
	  "9: to: \"198.51.100.1/24\" has bits set behind its prefix: write 198.51.100.0/24" },
};

/* ---- Services and listeners */

static const struct row service_rows[] = {
	{ "udp:192.0.2.10:5060", "udp:192.0.2.99:5060",
	  "12: listen: 192.0.2.99 is no address of a port; the ports' IPv4 addresses are "
	  "192.0.2.10" },
	{ ", \"2001:db8::10/64\"", "",
	  "12: listen: 2001:db8::10 is no address of a port, and no port has an IPv6 address" },
	{ "udp:192.0.2.10:5060", "tcp:192.0.2.10:5060",
	  "12: listen: \"tcp:192.0.2.10:5060\" is a stream (TCP or TLS), and streams cannot be "
	  "forwarded yet: write udp" },
	{ "udp:192.0.2.10:5060", "tls:192.0.2.10:5061",
	  "12: listen: \"tls:192.0.2.10:5061\" is a stream (TCP or TLS), and streams cannot be "
	  "forwarded yet: write udp" },
	{ "\"udp:192.0.2.10:5060\", ", "\"udp:192.0.2.10:5060\", \"udp:192.0.2.10:5060\", ",
	  "12: listen: 192.0.2.10:5060 is a listener already, in line 12" },
	{ "    pairs: [ east ]\n",
	  "    pairs: [ east ]\n  - { name: data, listen: [ udp:192.0.2.10 ], pairs: [ east ] }\n",
	  "15: listen: 192.0.2.10:5060 is a listener already, in line 12" },
	{ "    pairs: [ east ]\n",
	  "    pairs: [ east ]\n  - { name: voice, listen: [ \"udp:192.0.2.10:5070\" ], pairs: [ "
	  "east ] }\n",
	  "15: service \"voice\": there is one of this name in line 11 already" },
	{ "[ east ]", "[ eats ]", "14: pairs: there is no pair \"eats\"; did you mean \"east\"?" },
	{ "[ east ]", "[ east, nowhere ]",
	  "14: pairs: there is no pair \"nowhere\"; add it to the file's pairs" },
	{ "[ east ]", "[ east, east ]", "14: pairs: \"east\" is in the list twice" },
	{ TAIL, WEST(""),
	  "25: warning: pair \"west\": no service has it; add it to a service's pairs" },
	{ "    select: aor\n", "    emergency-numbers: [ 112, 0110, \"+49 110\" ]\n",
	  "13: emergency-numbers: \"+49 110\" is not a number as it is dialled" },
	{ "workers: 1",
	  "dns: { servers: [ 192.0.2.53, \"2001:db8::53\", \"[2001:db8::54]:5353\" ] }", NULL },
	{ "workers: 1", "dns: { servers: [ 192.0.2.53:0 ] }",
	  "4: servers: \"192.0.2.53:0\" has no port from 1 to 65535" },
	{ "workers: 1", "dns: { servers: [ dns.example.com ] }",
	  "4: servers: \"dns.example.com\" is not an address, with a port if it is not 53" },
	{ "workers: 1", "dns: { servers: [ 224.0.0.1 ] }",
	  "4: servers: \"224.0.0.1\" is a multicast address: no DNS server can be there" },
	{ "workers: 1", "dns: { timeout: 50ms }",
	  "4: timeout: \"50ms\" is not a duration from 100ms" },
	{ "workers: 1", "dns: { min-ttl: 60s, max-ttl: 30s }",
	  "4: warning: min-ttl: it is longer than max-ttl" },
	{ "\"udp:192.0.2.10:5060\", ", "",
	  "18: address: 198.51.100.11 is IPv4, but service \"voice\" has no IPv4 listener to send "
	  "from; add one to listen, or an IPv4 address to the pair's egress\n19: address: "
	  "198.51.100.12 is IPv4" },
};

/* ---- Pairs and members */

static const struct row pair_rows[] = {
	{ EAST_B, "",
	  "17: warning: members: pair \"east\" has no backup; nobody takes over when its primary "
	  "fails" },
	{ EAST_A, "", "17: members: pair \"east\" has no primary; give one member role: primary" },
	{ "role: backup", "role: primary",
	  "19: role: pair \"east\" has a primary in line 18 already; make this the backup or a "
	  "fallback" },
	{ "role: backup", "role: fallback",
	  "19: role: pair \"east\" has a fallback, but no backup; make this the backup" },
	{ "role: backup", "role: bakcup",
	  "19: role: \"bakcup\" is not primary, backup or fallback; did you mean \"backup\"?" },
	{ EAST_B, EAST_B "      - { name: east-c, role: backup, address: 198.51.100.13 }\n",
	  "20: role: pair \"east\" has a backup in line 19 already; make this a fallback" },
	{ EAST_B,
	  EAST_B "      - { name: east-c, role: fallback, address: 198.51.100.13, methods: [ "
		 "INVITE, REGISTER ] }\n",
	  NULL },
	{ "name: east-b", "name: east-a",
	  "19: member \"east-a\": there is one of this name in line 18 already" },
	{ "address: 198.51.100.12", "address: 198.51.100.11",
	  "19: address: 198.51.100.11:5060 is in pair \"east\" twice, also in line 18" },
	{ "address: 198.51.100.12, port: 5060", "address: 198.51.100.11, port: 5061", NULL },
	{ "address: 198.51.100.12", "address: 192.0.2.10",
	  "19: address: \"192.0.2.10\" is an address of our own; write the server's" },
	{ "address: 198.51.100.12", "address: 192.0.2.255",
	  "19: address: \"192.0.2.255\" is the broadcast address of a port's subnet" },
	{ "address: 198.51.100.12", "address: 224.0.0.5",
	  "19: address: \"224.0.0.5\" is a multicast address; no server can be there" },
	{ "address: 198.51.100.12", "address: 127.0.0.1",
	  "19: address: \"127.0.0.1\" is a loopback address; no server can be there" },
	{ "address: 198.51.100.12", "address: 198.51.100.256",
	  "19: address: \"198.51.100.256\" is no IPv4 or IPv6 address" },
	{ "address: 198.51.100.12", "address: \"fe80::1\"",
	  "19: address: \"fe80::1\" is link-local" },
	{ "address: 198.51.100.12", "address: \"::ffff:198.51.100.12\"",
	  "19: address: \"::ffff:198.51.100.12\" is an IPv4 address written as IPv6; write "
	  "198.51.100.12" },
	{ "address: 198.51.100.12", "address: \"2001:db8:9::1\"",
	  "19: warning: address: \"2001:db8:9::1\" is in no subnet of a port, and no route here "
	  "leads to it" },
	{ "address: 198.51.100.12", "address: \"2001:db8::1\"", NULL },
	{ "address: 198.51.100.12", "address: sip.example.com", NULL },
	{ "address: 198.51.100.12, port: 5060", "address: sip.example.com, port: 0", NULL },
	{ "address: 198.51.100.12, port: 5060", "address: 198.51.100.12, port: 65535", NULL },
	{ "address: 198.51.100.12", "address: sip..example.com",
	  "19: address: \"sip..example.com\" is no DNS name" },
	{ "address: 198.51.100.12", "address: sip.example.123",
	  "19: address: \"sip.example.123\" is no DNS name" },
	{ "transport: udp }", "transport: tcp }",
	  "18: transport: a stream (TCP or TLS), and streams cannot be forwarded yet; write udp" },
	{ "transport: udp }", "transport: tls }",
	  "18: transport: a stream (TCP or TLS), and streams cannot be forwarded yet; write udp" },
	{ "transport: udp }", "transport: udp, methods: [ INVITE ] }",
	  "18: methods: only a fallback can be limited to some requests; remove it" },
	{ "transport: udp }", "transport: udp, user: alice }",
	  "18: user: \"alice\" has no password; add password, or remove user" },
	{ "transport: udp }", "transport: udp, password: sesame }",
	  "18: password: there is no user for it; add user, or remove password" },
	{ "transport: udp }", "transport: udp, user: alice, password: sesame }", NULL },
	{ "12, port: 5060, transport: udp }", "12, user: alice, password: sesame }",
	  "19: warning: user: it has no effect here; only the primary is tried with REGISTER" },
	{ TAIL, TAIL "    servers: { name: sip.example.com }\n",
	  "25: servers: pair \"east\" has members too, in line 17; either list them, or have DNS "
	  "say "
	  "who they are" },
	{ TAIL, NAMED("{ name: sip.example.com }"),
	  "25: warning: pair \"west\": no service has it" },
	{ TAIL, NAMED("{ name: sip.example.com, port: 65535, transport: udp, family: ipv6 }"),
	  "25: warning: pair \"west\": no service has it" },
	{ TAIL,
	  TAIL "  - name: west\n    servers: { name: sip.example.com }\n"
	       "    oos-check: 300ms\n    probe: { transport: tls }\n    tls: { verify: no }\n",
	  "25: warning: pair \"west\"\n27: warning: oos-check: a probe over a stream has 300ms "
	  "only\n29: "
	  "warning: verify: without it" },
	{ TAIL, NAMED("{ port: 5060 }"),
	  "26: servers: there is no name; add the DNS name that stands for the servers of pair "
	  "\"west\"" },
	{ TAIL, NAMED("{ name: 198.51.100.7 }"),
	  "26: name: \"198.51.100.7\" is an address, and needs no DNS; write members instead of "
	  "servers" },
	{ TAIL, NAMED("{ name: a..b }"), "26: name: \"a..b\" is no DNS name" },
	{ TAIL, NAMED("{ name: sip.example.com, port: 65536 }"),
	  "26: port: \"65536\" is not a whole number from 0 to 65535" },
	{ TAIL, NAMED("{ name: sip.example.com, transport: tls }"), "26: transport: a stream" },
	{ TAIL, NAMED("{ name: sip.example.com, family: both }"),
	  "26: family: \"both\" is not any, ipv4 or ipv6" },
	{ TAIL, NAMED("{ name: sip.example.com, user: alice }"),
	  "26: user: \"alice\" has no password; add password, or remove user" },
	{ TAIL, NAMED("sip.example.com"),
	  "26: servers: this is a single value; it must be a mapping" },
	{ TAIL, TAIL "  - { name: west }\n",
	  "25: a pair has no \"members\"; it needs a list of mappings, or servers with a DNS "
	  "name" },
	{ TAIL,
	  WEST("  - { name: east, members: [ { name: a, role: primary, address: 198.51.100.31 }, { "
	       "name: b, role: backup, address: 198.51.100.32 } ] }\n"),
	  "29: pair \"east\": there is one of this name in line 16 already; give it another" },
	{ "[ east ]\n"
	  "pairs:\n",
	  "[ east, west ]\n"
	  "pairs:\n"
	  "  - { name: west, members: [ { name: a, role: primary, address: 198.51.100.12 }, { "
	  "name: b, role: backup, address: 198.51.100.22 } ] }\n",
	  "20: warning: address: 198.51.100.12:5060 is a member of pair \"west\" too, in line 16" },
};

/* ---- Egress and sources */

#define BOTH                                                                                  \
	"[ east, west ]\n"                                                                    \
	"pairs:\n"                                                                            \
	"  - { name: west, members: [ { name: a, role: primary, address: 198.51.100.21 }, { " \
	"name: b, role: backup, address: 198.51.100.22 } ], "

static const struct row place_rows[] = {
	{ TAIL, "    egress: [ \"udp:192.0.2.10:5070\" ]\n", NULL },
	{ TAIL, "    egress: [ \"udp:192.0.2.10:5060\" ]\n", NULL }, /* of its own service */
	{ TAIL, "    egress: [ \"udp:192.0.2.11:5070\" ]\n",
	  "24: egress: 192.0.2.11 is no address of a port; the ports' IPv4 addresses are "
	  "192.0.2.10" },
	{ TAIL, "    egress: [ \"udp:192.0.2.10:5070\", \"udp:192.0.2.10:5071\" ]\n",
	  "24: egress: pair \"east\" has an IPv4 address already; one of each family is possible" },
	{ TAIL, "    egress: [ \"udp:192.0.2.10:5070\", \"udp:[2001:db8::10]:5070\" ]\n", NULL },
	{ "[ east ]\n"
	  "pairs:\n",
	  BOTH "egress: [ \"udp:192.0.2.10:5070\" ] }\n", NULL },
	{ "    pairs: [ east ]\n"
	  "pairs:\n",
	  "    pairs: [ west ]\n  - { name: data, listen: [ \"udp:192.0.2.10:5062\" ], pairs: [ "
	  "east ] }\n"
	  "pairs:\n"
	  "  - { name: west, members: [ { name: a, role: primary, address: 198.51.100.21 }, { "
	  "name: b, role: backup, address: 198.51.100.22 } ], egress: [ \"udp:192.0.2.10:5062\" ] "
	  "}\n",
	  "17: egress: 192.0.2.10:5062 is the listener of a service that has not pair \"west\", in "
	  "line 15" },
	{ TAIL, "    sources: [ 198.51.100.0/28, 203.0.113.7 ]\n", NULL },
	{ TAIL, "    sources: [ 198.51.100.0/28, 198.51.100.0/28 ]\n",
	  "24: warning: sources: 198.51.100.0/28 is in line 24's already; it has no effect" },
	{ TAIL, "    sources: [ 198.51.100.3, 198.51.100.0/28 ]\n",
	  "24: warning: sources: 198.51.100.3/32 is in line 24's already; it has no effect" },
	{ TAIL, "    sources: [ 0.0.0.0/0 ]\n",
	  "24: sources: \"0.0.0.0/0\" holds every address: it would make each client a member" },
	{ TAIL, "    sources: [ 192.0.2.10 ]\n",
	  "24: sources: 192.0.2.10 is an address of our own; write the servers' addresses" },
	{ "[ east ]\n"
	  "pairs:\n",
	  BOTH "sources: [ 203.0.113.0/24 ] }\n", NULL },
};

static const struct row source_rows[] = {
	/* west has 203.0.113.0/24 and 2001:db8:1::/48 */
	{ TAIL, "    sources: [ 203.0.113.0/24 ]\n",
	  "25: sources: 203.0.113.0/24 is also pair \"west\"'s in line 16; whose request is it? "
	  "Remove one of them" },
	{ TAIL, "    sources: [ 203.0.113.7 ]\n",
	  "25: warning: sources: 203.0.113.7/32 is part of pair \"west\"'s in line 16" },
	{ TAIL, "    sources: [ 203.0.112.0/23 ]\n",
	  "16: warning: sources: 203.0.113.0/24 is part of pair \"east\"'s in line 25" },
	{ TAIL, "    sources: [ \"2001:db8:1:5::/64\" ]\n",
	  "25: warning: sources: 2001:db8:1:5::/64 is part of pair \"west\"'s in line 16" },
	{ TAIL, "    sources: [ \"2001:db8:2::/48\", 203.0.114.0/24, 203.0.112.0/24 ]\n", NULL },
};

/* ---- Timers that must fit together */

static const struct row timer_rows[] = {
	{ TIMERS, "    oos-check: 5s\n    oos-force: 6s\n",
	  "21: oos-force: 6s is longer than oos-check (5s); make it at most that long, or "
	  "oos-check longer" },
	{ TIMERS, "    oos-force: 6s\n",
	  "20: oos-force: 6s is longer than oos-check (5s, its default); make it at most" },
	{ TIMERS, "    oos-check: 0\n    oos-force: 6s\n", NULL },
	{ TIMERS, "    oos-check: 500ms\n", NULL },
	{ TAIL, "    probe-timeout: 29ms\n",
	  "24: probe-timeout: 29ms leaves no room for the 3 sends of a probe, 10ms apart" },
	{ TAIL, "    probe-timeout: 29ms\n    fall: 2\n", NULL },
	{ TAIL, "    probe-timeout: 30ms\n", NULL },
	{ TIMERS, "    oos-check: 0\n    probe-all: yes\n",
	  "21: warning: probe-all: it has no effect while oos-check is 0" },
	{ TIMERS, "    oos-check: 0\n    probe-all: no\n", NULL },
	/* Over streams */
	{ TAIL, "    probe: { transport: tcp }\n", NULL },
	{ TAIL, "    probe: { transport: sctp }\n",
	  "24: transport: \"sctp\" is not udp, tcp or tls" },
	{ TAIL, "    probe: { transport: tcp }\n    probe-timeout: 499ms\n",
	  "25: warning: probe-timeout: a probe over a stream has 499ms only" },
	{ TIMERS, "    oos-check: 400ms\n    oos-force: 400ms\n    probe: { transport: tls }\n",
	  "20: warning: oos-check: a probe over a stream has 400ms only" },
	{ TAIL, "    probe: { port: 65535, source: [ 192.0.2.10, \"2001:db8::10\" ] }\n", NULL },
	{ TAIL, "    probe: { source: [ 192.0.2.11 ] }\n",
	  "24: source: 192.0.2.11 is no address of a port; probes can only come from one" },
	{ "    addresses: [ 192.0.2.10/24,", "    addresses: [ 192.0.2.10/24, 192.0.2.9/24,",
	  NULL },
	/* Certificates */
	{ TAIL, "    tls: { server-name: example.com }\n",
	  "24: warning: tls: it has no effect: nothing of pair \"east\" is over TLS" },
	{ TAIL, "    probe: { transport: tls }\n    tls: { server-name: example.com }\n", NULL },
	{ TAIL, "    probe: { transport: tls }\n    tls: { server-name: \"a b\" }\n",
	  "25: server-name: \"a b\" is not a domain name, such as sip.example.com, or an address" },
	{ TAIL, "    probe: { transport: tls }\n    tls:\n      verify: no\n",
	  "26: warning: verify: without it, anybody on the way can pass for the server" },
	{ TAIL, "    probe: { transport: tls }\n    tls:\n      cert: /etc/ssl/x.pem\n",
	  "26: cert: it has no key; add key, or remove cert" },
	{ TAIL, "    probe: { transport: tls }\n    tls:\n      key: /etc/ssl/x.pem\n",
	  "26: key: there is no cert for it; add cert, or remove key" },
	{ TAIL, "    probe: { transport: tls }\n    tls:\n      ca: /nowhere/ca.pem\n",
	  "26: ca: \"/nowhere/ca.pem\" cannot be used: No such file or directory" },
	{ "transport: udp }", "transport: udp, server-name: a.example.com }",
	  "18: warning: server-name: it has no effect: nothing is over TLS" },
	{ "failback: [ timed ]", "failback: []",
	  "23: warning: failback-interval: it has no effect without timed in failback\n24: "
	  "warning: failback-hold: it has no effect while failback is empty" },
	{ "failback: [ timed ]", "failback: [ immediate, timed ]",
	  "22: warning: failback: timed never gets its turn beside immediate" },
	{ TAIL, "    signal-methods: [ INVITE ]\n",
	  "24: warning: signal-methods: it has no effect without signal in failback" },
	{ "[ timed ]", "[ timed, signal ]", NULL },
	{ TAIL, "    failover-methods: []\n    shares: [ transactions ]\n    retry-counts: 4\n",
	  "25: warning: shares: it has no effect while failover-methods is empty\n26: warning: "
	  "retry-counts: it has no effect" },
	{ "workers: 1", "record-hold: 5s", "4: warning: record-hold: below 32s (64*T1)" },
	{ "workers: 1", "workers: 4\nworker-cpus: 1-3",
	  "5: worker-cpus: \"1-3\" names 3 for 4 workers; each needs one of its own" },
	{ "workers: 1", "workers: 4\nworker-cpus: 1-3,5", NULL },
	{ "workers: 1", "workers: 8",
	  "4: warning: memory: 512M is little for 32767 packet-buffers" },
	{ "workers: 1", "packet-buffers: 1000000",
	  "4: warning: memory: 512M is little for 1000000 packet-buffers for each of 1 workers; "
	  "they need about 2441M" },
	{ "/etc/sipsteer/keys", "/run/sipsteer/control.sock",
	  "3: key-file: \"/run/sipsteer/control.sock\" is the control-socket too" },
	{ "control-socket: /run/sipsteer/control.sock", "control-socket: run/x",
	  "1: control-socket: \"run/x\" is not a file's path from the root" },
};

/* "LINE: a\nLINE: b" against "test.yaml:LINE: a...\ntest.yaml:LINE: b...\n" */
static bool says_so(const char *said, const char *want)
{
	while (want && *want) {
		size_t len = strcspn(want, "\n");
		char line[2048];

		snprintf(line, sizeof(line), "test.yaml:%.*s", (int)len, want);
		if (strncmp(said, line, strlen(line)) != 0)
			return false;
		said = strchr(said, '\n');
		if (!said)
			return false;
		said++;
		want += len;
		want += *want == '\n';
	}
	return *said == '\0';
}

static void check_rows(const struct row *rows, size_t n)
{
	static char said[65536];

	for (size_t i = 0; i < n; i++) {
		char *text = config_vary(rows[i].what, rows[i].with);
		struct ctl_model *m = config_try(text, said, sizeof(said));
		bool error = false;

		cr_expect(says_so(said, rows[i].says), "%s\n-> wanted\n%s\n-> got\n%s",
			  rows[i].with, rows[i].says ? rows[i].says : "nothing", said);
		for (const char *l = said; l && *l;
		     l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL)
			error |= strncmp(strstr(l, ": ") + 2, "warning: ", 9) != 0;
		cr_expect_eq(m == NULL, error, "%s", rows[i].with);
		ctl_model_free(m);
		free(text);
	}
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

Test(config_bad, form)
{
	CHECK(form_rows);
}

Test(config_bad, ranges)
{
	CHECK(range_rows);
}

Test(config_bad, ports)
{
	CHECK(port_rows);
}

Test(config_bad, services)
{
	CHECK(service_rows);
}

Test(config_bad, pairs)
{
	CHECK(pair_rows);
}

Test(config_bad, places)
{
	CHECK(place_rows);
}

Test(config_bad, timers)
{
	CHECK(timer_rows);
}

Test(config_bad, sources_of_two_pairs)
{
	static char said[65536];

	for (size_t i = 0; i < sizeof(source_rows) / sizeof(source_rows[0]); i++) {
		char *one = config_vary("[ east ]\npairs:\n", BOTH
					"sources: [ 203.0.113.0/24, \"2001:db8:1::/48\" ] }\n");
		char *at = strstr(one, TAIL);
		char text[4096];

		cr_assert_not_null(at);
		snprintf(text, sizeof(text), "%.*s%s", (int)(at - one), one, source_rows[i].with);
		ctl_model_free(config_try(text, said, sizeof(said)));
		cr_expect(says_so(said, source_rows[i].says), "%s\n-> wanted\n%s\n-> got\n%s",
			  source_rows[i].with,
			  source_rows[i].says ? source_rows[i].says : "nothing", said);
		free(one);
	}
}

/* What a member may be reached from: a listener, or an egress address, of its own family. */
static const struct {
	const char *listen, *egress, *member;
	bool good;
} families[] = {
	{ "udp:192.0.2.10", "", "198.51.100.1", true },
	{ "\"udp:[2001:db8::10]\"", "", "198.51.100.1", false },
	{ "\"udp:[2001:db8::10]\"", "udp:192.0.2.10", "198.51.100.1", true },
	{ "\"udp:[2001:db8::10]\"", "\"udp:[2001:db8::10]:5070\"", "198.51.100.1", false },
	{ "udp:192.0.2.10", "", "2001:db8::1", false },
	{ "udp:192.0.2.10", "\"udp:[2001:db8::10]\"", "2001:db8::1", true },
	{ "udp:192.0.2.10", "\"udp:192.0.2.10:5070\"", "2001:db8::1", false },
	{ "udp:192.0.2.10, \"udp:[2001:db8::10]\"", "", "2001:db8::1", true },
};

Test(config_bad, families)
{
	static char said[4096];
	char text[2048];

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct ctl_model *m;

		snprintf(text, sizeof(text),
			 "ports: [ { name: net0, device: net_tap0, addresses: [ 192.0.2.10/24, "
			 "\"2001:db8::10/64\" ] } ]\n"
			 "services: [ { name: s, listen: [ %s ], pairs: [ p ] } ]\n"
			 "pairs:\n"
			 "  - name: p\n    egress: [ %s ]\n    members:\n"
			 "      - { name: a, role: primary, address: \"%s\" }\n",
			 families[i].listen, families[i].egress, families[i].member);
		m = config_try(text, said, sizeof(said));
		cr_expect_eq(m != NULL, families[i].good, "%s, %s, %s: %s", families[i].listen,
			     families[i].egress, families[i].member, said);
		cr_expect_eq(strstr(said, "test.yaml:7: address: ") && strstr(said, "to send from"),
			     !families[i].good, "%s", said);
		ctl_model_free(m);
	}
}

/* Everything at once, in the order of the lines. */
Test(config_bad, all_errors_in_order)
{
	static char said[65536];
	struct ctl_model *m = config_try("workers: 0\n"
					 "idle: pol\n"
					 "ports: []\n"
					 "services:\n"
					 "  - name: a b\n"
					 "    listen: [ x ]\n"
					 "    pairs: [ nobody ]\n"
					 "pairs:\n"
					 "  - name: east\n"
					 "    members: [ { name: e, role: primary } ]\n"
					 "    fall: 0\n",
					 said, sizeof(said));
	unsigned int last = 0, line, n = 0;

	cr_expect_null(m);
	for (const char *l = said; *l; l = strchr(l, '\n') + 1, n++) {
		cr_assert_eq(sscanf(l, "test.yaml:%u:", &line), 1, "%s", l);
		cr_expect_geq(line, last, "%s", l);
		last = line;
	}
	cr_expect_eq(n, 8, "%s", said);
}
