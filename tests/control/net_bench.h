/*
 * A bench for what talks to the kernel's network: a network namespace of the test's own and tap
 * devices in it, whose wire the test holds. Tests run in processes of their own, with which all of
 * it goes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Enter a new, empty network namespace, or skip the test where that is not allowed. */
void bench_enter(void);

/** Make a tap device. @return its wire: a descriptor that gives and takes Ethernet frames. */
int bench_tap(const char *name, unsigned int *ifindex);

/** Run a command. The test fails when it does. */
void bench_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** What a command prints; the caller frees it. */
char *bench_output(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Whether a command's output holds a text. */
bool bench_shows(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Next ARP request on the wire for an address, answered with a MAC. @return false: none within
 * timeout_ms. */
bool bench_answer_arp(int wire, const uint8_t ip[4], const uint8_t mac[6], int timeout_ms);

/** Whether a neighbour solicitation for an address comes within timeout_ms. */
bool bench_sees_solicitation(int wire, const uint8_t ip[16], int timeout_ms);
