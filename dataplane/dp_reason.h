/*
 * Why a packet was not forwarded: one list for the counter's index, its stable name (CLI, JSON,
 * metrics) and its help.
 *
 * DROP: lost to its sender. ABSORB: did what it came for and ends here by rule. Order is that of
 * the packet's life. Append within a group; names are stable once released.
 */
#pragma once

#define DP_REASONS(X)                                                                            \
	/* Ethernet, IP, UDP */                                                                  \
	X(L2_SHORT, "l2-short", "frame shorter than its headers say")                            \
	X(VLAN_UNKNOWN, "vlan-unknown", "VLAN of a device on which no port has that VLAN")       \
	X(IP_HEADER, "ip-header", "bad IP version, header length or total length")               \
	X(IP_CHECKSUM, "ip-checksum", "IPv4 header checksum is wrong")                           \
	X(IP_OPTIONS, "ip-options", "IPv4 options or IPv6 extension headers that are malformed") \
	X(IP_FRAGMENT, "ip-fragment",                                                            \
	  "fragment whose length or place cannot be, or that contradicts its datagram")          \
	X(FRAG_OVERLAP, "fragment-overlap",                                                      \
	  "fragment of a datagram whose fragments overlap (RFC 5722)")                           \
	X(FRAG_DUPLICATE, "fragment-duplicate", "fragment that came before")                     \
	X(FRAG_TIMEOUT, "fragment-timeout", "fragment of a datagram that was not whole in time") \
	X(FRAG_LIMIT, "fragment-limit",                                                          \
	  "fragment that had to go: too many, of its datagram, of its source or of all")         \
	X(UDP_LENGTH, "udp-length", "UDP length does not fit the packet")                        \
	X(UDP_CHECKSUM, "udp-checksum", "UDP checksum is wrong, or zero over IPv6")              \
	X(ICMP_CHECKSUM, "icmp-checksum", "ICMP error about a packet of ours, checksum wrong")   \
	X(ICMP_QUOTE, "icmp-quote", "ICMP error whose quoted packet is malformed")               \
	X(ICMP_IGNORED, "icmp-ignored",                                                          \
	  "ICMP error about a packet of ours, of a kind that is not acted on (RFC 3261 18.4)")   \
	X(ICMP_UNPROVEN, "icmp-unproven",                                                        \
	  "ICMP error that quotes nothing by which a packet of ours can be told")                \
	X(ICMP_ABSORBED, "icmp-absorbed", "ICMP error about a packet of ours, absorbed")         \
	X(SRC_MULTICAST, "src-multicast",                                                        \
	  "source is multicast, broadcast, unspecified or our own")                              \
	X(SRC_PORT_ZERO, "src-port-zero", "source port is 0")                                    \
	X(HANDOVER_FULL, "handover-full", "ring to the worker that it belongs to is full")       \
	X(NO_SNAPSHOT, "no-snapshot", "no configuration has been published yet")                 \
	X(ACCESS_DENIED, "access-denied", "from an address that the service does not admit")     \
	X(REQUEST_LIMITED, "request-limited", "request of a source that has had its share")      \
	/* Keep-alives, absorbed */                                                              \
	X(KEEPALIVE, "keepalive",                                                                \
	  "CRLF or empty datagram: a keep-alive (RFC 5626 4.4.1), absorbed")                     \
	X(STUN_MALFORMED, "stun-malformed",                                                      \
	  "STUN message that is no binding request, or malformed")                               \
	/* SIP syntax */                                                                         \
	X(SIP_NOT_SIP, "sip-not-sip", "no request line and no status line")                      \
	X(SIP_MALFORMED, "sip-malformed",                                                        \
	  "malformed SIP for which no answer is allowed or possible")                            \
	X(SIP_TOO_LARGE, "sip-too-large", "message larger than the limit")                       \
	/* Responses */                                                                          \
	X(RESP_VIA_FOREIGN, "response-via-foreign",                                              \
	  "response whose top Via is not ours (RFC 3261 16.7 item 3)")                           \
	X(RESP_VIA_FORGED, "response-via-forged",                                                \
	  "response whose top Via looks like ours, but its tag is wrong")                        \
	X(RESP_NO_NEXT_VIA, "response-no-next-via", "response with no Via below ours")           \
	X(RESP_UNROUTABLE, "response-unroutable", "response whose next Via names no IP address") \
	X(RESP_SOURCE, "response-source",                                                        \
	  "response from a source that the request was not sent to")                             \
	X(RESP_ABSORBED, "response-absorbed",                                                    \
	  "response of a branch that was given up or superseded (RFC 3261 16.7), absorbed")      \
	/* Requests */                                                                           \
	X(REQ_ACK_UNROUTABLE, "ack-unroutable", "ACK that fits no transaction and no dialog")    \
	X(REQ_ACK_ABSORBED, "ack-absorbed",                                                      \
	  "ACK for a final response of our own (RFC 3261 17.2.1), absorbed")                     \
	X(REQ_ABSORBED, "request-absorbed",                                                      \
	  "retransmission or CANCEL that the appliance itself sees to, absorbed")                \
	X(REQ_RELAY, "request-relay",                                                            \
	  "client's request that names a foreign next hop, answered 403 where allowed")          \
	X(REQ_UNROUTABLE, "request-unroutable",                                                  \
	  "no next hop could be found and no answer is allowed")                                 \
	X(REQ_NOT_MEMBER, "request-not-member",                                                  \
	  "request to an egress address from a source that is no member")                        \
	X(ANSWER_LIMITED, "answer-limited", "own answer withheld: the source has had its share") \
	X(ANSWER_FORBIDDEN, "answer-forbidden",                                                  \
	  "own answer withheld: ACK, multicast, own address or port 0")                          \
	X(NO_ROOM, "no-room", "the edited message would be larger than a datagram can be")       \
	/* Leaving */                                                                            \
	X(NO_ROUTE, "no-route", "no route to the next hop")                                      \
	X(NEIGH_UNRESOLVED, "neigh-unresolved",                                                  \
	  "next hop was not resolved in time, or too many packets wait for it")                  \
	X(TOO_BIG, "too-big", "packet larger than the egress MTU")                               \
	X(TX_FULL, "tx-full", "transmit queue full")                                             \
	X(NO_MBUF, "no-mbuf", "no packet buffer")                                                \
	/* To the kernel, beyond the limit of a class */                                         \
	X(PUNT_NEIGHBOURS, "kernel-neighbours-limited", "ARP or discovery beyond its limit")     \
	X(PUNT_PING, "kernel-ping-limited", "ping or other ICMP beyond its limit")               \
	X(PUNT_ROUTING, "kernel-routing-limited", "routing protocols beyond their limit")        \
	X(PUNT_PROBES, "kernel-probes-limited", "answers to our probes beyond their limit")      \
	X(PUNT_REST, "kernel-rest-limited", "anything else for the kernel beyond its limit")     \
	X(KERNEL_FULL, "kernel-full", "exception netdev's queue full")

enum dp_reason {
#define X(id, name, help) DP_REASON_##id,
	DP_REASONS(X)
#undef X
		DP_REASON_N
};

/** Stable name of a reason ("udp-checksum"). */
const char *dp_reason_name(enum dp_reason reason);

/** One-line explanation of a reason. */
const char *dp_reason_help(enum dp_reason reason);
