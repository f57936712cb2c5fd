/*
 * What the values of a configuration must be together: names, addresses, roles, families, timers.
 * Each function adds to d what is wrong and fills in what follows from other values (indices,
 * endpoints, order). They go on after errors, and take a model in which names and hosts may be NULL
 * because reading them failed. Control thread.
 */
#pragma once

#include "control/config/ctl_config.h"

/** All of the below. @return 0, or -ENOMEM with an error in d. */
int ctl_check_model(struct ctl_model *m, struct ctl_diag *d);

void ctl_check_global(struct ctl_model *m, struct ctl_diag *d);
void ctl_check_ports(struct ctl_model *m, struct ctl_diag *d);

/** Member roles and order, accounts, endpoints, timers. */
void ctl_check_pair(const struct ctl_model *m, struct ctl_pair *p, struct ctl_diag *d);

/** The timers of one pair. */
void ctl_check_settings(struct ctl_pair *p, struct ctl_diag *d);

/** How one pair's members are probed: TLS files (which are read), source addresses. */
void ctl_check_probe(const struct ctl_model *m, const struct ctl_pair *p, struct ctl_diag *d);

/** What is unwise in that: warnings. */
void ctl_advise_probe(const struct ctl_pair *p, struct ctl_diag *d);

/* Across pairs and services. */
int ctl_check_names(struct ctl_model *m, struct ctl_diag *d);
int ctl_check_services(struct ctl_model *m, struct ctl_diag *d);
int ctl_check_endpoints(struct ctl_model *m, struct ctl_diag *d);
int ctl_check_sources(struct ctl_model *m, struct ctl_diag *d);

/** What is legal but unwise, in a file without errors: warnings. */
void ctl_check_advise(const struct ctl_model *m, struct ctl_diag *d);

/**
 * The address families in which each pair's members can be reached: those that the pair has an
 * egress address for, or each of its services a listener.
 * @param families  Out, one for each pair: bit 0 IPv4, bit 1 IPv6.
 */
void ctl_pair_families(const struct ctl_model *m, uint8_t *families);

/** Whether an address is the broadcast address of a subnet of ours. */
bool ctl_own_broadcast(const struct ctl_model *m, const struct sip_ip *ip);

/** The port that owns an address: its index, or -ENOENT. */
int ctl_own_port(const struct ctl_model *m, const struct sip_ip *ip);

/** "192.0.2.10:5060" or "[2001:db8::10]:5060". */
#define CTL_ENDPOINT_SIZE 56
const char *ctl_endpoint_format(const struct dp_endpoint *at, char text[CTL_ENDPOINT_SIZE]);
