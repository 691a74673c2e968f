/* base/world.c - see world.h. */
#include "base/world.h"

#include "base/assert.h"

enum {
    BUSY_TURNS = 10000 /* in a row: then time passes although some can run */
};

#define FNV_PRIME UINT64_C(0x100000001b3)

void gri_world_init(gri_world *world, uint64_t seed)
{
    *world = (gri_world){.rng = {seed}, .is_shared = seed != 0};
}

void gri_world_join(gri_world *world, gri_member *member)
{
    gri_member **last = &world->members;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    member->next = NULL;
    *last = member;
}

void gri_world_leave(gri_world *world, gri_member *member)
{
    gri_member **at = &world->members;
    while (*at != NULL && *at != member) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = member->next;
    }
}

static void note(gri_world *world, uint64_t choice)
{
    if (world->is_shared) {
        world->trace = (world->trace ^ choice) * FNV_PRIME;
    }
}

/* ---- events -------------------------------------------------------------- */

static bool is_before(const gri_happening *a, const gri_happening *b)
{
    return a->due_ns < b->due_ns ||
           (a->due_ns == b->due_ns && a->order < b->order);
}

/* Two heaps become one; either may be empty. */
static gri_happening *meld(gri_happening *a, gri_happening *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    if (is_before(b, a)) {
        gri_happening *first = b;
        b = a;
        a = first;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next != NULL) {
        b->next->prev = b;
    }
    a->child = b;
    a->next = a->prev = NULL;
    return a;
}

/* The heaps of a row become one: in pairs, then from the last to the first. */
static gri_happening *meld_row(gri_happening *row)
{
    gri_happening *pairs = NULL; /* a stack, through next */
    while (row != NULL) {
        gri_happening *a = row;
        gri_happening *b = a->next;
        row = b != NULL ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b != NULL) {
            b->next = b->prev = NULL;
        }
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    gri_happening *all = NULL;
    while (pairs != NULL) {
        gri_happening *next = pairs->next;
        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = next;
    }
    return all;
}

void gri_world_arm(gri_world *world, gri_happening *event, int64_t due_ns)
{
    GR_ASSERT(!event->armed);
    event->armed = true;
    event->due_ns = due_ns > world->now_ns ? due_ns : world->now_ns;
    event->order = ++world->orders;
    event->child = event->next = event->prev = NULL;
    world->events = meld(world->events, event);
}

void gri_world_disarm(gri_world *world, gri_happening *event)
{
    if (!event->armed) {
        return;
    }
    event->armed = false;
    gri_happening *rest = meld_row(event->child);
    if (event == world->events) {
        world->events = rest;
        return;
    }
    if (event->prev->child == event) {
        event->prev->child = event->next;
    } else {
        event->prev->next = event->next;
    }
    if (event->next != NULL) {
        event->next->prev = event->prev;
    }
    world->events = meld(world->events, rest);
}

void gri_world_hasten(gri_world *world, gri_happening *event, int64_t due_ns)
{
    due_ns = due_ns > world->now_ns ? due_ns : world->now_ns;
    if (event->armed && event->due_ns <= due_ns) {
        return;
    }
    gri_world_disarm(world, event);
    gri_world_arm(world, event, due_ns);
}

static bool event_due(const gri_world *world)
{
    return world->events != NULL && world->events->due_ns <= world->now_ns;
}

static void run_event(gri_world *world)
{
    gri_happening *event = world->events;
    note(world, (uint64_t)event->due_ns);
    gri_world_disarm(world, event);
    event->run(event);
}

/* ---- what happens -------------------------------------------------------- */

bool gri_world_run(gri_world *world)
{
    uint32_t ways = event_due(world);
    for (gri_member *m = world->members; m != NULL; m = m->next) {
        ways += m->ready(m);
    }
    if (ways == 0) {
        return false;
    }
    uint32_t way = ways == 1 ? 0 : gri_rng_below(&world->rng, ways);
    for (gri_member *m = world->members; m != NULL; m = m->next) {
        if (m->ready(m) && way-- == 0) {
            note(world, *m->trace);
            m->turn(m);
            return true;
        }
    }
    run_event(world);
    return true;
}

/* When the first timer or event is due. */
static int64_t next_ns(const gri_world *world)
{
    int64_t first = world->events != NULL ? world->events->due_ns : GRI_NEVER;
    for (gri_member *m = world->members; m != NULL; m = m->next) {
        int64_t next = m->next_ns(m);
        first = next < first ? next : first;
    }
    return first;
}

bool gri_world_step(gri_world *world, int64_t until_ns)
{
    /* Actors that never rest must not stop the clock for all others. */
    if (world->busy < BUSY_TURNS && gri_world_run(world)) {
        world->busy++;
        return true;
    }
    world->busy = 0;
    int64_t next = next_ns(world);
    if (next == GRI_NEVER && until_ns == GRI_NEVER) {
        return gri_world_run(world); /* no time can pass */
    }
    if (next > until_ns || next == GRI_NEVER) {
        if (until_ns != GRI_NEVER && until_ns > world->now_ns) {
            world->now_ns = until_ns;
        }
        return false;
    }
    if (next > world->now_ns) {
        world->now_ns = next;
    }
    for (gri_member *m = world->members; m != NULL; m = m->next) {
        m->fire(m);
    }
    return true;
}
