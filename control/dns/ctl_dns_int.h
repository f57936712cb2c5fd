/*
 * What the files of the names share. Only for control/dns/.
 */
#pragma once

#include "control/dns/ctl_dns.h"
#include "control/dns/ctl_dns_ares.h"
#include "control/pair/ctl_state_file.h"

#define CTL_DNS_BUCKETS 4096u

/** Who uses a name. */
struct ctl_dns_user {
	char *pair, *member; /* member NULL: the pair's `servers` */
	char note[160];
};

/** A refresh, which waits for the next outcomes of n names. */
struct ctl_dns_refresh {
	unsigned int n;
	ctl_dns_refreshed_cb done;
	void *arg;
};

struct ctl_dns_waiter {
	struct ctl_dns_waiter *next;
	struct ctl_dns_refresh *of;
};

struct ctl_dns_entry {
	struct ctl_dns_entry *next;         /* in its bucket */
	struct ctl_dns_entry *next_waiting; /* for its turn */
	struct ctl_dns *dns;
	char *name; /* small letters */
	struct ctl_dns_spec spec;
	bool kept;    /* by the sweep under way */
	bool waiting; /* for its turn */
	bool looked;  /* up at least once, or known from the file */
	bool failing;
	size_t n_users, user_room;
	struct ctl_dns_user *users;
	struct ctl_dns_result good;
	uint64_t good_wall_us; /* when the answer came; 0: never */
	uint64_t expires_ms;   /* monotonic; 0: from the file */
	uint64_t next_ms;      /* the next lookup */
	uint64_t failing_wall_us;
	unsigned int fails; /* in a row */
	char error[CTL_DNS_TEXT], refused[CTL_DNS_TEXT];
	struct event *timer;
	struct ctl_dns_lookup *lookup; /* NULL: none is under way */
	struct ctl_dns_waiter *waiters;
};

struct ctl_dns {
	struct ctl_dns_params p;
	char *file;
	struct ctl_dns_settings set; /* owned */
	struct ctl_dns_ares *ares;
	struct ctl_dns_entry *buckets[CTL_DNS_BUCKETS];
	struct ctl_dns_entry *first_waiting, *last_waiting;
	unsigned int n_running;
	struct event *tell, *save; /* changes are told and written a little later, together */
	struct ctl_writer *writer;
	json_t *file_names; /* of the file, for names yet to come; NULL: none */
	ino_t conf_ino;     /* of resolv.conf, as it was read */
	off_t conf_size;
	struct timespec conf_mtime;
};

uint64_t ctl_dns_now_ms(void);
uint64_t ctl_dns_wall_us(void);

/** Uniform in [0, n); 0 of 0. */
uint64_t ctl_dns_below(uint64_t n);

/* ---- Turns (ctl_dns.c) */

/** Look a name up as soon as it is its turn; ctl_dns_next_turns() gives turns. */
void ctl_dns_enqueue(struct ctl_dns_entry *e);
void ctl_dns_leave_queue(struct ctl_dns_entry *e);
void ctl_dns_next_turns(struct ctl_dns *dns);

/** Look a name up after a while. */
void ctl_dns_later(struct ctl_dns_entry *e, uint64_t ms);
void ctl_dns_on_timer(evutil_socket_t fd, short what, void *arg);

/** Tell all who wait for a name's outcome. */
void ctl_dns_tell_waiters(struct ctl_dns_entry *e);

/** Record that something of an answer was not used. */
void ctl_dns_say_refused(const struct ctl_dns_entry *e, const char *refused);

/** Write the file soon. */
void ctl_dns_save_soon(struct ctl_dns *dns);

/** Free all names (ctl_dns_names.c). */
void ctl_dns_drop_all(struct ctl_dns *dns);

/** "good", "stale" (the last answer stays, the newest failed), "saved" (from the file, not looked
 * up since), "unresolved". */
const char *ctl_dns_state_name(const struct ctl_dns_entry *e);

/** "198.51.100.11:5060, 198.51.100.12:5060, ..." in the general order. */
void ctl_dns_servers_text(const struct ctl_dns_result *r, char *text, size_t size);

/* ---- The file (ctl_dns_file.c) */

/** The file's names as a JSON object, or NULL. A broken file is said and set aside. */
json_t *ctl_dns_file_read(const char *path);

/** Take over what the file says of a name, if it does. */
void ctl_dns_file_take(const json_t *names, struct ctl_dns_entry *e);

/** All good answers as the file's text; free() it. NULL when out of memory. */
char *ctl_dns_file_text(const struct ctl_dns *dns);

/** The name's key in the file: "srv udp sip.example.com". */
void ctl_dns_file_key(const struct ctl_dns_entry *e, char *text, size_t size);
