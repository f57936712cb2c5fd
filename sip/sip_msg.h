/*
 * The message view: one pass over a flat buffer fills a caller's struct sip_msg with offsets into
 * that buffer.
 *
 * Zero copy, no allocation, no I/O, no clock, libc only. A view borrows the buffer: it is good for
 * as long as the caller keeps the bytes where and as they are. Every function here is pure and may
 * be called from any thread.
 *
 * Offsets are 16 bits wide: a message is at most SIP_MSG_MAX bytes (RFC 3261 18.1.1 bounds a UDP
 * message by 65,535).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIP_MSG_MAX 65535 /* bytes of a message, body included */
#define SIP_HDR_MAX 256   /* header fields of a message; one more is SIP_ERR_TOO_MANY_HEADERS */

/* Values and parameters of one walk over a list (Via, Route, ...), parameters of one Via, name-addr
 * or URI, and quoted strings of one display name; one more is malformed. It bounds what a message
 * of nothing but separators can cost. */
#define SIP_WALK_MAX 1024

/** Bytes [off, off + len) of the message. len 0 means absent or empty; off is then unspecified. */
struct sip_span {
	uint16_t off;
	uint16_t len;
};

/** Methods that the product knows by name; any other token is SIP_METHOD_OTHER (RFC 3261 and its
 * extensions). */
enum sip_method {
	SIP_METHOD_OTHER,
	SIP_METHOD_INVITE,
	SIP_METHOD_ACK,
	SIP_METHOD_BYE,
	SIP_METHOD_CANCEL,
	SIP_METHOD_REGISTER,
	SIP_METHOD_OPTIONS,
	SIP_METHOD_PRACK,
	SIP_METHOD_SUBSCRIBE,
	SIP_METHOD_NOTIFY,
	SIP_METHOD_PUBLISH,
	SIP_METHOD_INFO,
	SIP_METHOD_REFER,
	SIP_METHOD_MESSAGE,
	SIP_METHOD_UPDATE,
	SIP_METHOD_N,
};

/** Header names that the product knows, compact forms included; any other name is SIP_HDR_OTHER. */
enum sip_hdr_id {
	SIP_HDR_OTHER,
	SIP_HDR_VIA,
	SIP_HDR_ROUTE,
	SIP_HDR_RECORD_ROUTE,
	SIP_HDR_MAX_FORWARDS,
	SIP_HDR_FROM,
	SIP_HDR_TO,
	SIP_HDR_CALL_ID,
	SIP_HDR_CSEQ,
	SIP_HDR_CONTACT,
	SIP_HDR_EXPIRES,
	SIP_HDR_CONTENT_LENGTH,
	SIP_HDR_CONTENT_TYPE,
	SIP_HDR_RETRY_AFTER,
	SIP_HDR_AUTHORIZATION,
	SIP_HDR_PROXY_AUTHORIZATION,
	SIP_HDR_WWW_AUTHENTICATE,
	SIP_HDR_PROXY_AUTHENTICATE,
	SIP_HDR_SUPPORTED,
	SIP_HDR_REQUIRE,
	SIP_HDR_PROXY_REQUIRE,
	SIP_HDR_UNSUPPORTED,
	SIP_HDR_PATH,
	SIP_HDR_SERVICE_ROUTE,
	SIP_HDR_REPLACES,
	SIP_HDR_JOIN,
	SIP_HDR_REFER_TO,
	SIP_HDR_RESOURCE_PRIORITY,
	SIP_HDR_EVENT,
	SIP_HDR_ALLOW,
	SIP_HDR_USER_AGENT,
	SIP_HDR_SERVER,
	SIP_HDR_SUBJECT,
	SIP_HDR_N, /* at most 64: `present` is a 64-bit set */
};

/** One header field line (folded continuation lines included). */
struct sip_hdr {
	uint16_t name_off;
	uint16_t value_off; /* first byte after the colon and its white space */
	uint16_t value_len; /* without trailing white space and line end */
	uint8_t name_len;   /* a longer name than 255 is SIP_ERR_HEADER_NAME */
	uint8_t id;         /* enum sip_hdr_id */
};

/** What is wrong with a message; `sip_result_name()` gives the stable name used in counters and
 * logs. */
enum sip_result {
	SIP_OK,
	SIP_ERR_EMPTY,       /* nothing but CRLF or no byte at all: a keep-alive, RFC 5626 4.4.1 */
	SIP_ERR_TOO_LARGE,   /* longer than SIP_MSG_MAX: 513 */
	SIP_ERR_NOT_SIP,     /* the first line is neither a request line nor a status line */
	SIP_ERR_VERSION,     /* a request line with a version other than SIP/2.0: 505 */
	SIP_ERR_START_LINE,  /* a request or status line that is SIP, but malformed: 400 */
	SIP_ERR_NO_END,      /* no blank line after the headers */
	SIP_ERR_HEADER_NAME, /* a line that is no header: no colon, empty or overlong name */
	SIP_ERR_TOO_MANY_HEADERS, /* more than SIP_HDR_MAX: 513 */
	SIP_ERR_MISSING_VIA,
	SIP_ERR_MISSING_FROM,
	SIP_ERR_MISSING_TO,
	SIP_ERR_MISSING_CALL_ID,
	SIP_ERR_MISSING_CSEQ,
	SIP_ERR_VIA,
	SIP_ERR_FROM,
	SIP_ERR_TO,
	SIP_ERR_CALL_ID,
	SIP_ERR_CSEQ,
	SIP_ERR_CSEQ_METHOD, /* CSeq's method is not the request's: RFC 3261 8.1.1.5 */
	SIP_ERR_DUPLICATE, /* a second From, To, Call-ID, CSeq, Max-Forwards or Content-Length: RFC
			      4475 3.3.8 */
	SIP_ERR_CONTENT_LENGTH, /* not a number, or larger than what is there (RFC 3261 18.3) */
	SIP_ERR_MAX_FORWARDS,
	SIP_ERR_N,
};

/** The mandatory fields that an answer copies, a bit for each that is there to be copied, be it
 * well formed or not (of the top Via, sent-by must be). sip_msg_answerable() looks at these. */
enum sip_decoded {
	SIP_DECODED_VIA = 0x01,
	SIP_DECODED_FROM = 0x02,
	SIP_DECODED_TO = 0x04,
	SIP_DECODED_CALL_ID = 0x08,
	SIP_DECODED_CSEQ = 0x10,
	SIP_DECODED_ALL = 0x1f,
};

/** The top Via's decoded fields, and those of any Via that an iterator returns. RFC 3261 20.42, RFC
 * 3581. */
struct sip_via {
	struct sip_span value; /* the whole via-parm, from "SIP/2.0/..." to the last parameter */
	struct sip_span transport; /* "UDP" */
	struct sip_span host;      /* sent-by host; an IPv6 reference keeps its brackets */
	struct sip_span branch;    /* value of branch, magic cookie included */
	struct sip_span received;  /* value */
	struct sip_span rport;     /* value */
	struct sip_span maddr;     /* value */
	struct sip_span ttl;       /* value */
	struct sip_span params;    /* from the first ';' to the end of the via-parm */
	uint16_t port;             /* sent-by port, 0 when absent */
	bool has_rport;            /* rport is there, with or without a value */
	bool has_received;
	/* The whole parameter with its ';', for edits; len 0 when absent. */
	struct sip_span rport_param;
	struct sip_span received_param;
};

/**
 * A parsed message. Filled by sip_msg_parse(); read with the accessors below. The fields above
 * `hdr` are decoded eagerly because steering needs them for every message; everything else is
 * decoded on demand from `hdr`.
 */
struct sip_msg {
	const uint8_t *buf;
	uint32_t len;      /* bytes of the message: up to the body's end by Content-Length, else the
			      datagram's */
	uint16_t err_off;  /* where the first error was seen, when the result is not SIP_OK */
	uint16_t body_off; /* first byte after the blank line */
	bool is_request;
	uint8_t method;              /* enum sip_method: the request's, or, in a response, CSeq's */
	uint16_t status;             /* 100 to 699, 0 in a request */
	struct sip_span method_name; /* request: its token; response: CSeq's token */
	struct sip_span uri;         /* Request-URI */
	struct sip_span reason;      /* reason phrase */
	uint16_t hdrs_off;           /* first byte of the first header line */
	uint16_t hdrs_end; /* first byte of the blank line, or of the line that ended the parse */
	uint16_t n_hdrs;
	uint8_t decoded; /* set of enum sip_decoded */
	/* Perhaps there is another Via, or another Route line: false when surely there is none. */
	bool more_vias : 1;
	bool more_routes : 1;
	uint64_t present;   /* bit n set: a header with id n is there */
	struct sip_via via; /* topmost Via */
	struct sip_span call_id;
	uint32_t cseq;
	uint32_t max_forwards;    /* when present has SIP_HDR_MAX_FORWARDS */
	uint32_t content_length;  /* when present has SIP_HDR_CONTENT_LENGTH */
	struct sip_span from_uri; /* addr-spec, without < > */
	struct sip_span from_tag; /* value */
	struct sip_span to_uri;
	struct sip_span to_tag;
	uint16_t first[SIP_HDR_N]; /* index in hdr of the first header with that id, valid when its
				      present bit is set */
	struct sip_hdr hdr[SIP_HDR_MAX];
};

/**
 * Parse one message that fills a datagram, or one that sip_frame cut out of a stream.
 *
 * Checks what a proxy must check (RFC 3261 16.3 item 1: be liberal with what it does not need);
 * docs/SIP.md lists every leniency. On an error the fields seen so far are valid: `is_request`,
 * `method`, `present`, `hdr` up to `n_hdrs`, and, if their present bits are set and err_off is
 * beyond them, the decoded ones, so that an answer can be built where the RFC allows one
 * (sip_msg_answerable()).
 *
 * @param m    Out: the view; borrows buf. Need not be initialised.
 * @param buf  The bytes; nothing beyond buf + len is read.
 * @param len  Bytes in buf.
 * @return     SIP_OK, or what is wrong; m->err_off tells where.
 */
enum sip_result sip_msg_parse(struct sip_msg *m, const uint8_t *buf, size_t len);

/**
 * Whether a 4xx/5xx can be built for a request whose parse failed: it is a request other than ACK,
 * its top Via names where it came from, and there is a From, To, Call-ID and CSeq to be copied (RFC
 * 3261 8.2.6.2). They need not be well formed: RFC 4475 3.1.2.1, 3.1.2.4 and 3.1.2.6 want a 400 for
 * a Via, CSeq or To that is not.
 */
bool sip_msg_answerable(const struct sip_msg *m);

/** First header with that id, or NULL. Borrowed from m. */
const struct sip_hdr *sip_msg_hdr(const struct sip_msg *m, enum sip_hdr_id id);

/** Next header with the same id after h, or NULL. */
const struct sip_hdr *sip_msg_hdr_next(const struct sip_msg *m, const struct sip_hdr *h);

/** First byte of the header's line. */
static inline uint16_t sip_hdr_start(const struct sip_hdr *h)
{
	return h->name_off;
}

/** Offset of the byte after the header's line end. h is one of m->hdr, of a message that parsed. */
uint16_t sip_hdr_end(const struct sip_msg *m, const struct sip_hdr *h);

static inline bool sip_msg_has(const struct sip_msg *m, enum sip_hdr_id id)
{
	return (m->present >> id) & 1;
}

static inline const uint8_t *sip_at(const struct sip_msg *m, struct sip_span s)
{
	return m->buf + s.off;
}

/** Whether the span equals a string, byte for byte. */
bool sip_span_is(const uint8_t *buf, struct sip_span s, const char *text);

/** Whether the span equals a string, ASCII case ignored. */
bool sip_span_is_nocase(const uint8_t *buf, struct sip_span s, const char *text);

/** Whether a comma-separated list of tokens (Supported, Require, ...), over all headers with that
 * id, holds a token; looks at the first SIP_WALK_MAX. */
bool sip_msg_list_has(const struct sip_msg *m, enum sip_hdr_id id, const char *token);

/**
 * Decode a header's value as a number (Expires, Retry-After up to its comment or parameters, ...).
 * @return 0, or -EINVAL when it is no number or does not fit 32 bits; *value is then untouched.
 */
int sip_hdr_u32(const struct sip_msg *m, const struct sip_hdr *h, uint32_t *value);

const char *sip_method_name(enum sip_method method);
const char *sip_hdr_name(enum sip_hdr_id id);
const char *sip_result_name(enum sip_result result);

/** Walks all Vias of a message, top first, through several headers and comma lists. */
struct sip_via_iter {
	const struct sip_msg *msg;
	const struct sip_hdr *hdr;
	uint16_t off;  /* where the next via-parm starts in hdr */
	uint16_t left; /* of SIP_WALK_MAX */
};

void sip_via_iter_init(struct sip_via_iter *it, const struct sip_msg *m);

/** @return 1 with *via filled, 0 at the end, -EINVAL at a malformed Via (it->off tells where). */
int sip_via_iter_next(struct sip_via_iter *it, struct sip_via *via);

/**
 * Decode a Via line that is one via-parm as most are, quicker than the walk above: without white
 * space but for the one behind the transport, or quotes, and with no IPv6 reference.
 *
 * @param m    A message that was parsed without an error.
 * @param h    One of m->hdr with SIP_HDR_VIA.
 * @param via  Out: what sip_via_iter_next() says of it; unspecified when it is not of that form.
 * @return whether it is of that form; another one may be good, too.
 */
bool sip_via_plain(const struct sip_msg *m, const struct sip_hdr *h, struct sip_via *via);
