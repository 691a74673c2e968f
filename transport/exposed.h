/* transport/exposed.h - may strangers on a network reach an address? */
#ifndef GRI_TRANSPORT_EXPOSED_H
#define GRI_TRANSPORT_EXPOSED_H

#include <stdbool.h>

/*
 * Whether who listens there can be reached from other hosts without TLS. Not so
 * are ipc, what is within the process, tls+tcp, and tcp on 127.0.0.0/8, [::1]
 * and localhost. All else is, names of hosts too: what they mean may change.
 * The address has passed gri_address_check.
 */
bool gri_address_is_exposed(const char *address);

/* Whether two addresses are of one kind: the same scheme and, if there are
 * hosts in it, both or neither of them this one. Whoever reached one may think
 * of reaching the other. Both have passed gri_address_check. */
bool gri_address_is_like(const char *a, const char *b);

/* Whether it names no host, but all of this one's: it can be listened on, and
 * dialed from nowhere else. */
bool gri_address_is_wildcard(const char *address);

#endif /* GRI_TRANSPORT_EXPOSED_H */
