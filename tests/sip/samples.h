/* Messages that several tests use. */
#pragma once

/* RFC 3261 24.2 F1, as the first proxy sees it, with a body. */
#define SAMPLE_INVITE                                                                    \
	"INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"                                  \
	"Via: SIP/2.0/UDP pc33.atlanta.example.com:5062;branch=z9hG4bKnashds8;rport\r\n" \
	"Max-Forwards: 70\r\n"                                                           \
	"To: Bob <sip:bob@biloxi.example.com>\r\n"                                       \
	"From: \"Alice\" <sip:alice@atlanta.example.com>;tag=1928301774\r\n"             \
	"Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n"                           \
	"CSeq: 314159 INVITE\r\n"                                                        \
	"Contact: <sip:alice@pc33.atlanta.example.com>\r\n"                              \
	"Supported: 100rel, timer\r\n"                                                   \
	"X-Note: anything\r\n"                                                           \
	"Content-Type: application/sdp\r\n"                                              \
	"Content-Length: 4\r\n"                                                          \
	"\r\n"                                                                           \
	"v=0\n"

/* RFC 3261 24.2 F12 in shape: a response with three Vias, two of them on one line. */
#define SAMPLE_OK                                                                              \
	"SIP/2.0 200 OK\r\n"                                                                   \
	"Via: SIP/2.0/UDP lb.example.com;branch=z9hG4bK4b43c2ff8.1;received=192.0.2.3, "       \
	"SIP/2.0/TCP [2001:db8::9:1]:5070;branch=z9hG4bK77ef4c2312983.1;rport=5061\r\n"        \
	"v: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bKnashds8;received=192.0.2.1\r\n" \
	"Record-Route: <sip:p2.example.com;lr>,<sip:p1.example.com;lr>\r\n"                    \
	"t: Bob <sip:bob@biloxi.example.com>;tag=a6c85cf\r\n"                                  \
	"f: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n"                          \
	"i: a84b4c76e66710@pc33.atlanta.example.com\r\n"                                       \
	"CSeq: 314159 INVITE\r\n"                                                              \
	"m: <sip:bob@192.0.2.4>\r\n"                                                           \
	"l: 0\r\n"                                                                             \
	"\r\n"
