/* Rings between two threads, and the mail of workers over them. One thread here; the stress test
 * has several. */
#include "dataplane/io/dp_handover.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <string.h>

#include "tests/leaks.h"

TestSuite(handover, .fini = leaks_check);

static void *packet(uintptr_t n)
{
	return (void *)n;
}

Test(handover, a_ring_keeps_order_and_says_when_it_is_full)
{
	static const struct {
		uint32_t wanted, size;
	} sizes[] = { { 0, 1 },   { 1, 1 },    { 2, 2 },         { 3, 4 },
		      { 64, 64 }, { 65, 128 }, { 100000, 65536 } };

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct dp_spsc r;
		uint32_t size = sizes[s].size, n = 0;
		void *p;

		cr_assert(dp_spsc_init(&r, sizes[s].wanted) == 0);
		/* Indices that are about to wrap. */
		atomic_store(&r.head, UINT32_MAX - 2);
		atomic_store(&r.tail, UINT32_MAX - 2);
		r.tail_seen = r.head_seen = UINT32_MAX - 2;
		cr_expect(dp_spsc_take(&r, &p, 1) == 0);
		for (; n < size; n++) {
			p = packet(n + 1);
			cr_assert(dp_spsc_put(&r, &p, 1) == 1);
		}
		cr_expect(dp_spsc_put(&r, &p, 1) == 0, "size %u", size);
		for (uint32_t i = 0; i < size; i++) {
			cr_assert(dp_spsc_take(&r, &p, 1) == 1);
			cr_assert(p == packet(i + 1));
		}
		cr_expect(dp_spsc_take(&r, &p, 1) == 0);
		dp_spsc_fini(&r);
	}
}

Test(handover, a_ring_takes_what_fits)
{
	void *in[6] = { packet(1), packet(2), packet(3), packet(4), packet(5), packet(6) }, *out[8];
	struct dp_spsc r;

	cr_assert(dp_spsc_init(&r, 4) == 0);
	cr_expect(dp_spsc_put(&r, in, 6) == 4);
	cr_expect(dp_spsc_take(&r, out, 3) == 3 && out[2] == packet(3));
	cr_expect(dp_spsc_put(&r, in + 4, 2) == 2);
	cr_expect(dp_spsc_take(&r, out, 8) == 3);
	cr_expect(out[0] == packet(4) && out[1] == packet(5) && out[2] == packet(6));
	dp_spsc_fini(&r);
}

/* ---- Mail ---- */

#define WORKERS 4

struct office {
	struct dp_handover *h;
	struct dp_mail mail[WORKERS];
	unsigned int n_full;
	void *full[256];
};

static void full(void *arg, void *p)
{
	struct office *o = arg;

	o->full[o->n_full++] = p;
}

static unsigned int dropped;

static void drop(void *p)
{
	(void)p;
	dropped++;
}

static struct office open_office(uint32_t size)
{
	struct office o = { .h = dp_handover_new(WORKERS, size) };

	cr_assert(o.h);
	return o;
}

static void staff(struct office *o)
{
	for (unsigned int w = 0; w < WORKERS; w++)
		dp_mail_init(&o->mail[w], o->h, w, full, o);
}

Test(handover, mail_arrives_once_it_is_sent)
{
	struct office o = open_office(64);
	void *got[8];

	staff(&o);
	dp_mail_put(&o.mail[0], 2, packet(1));
	dp_mail_put(&o.mail[0], 3, packet(2));
	dp_mail_put(&o.mail[0], 2, packet(3));
	cr_expect(o.mail[0].waiting == (1u << 2 | 1u << 3));
	cr_expect(dp_mail_take(&o.mail[2], got, 8) == 0);
	dp_mail_send(&o.mail[0]);
	cr_expect(o.mail[0].waiting == 0);
	cr_expect(dp_mail_take(&o.mail[1], got, 8) == 0);
	cr_expect(dp_mail_take(&o.mail[2], got, 8) == 2);
	cr_expect(got[0] == packet(1) && got[1] == packet(3));
	cr_expect(dp_mail_take(&o.mail[2], got, 8) == 0);
	cr_expect(dp_mail_take(&o.mail[3], got, 8) == 1 && got[0] == packet(2));
	dp_handover_free(o.h, drop);
}

Test(handover, a_full_outbox_leaves_at_once)
{
	struct office o = open_office(64);
	void *got[64];

	staff(&o);
	for (uintptr_t i = 0; i < DP_HANDOVER_BURST; i++)
		dp_mail_put(&o.mail[1], 0, packet(i + 1));
	cr_expect(o.mail[1].waiting == 0);
	cr_expect(dp_mail_take(&o.mail[0], got, 64) == DP_HANDOVER_BURST);
	dp_handover_free(o.h, drop);
}

Test(handover, what_does_not_fit_its_ring_is_given_back)
{
	struct office o = open_office(4);
	void *got[8];

	staff(&o);
	for (uintptr_t i = 1; i <= 6; i++)
		dp_mail_put(&o.mail[1], 0, packet(i));
	dp_mail_send(&o.mail[1]);
	cr_expect(o.n_full == 2 && o.full[0] == packet(5) && o.full[1] == packet(6));
	cr_expect(dp_mail_take(&o.mail[0], got, 8) == 4);
	/* Nothing sent, no flag: the receiver does not look. */
	dp_mail_put(&o.mail[1], 0, packet(7));
	dp_mail_send(&o.mail[1]);
	cr_expect(o.n_full == 2);
	cr_expect(dp_mail_take(&o.mail[0], got, 8) == 1 && got[0] == packet(7));
	dp_handover_free(o.h, drop);
}

Test(handover, no_sender_starves_another)
{
	struct office o = open_office(64);
	unsigned int from[WORKERS] = { 0 };
	void *got[4];

	staff(&o);
	for (unsigned int w = 1; w < WORKERS; w++) {
		for (uintptr_t i = 0; i < 32; i++)
			dp_mail_put(&o.mail[w], 0, packet(w * 100 + i));
		dp_mail_send(&o.mail[w]);
	}
	for (unsigned int k = 0; k < 9; k++) {
		cr_assert(dp_mail_take(&o.mail[0], got, 4) == 4);
		from[(uintptr_t)got[0] / 100]++;
	}
	cr_expect(from[1] == 3 && from[2] == 3 && from[3] == 3);
	/* What was left is found without another flag. */
	for (unsigned int k = 0; k < 15; k++)
		cr_assert(dp_mail_take(&o.mail[0], got, 4) == 4);
	cr_expect(dp_mail_take(&o.mail[0], got, 4) == 0);
	dp_handover_free(o.h, drop);
}

Test(handover, what_is_still_on_its_way_at_the_end_is_dropped)
{
	struct office o = open_office(64);

	staff(&o);
	dropped = 0;
	for (unsigned int w = 1; w < WORKERS; w++)
		dp_mail_put(&o.mail[w], 0, packet(w));
	for (unsigned int w = 1; w < WORKERS; w++)
		dp_mail_send(&o.mail[w]);
	dp_handover_free(o.h, drop);
	cr_expect(dropped == 3);
	dp_handover_free(NULL, drop);
}

Test(handover, loads)
{
	struct office o = open_office(1);

	cr_expect(dp_handover_other_load(o.h, 0) == 0);
	dp_handover_set_load(o.h, 0, 90);
	dp_handover_set_load(o.h, 1, 30);
	dp_handover_set_load(o.h, 2, 60);
	cr_expect(dp_handover_other_load(o.h, 0) == 30);
	cr_expect(dp_handover_other_load(o.h, 3) == 60);
	dp_handover_free(o.h, drop);
}

Test(handover, alone_there_is_no_mail)
{
	struct dp_mail m;
	void *got[1];

	dp_mail_init(&m, NULL, 0, full, NULL);
	cr_expect(dp_mail_take(&m, got, 1) == 0);
	dp_mail_send(&m);
	cr_expect(dp_mail_sleep(&m) && dp_mail_fd(&m) == -1);
	dp_mail_wake(&m);
}

/* ---- Sleeping ---- */

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

Test(handover, who_sleeps_is_woken_by_mail)
{
	struct office o = open_office(64);
	void *got[8];

	staff(&o);
	cr_assert(dp_mail_fd(&o.mail[0]) >= 0);
	cr_expect(dp_mail_sleep(&o.mail[0]));
	cr_expect(!readable(dp_mail_fd(&o.mail[0])));
	dp_mail_put(&o.mail[1], 0, packet(1));
	cr_expect(!readable(dp_mail_fd(&o.mail[0])), "not sent yet");
	dp_mail_send(&o.mail[1]);
	cr_expect(readable(dp_mail_fd(&o.mail[0])));
	dp_mail_wake(&o.mail[0]);
	cr_expect(!readable(dp_mail_fd(&o.mail[0])));
	cr_expect(!dp_mail_sleep(&o.mail[0]), "there is mail");
	cr_expect(dp_mail_take(&o.mail[0], got, 8) == 1);
	/* Awake, it is left alone. */
	dp_mail_put(&o.mail[1], 0, packet(2));
	dp_mail_send(&o.mail[1]);
	cr_expect(!readable(dp_mail_fd(&o.mail[0])));
	/* What could not be read at once is mail too. */
	cr_expect(dp_mail_take(&o.mail[0], got, 1) == 1);
	cr_expect(!dp_mail_sleep(&o.mail[0]));
	cr_expect(dp_mail_take(&o.mail[0], got, 1) == 0 && dp_mail_sleep(&o.mail[0]));
	dp_handover_free(o.h, drop);
}
