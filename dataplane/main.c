/*
 * sipsteer-dataplane: ports, workers, steering. Started by systemd or by sipsteerd; gets everything
 * it must know from the shared region that control hands over on the link, and goes on alone when
 * control dies.
 *
 * The main thread owns the link, start and end, and the ports' link states; lcores 1 and up are the
 * workers. main() is the ladder: each step down has its step back.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_launch.h>
#include <rte_mbuf.h>

#include "dataplane/io/dp_eal.h"
#include "dataplane/io/dp_listen.h"
#include "dataplane/io/dp_pools.h"
#include "dataplane/io/dp_rest.h"
#include "dataplane/io/dp_worker.h"
#include "dataplane/steer/steer_mac.h"

#define WATCH_MS 20  /* how soon region->stop is seen */
#define LINK_MS  100 /* how soon a link's change is */

struct options {
	const char *socket;
	char prefix[64];
	bool verbose;
};

struct app {
	struct options opt;
	struct dp_failure failure;
	struct dp_listen listen;
	int signals; /* signalfd */
	int memfd;
	struct dp_region *region;
	uint64_t links_ms;
	unsigned int n_workers;
	struct dp_worker *workers[DP_MAX_WORKERS];
	struct dp_shared shared;
};

static const char usage[] =
	"Usage: sipsteer-dataplane --socket PATH [--file-prefix NAME] [--verbose]\n"
	"\n"
	"The fast path of sipsteer. It is told what to do by sipsteerd, over the link socket.\n"
	"\n"
	"  --socket PATH       link socket to listen on\n"
	"  --file-prefix NAME  DPDK's name for this instance (default: sipsteer-PID)\n"
	"  --verbose           let DPDK say what it does\n"
	"  --version, --help\n";

/* Returns 0, or the exit code + 1. */
static int read_options(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "file-prefix", required_argument, NULL, 'p' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	snprintf(o->prefix, sizeof(o->prefix), "sipsteer-%d", (int)getpid());
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's': o->socket = optarg; break;
		case 'p': snprintf(o->prefix, sizeof(o->prefix), "%s", optarg); break;
		case 'v': o->verbose = true; break;
		case 'V': puts("sipsteer-dataplane " SIPSTEER_VERSION); return 1;
		case 'h': fputs(usage, stdout); return 1;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (!o->socket || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Realtime signals: net_tap has the kernel send one when packets come. */
static void rt_signals(sigset_t *set)
{
	sigemptyset(set);
	for (int s = SIGRTMIN; s <= SIGRTMAX; s++)
		sigaddset(set, s);
}

/* Threads that start later inherit the mask: only the main thread ever sees a signal. */
static int open_signals(struct app *a)
{
	sigset_t end, rt;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	rt_signals(&rt);
	sigprocmask(SIG_BLOCK, &rt, NULL);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGINT);
	sigprocmask(SIG_BLOCK, &end, NULL);
	a->signals = signalfd(-1, &end, SFD_CLOEXEC | SFD_NONBLOCK);
	if (a->signals < 0)
		return dp_fail(&a->failure, "signals cannot be received: %s", strerror(errno));
	return 0;
}

static void let_rt_signals_in(void)
{
	sigset_t rt;

	rt_signals(&rt);
	pthread_sigmask(SIG_UNBLOCK, &rt, NULL);
}

/* A control connects: it gets our region, or brings us one. */
static void meet_control(struct app *a)
{
	int fd, ret = dp_listen_accept(&a->listen, a->memfd, &fd);

	if (ret == -EPROTO)
		fprintf(stderr,
			"sipsteer-dataplane: control speaks another layout than version %d of "
			"the region; restart the older one of the two\n",
			DP_LAYOUT_VERSION);
	if (ret != 0 || fd < 0)
		return;
	a->region = dp_region_map(fd);
	if (a->region) {
		a->memfd = fd;
		return;
	}
	fprintf(stderr, "sipsteer-dataplane: control's region cannot be used: %s\n",
		strerror(errno));
	close(fd);
	dp_listen_drop(&a->listen);
}

/* Serve the link for at most timeout_ms. Returns false when a signal asks us to end. */
static bool serve(struct app *a, int timeout_ms)
{
	struct pollfd p[] = { { .fd = a->signals, .events = POLLIN },
			      { .fd = a->listen.fd, .events = POLLIN },
			      { .fd = a->listen.control, .events = POLLIN } };

	if (poll(p, 3, timeout_ms) <= 0)
		return true;
	if (p[0].revents)
		return false;
	if (p[2].revents)
		dp_listen_drop(&a->listen);
	if (p[1].revents)
		meet_control(a);
	return true;
}

static bool await_region(struct app *a)
{
	while (!a->region) {
		if (!serve(a, -1))
			return false;
	}
	return true;
}

/* The predecessor's acks hold nothing back any more, and control sees a new incarnation. */
static void take_region(struct app *a)
{
	struct dp_region *r = a->region;

	for (unsigned int i = 0; i < r->boot.n_workers; i++)
		atomic_store(&dp_region_worker(r, i)->ack, DP_ACK_OFFLINE);
	r->failure[0] = '\0';
	memset(r->port, 0, sizeof(r->port));
	atomic_store(&r->pid, (uint32_t)getpid());
	atomic_store(&r->state, DP_STATE_STARTING);
	atomic_fetch_add(&r->incarnation, 1);
	a->shared.region = r;
}

static void leave_region(struct app *a, bool failed)
{
	struct dp_region *r = a->region;

	memset(r->port, 0, sizeof(r->port));
	if (failed)
		snprintf(r->failure, sizeof(r->failure), "%s", a->failure.text);
	atomic_store(&r->state, failed ? DP_STATE_FAILED : DP_STATE_STOPPED);
	dp_region_unmap(r);
	close(a->memfd);
}

static void watch_links(struct app *a)
{
	uint32_t links = 0;

	for (unsigned int i = 0; i < a->shared.n_ports; i++) {
		bool up = dp_port_link_up(&a->shared.ports[i]);

		a->region->port[i].link_up = up;
		links |= (uint32_t)up << i;
	}
	atomic_store_explicit(&a->shared.links, links, memory_order_relaxed);
	a->links_ms = now_ms();
}

static void close_ports(struct app *a)
{
	while (a->shared.n_ports)
		dp_port_close(&a->shared.ports[--a->shared.n_ports]);
}

static int open_ports(struct app *a)
{
	const struct dp_boot *boot = &a->region->boot;

	for (unsigned int i = 0; i < boot->n_ports; i++) {
		struct dp_port *p = &a->shared.ports[i];

		if (dp_port_open(a->shared.ports, boot, i, &a->shared.pools, &a->failure) != 0) {
			close_ports(a);
			return -1;
		}
		a->shared.n_ports++;
		memcpy(a->region->port[i].mac, p->dev.mac, sizeof(p->dev.mac));
		a->region->port[i].mtu = p->mtu;
		a->region->port[i].exception_ifindex = p->ifindex;
	}
	watch_links(a);
	return 0;
}

static void drop_packet(void *packet)
{
	rte_pktmbuf_free(packet);
}

static void stop_workers(struct app *a)
{
	atomic_store(&a->shared.quit, true);
	rte_eal_mp_wait_lcore();
	while (a->n_workers)
		dp_worker_free(a->workers[--a->n_workers]);
	dp_handover_free(a->shared.handover, drop_packet);
	a->shared.handover = NULL;
}

/* Secrets that never leave this process. */
static int make_secrets(struct app *a)
{
	struct dp_secret *keys[] = { &a->shared.owner_key, &a->shared.flow_key };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (getrandom(keys[i]->b, sizeof(keys[i]->b), 0) != sizeof(keys[i]->b))
			return dp_fail(&a->failure, "no random numbers can be had: %s",
				       strerror(errno));
		steer_secret_spread(keys[i]);
	}
	return 0;
}

/* What several workers need to share their work. */
static int open_handover(struct app *a)
{
	const struct dp_boot *boot = &a->region->boot;

	if (boot->n_workers < 2)
		return 0;
	a->shared.handover = dp_handover_new(boot->n_workers, boot->handover_ring);
	if (!a->shared.handover)
		return dp_fail(&a->failure,
			       "no memory for the rings between workers; lower `hand-over-ring:`");
	return 0;
}

static void find_wakes(struct app *a)
{
	bool all = a->region->boot.idle != DP_IDLE_POLL, taps = true;

	for (unsigned int i = 0; i < a->shared.n_ports && all; i++) {
		const struct dp_port *p = &a->shared.ports[i];
		const char *what;

		taps = taps && p->exception_tap;
		all = dp_port_wakes(p, &what);
		if (!all)
			fprintf(stderr,
				"port %s: %s has no receive interrupts; idle workers look at it "
				"every %u to %u us\n",
				p->boot->name, what, DP_REST_MOST_US, DP_REST_SLOW_US);
	}
	dp_wake_find(&a->shared.wake, all, taps);
}

static int start_workers(struct app *a)
{
	find_wakes(a);
	dp_pmtu_init(&a->shared.pmtu);
	if (make_secrets(a) != 0 || open_handover(a) != 0)
		return -1;
	while (a->n_workers < a->region->boot.n_workers) {
		struct dp_worker *w = dp_worker_new(&a->shared, a->n_workers, &a->failure);

		if (!w) {
			stop_workers(a);
			return -1;
		}
		a->workers[a->n_workers++] = w;
	}
	for (unsigned int i = 0; i < a->n_workers; i++)
		rte_eal_remote_launch(dp_worker_main, a->workers[i], i + 1);
	return 0;
}

static void supervise(struct app *a)
{
	atomic_store(&a->region->state, DP_STATE_RUNNING);
	while (atomic_load_explicit(&a->region->stop, memory_order_relaxed) == 0) {
		if (!serve(a, WATCH_MS))
			break;
		if (now_ms() - a->links_ms >= LINK_MS)
			watch_links(a);
	}
}

/* With a region in hand. Returns 0 after a clean end, -1 with a->failure. */
static int run(struct app *a)
{
	const struct dp_boot *boot = &a->region->boot;
	int ret = -1;

	if (dp_eal_start(boot, a->opt.prefix, dp_pools_memory_mb(boot), a->opt.verbose, &a->failure)
	    != 0)
		return -1;
	let_rt_signals_in();
	if (dp_pools_open(&a->shared.pools, boot, &a->failure) != 0)
		goto out_eal;
	if (open_ports(a) != 0)
		goto out_pools;
	if (start_workers(a) != 0)
		goto out_ports;
	dp_eal_log_settle(false);
	supervise(a);
	ret = 0;
	stop_workers(a);
out_ports:
	close_ports(a);
out_pools:
	dp_pools_close(&a->shared.pools);
out_eal:
	dp_eal_log_settle(ret != 0);
	dp_eal_stop();
	return ret;
}

int main(int argc, char **argv)
{
	static struct app app = { .signals = -1, .memfd = -1, .listen = { -1, -1, "" } };
	struct app *a = &app;
	int ret = read_options(&a->opt, argc, argv);

	if (ret != 0)
		return ret - 1;
	setvbuf(stderr, NULL, _IOLBF, 0);
	ret = -1;
	if (open_signals(a) != 0)
		goto out;
	if (dp_listen_open(&a->listen, a->opt.socket, &a->failure) != 0)
		goto out_signals;
	ret = 0;
	if (!await_region(a))
		goto out_listen;
	take_region(a);
	ret = run(a);
	leave_region(a, ret != 0);
out_listen:
	dp_listen_close(&a->listen);
out_signals:
	close(a->signals);
out:
	if (ret != 0)
		fprintf(stderr, "sipsteer-dataplane: %s\n", a->failure.text);
	return ret == 0 ? 0 : 1;
}
