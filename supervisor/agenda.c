/* supervisor/agenda.c - a binary heap whose members know their places. */
#include "supervisor/agenda.h"

#include <stdbool.h>
#include <stdlib.h>

#include <greenroom/error.h>

#include "supervisor/children.h"

enum { FIRST_CAP = 8 };

static bool before(const gri_appointment *a, const gri_appointment *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms
                                  : a->number < b->number;
}

static void set(gri_agenda *agenda, size_t at, gri_appointment what)
{
    agenda->heap[at] = what;
    what.child->appointment = at + 1;
}

/* Puts `what` where it belongs, from the free place `at` on. */
static void sift(gri_agenda *agenda, size_t at, gri_appointment what)
{
    while (at > 0 && before(&what, &agenda->heap[(at - 1) / 2])) {
        set(agenda, at, agenda->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (size_t child; (child = 2 * at + 1) < agenda->n; at = child) {
        if (child + 1 < agenda->n &&
            before(&agenda->heap[child + 1], &agenda->heap[child])) {
            child++;
        }
        if (!before(&agenda->heap[child], &what)) {
            break;
        }
        set(agenda, at, agenda->heap[child]);
    }
    set(agenda, at, what);
}

void gri_agenda_fini(gri_agenda *agenda)
{
    free(agenda->heap);
    *agenda = (gri_agenda){0};
}

int gri_agenda_put(gri_agenda *agenda, gri_child *child, int64_t due_ms)
{
    gri_agenda_remove(agenda, child);
    if (agenda->n == agenda->cap) {
        size_t cap = agenda->cap == 0 ? FIRST_CAP : 2 * agenda->cap;
        gri_appointment *heap =
            realloc(agenda->heap, cap * sizeof(agenda->heap[0]));
        if (heap == NULL) {
            return GR_ENOMEM;
        }
        agenda->heap = heap;
        agenda->cap = cap;
    }
    gri_appointment what = {due_ms, agenda->numbers++, child};
    agenda->n++;
    sift(agenda, agenda->n - 1, what);
    return 0;
}

void gri_agenda_remove(gri_agenda *agenda, gri_child *child)
{
    if (child->appointment == 0) {
        return;
    }
    size_t at = child->appointment - 1;
    child->appointment = 0;
    agenda->n--;
    if (at < agenda->n) {
        sift(agenda, at, agenda->heap[agenda->n]);
    }
}
