/*
 * Scripts of requests in flight: what goes in, what comes out, in virtual time. One transaction of
 * one client, a pair of members A, B and (with a fallback) C.
 *
 * A line is "input > output". Input:
 *   INVITE, REGISTER, BYE, ...     the client sends it, always under one branch; ACK and CANCEL too
 *   A 180, B 200 CANCEL            a member answers the last request of the transaction that it
 * got, or the last CANCEL; A.0 503: that of attempt 0 +500                           milliseconds
 * pass down A, up A, active B, suspect A, drain A, clear A, oos, trial 7 icmp A, stream A an ICMP
 * error quotes the last request that A got; A's stream fails Output: everything that leaves, in
 * order: A:INVITE.0 (member, method, attempt), c:180 (to the client); -: nothing. "more" as the
 * input of a line: the output of the one before goes on.
 * '#' begins a comment.
 */
#pragma once

#include "tests/dataplane/steer_bench.h"

/** A row: what it shows, with its clause. */
struct script_row {
	const char *name;
	struct bench_opts opts; /* store_size 0: 256 KiB */
	const char *script;
};

/** Runs it, then lets time pass until nothing can be open any more, and expects that all is given
 * back. before_end: NULL or called before that. */
void script_run(const struct script_row *row, void (*before_end)(struct bench *b));
