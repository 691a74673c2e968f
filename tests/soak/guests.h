/*
 * tests/soak/guests.h - actors that end in other ways than by a fault that is
 * trapped: processes that crash, are killed or hang, and actors that need too
 * much memory or time. And the auditors, who
 * watch every run of all actors and enter its end into the ledger.
 */
#ifndef GRI_TESTS_SOAK_GUESTS_H
#define GRI_TESTS_SOAK_GUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include <greenroom/greenroom.h>

/* How often guests ended, by how they did. */
typedef struct guest_ends {
    uint64_t crashes, kills, hangs, memory, slow;
} guest_ends;

enum { GUESTS = 8 }; /* all of them */

/* Whom an auditor watches. */
typedef enum audited { AUDIT_LEAVES, AUDIT_PROCESSES, AUDIT_OTHERS } audited;

/* Each run of whom it watches says ["born", index] to it first. */
int auditor_start(gr_actor *self, audited whom, gr_pid *out);
/* A supervisor of the guests, and their auditors. */
int guests_start(gr_actor *self);
/* Tells one of them to end in one of its ways, by chance; does not wait. */
void guests_end_one(gr_actor *self, unsigned chance);
/* Waits until each is there. 0, or an error. */
int guests_await(gr_actor *self);
guest_ends guests_ended(void);

#endif /* GRI_TESTS_SOAK_GUESTS_H */
