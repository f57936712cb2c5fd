/* Waiting on the descriptors behind ports. */
#include "dataplane/io/dp_wake.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/leaks.h"

TestSuite(wake, .fini = leaks_check);

Test(wake, drivers_whose_packets_come_by_a_socket)
{
	static const struct {
		const char *device;
		bool known;
	} rows[] = {
		{ "net_af_xdp0,iface=wire0", true },
		{ "net_af_packet0,iface=wire0,qpairs=2", true },
		{ "net_pcap0,rx_pcap=x", false },
		{ "net_virtio_user0,path=x", false },
		{ "net_tap0", false },
		{ "0000:03:00.0", false },
		{ "", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect(dp_wake_knows(rows[i].device) == rows[i].known, "%s", rows[i].device);
}

Test(wake, it_ends_when_something_comes)
{
	struct dp_wake w = { .usable = true };
	int p[2];

	cr_assert(pipe(p) == 0);
	dp_wake_add(&w, p[0]);
	cr_expect(!dp_wake_wait(&w, 100));
	cr_assert(write(p[1], "x", 1) == 1);
	cr_expect(dp_wake_wait(&w, 10000000));
	cr_expect(w.usable);
	/* The other end is gone: the descriptor would end every wait. */
	close(p[1]);
	cr_expect(dp_wake_wait(&w, 10000000) && !w.usable);
	close(p[0]);
}

Test(wake, packet_sockets_are_found_and_others_are_not)
{
	struct dp_wake before, after;
	int udp = socket(AF_INET, SOCK_DGRAM, 0), packet;

	dp_wake_find(&before, true, true);
	packet = socket(AF_PACKET, SOCK_RAW, 0);
	if (packet < 0)
		cr_skip_test("needs CAP_NET_RAW");
	dp_wake_find(&after, true, true);
	cr_expect(after.usable && after.n == before.n + 1);
	for (unsigned int i = 0; i < after.n; i++)
		cr_expect(after.fds[i].fd != udp);
	dp_wake_find(&after, false, true);
	cr_expect(!after.usable, "not all ports have some");
	close(packet);
	close(udp);
	dp_wake_find(&after, true, true);
	cr_expect(after.n == before.n && after.usable);
}

Test(wake, too_many_are_not_waited_for)
{
	struct dp_wake w = { .usable = true };

	for (int i = 0; i < DP_WAKE_FDS; i++)
		dp_wake_add(&w, 0);
	cr_expect(w.usable);
	dp_wake_add(&w, 0);
	cr_expect(!w.usable);
}
