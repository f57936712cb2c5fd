/*
 * The shared region: the whole interface between control (sipsteerd) and the data plane
 * (sipsteer-dataplane).
 *
 * One memfd, mapped by both, holds: a boot block (what the data plane needs to start), one 64-bit
 * word per pair, one block per worker (ack, counters, event ring), and a heap of snapshots. No
 * pointers, no DPDK types: places in it are byte offsets from its start (dp_off), 0 meaning none.
 * Everything is little-endian and naturally aligned.
 *
 * Publication. Control builds a snapshot block in the heap, never modifies it afterwards, puts its
 * offset in roots[generation % DP_ROOTS], and publishes `generation` with a release store. At each
 * burst's end a worker loads `generation` (acquire), takes the root, and stores that generation as
 * its `ack` (release): from then on it holds nothing older. Control reuses a block only when it is
 * older than the smallest ack of the online workers. A worker that comes online stores its ack,
 * issues a full fence, and reloads `generation`, so that either control sees the ack or the worker
 * sees the newer generation. An ack of DP_ACK_OFFLINE holds nothing.
 *
 * Who writes what is said at each field: `control:` and `dataplane:`, wo (written there) or ro
 * (read there).
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/dp_reason.h"
#include "sip/sip_msg.h"

#define DP_REGION_MAGIC 0x7265657473706973ull /* "sipsteer" */
/* Raised whenever any struct reachable from here changes, or a hash. */
#define DP_LAYOUT_VERSION 10

#define DP_CACHE_LINE  64
#define DP_MAX_WORKERS 16
#define DP_MAX_PORTS   16
#define DP_MAX_PAIRS   16384
#define DP_PAIR_MEMBERS \
	16 /* slots per pair; member number = pair number * DP_PAIR_MEMBERS + slot */
#define DP_MAX_MEMBERS (DP_MAX_PAIRS * DP_PAIR_MEMBERS)
#define DP_ROOTS       64
#define DP_EVENTS      4096 /* records of a worker's event ring; a power of two */
#define DP_ACK_OFFLINE UINT64_MAX
#define DP_NAME_SIZE   32

typedef uint64_t dp_off; /* bytes from the region's start; 0: none */

/* ---- Pair words
 * ---------------------------------------------------------------------------------------------- */

/*
 * One 64-bit word per pair, read once per message: a failover is one store.
 *
 *   bits  0..3   slot of the active member
 *   bit   4      valid: the pair exists and `active` names a member
 *   bit   5      out of service: every member has missed an oos-force round
 *   bit   6      unknown: nobody knows who is alive; traffic stays with `active`
 *   bit   7      trial: one live request may be tried on the pair's best member (dp_trial)
 *   bits  8..23  down, one bit a slot: not to be sent to (failed, or disabled by the operator)
 *   bits 24..39  suspect, one bit a slot
 *   bits 40..55  draining, one bit a slot: its dialogs stay, new ones go elsewhere
 *   bits 56..63  change count, modulo 256
 *
 * control: wo (release), dataplane: ro (acquire, once per message).
 */
#define DP_WORD_VALID          (1ull << 4)
#define DP_WORD_OUT_OF_SERVICE (1ull << 5)
#define DP_WORD_UNKNOWN        (1ull << 6)
#define DP_WORD_TRIAL          (1ull << 7)
#define DP_WORD_DOWN_SHIFT     8
#define DP_WORD_DOWN_MASK      (0xffffull << DP_WORD_DOWN_SHIFT)
#define DP_WORD_SUSPECT_SHIFT  24
#define DP_WORD_DRAINING_SHIFT 40
#define DP_WORD_CHANGES_SHIFT  56

/* An offer: its number, the slot that is to be tried, and whether a worker has taken it. */
#define DP_TRIAL_TAKEN 1u

static inline uint32_t dp_trial(uint32_t number, unsigned int slot)
{
	return number << 5 | (slot & 15) << 1;
}

static inline uint32_t dp_trial_number(uint32_t offer)
{
	return offer >> 5;
}

static inline unsigned int dp_trial_slot(uint32_t offer)
{
	return offer >> 1 & 15;
}

static inline unsigned int dp_word_active(uint64_t w)
{
	return (unsigned int)(w & 15);
}

static inline bool dp_word_down(uint64_t w, unsigned int slot)
{
	return (w >> (DP_WORD_DOWN_SHIFT + slot)) & 1;
}

static inline bool dp_word_suspect(uint64_t w, unsigned int slot)
{
	return (w >> (DP_WORD_SUSPECT_SHIFT + slot)) & 1;
}

static inline bool dp_word_draining(uint64_t w, unsigned int slot)
{
	return (w >> (DP_WORD_DRAINING_SHIFT + slot)) & 1;
}

/* ---- Boot block
 * ---------------------------------------------------------------------------------------------- */

struct dp_boot_port {
	char name[DP_NAME_SIZE]; /* also the exception netdev's name */
	char device[256]; /* DPDK device string: a PCI address or a vdev with its arguments */
	uint16_t mtu;     /* 0: the device's default */
	uint16_t vlan;    /* 0: untagged */
	uint32_t reserved;
};

enum dp_idle { DP_IDLE_ADAPTIVE, DP_IDLE_POLL };
/** Whether a busy source's requests are spread over the workers. */
enum dp_spread { DP_SPREAD_AUTO, DP_SPREAD_ALWAYS, DP_SPREAD_NEVER };
enum dp_checksums { DP_CHECKSUMS_AUTO, DP_CHECKSUMS_ALWAYS, DP_CHECKSUMS_NEVER };

/** What the data plane needs to start; written by control before the first hand-over, then
 * constant. */
struct dp_boot {
	uint16_t n_ports;
	uint16_t n_workers;
	uint8_t idle;             /* enum dp_idle */
	uint8_t verify_checksums; /* enum dp_checksums */
	uint8_t huge;             /* 0: use hugepages when there are enough, 1: insist, 2: never */
	uint8_t spread;           /* enum dp_spread */
	uint32_t memory_mb;      /* for packet buffers without hugepages, and the least of hugepages
				    wanted */
	uint32_t n_mbufs;        /* per worker */
	uint32_t n_records;      /* transaction records per worker */
	uint32_t n_challenges;   /* challenge records per worker */
	uint32_t record_hold_ms; /* how long a record is kept after its final response, 32,000 by
				    RFC 3261's 64*T1 */
	uint32_t store_mb;       /* copies of open requests, per worker; 0: none are kept */
	uint16_t rx_descriptors; /* 0: default */
	uint16_t tx_descriptors;
	uint32_t handover_ring; /* packets in each ring between two workers */
	char worker_cpus[64];   /* CPU list for workers ("2-5"), empty: not pinned */
	struct dp_boot_port ports[DP_MAX_PORTS];
};

/* ---- Events: data plane to control
 * --------------------------------------------------------------------------- */

enum dp_event_type {
	DP_EVENT_NONE,
	DP_EVENT_NEIGH_MISS, /* resolve `ip` on port `port` */
	DP_EVENT_NEIGH_USED, /* `ip` on `port` is in use: keep it fresh; at most once a second for
				each */
	DP_EVENT_UNANSWERED, /* a request to `member` has had no answer for T1; value: its method */
	DP_EVENT_RESPONSE_5XX, /* `member` answered value>>8 to a request of method value&255 */
	DP_EVENT_ICMP,         /* a proven ICMP error about `member`; value: type<<8 | code; id: the
				  branch's tag */
	DP_EVENT_ALIVE, /* `member`, suspect or down, answered a request; value: its status code */
	DP_EVENT_LINK,  /* port `port` went up (value 1) or down (0) */
	DP_EVENT_CLAIM, /* another host on `port` claims `ip`, which is ours; id: its MAC */
	DP_EVENT_TRIAL, /* the trial `id` (dp_trial) on `member` has ended; value: status << 8 |
			   method, status 0: unanswered */
};

/** One record. Words are stored relaxed; `seq` is 0 while the record is being written (see
 * dp_event_ring). */
struct dp_event {
	uint64_t seq;     /* 1 and up, one more for each record of this ring */
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint32_t type;    /* enum dp_event_type */
	uint32_t member;  /* pair number * DP_PAIR_MEMBERS + slot */
	uint32_t port;
	uint32_t value;
	uint64_t id;
	uint8_t ip[16];
	uint64_t reserved;
};
_Static_assert(sizeof(struct dp_event) == 64, "an event is a cache line");

/**
 * Overwriting single-producer ring. dataplane (one worker): wo; control: ro. The writer sets the
 * record's seq to 0, release-fences, writes the words, then stores seq with release. The reader
 * keeps its own position, reads seq (acquire), the words, fences, reads seq again, and counts what
 * it missed from the gaps.
 */
struct dp_event_ring {
	_Atomic uint64_t head; /* seq of the last record written */
	uint8_t pad[DP_CACHE_LINE - 8];
	struct dp_event ev[DP_EVENTS];
};

/* ---- Counters
 * ------------------------------------------------------------------------------------------------
 */

/** Requests sent to and responses received from one member, by this worker. dataplane: wo, control:
 * ro. */
struct dp_member_counters {
	uint64_t requests[SIP_METHOD_N]; /* by enum sip_method, to the member */
	uint64_t responses[6];           /* by class 1xx to 6xx, from the member; [0] is 1xx */
	uint64_t from;                   /* requests that the member originated */
	/* Of recorded requests that the member was the first to get: control's view of gray failure
	 */
	uint64_t judged; /* those that have had a first response, or are in `failed` */
	uint64_t failed; /* no response for no-response-timeout, or 503 (500 or 503 to REGISTER) */
	uint64_t delay_us; /* from the first send to the first response, summed over judged - those
			      without a response */
	uint64_t delays;   /* how many are in delay_us */
	uint64_t unanswered;     /* sends without any response for T1 */
	uint64_t icmp;           /* proven ICMP errors */
	uint64_t rescued_from;   /* requests taken away from it in flight */
	uint64_t rescued_to;     /* requests that it got in another's place */
	uint64_t trials;         /* live requests of signal failback */
	uint64_t copies;         /* REGISTERs of concurrent registration */
	uint64_t copies_refused; /* those answered with a non-2xx final */
};
_Static_assert(sizeof(struct dp_member_counters) == 8 * (SIP_METHOD_N + 18), "no padding");

#define DP_GROUP_PAIRS 64 /* whose members of one slot are counted side by side */

/**
 * How they are kept: one counter of the members that 64 pairs have in a slot, then the next. Pairs
 * use the same few slots, and messages the same few counters: so those of thousands of pairs lie in
 * few lines, and in few pages.
 */
struct dp_member_group {
	uint64_t count[sizeof(struct dp_member_counters) / sizeof(uint64_t)][DP_GROUP_PAIRS];
};

/** Number of the group that a member is counted in, and its place there. */
static inline uint32_t dp_member_group_of(uint32_t member)
{
	return member % DP_PAIR_MEMBERS * (DP_MAX_PAIRS / DP_GROUP_PAIRS)
	       + member / DP_PAIR_MEMBERS / DP_GROUP_PAIRS;
}

static inline uint32_t dp_member_place(uint32_t member)
{
	return member / DP_PAIR_MEMBERS % DP_GROUP_PAIRS;
}

/** Where one of them is. @param field  Its offset in struct dp_member_counters. */
static inline uint64_t *dp_member_counter(struct dp_member_group *groups, uint32_t member,
					  size_t field)
{
	return &groups[dp_member_group_of(member)]
			.count[field / sizeof(uint64_t)][dp_member_place(member)];
}

/** Where `field` of a member's is: dp_member_counter() by name. */
#define DP_MEMBER_COUNTER(groups, member, field) \
	dp_member_counter(groups, member, offsetof(struct dp_member_counters, field))

/** Add a member's counters to a sum, each as it stands when it is read. Any thread. */
void dp_member_counters_add(const struct dp_member_group *groups, uint32_t member,
			    struct dp_member_counters *sum);

/** Why a request in flight was sent to another member. */
enum dp_rescue {
	DP_RESCUE_SENDS,   /* its retry-counts'th send */
	DP_RESCUE_TIMEOUT, /* no-response-timeout */
	DP_RESCUE_CODE,    /* 503, or 500 to REGISTER */
	DP_RESCUE_ICMP,    /* a proven ICMP error */
	DP_RESCUE_STREAM,  /* its connection failed */
	DP_RESCUE_DOWN,    /* control marked the member down */
	DP_RESCUE_TRIAL,   /* a trial of signal failback was not answered */
	DP_RESCUE_N
};

struct dp_port_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, tx_dropped;
	uint64_t to_kernel, from_kernel;
};

struct dp_worker_counters {
	uint64_t polls;         /* receive calls */
	uint64_t bursts;        /* receive calls that brought packets */
	uint64_t packets;       /* packets that they brought */
	uint64_t busy_cycles;   /* TSC cycles spent on them */
	uint64_t sleeps, woken; /* woken: of sleeps, those that a packet or mail ended */
	uint64_t sip_requests, sip_responses; /* SIP messages seen, by kind */
	uint64_t forwarded;                   /* messages forwarded */
	uint64_t answered;                    /* own answers sent */
	uint64_t records_made, records_full, records_in_use;
	uint64_t challenges_made, challenges_full;
	/* Found to be another worker's, those of DP_REASON_HANDOVER_FULL among them; the others are
	 * fragments, which meet at one worker, and ICMP errors */
	uint64_t handed_requests, handed_responses, handed_others;
	uint64_t handed_in; /* packets got from other workers */
	uint64_t neigh_held,
		neigh_flushed; /* packets that waited for a next hop, and those that then went */
	uint64_t events;
	/* Fragments: those that came for addresses of ours, datagrams put together from them,
	 * packets that left in fragments, and these */
	uint64_t fragments, reassembled, fragmented, fragments_sent;
	uint64_t icmp_errors;  /* about packets of listeners' */
	uint64_t pmtu_lowered; /* paths that were found to take less than the port */
	/* Requests in flight */
	uint64_t copies_made, copies_full, copies_in_use;
	uint64_t store_used, store_size;                        /* bytes */
	uint64_t contexts_made, contexts_full, contexts_in_use; /* response contexts, RFC 3261 16.7
								 */
	uint64_t rescued[DP_RESCUE_N][SIP_METHOD_N];
	uint64_t absorbed_responses; /* of branches that were given up, or kept back */
	uint64_t own_finals;         /* finals of transactions that had been forwarded */
	uint64_t own_retransmits;    /* of requests and finals, by our timers */
	uint64_t own_cancels, own_acks;
	uint64_t timer_c; /* INVITEs ended by it, RFC 3261 16.8 */
	uint64_t trials;
	uint64_t reason[DP_REASON_N]; /* drops and absorptions, by enum dp_reason */
	struct dp_port_counters port[DP_MAX_PORTS];
};

/** One worker's block. Its parts lie on cache lines of their own. */
struct dp_worker_block {
	_Alignas(DP_CACHE_LINE) _Atomic uint64_t
		ack; /* dataplane: wo, control: ro; DP_ACK_OFFLINE when offline */
	uint8_t pad0[DP_CACHE_LINE - 8];
	_Atomic uint64_t heartbeat_ns; /* dataplane: wo; CLOCK_MONOTONIC of the last loop, at most
					  every 10 ms */
	uint64_t tsc_hz;
	uint8_t pad1[DP_CACHE_LINE - 16];
	struct dp_worker_counters counters;
	_Alignas(DP_CACHE_LINE) struct dp_event_ring events;
	/* Sparse: pages come into being when touched. */
	_Alignas(DP_CACHE_LINE) struct dp_member_group members[DP_MAX_MEMBERS / DP_GROUP_PAIRS];
};

/* ---- The region
 * ---------------------------------------------------------------------------------------------- */

/** What one generation consists of. */
struct dp_root {
	dp_off cfg; /* struct dp_cfg (dataplane/dp_cfg.h) */
	dp_off net; /* struct dp_net (dataplane/dp_net.h) */
};

enum dp_state {
	DP_STATE_NONE,     /* no data plane has taken this region yet */
	DP_STATE_STARTING, /* ports are being opened */
	DP_STATE_RUNNING,
	DP_STATE_FAILED, /* could not start: `failure` says why */
	DP_STATE_STOPPED,
};

struct dp_region {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t header_size; /* sizeof(struct dp_region): a second guard against layouts that
				 differ */
	uint64_t size;        /* bytes of the memfd */
	dp_off heap;          /* snapshots: [heap, heap + heap_size) belongs to control */
	uint64_t heap_size;
	dp_off workers; /* struct dp_worker_block[boot.n_workers] */
	uint8_t pad0[DP_CACHE_LINE - 48];

	_Atomic uint64_t generation; /* control: wo (release), dataplane: ro (acquire); 0: nothing
					published yet */
	uint8_t pad1[DP_CACHE_LINE - 8];
	struct dp_root
		roots[DP_ROOTS]; /* control: wo before the generation, dataplane: ro after it */

	/* dataplane: wo, control: ro */
	_Atomic uint64_t incarnation; /* one more at each start of a data plane on this region */
	_Atomic uint32_t state;       /* enum dp_state */
	_Atomic uint32_t pid;
	char failure[512]; /* one plain sentence, valid in DP_STATE_FAILED */
	struct {
		uint8_t mac[6];
		uint16_t mtu;
		uint8_t link_up;
		uint8_t reserved[3];
		uint32_t exception_ifindex; /* 0 until the netdev exists */
	} port[DP_MAX_PORTS];

	/* control: wo, dataplane: ro */
	_Atomic uint64_t stop; /* not 0: the data plane shall end */
	uint8_t pad2[DP_CACHE_LINE - 8];

	/* control: wo (release, after the word), dataplane: ro (acquire): one more at each change
	 * of a pair word that puts a member down, so that a worker looks through its open requests
	 * then and at no other time. */
	_Alignas(DP_CACHE_LINE) _Atomic uint64_t word_downs;

	struct dp_boot boot;
	_Alignas(DP_CACHE_LINE) _Atomic uint64_t pair_words[DP_MAX_PAIRS];

	/*
	 * Trials of signal failback, one at a time per pair: control stores an offer (dp_trial())
	 * with release and then sets the word's trial bit; the worker that marks it as taken
	 * (compare and exchange) sends one request to the slot that it names, and says how it went
	 * in a DP_EVENT_TRIAL whose id is the offer's number. Control takes the bit back then, and
	 * offers the next some time later.
	 */
	_Alignas(DP_CACHE_LINE) _Atomic uint32_t pair_trials[DP_MAX_PAIRS];
};

/** Bytes of a region for n_workers and a heap of heap_size bytes. The memfd is sparse: untouched
 * pages cost nothing. */
uint64_t dp_region_size(unsigned int n_workers, uint64_t heap_size);

/**
 * Create a region: a sealed-size memfd, header and boot block filled, everything offline, nothing
 * published.
 * @param boot  Copied.
 * @param fd    Out: the memfd, owned by the caller.
 * @return      The mapping (dp_region_unmap() ends it), or NULL with errno.
 */
struct dp_region *dp_region_create(const struct dp_boot *boot, uint64_t heap_size, int *fd);

/**
 * Map a region that somebody handed over. Checks magic, layout and sizes.
 * @return the mapping, or NULL with errno: EPROTO for another layout version, EINVAL for something
 * else.
 */
struct dp_region *dp_region_map(int fd);
void dp_region_unmap(struct dp_region *r);

static inline void *dp_at(const struct dp_region *r, dp_off off)
{
	return (uint8_t *)(uintptr_t)r + off;
}

struct dp_worker_block *dp_region_worker(const struct dp_region *r, unsigned int worker);

/* ---- Worker side: any thread that is this worker
 * ---------------------------------------------------------------- */

/** What a worker holds between two calls of dp_region_quiesce(). Borrowed from the region. */
struct dp_view {
	uint64_t generation;
	const struct dp_cfg *cfg; /* NULL until something is published */
	const struct dp_net *net;
};

/** Come online and load the newest generation. */
void dp_region_online(struct dp_region *r, unsigned int worker, struct dp_view *v);

/** Holds nothing any more: before blocking for long, and at the end. */
void dp_region_offline(struct dp_region *r, unsigned int worker, struct dp_view *v);

/** Between bursts: let go of the old view, take the newest one. @return whether it changed. */
bool dp_region_quiesce(struct dp_region *r, unsigned int worker, struct dp_view *v);

/** Write an event. Never blocks; overwrites the oldest. `ev`'s seq is ignored. */
void dp_event_put(struct dp_event_ring *ring, const struct dp_event *ev);

/* ---- Control side: the control thread
 * --------------------------------------------------------------------------- */

/**
 * Publish a root as the next generation.
 * @return the generation, or 0 when a worker has not acked for DP_ROOTS generations (nothing is
 * published; try again).
 */
uint64_t dp_region_publish(struct dp_region *r, const struct dp_root *root);

/** Smallest ack of the online workers; UINT64_MAX when none is online. Full fence before the loads.
 */
uint64_t dp_region_min_ack(struct dp_region *r);

/** Replace a pair's word; the change count is set by this function. */
void dp_region_set_word(struct dp_region *r, unsigned int pair, uint64_t word);

/** Reader's position in a ring. */
struct dp_event_reader {
	uint64_t next;   /* seq of the next record to read */
	uint64_t missed; /* records overwritten before they were read */
};

/** @return 1 with *ev filled, 0 when there is none. */
int dp_event_get(const struct dp_event_ring *ring, struct dp_event_reader *rd, struct dp_event *ev);
