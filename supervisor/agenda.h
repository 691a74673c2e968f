/*
 * supervisor/agenda.h - what a supervisor has to do for which child when: a
 * heap. Entries of the same time come in the order in which they were put.
 */
#ifndef GRI_SUPERVISOR_AGENDA_H
#define GRI_SUPERVISOR_AGENDA_H

#include <stddef.h>
#include <stdint.h>

struct gri_child;

typedef struct gri_appointment {
    int64_t due_ms;
    uint64_t number; /* they are counted */
    struct gri_child *child;
} gri_appointment;

typedef struct gri_agenda {
    gri_appointment *heap; /* n of cap; the next is the first */
    size_t n, cap;
    uint64_t numbers; /* appointments so far */
} gri_agenda;         /* all zero is an empty one */

void gri_agenda_fini(gri_agenda *agenda);
/* A child has one appointment at most; its place is kept in the child
 * (children.h). Errors: GR_ENOMEM. */
int gri_agenda_put(gri_agenda *agenda, struct gri_child *child, int64_t due_ms);
/* No error if it has none. */
void gri_agenda_remove(gri_agenda *agenda, struct gri_child *child);

#endif /* GRI_SUPERVISOR_AGENDA_H */
