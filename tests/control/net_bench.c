/* The bench: namespace, taps, and a wire that speaks just enough ARP. */
#include "tests/control/net_bench.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void bench_enter(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		cr_skip_test("needs a network namespace of its own: %s", strerror(errno));
	bench_run("ip link set lo up");
}

int bench_tap(const char *name, unsigned int *ifindex)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	cr_assert_geq(fd, 0, "/dev/net/tun: %s", strerror(errno));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	cr_assert_eq(ioctl(fd, TUNSETIFF, &ifr), 0, "%s: %s", name, strerror(errno));
	*ifindex = if_nametoindex(name);
	return fd;
}

static char *vformat(const char *format, va_list ap)
{
	char *s = NULL;

	cr_assert_geq(vasprintf(&s, format, ap), 0);
	return s;
}

void bench_run(const char *format, ...)
{
	va_list ap;
	char *command;

	va_start(ap, format);
	command = vformat(format, ap);
	va_end(ap);
	cr_assert_eq(system(command), 0, "%s", command);
	free(command);
}

static char *output_of(const char *command)
{
	FILE *f = popen(command, "r");
	size_t size = 1 << 16;
	char *text = calloc(1, size);

	cr_assert(f && text);
	text[fread(text, 1, size - 1, f)] = '\0';
	pclose(f);
	return text;
}

char *bench_output(const char *format, ...)
{
	va_list ap;
	char *command, *text;

	va_start(ap, format);
	command = vformat(format, ap);
	va_end(ap);
	text = output_of(command);
	free(command);
	return text;
}

bool bench_shows(const char *text, const char *format, ...)
{
	va_list ap;
	char *command, *shown;
	bool found;

	va_start(ap, format);
	command = vformat(format, ap);
	va_end(ap);
	shown = output_of(command);
	found = strstr(shown, text) != NULL;
	free(shown);
	free(command);
	return found;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* @return the next frame's length, 0: none until the deadline. */
static size_t next_frame(int wire, uint8_t *frame, size_t size, long deadline)
{
	struct pollfd p = { .fd = wire, .events = POLLIN };
	long left = deadline - now_ms();
	ssize_t n;

	if (poll(&p, 1, left > 0 ? (int)left : 0) <= 0)
		return 0;
	n = read(wire, frame, size);
	return n > 0 ? (size_t)n : 0;
}

static bool is_request(const uint8_t *frame, size_t n, const uint8_t ip[4])
{
	const struct ether_arp *a = (const void *)(frame + 14);

	return n >= 14 + sizeof(*a) && frame[12] == 0x08 && frame[13] == 0x06
	       && a->ea_hdr.ar_op == htons(ARPOP_REQUEST) && memcmp(a->arp_tpa, ip, 4) == 0;
}

static void answer(int wire, const uint8_t *frame, const uint8_t mac[6])
{
	uint8_t reply[14 + sizeof(struct ether_arp)];
	const struct ether_arp *q = (const void *)(frame + 14);
	struct ether_arp a = *q;

	a.ea_hdr.ar_op = htons(ARPOP_REPLY);
	memcpy(a.arp_sha, mac, 6);
	memcpy(a.arp_spa, q->arp_tpa, 4);
	memcpy(a.arp_tha, q->arp_sha, 6);
	memcpy(a.arp_tpa, q->arp_spa, 4);
	memcpy(reply, frame + 6, 6);
	memcpy(reply + 6, mac, 6);
	memcpy(reply + 12, frame + 12, 2);
	memcpy(reply + 14, &a, sizeof(a));
	cr_assert_eq(write(wire, reply, sizeof(reply)), (ssize_t)sizeof(reply));
}

bool bench_answer_arp(int wire, const uint8_t ip[4], const uint8_t mac[6], int timeout_ms)
{
	long deadline = now_ms() + timeout_ms;
	uint8_t frame[2048];
	size_t n;

	while ((n = next_frame(wire, frame, sizeof(frame), deadline)) > 0) {
		if (is_request(frame, n, ip)) {
			answer(wire, frame, mac);
			return true;
		}
	}
	return false;
}

bool bench_sees_solicitation(int wire, const uint8_t ip[16], int timeout_ms)
{
	long deadline = now_ms() + timeout_ms;
	uint8_t f[2048];
	size_t n;

	while ((n = next_frame(wire, f, sizeof(f), deadline)) > 0) {
		/* RFC 4861 4.3: ICMPv6 type 135, target behind 8 bytes */
		if (n >= 78 && f[12] == 0x86 && f[13] == 0xdd && f[20] == 58 && f[54] == 135
		    && memcmp(f + 62, ip, 16) == 0)
			return true;
	}
	return false;
}
