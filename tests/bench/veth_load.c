/*
 * Sends the frames of a pcap file through an interface at a steady rate, by sendmmsg, and counts
 * and times what comes back.
 *
 *	veth_load IFACE PCAP RATE SECONDS
 *
 * Each frame gets a serial number, 16 hexadecimal digits, in place of its last 18 bytes but the
 * line end, and its UDP checksum corrected; whoever forwards it leaves the end of the message
 * alone, so that the serial is found at the end of what comes back. Prints "sent N", "received N",
 * "took US", and the time from just before a frame's burst is handed to the kernel to its
 * reception there, in nanoseconds: "p50 N", "p99 N", "p999 N".
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BURST      8
#define FRAME_MAX  2048
#define SERIAL_LEN 16
#define TAIL       (SERIAL_LEN + 2)
#define UDP_SUM    (14 + 20 + 6)
#define RING_FRAME 2048u
#define RING_BLOCK (1u << 20)
#define RING_SIZE  (32u << 20)
#define DRAIN_NS   200000000ull

struct frame {
	uint32_t len;
	uint32_t sum; /* of the message without serial, as the checksum's complement */
	uint8_t bytes[FRAME_MAX];
};

struct load {
	struct frame *file;
	uint32_t n_file;
	int tx, rx;
	uint8_t *ring;
	uint32_t ring_at;
	uint64_t sent, received;
	uint64_t *sent_ns;  /* by serial */
	uint32_t *delay_ns; /* of what came back, by serial; 0: it has not */
	uint64_t most;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts); /* the kernel's receive stamps are of this clock */
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint32_t add_bytes(uint32_t sum, const uint8_t *p, uint32_t len, uint32_t at)
{
	for (uint32_t i = 0; i < len; i++)
		sum += (at + i) & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static void read_file(struct load *l, const char *path)
{
	uint32_t head[6];
	FILE *f = fopen(path, "rbe");

	if (!f || fread(head, sizeof(head), 1, f) != 1)
		die(path);
	while (fread(head, 16, 1, f) == 1 && head[2] <= FRAME_MAX) {
		struct frame *fr;

		l->file = realloc(l->file, (l->n_file + 1) * sizeof(*l->file));
		if (!l->file)
			die("memory");
		fr = &l->file[l->n_file++];
		fr->len = head[2];
		if (fread(fr->bytes, fr->len, 1, f) != 1)
			die(path);
		/* The sum that the field stands for, less what the serial takes the place of. */
		fr->sum = (uint32_t)(fr->bytes[UDP_SUM] << 8 | fr->bytes[UDP_SUM + 1]);
		fr->sum = add_bytes((uint16_t)~fr->sum, NULL, 0, 0);
		{
			uint32_t old = add_bytes(0, fr->bytes + fr->len - TAIL, SERIAL_LEN,
						 fr->len - TAIL);

			old = (old & 0xffff) + (old >> 16);
			old = (old & 0xffff) + (old >> 16);
			fr->sum += (uint16_t)~old;
		}
	}
	fclose(f);
	if (l->n_file == 0)
		die(path);
}

static int packet_socket(const char *iface, int protocol)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
				  .sll_protocol = htons((uint16_t)protocol),
				  .sll_ifindex = (int)if_nametoindex(iface) };
	int s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (s < 0 || sa.sll_ifindex == 0 || bind(s, (struct sockaddr *)&sa, sizeof(sa)) != 0)
		die(iface);
	return s;
}

static void open_sockets(struct load *l, const char *iface)
{
	struct tpacket_req req = { .tp_block_size = RING_BLOCK,
				   .tp_block_nr = RING_SIZE / RING_BLOCK,
				   .tp_frame_size = RING_FRAME,
				   .tp_frame_nr = RING_SIZE / RING_FRAME };
	int on = 1, version = TPACKET_V2;

	l->tx = packet_socket(iface, 0);
	setsockopt(l->tx, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	l->rx = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (l->rx < 0
	    || setsockopt(l->rx, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0
	    || setsockopt(l->rx, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0
	    || setsockopt(l->rx, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) != 0)
		die("receive ring");
	l->ring = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, l->rx, 0);
	if (l->ring == MAP_FAILED)
		die("receive ring");
	{
		struct sockaddr_ll sa = { .sll_family = AF_PACKET,
					  .sll_protocol = htons(ETH_P_IP),
					  .sll_ifindex = (int)if_nametoindex(iface) };

		if (bind(l->rx, (struct sockaddr *)&sa, sizeof(sa)) != 0)
			die(iface);
	}
}

static void put_serial(uint8_t *p, uint64_t v)
{
	static const char digit[] = "0123456789abcdef";

	for (int i = SERIAL_LEN - 1; i >= 0; i--, v >>= 4)
		p[i] = (uint8_t)digit[v & 15];
}

/* Returns UINT64_MAX when it is none. */
static uint64_t get_serial(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < SERIAL_LEN; i++) {
		uint8_t c = p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return UINT64_MAX;
		v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return v;
}

static void prepare(struct load *l, uint64_t serial)
{
	struct frame *f = &l->file[serial % l->n_file];
	uint32_t at = f->len - TAIL, sum;

	put_serial(f->bytes + at, serial);
	sum = add_bytes(f->sum, f->bytes + at, SERIAL_LEN, at);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (uint16_t)~sum;
	sum = sum ? sum : 0xffff;
	f->bytes[UDP_SUM] = (uint8_t)(sum >> 8);
	f->bytes[UDP_SUM + 1] = (uint8_t)sum;
}

static void send_burst(struct load *l, unsigned int n)
{
	struct mmsghdr msg[BURST];
	struct iovec iov[BURST];
	uint64_t at;
	int sent;

	memset(msg, 0, sizeof(msg));
	for (unsigned int i = 0; i < n; i++) {
		struct frame *f = &l->file[(l->sent + i) % l->n_file];

		prepare(l, l->sent + i);
		iov[i] = (struct iovec){ f->bytes, f->len };
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
	at = now_ns();
	sent = sendmmsg(l->tx, msg, n, 0);
	if (sent <= 0)
		return; /* a full queue: tried again */
	for (int i = 0; i < sent; i++)
		l->sent_ns[l->sent++] = at;
}

/* Everything that has come. */
static void receive(struct load *l)
{
	for (;;) {
		struct tpacket2_hdr *h = (void *)(l->ring + (size_t)l->ring_at * RING_FRAME);
		const uint8_t *p;
		uint64_t serial, ns;

		if (!(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			return;
		p = (const uint8_t *)h + h->tp_mac; /* written before the status */
		serial = h->tp_snaplen > 60 ? get_serial(p + h->tp_snaplen - TAIL) : UINT64_MAX;
		if (serial < l->sent && l->delay_ns[serial] == 0) {
			ns = (uint64_t)h->tp_sec * 1000000000 + h->tp_nsec - l->sent_ns[serial];
			l->delay_ns[serial] = ns > 0 && ns < UINT32_MAX ? (uint32_t)ns : 1;
			l->received++;
		}
		__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		l->ring_at = l->ring_at + 1 == RING_SIZE / RING_FRAME ? 0 : l->ring_at + 1;
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void show(const struct load *l, uint64_t took_ns)
{
	uint64_t lost = l->sent - l->received; /* zeros come first */

	qsort(l->delay_ns, l->sent, sizeof(*l->delay_ns), by_value);
	printf("sent %lu\nreceived %lu\ntook %lu\n", l->sent, l->received, took_ns / 1000);
	if (l->received == 0)
		return;
	printf("p50 %u\n", l->delay_ns[lost + l->received / 2]);
	printf("p99 %u\n", l->delay_ns[lost + l->received * 99 / 100]);
	printf("p999 %u\n", l->delay_ns[lost + l->received * 999 / 1000]);
}

int main(int argc, char **argv)
{
	static struct load l;
	uint64_t begin, now, end, due;
	double rate, seconds;

	if (argc != 5 || (rate = atof(argv[3])) <= 0 || (seconds = atof(argv[4])) <= 0) {
		fprintf(stderr, "Usage: veth_load IFACE PCAP RATE SECONDS\n");
		return 1;
	}
	read_file(&l, argv[2]);
	open_sockets(&l, argv[1]);
	l.most = (uint64_t)(rate * seconds) + BURST;
	l.sent_ns = calloc(l.most, sizeof(*l.sent_ns));
	l.delay_ns = calloc(l.most, sizeof(*l.delay_ns));
	if (!l.sent_ns || !l.delay_ns)
		die("memory");
	memset(l.sent_ns, 0, l.most * sizeof(*l.sent_ns));
	begin = now_ns();
	end = begin + (uint64_t)(seconds * 1e9);
	while ((now = now_ns()) < end) {
		due = (uint64_t)((double)(now - begin) * rate / 1e9);
		if (due > l.most - BURST)
			due = l.most - BURST;
		if (due > l.sent)
			send_burst(&l, (unsigned int)(due - l.sent < BURST ? due - l.sent : BURST));
		receive(&l);
	}
	now = now_ns();
	for (end = now + DRAIN_NS; l.received < l.sent && now_ns() < end;)
		receive(&l);
	show(&l, now - begin);
	return 0;
}
