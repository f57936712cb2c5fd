/*
 * Drives a data plane without sipsteerd: hands it a region made from a configuration file, mirrors
 * the kernel's network into it, and lets every pair's first member be active. No probes, no
 * decisions: for tests and measurements of the data plane alone.
 *
 *	region_driver CONFIG LINK-SOCKET
 *
 * Says on stdout what happens, a line each: "running PID INCARNATION", "failed WHY", "gone",
 * "link PORT UP", "miss PORT ADDRESS", "icmp SLOT TYPE CODE", "claim PORT ADDRESS MAC", "reason
 *NAME COUNT". Reads commands from stdin: "stats", "active PAIR SLOT", "stop" (ends the data plane),
 *"quit" (leaves it alone). Exit 0, or 1 when the data plane could not start.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/config/ctl_config.h"
#include "control/config/ctl_keys.h"
#include "control/daemon/ctl_boot.h"
#include "control/net/ctl_mirror.h"
#include "control/net/ctl_netdev.h"
#include "control/snapshot/ctl_snapshot.h"
#include "dataplane/dp_link.h"

#define HEAP_SIZE (64ull << 20)

struct driver {
	const char *socket;
	struct ctl_model *model;
	struct ctl_secrets secrets;
	struct ctl_numbers *numbers;
	struct event_base *base;
	struct event *link_event, *in_event, *timer;
	struct ctl_netlink *netlink;
	struct ctl_mirror *mirror;
	struct ctl_publisher *publisher;
	struct dp_boot boot;
	struct dp_region *region;
	int memfd, link;
	bool running, told, ended, failed;
	uint64_t incarnation;
	struct dp_event_reader readers[DP_MAX_WORKERS];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- The region's contents */

static void publish_cfg(struct driver *d)
{
	struct dp_cfg *cfg = ctl_build_cfg(d->model, d->numbers, &d->secrets, NULL);

	if (!cfg || ctl_publish_cfg(d->publisher, cfg) == 0)
		die("publishing the configuration");
	for (size_t i = 0; i < d->model->n_pairs; i++) {
		int pair = ctl_numbers_pair(d->numbers, d->model->pairs[i].name);
		int slot = ctl_numbers_slot(d->numbers, d->model->pairs[i].name,
					    d->model->pairs[i].members[0].name);

		dp_region_set_word(d->region, (unsigned int)pair,
				   DP_WORD_VALID | (unsigned int)slot);
	}
	free(cfg);
}

static bool publish_net(void *arg, const struct ctl_net_view *view)
{
	struct driver *d = arg;
	struct dp_net *net = ctl_build_net(view);
	bool done = net && ctl_publish_net(d->publisher, net) != 0;

	free(net);
	return done;
}

/* ---- The link */

static int connect_link(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (s >= 0 && connect(s, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return s;
	close(s);
	return -1;
}

/* Adopt what runs, or bring our region. */
static void greet(struct driver *d)
{
	struct dp_link_hello hello;
	int memfd, ret = dp_link_recv(d->link, &hello, &memfd, 5000);

	if (ret == 0 && memfd >= 0 && !d->region) {
		d->memfd = memfd;
		d->region = dp_region_map(memfd);
	} else if (ret == 0 && memfd >= 0) {
		close(memfd);
	} else if (ret == 0 && !d->region) {
		d->region = dp_region_create(&d->boot, HEAP_SIZE, &d->memfd);
	}
	if (ret != 0 || !d->region)
		die("greeting the data plane");
	d->incarnation = atomic_load(&d->region->incarnation);
	atomic_store(&d->region->stop, 0);
	if (dp_link_send(d->link, hello.has_region ? -1 : d->memfd) != 0)
		die("handing the region over");
	if (hello.has_region)
		d->incarnation--;
}

static void on_link(evutil_socket_t fd, short what, void *arg)
{
	struct driver *d = arg;

	(void)fd;
	(void)what;
	event_free(d->link_event);
	d->link_event = NULL;
	close(d->link);
	d->link = -1;
	if (atomic_load(&d->region->state) == DP_STATE_FAILED) {
		printf("failed %s\n", d->region->failure);
		d->failed = true;
	}
	printf("gone\n");
	if (d->failed || d->ended)
		event_base_loopbreak(d->base);
	if (d->mirror)
		ctl_mirror_suspend(d->mirror);
	d->running = d->told = false;
}

static void try_link(struct driver *d)
{
	d->link = connect_link(d->socket);
	if (d->link < 0)
		return;
	greet(d);
	d->link_event = event_new(d->base, d->link, EV_READ, on_link, d);
	event_add(d->link_event, NULL);
}

/* ---- Running */

static void start_running(struct driver *d)
{
	unsigned int ifindex[DP_MAX_PORTS];
	char err[CTL_NETDEV_ERROR_SIZE];

	d->running = true;
	if (!d->publisher) {
		d->publisher = ctl_publisher_new(d->region);
		publish_cfg(d);
	}
	for (unsigned int i = 0; i < d->boot.n_ports; i++) {
		ifindex[i] = d->region->port[i].exception_ifindex;
		if (ctl_netdev_add(d->netlink, ifindex[i], &d->model->ports[i], err) != 0)
			printf("netdev %s\n", err);
	}
	ctl_mirror_resume(d->mirror, d->boot.n_ports, ifindex);
}

/* It runs when the workers have all that it takes to forward. */
static void tell_running(struct driver *d)
{
	d->told = ctl_mirror_in_step(d->mirror);
	if (d->told)
		printf("running %u %" PRIu64 "\n", atomic_load(&d->region->pid),
		       atomic_load(&d->region->incarnation));
}

static void take_event(struct driver *d, const struct dp_event *ev)
{
	char text[64];

	memcpy(text, "", 1);
	switch (ev->type) {
	case DP_EVENT_LINK: printf("link %u %u\n", ev->port, ev->value); break;
	case DP_EVENT_NEIGH_MISS:
		text[dp_ip_format((const struct sip_ip *)ev->ip, text)] = '\0';
		printf("miss %u %s\n", ev->port, text);
		ctl_mirror_miss(d->mirror, ev->port, (const struct sip_ip *)ev->ip);
		break;
	case DP_EVENT_CLAIM:
		text[dp_ip_format((const struct sip_ip *)ev->ip, text)] = '\0';
		printf("claim %u %s %012" PRIx64 "\n", ev->port, text,
		       __builtin_bswap64(ev->id) >> 16);
		break;
	case DP_EVENT_ICMP:
		printf("icmp %u %u %u\n", ev->member % DP_PAIR_MEMBERS, ev->value >> 8,
		       ev->value & 255);
		break;
	case DP_EVENT_NEIGH_USED:
		ctl_mirror_used(d->mirror, ev->port, (const struct sip_ip *)ev->ip);
		break;
	default: break;
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct driver *d = arg;

	(void)fd;
	(void)what;
	if (d->link < 0)
		try_link(d);
	if (d->link < 0)
		return;
	if (!d->running && atomic_load(&d->region->incarnation) != d->incarnation
	    && atomic_load(&d->region->state) == DP_STATE_RUNNING)
		start_running(d);
	if (d->running && !d->told)
		tell_running(d);
	for (unsigned int i = 0; d->told && i < d->boot.n_workers; i++) {
		struct dp_event ev;

		while (dp_event_get(&dp_region_worker(d->region, i)->events, &d->readers[i], &ev))
			take_event(d, &ev);
	}
}

/* ---- Commands */

static void print_stats(const struct driver *d)
{
	for (unsigned int i = 0; i < d->boot.n_workers; i++) {
		const struct dp_worker_counters *c = &dp_region_worker(d->region, i)->counters;

		printf("worker %u packets %" PRIu64 " bursts %" PRIu64 " polls %" PRIu64
		       " sleeps %" PRIu64 " woken %" PRIu64 " cycles %" PRIu64 " forwarded %" PRIu64
		       " answered %" PRIu64 " records %" PRIu64 " handed-requests %" PRIu64
		       " handed-responses %" PRIu64 " handed-others %" PRIu64 " handed-in %" PRIu64
		       " held %" PRIu64 " flushed %" PRIu64 " fragments %" PRIu64
		       " reassembled %" PRIu64 " fragmented %" PRIu64 " fragments-sent %" PRIu64
		       " icmp-errors %" PRIu64 " pmtu-lowered %" PRIu64 "\n",
		       i, c->packets, c->bursts, c->polls, c->sleeps, c->woken, c->busy_cycles,
		       c->forwarded, c->answered, c->records_made, c->handed_requests,
		       c->handed_responses, c->handed_others, c->handed_in, c->neigh_held,
		       c->neigh_flushed, c->fragments, c->reassembled, c->fragmented,
		       c->fragments_sent, c->icmp_errors, c->pmtu_lowered);
		for (int r = 0; r < DP_REASON_N; r++) {
			if (c->reason[r])
				printf("reason %s %" PRIu64 "\n", dp_reason_name((enum dp_reason)r),
				       c->reason[r]);
		}
		for (unsigned int p = 0; p < d->boot.n_ports; p++)
			printf("port %u rx %" PRIu64 " tx %" PRIu64 " dropped %" PRIu64
			       " to-kernel %" PRIu64 " from-kernel %" PRIu64 "\n",
			       p, c->port[p].rx_packets, c->port[p].tx_packets,
			       c->port[p].tx_dropped, c->port[p].to_kernel, c->port[p].from_kernel);
	}
	printf("end\n");
}

static void on_stdin(evutil_socket_t fd, short what, void *arg)
{
	struct driver *d = arg;
	char line[128];
	unsigned int pair, slot;

	(void)fd;
	(void)what;
	if (!fgets(line, sizeof(line), stdin) || strncmp(line, "quit", 4) == 0) {
		event_base_loopbreak(d->base);
	} else if (strncmp(line, "stats", 5) == 0) {
		print_stats(d);
	} else if (strncmp(line, "stop", 4) == 0) {
		d->ended = true;
		atomic_store(&d->region->stop, 1);
	} else if (sscanf(line, "active %u %u", &pair, &slot) == 2) {
		dp_region_set_word(d->region, pair, DP_WORD_VALID | (slot & 15));
	} else {
		printf("unknown command\n");
	}
}

static void load(struct driver *d, const char *path)
{
	struct ctl_diag diag;
	bool made;

	ctl_diag_init(&diag);
	d->model = ctl_config_load(path, &diag);
	if (!d->model
	    || ctl_keys_load_or_make(d->model->key_file, &d->secrets, &made, &diag) != 0) {
		ctl_diag_print(&diag, path, stderr);
		exit(1);
	}
	ctl_diag_fini(&diag);
	d->numbers = ctl_numbers_new();
	if (!d->numbers || ctl_numbers_assign(d->numbers, d->model, 0) != 0)
		die("numbering pairs");
	ctl_boot_fill(&d->boot, d->model);
}

int main(int argc, char **argv)
{
	static struct driver d = { .memfd = -1, .link = -1 };
	struct ctl_mirror_params mirror = { .publish = publish_net, .arg = &d };

	if (argc != 3) {
		fprintf(stderr, "Usage: region_driver CONFIG LINK-SOCKET\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	load(&d, argv[1]);
	d.socket = argv[2];
	d.base = event_base_new();
	d.netlink = ctl_netlink_open();
	mirror.base = d.base;
	mirror.netlink = d.netlink;
	d.mirror = ctl_mirror_new(&mirror);
	d.timer = event_new(d.base, -1, EV_PERSIST, on_timer, &d);
	d.in_event = event_new(d.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_stdin, &d);
	if (!d.netlink || !d.mirror || !d.timer || !d.in_event)
		die("starting");
	event_add(d.timer, &(struct timeval){ .tv_usec = 2000 });
	event_add(d.in_event, NULL);
	event_base_dispatch(d.base);
	return d.failed ? 1 : 0;
}
