/* The table of neighbours: merging dumps with notifications. */
#include "control/net/ctl_neighs.h"

#include <criterion/criterion.h>
#include <linux/neighbour.h>
#include <stdlib.h>

enum how { NOTICE, NOTICE_GONE, DUMP, BEGIN, END };

static struct ctl_neigh neigh(unsigned int host, uint8_t mac)
{
	struct ctl_neigh n = { .state = mac ? NUD_REACHABLE : NUD_FAILED };

	n.at.ip.b[14] = (uint8_t)(host >> 8);
	n.at.ip.b[15] = (uint8_t)host;
	n.at.mac[5] = mac;
	n.at.valid = mac != 0;
	return n;
}

Test(neighs, dumps_and_notifications_merge)
{
	/* Each row: what happens in turn to one neighbour, and its MAC in the end (0: not valid).
	 */
	static const struct {
		const char *what;
		struct {
			enum how how;
			uint8_t mac;
		} step[6];
		size_t n;
		uint8_t mac;
	} rows[] = {
		{ "a notification", { { NOTICE, 1 } }, 1, 1 },
		{ "a newer MAC", { { NOTICE, 1 }, { NOTICE, 2 } }, 2, 2 },
		{ "failed", { { NOTICE, 1 }, { NOTICE, 0 } }, 2, 0 },
		{ "forgotten", { { NOTICE, 1 }, { NOTICE_GONE, 1 } }, 2, 0 },
		{ "back again", { { NOTICE, 1 }, { NOTICE_GONE, 1 }, { NOTICE, 1 } }, 3, 1 },
		{ "a dump", { { BEGIN, 0 }, { DUMP, 1 }, { END, 0 } }, 3, 1 },
		{ "not in the dump", { { NOTICE, 1 }, { BEGIN, 0 }, { END, 0 } }, 3, 0 },
		{ "told during the dump", { { BEGIN, 0 }, { NOTICE, 1 }, { END, 0 } }, 3, 1 },
		{ "told, then an older word",
		  { { BEGIN, 0 }, { NOTICE, 2 }, { DUMP, 1 }, { END, 0 } },
		  4,
		  2 },
		{ "gone, then an older word",
		  { { NOTICE, 1 }, { BEGIN, 0 }, { NOTICE_GONE, 1 }, { DUMP, 1 }, { END, 0 } },
		  5,
		  0 },
		{ "gone and back, then an older word",
		  { { BEGIN, 0 }, { NOTICE_GONE, 1 }, { NOTICE, 3 }, { DUMP, 1 }, { END, 0 } },
		  5,
		  3 },
		{ "dumped, then gone",
		  { { BEGIN, 0 }, { DUMP, 1 }, { NOTICE_GONE, 1 }, { END, 0 } },
		  4,
		  0 },
		{ "a second dump",
		  { { BEGIN, 0 },
		    { NOTICE, 2 },
		    { END, 0 },
		    { BEGIN, 0 },
		    { DUMP, 1 },
		    { END, 0 } },
		  6,
		  1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_neighs *t = ctl_neighs_new();
		struct dp_net_neigh out[4] = { 0 };
		size_t n;

		for (size_t s = 0; s < rows[i].n; s++) {
			struct ctl_neigh x = neigh(1, rows[i].step[s].mac);

			switch (rows[i].step[s].how) {
			case BEGIN: ctl_neighs_dump_begin(t); break;
			case END: ctl_neighs_dump_end(t); break;
			case DUMP: ctl_neighs_put(t, &x, false, true); break;
			case NOTICE: ctl_neighs_put(t, &x, false, false); break;
			case NOTICE_GONE: ctl_neighs_put(t, &x, true, false); break;
			}
		}
		n = ctl_neighs_list(t, out);
		cr_expect_eq(n, rows[i].mac ? 1 : 0, "%s: %zu", rows[i].what, n);
		cr_expect_eq(out[0].mac[5], rows[i].mac, "%s: %u", rows[i].what, out[0].mac[5]);
		ctl_neighs_free(t);
	}
}

Test(neighs, says_what_changes_where_packets_go)
{
	struct ctl_neighs *t = ctl_neighs_new();
	struct ctl_neigh a = neigh(1, 1), stale = a, b = neigh(1, 2), failed = neigh(1, 0);

	stale.state = NUD_STALE;
	cr_expect_eq(ctl_neighs_put(t, &failed, false, false), 0);
	cr_expect_eq(ctl_neighs_put(t, &a, false, false), 1);
	cr_expect_eq(ctl_neighs_put(t, &stale, false, false), 0);
	cr_expect_eq(ctl_neighs_find(t, 0, &a.at.ip)->state, NUD_STALE);
	cr_expect_eq(ctl_neighs_put(t, &b, false, false), 1);
	cr_expect_eq(ctl_neighs_put(t, &failed, false, false), 1);
	cr_expect_eq(ctl_neighs_put(t, &failed, true, false), 0);
	cr_expect_null(ctl_neighs_find(t, 0, &a.at.ip));
	ctl_neighs_free(t);
}

Test(neighs, holds_many)
{
	struct ctl_neighs *t = ctl_neighs_new();
	struct dp_net_neigh *out = calloc(5000, sizeof(*out));
	bool met[5000] = { false };

	for (unsigned int i = 0; i < 5000; i++) {
		struct ctl_neigh n = neigh(i, (uint8_t)(i % 255 + 1));

		cr_assert_eq(ctl_neighs_put(t, &n, false, false), 1);
	}
	for (unsigned int i = 0; i < 5000; i += 2) {
		struct ctl_neigh n = neigh(i, 1);

		cr_assert_eq(ctl_neighs_put(t, &n, true, false), 1, "%u", i);
	}
	cr_expect_eq(ctl_neighs_count(t), 2500);
	cr_expect_eq(ctl_neighs_list(t, out), 2500);
	for (unsigned int i = 0; i < 2500; i++)
		met[out[i].ip.b[14] << 8 | out[i].ip.b[15]] = true;
	for (unsigned int i = 0; i < 5000; i++)
		cr_expect_eq(met[i], i % 2 == 1, "%u", i);
	free(out);
	ctl_neighs_free(t);
}
