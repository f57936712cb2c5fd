/*
 * Sends the frames of a pcap file through an interface at a steady rate, and counts and times what
 * comes back.
 *
 *	veth_load PROGRAMS IFACE TO PCAP RATE SECONDS [sendmmsg]
 *
 * PROGRAMS is veth_load_bpf.c, compiled: what sends and what counts runs in the kernel, without a
 * socket buffer or a system call for each frame, so that the load is not what bounds the rate. With
 * "sendmmsg" frames are sent by that. Each frame gets a serial number, 16 hexadecimal digits, in
 * place of its last 18 bytes but the line end, and its UDP checksum corrected; whoever forwards it
 * leaves the end of the message alone, so that the serial is found at the end of what comes back.
 * It counts once, and only in a frame to where all came from, in a datagram to the address TO and
 * the port that it was sent to; TO may be "same", if frames come back as they were sent.
 *
 * Prints "sent N", "received N", "wrong N", "took US", and the time from just before a frame (by
 * sendmmsg: its burst) was handed to the kernel to its reception there, in nanoseconds: "p50 N",
 * "p99 N", "p999 N".
 */
#include "tests/bench/veth_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define BURST    8
#define DRAIN_NS 200000000ull

struct load {
	struct bpf_object *object;
	struct veth_frame *file;
	struct veth_slot *slots;
	struct veth_state *state;
	struct bpf_tc_hook hook;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint32_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static uint32_t add_bytes(uint32_t sum, const uint8_t *p, uint32_t len, uint32_t at)
{
	for (uint32_t i = 0; i < len; i++)
		sum += (at + i) & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

/* The sum that the field stands for, less what the serial takes the place of. */
static uint32_t sum_without(const struct veth_frame *f)
{
	const uint8_t *field = f->bytes + VETH_UDP_SUM;
	uint32_t at = f->len - VETH_TAIL, sum = (uint32_t)(field[0] << 8 | field[1]);

	return (uint16_t)~sum + (uint16_t)~fold(add_bytes(0, f->bytes + at, VETH_SERIAL_LEN, at));
}

static void read_file(struct load *l, const char *path)
{
	uint32_t head[6], n = 0;
	FILE *f = fopen(path, "rbe");

	if (!f || fread(head, sizeof(head), 1, f) != 1)
		die(path);
	while (n < VETH_FILE_MAX && fread(head, 16, 1, f) == 1 && head[2] <= VETH_FRAME_MAX) {
		struct veth_frame *fr = &l->file[n++];

		fr->len = head[2];
		if (fr->len < VETH_LEAST || fread(fr->bytes, fr->len, 1, f) != 1)
			die(path);
		fr->sum = sum_without(fr);
	}
	fclose(f);
	if (n == 0)
		die(path);
	l->state->n_file = n;
}

/* Returns false when it is no address. */
static bool set_target(struct load *l, const char *to)
{
	const uint8_t *first = l->file[0].bytes;
	struct veth_state *s = l->state;
	bool same = strcmp(to, "same") == 0;

	memcpy(s->to_mac, first + (same ? 0 : 6), 6);
	memcpy(&s->to_port, first + VETH_UDP_SUM - 4, 2);
	memcpy(&s->to_ip, first + 14 + 16, 4);
	return same || inet_pton(AF_INET, to, &s->to_ip) == 1;
}

static struct bpf_map *map_of(const struct load *l, const char *name)
{
	struct bpf_map *m = bpf_object__find_map_by_name(l->object, name);

	if (!m)
		die(name);
	return m;
}

static void *see(const struct load *l, const char *name, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			bpf_map__fd(map_of(l, name)), 0);

	if (at == MAP_FAILED)
		die(name);
	return at;
}

static int program(const struct load *l, const char *name)
{
	struct bpf_program *p = bpf_object__find_program_by_name(l->object, name);

	if (!p)
		die(name);
	return bpf_program__fd(p);
}

static void open_programs(struct load *l, const char *path, uint64_t most)
{
	l->object = bpf_object__open(path);
	if (!l->object || bpf_map__set_max_entries(map_of(l, "slots"), (uint32_t)most) != 0
	    || bpf_object__load(l->object) != 0)
		die(path);
	l->file = see(l, "file", VETH_FILE_MAX * sizeof(*l->file));
	l->slots = see(l, "slots", most * sizeof(*l->slots));
	l->state = see(l, "state", sizeof(*l->state));
	l->state->most = most;
}

/* What comes in meets take() before the kernel's stack. */
static void attach(struct load *l, unsigned int ifindex)
{
	struct bpf_tc_opts opts = { .sz = sizeof(opts), .prog_fd = program(l, "take") };
	int ret;

	l->hook = (struct bpf_tc_hook){ .sz = sizeof(l->hook),
					.ifindex = (int)ifindex,
					.attach_point = BPF_TC_INGRESS };
	ret = bpf_tc_hook_create(&l->hook);
	if ((ret != 0 && ret != -EEXIST) || bpf_tc_attach(&l->hook, &opts) != 0)
		die("tc");
}

static void detach(struct load *l)
{
	l->hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&l->hook);
}

static void on_alarm(int sig)
{
	(void)sig; /* it ends a system call */
}

/* The kernel runs feed() again and again, until a signal comes. */
static void send_frames(struct load *l, double seconds)
{
	static uint8_t empty[VETH_FRAME_MAX];
	struct bpf_test_run_opts opts = { .sz = sizeof(opts),
					  .data_in = empty,
					  .data_size_in = sizeof(empty),
					  .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
					  .repeat = INT32_MAX,
					  .batch_size = BURST };
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval at = { .it_value = { .tv_sec = (time_t)seconds } };

	at.it_value.tv_usec = (suseconds_t)((seconds - (double)at.it_value.tv_sec) * 1e6);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &at, NULL);
	l->state->begin_ns = now_ns();
	if (bpf_prog_test_run_opts(program(l, "feed"), &opts) != 0 && errno != EINTR)
		die("frames cannot be sent");
}

static void put_serial(uint8_t *p, uint64_t v)
{
	static const char digit[] = "0123456789abcdef";

	for (int i = VETH_SERIAL_LEN - 1; i >= 0; i--, v >>= 4)
		p[i] = (uint8_t)digit[v & 15];
}

static void number(struct veth_frame *f, uint64_t serial)
{
	uint32_t at = f->len - VETH_TAIL, sum;

	put_serial(f->bytes + at, serial);
	sum = (uint16_t)~fold(add_bytes(f->sum, f->bytes + at, VETH_SERIAL_LEN, at));
	sum = sum ? sum : 0xffff;
	f->bytes[VETH_UDP_SUM] = (uint8_t)(sum >> 8);
	f->bytes[VETH_UDP_SUM + 1] = (uint8_t)sum;
}

static void send_burst(struct load *l, int tx, unsigned int n)
{
	struct mmsghdr msg[BURST];
	struct iovec iov[BURST];
	uint64_t at, first = l->state->sent;
	int sent;

	memset(msg, 0, sizeof(msg));
	for (unsigned int i = 0; i < n; i++) {
		struct veth_frame *f = &l->file[(first + i) % l->state->n_file];

		number(f, first + i);
		iov[i] = (struct iovec){ f->bytes, f->len };
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	at = now_ns();
	for (unsigned int i = 0; i < n; i++)
		l->slots[first + i].sent_ns = at;
	l->state->sent = first + n;
	sent = sendmmsg(tx, msg, n, 0);
	l->state->sent = first + (sent > 0 ? (unsigned int)sent : 0); /* the rest is tried again */
}

static void send_messages(struct load *l, const char *iface, double seconds)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET, .sll_ifindex = (int)l->state->ifindex };
	int on = 1, tx = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	uint64_t begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9), now;

	if (tx < 0 || bind(tx, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		die(iface);
	setsockopt(tx, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	l->state->begin_ns = begin;
	while ((now = now_ns()) < end) {
		uint64_t due = (uint64_t)((double)(now - begin) * (double)l->state->rate / 1e9);

		due = (due > l->state->most ? l->state->most : due) - l->state->sent;
		if (due)
			send_burst(l, tx, due < BURST ? (unsigned int)due : BURST);
	}
	close(tx);
}

static uint64_t received(const struct load *l)
{
	return __atomic_load_n(&l->state->received, __ATOMIC_ACQUIRE);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void show(const struct load *l)
{
	uint64_t sent = l->state->sent, came = received(l);
	uint32_t *delay = calloc(sent + 1, sizeof(*delay));
	uint64_t lost = sent - came; /* zeros come first */

	if (!delay)
		die("memory");
	for (uint64_t i = 0; i < sent; i++)
		delay[i] = l->slots[i].delay_ns;
	qsort(delay, sent, sizeof(*delay), by_value);
	printf("sent %lu\nreceived %lu\nwrong %llu\n", sent, came, l->state->wrong);
	if (sent)
		printf("took %llu\n", (l->slots[sent - 1].sent_ns - l->slots[0].sent_ns) / 1000);
	if (came) {
		printf("p50 %u\n", delay[lost + came / 2]);
		printf("p99 %u\n", delay[lost + came * 99 / 100]);
		printf("p999 %u\n", delay[lost + came * 999 / 1000]);
	}
	free(delay);
}

int main(int argc, char **argv)
{
	static struct load l;
	double rate, seconds;
	uint64_t end;

	if (argc < 7 || argc > 8 || (rate = atof(argv[5])) < 1 || (seconds = atof(argv[6])) <= 0
	    || (argc == 8 && strcmp(argv[7], "sendmmsg") != 0)) {
		fprintf(stderr,
			"Usage: veth_load PROGRAMS IFACE TO PCAP RATE SECONDS [sendmmsg]\n");
		return 1;
	}
	open_programs(&l, argv[1], (uint64_t)(rate * seconds) + 1);
	l.state->rate = (uint64_t)rate;
	l.state->ifindex = if_nametoindex(argv[2]);
	if (l.state->ifindex == 0)
		die(argv[2]);
	read_file(&l, argv[4]);
	if (!set_target(&l, argv[3]))
		die(argv[3]);
	attach(&l, l.state->ifindex);
	if (argc == 8)
		send_messages(&l, argv[2], seconds);
	else
		send_frames(&l, seconds);
	for (end = now_ns() + DRAIN_NS; received(&l) < l.state->sent && now_ns() < end;)
		usleep(1000);
	detach(&l);
	show(&l);
	return 0;
}
