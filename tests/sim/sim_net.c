/*
 * The network, the servers' SIP stacks and the attacker; to the prober it is what
 * control/probe/ctl_probe_udp.c is elsewhere, so that the transactions above it are the real ones.
 *
 * A datagram is lost, doubled, mangled and delayed on its way there and back; jitter reorders.
 * While an instance does not get to run, what arrives waits in its socket.
 */
#include <stdlib.h>
#include <string.h>

#include "control/probe/ctl_probe_msg.h"
#include "control/probe/ctl_probe_udp.h"
#include "tests/sim/sim.h"

#define OWN_PORT 40000
#define SIZE     2048

/** What waits in the socket. */
struct arrived {
	struct arrived *next;
	bool icmp;
	uint32_t type_code;
	struct dp_endpoint peer;
	bool genuine;
	size_t len;
	char text[];
};

struct ctl_udp_sock {
	struct ctl_udp *u;
	bool open;
};

struct ctl_udp {
	struct ctl_udp_handler h;
	struct sim_instance *in;
	struct ctl_udp_sock sock;
	struct arrived *first, **last;
};

enum { RESPONSE, ICMP, FORGED, FORGED_ICMP };

static struct dp_endpoint place(unsigned int pair, unsigned int host)
{
	struct dp_endpoint e = { .port = 5060, .transport = DP_UDP };

	memset(e.ip.b + 10, 0xff, 2);
	e.ip.b[12] = 10;
	e.ip.b[13] = 1;
	e.ip.b[14] = (uint8_t)pair;
	e.ip.b[15] = (uint8_t)host;
	return e;
}

/* ---- Into the prober */

static struct sim_probe *probe_of(struct sim_instance *in, const char *text, size_t len)
{
	const char *branch = ctl_probe_find_branch(text, len);
	struct sim_probe *pr = branch != NULL ? in->probes : NULL;

	while (pr != NULL && memcmp(pr->branch, branch, CTL_PROBE_TOKEN) != 0)
		pr = pr->next;
	return pr;
}

static uint64_t counted(const struct sim_instance *in, enum ctl_probe_count c)
{
	return ctl_prober_counts(in->prober)[c];
}

/* A server's own response ends its probe, or is late; there is nothing else that it may do. */
static void hand_genuine(struct ctl_udp *u, const struct arrived *a)
{
	struct sim_instance *in = u->in;
	const struct sim_probe *pr = probe_of(in, a->text, a->len);
	unsigned int pair = pr != NULL ? pr->pair : SIM_PAIRS;
	uint64_t taken = counted(in, CTL_PROBE_ANSWERED) + counted(in, CTL_PROBE_CHALLENGED)
			 + counted(in, CTL_PROBE_PROVISIONAL);
	uint64_t late = counted(in, CTL_PROBE_LATE) + counted(in, CTL_PROBE_DUPLICATE)
			+ counted(in, CTL_PROBE_OTHER_BRANCH);

	u->h.datagram(u->h.arg, a->text, a->len, &a->peer);
	taken = counted(in, CTL_PROBE_ANSWERED) + counted(in, CTL_PROBE_CHALLENGED)
		+ counted(in, CTL_PROBE_PROVISIONAL) - taken;
	late = counted(in, CTL_PROBE_LATE) + counted(in, CTL_PROBE_DUPLICATE)
	       + counted(in, CTL_PROBE_OTHER_BRANCH) - late;
	if (pr != NULL ? taken != 1 || late != 0 : taken != 0 || late != 1)
		sim_fail(in->w, in, pair,
			 "a server's response to %s probe was taken %u times, thrown away %u times",
			 pr != NULL ? "an open" : "an ended", (unsigned int)taken,
			 (unsigned int)late);
}

static struct ctl_pair_state before_attack[SIM_PAIRS];

/* What nobody of ours sent must leave everything as it is. */
static void hand_forged(struct ctl_udp *u, const struct arrived *a)
{
	struct sim_instance *in = u->in;
	uint64_t serial = in->timers.serial, taken = counted(in, CTL_PROBE_ANSWERED);
	struct ctl_timer *root = in->timers.root;
	const struct ctl_pairs_pair *rp;

	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		if ((rp = sim_pair(in, p)) != NULL)
			before_attack[p] = rp->st;
	}
	in->w->stats.forged++;
	if (a->icmp)
		u->h.icmp(u->h.arg, a->type_code, a->text, a->len, &a->peer);
	else
		u->h.datagram(u->h.arg, a->text, a->len, &a->peer);
	if (in->timers.serial != serial || in->timers.root != root
	    || counted(in, CTL_PROBE_ANSWERED) != taken)
		sim_fail(in->w, in, SIM_PAIRS, "a forged %s ended a probe or moved a timer",
			 a->icmp ? "ICMP error" : "response");
	for (unsigned int p = 0; p < SIM_PAIRS; p++) {
		if ((rp = sim_pair(in, p)) != NULL
		    && memcmp(&before_attack[p], &rp->st, sizeof(rp->st)) != 0)
			sim_fail(in->w, in, p, "a forged %s changed the state",
				 a->icmp ? "ICMP error" : "response");
	}
}

static void hand(struct ctl_udp *u, const struct arrived *a)
{
	if (!a->genuine)
		hand_forged(u, a);
	else if (a->icmp)
		u->h.icmp(u->h.arg, a->type_code, a->text, a->len, &a->peer);
	else
		hand_genuine(u, a);
}

void ctl_udp_drain(struct ctl_udp *u)
{
	while (u->first != NULL) {
		struct arrived *a = u->first;

		u->first = a->next;
		if (u->first == NULL)
			u->last = &u->first;
		hand(u, a);
		free(a);
	}
}

void sim_net_forget(struct sim_instance *in)
{
	while (in->udp != NULL && in->udp->first != NULL) {
		struct arrived *a = in->udp->first;

		in->udp->first = a->next;
		free(a);
	}
}

/* ---- On the way */

static void when_it_runs(struct sim *w, struct sim_event *e)
{
	struct sim_instance *in = &w->in[e->instance];

	if (in->up && in->epoch == e->epoch)
		ctl_udp_drain(in->udp);
}

static void on_arrival(struct sim *w, struct sim_event *e)
{
	struct sim_instance *in = &w->in[e->instance];
	struct arrived *a;

	if (!in->up || in->epoch != e->epoch || in->udp == NULL)
		return;
	a = calloc(1, sizeof(*a) + e->len + 1);
	a->icmp = e->kind == ICMP || e->kind == FORGED_ICMP;
	a->genuine = e->kind == RESPONSE || e->kind == ICMP;
	a->type_code = (uint32_t)e->value;
	a->peer = place(e->pair, e->host);
	if (e->kind == FORGED_ICMP)
		a->peer.port++;
	a->len = e->len;
	memcpy(a->text, e->text, e->len);
	*in->udp->last = a;
	in->udp->last = &a->next;
	if (in->busy_us > w->now_us) {
		/* The socket may be looked at before the timers or, by their own hook, with them.
		 */
		struct sim_event *later = sim_at(
			w, in->busy_us - w->now_us + sim_below(&w->rand, 2), when_it_runs, 0);

		later->instance = e->instance;
		later->epoch = e->epoch;
		return;
	}
	ctl_udp_drain(in->udp);
}

static uint64_t one_way(struct sim *w, const struct sim_path *path)
{
	return path->delay_us + sim_below(&w->rand, path->jitter_us + 1);
}

static void send_back(struct sim *w, const struct sim_event *to, unsigned int kind, uint64_t value,
		      const char *text, size_t len)
{
	const struct sim_path *path = &w->in[to->instance].path[to->pair][to->host];
	unsigned int copies = sim_chance(&w->rand, path->dup) ? 2 : 1;
	bool mangled = sim_chance(&w->rand, path->mangle);

	if (path->cut || sim_chance(&w->rand, path->loss))
		return;
	for (unsigned int i = 0; i < copies; i++) {
		struct sim_event *e =
			sim_at(w, one_way(w, path) + w->host[to->pair][to->host].think_us,
			       on_arrival, len);
		char *id;

		e->kind = kind;
		e->value = value;
		e->instance = to->instance;
		e->pair = to->pair;
		e->host = to->host;
		e->epoch = to->epoch;
		e->len = len;
		memcpy(e->text, text, len);
		id = mangled ? strstr(e->text, "Call-ID: ") : NULL;
		if (id != NULL && kind == RESPONSE) {
			id[9] = 'X';
			e->kind = FORGED;
		}
	}
}

/* ---- Servers */

static size_t put_line(const char *request, const char *name, const char *add, char *out,
		       size_t size)
{
	const char *line = strstr(request, name), *end = line ? strstr(line + 2, "\r\n") : NULL;
	int n;

	if (end == NULL)
		return 0;
	n = snprintf(out, size, "%.*s%s\r\n", (int)(end - line - 2), line + 2, add);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

size_t sim_response(const char *request, size_t len, unsigned int code, const char *extra,
		    char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "SIP/2.0 %u X\r\n", code);

	(void)len;
	n += put_line(request, "\r\nVia: ", "", out + n, size - n);
	n += put_line(request, "\r\nFrom: ", "", out + n, size - n);
	n += put_line(request, "\r\nTo: ", code > 100 ? ";tag=s" : "", out + n, size - n);
	n += put_line(request, "\r\nCall-ID: ", "", out + n, size - n);
	n += put_line(request, "\r\nCSeq: ", "", out + n, size - n);
	return n + (size_t)snprintf(out + n, size - n, "%sContent-Length: 0\r\n\r\n", extra);
}

static void answer(struct sim *w, const struct sim_event *e, unsigned int code, const char *extra)
{
	char out[SIZE];
	size_t n = sim_response(e->text, e->len, code, extra, out, sizeof(out));

	send_back(w, e, RESPONSE, 0, out, n);
}

static void on_request(struct sim *w, struct sim_event *e)
{
	const struct sim_host *h = &w->host[e->pair][e->host];
	bool is_register = memcmp(e->text, "REGISTER", 8) == 0;

	switch (h->mood) {
	case SIM_SILENT: return;
	case SIM_REFUSING:
	case SIM_UNREACHABLE:
		/* Hosts and routers limit the errors that they send (RFC 1812 4.3.2.8). */
		if (sim_chance(&w->rand, 500))
			send_back(w, e, ICMP, h->mood == SIM_REFUSING ? 3 << 8 | 3 : 3 << 8 | 1,
				  e->text, e->len);
		return;
	default: break;
	}
	if (h->provisional)
		answer(w, e, 100, "");
	if (is_register && h->digest && strstr(e->text, "\r\nAuthorization: ") == NULL)
		answer(w, e, 401, "WWW-Authenticate: Digest realm=\"sim\", nonce=\"n\"\r\n");
	else
		answer(w, e, is_register ? h->register_code : h->options_code, "");
}

/* ---- The socket */

struct ctl_udp *ctl_udp_new(struct event_base *base, const struct ctl_udp_handler *h)
{
	struct ctl_udp *u = calloc(1, sizeof(*u));

	u->h = *h;
	u->in = (struct sim_instance *)base;
	u->in->udp = u;
	u->sock.u = u;
	u->last = &u->first;
	return u;
}

void ctl_udp_free(struct ctl_udp *u)
{
	if (u == NULL)
		return;
	u->in->udp = NULL;
	free(u);
}

struct ctl_udp_sock *ctl_udp_socket(struct ctl_udp *u, const struct sip_ip *from, bool v4)
{
	(void)from;
	(void)v4;
	return &u->sock;
}

uint16_t ctl_udp_port(const struct ctl_udp_sock *s)
{
	return (uint16_t)(OWN_PORT + s->u->in->id);
}

int ctl_udp_source(const struct dp_endpoint *to, struct sip_ip *ip)
{
	*ip = to->ip;
	ip->b[13] = 0;
	return 0;
}

/* Which probe a request is of: by the call under way, by its branch, by its Call-ID. */
static void remember(struct sim_instance *in, const char *buf, size_t len)
{
	const char *branch = ctl_probe_find_branch(buf, len), *id = strstr(buf, "Call-ID: ");
	struct sim_probe *pr = in->sending != NULL ? in->sending : probe_of(in, buf, len);

	if (branch == NULL || id == NULL)
		sim_fail(in->w, in, SIM_PAIRS, "a probe without branch or Call-ID: %s", buf);
	for (struct sim_probe *q = in->probes; pr == NULL && q != NULL; q = q->next) {
		if (memcmp(q->call_id, id + 9, CTL_PROBE_TOKEN) == 0)
			pr = q;
	}
	if (pr == NULL)
		sim_fail(in->w, in, SIM_PAIRS, "a datagram of no open probe: %s", buf);
	memcpy(pr->branch, branch, CTL_PROBE_TOKEN);
	memcpy(pr->call_id, id + 9, CTL_PROBE_TOKEN);
	free(in->last_request);
	in->last_request = strndup(buf, len);
	in->last_request_len = len;
	in->last_request_pair = pr->pair;
	in->last_request_host = pr->host;
}

int ctl_udp_send(struct ctl_udp_sock *s, const struct dp_endpoint *to, const char *buf, size_t len)
{
	struct sim_instance *in = s->u->in;
	struct sim *w = in->w;
	unsigned int pair = to->ip.b[14], host = to->ip.b[15];
	struct sim_path *path = &in->path[pair][host];

	w->stats.datagrams++;
	sim_digest(w, &w->now_us, sizeof(w->now_us));
	sim_digest(w, &to->ip.b[14], 2);
	remember(in, buf, len);
	if (path->cut || sim_chance(&w->rand, path->loss))
		return 0;
	for (unsigned int i = 0; i < (sim_chance(&w->rand, path->dup) ? 2u : 1u); i++) {
		struct sim_event *e = sim_at(w, one_way(w, path), on_request, len);

		e->instance = in->id;
		e->pair = pair;
		e->host = host;
		e->epoch = in->epoch;
		e->len = len;
		memcpy(e->text, buf, len);
	}
	return 0;
}

/* ---- The attacker, who sees nothing and guesses; or sees, but cannot send from there */

static size_t forge(struct sim *w, const struct sim_instance *in, unsigned int how, char *out)
{
	size_t n = sim_response(in->last_request, in->last_request_len, 200, "", out, SIZE);
	char *branch = strstr(out, "z9hG4bK"), *id = strstr(out, "Call-ID: ");

	switch (how) {
	case 0: /* guesses the branch */
		for (unsigned int i = 0; branch != NULL && i < CTL_PROBE_TOKEN; i++)
			branch[7 + i] = "0123456789abcdef"[sim_below(&w->rand, 16)];
		break;
	case 1: /* knows the branch, not the Call-ID */
		if (id != NULL)
			id[9] = id[9] == 'X' ? 'Y' : 'X';
		break;
	case 2: /* noise */
		n = 1 + sim_below(&w->rand, 300);
		for (size_t i = 0; i < n; i++)
			out[i] = (char)sim_below(&w->rand, 256);
		break;
	case 3: /* cut short */ n = sim_below(&w->rand, n / 2); break;
	default: break;
	}
	return n;
}

void sim_net_attack(struct sim_instance *in)
{
	struct sim *w = in->w;
	unsigned int how = (unsigned int)sim_below(&w->rand, 7);
	char out[SIZE];
	size_t n;
	struct sim_event *e;

	if (in->last_request == NULL || !in->up)
		return;
	n = forge(w, in, how, out);
	e = sim_at(w, sim_below(&w->rand, 10 * MS), on_arrival, n);
	e->kind = how >= 5 ? FORGED_ICMP : FORGED;
	e->value = 3 << 8 | 3;
	e->instance = in->id;
	e->pair = in->last_request_pair;
	/* From another address than the one that was asked. */
	e->host = how == 4 ? (in->last_request_host + 1) % SIM_HOSTS : in->last_request_host;
	e->epoch = in->epoch;
	e->len = n;
	memcpy(e->text, out, n);
}
