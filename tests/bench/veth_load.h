/* What veth_load.c and its programs in the kernel, veth_load_bpf.c, have in common: maps that both
 * see. */
#pragma once

#include <linux/types.h>

#define VETH_FRAME_MAX  2048
#define VETH_SERIAL_LEN 16
#define VETH_TAIL       (VETH_SERIAL_LEN + 2) /* the serial, and the line end behind it */
#define VETH_LEAST      (14 + 20 + 8 + VETH_TAIL)
#define VETH_UDP_SUM    (14 + 20 + 6)
#define VETH_FILE_MAX   4096 /* frames of a file */

/* A frame of the file. Map "file". */
struct veth_frame {
	__u32 len;
	__u32 sum; /* of the message without serial, as the checksum's complement */
	__u8 bytes[VETH_FRAME_MAX];
};

/* What became of the frame with one serial number. Map "slots". */
struct veth_slot {
	__u64 sent_ns;
	__u32 delay_ns; /* 0: has not come back */
	__u32 unused;
};

/* Map "state", one of it. Times are of CLOCK_MONOTONIC. */
struct veth_state {
	__u64 rate;     /* frames a second */
	__u64 most;     /* how many frames there will be */
	__u64 begin_ns; /* when the first frame was due, or would have been without delays */
	__u64 sent;
	__u64 received;
	__u64 wrong;   /* came, and were addressed to somebody else, or none of ours */
	__u32 n_file;  /* frames in the file */
	__u32 ifindex; /* where to send them */
	/* Whom they must be addressed to when they come back, as on the wire. */
	__u8 to_mac[6];
	__u16 to_port;
	__u32 to_ip;
};
