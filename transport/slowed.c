/* transport/slowed.c - see slowed.h. */
#include "transport/slowed.h"

/* The value of entries whose key says all. */
static const uint8_t present;

static bool put(gri_map *map, uint64_t a, uint64_t b)
{
    /* Never written, never freed. */
    return gri_map_put(map, (gri_key){a, b}, (void *)(uintptr_t)&present) == 0;
}

void gri_slowed_fini(gri_slowed *s)
{
    gri_map_fini(&s->pairs);
    gri_map_fini(&s->told);
    gri_map_fini(&s->for_room);
    gri_map_fini(&s->for_there);
}

void gri_slowed_hear(gri_slowed *s, uint64_t sender, uint64_t receiver)
{
    if (s->pairs.count < GRI_SLOWED_MAX) {
        (void)put(&s->pairs, sender, receiver);
    }
}

bool gri_slowed_resume(gri_slowed *s, uint64_t sender, uint64_t receiver)
{
    (void)gri_map_remove(&s->pairs, (gri_key){sender, receiver});
    /* It may be slowed by another, too: it finds out when it sends again. */
    return gri_map_remove(&s->for_there, (gri_key){sender, 0}) != NULL;
}

bool gri_slowed_tell(gri_slowed *s, uint64_t receiver, uint64_t sender)
{
    return s->told.count < GRI_SLOWED_MAX &&
           gri_map_get(&s->told, (gri_key){receiver, sender}) == NULL &&
           put(&s->told, receiver, sender);
}

void gri_slowed_told(gri_slowed *s, uint64_t receiver, uint64_t sender)
{
    (void)gri_map_remove(&s->told, (gri_key){receiver, sender});
}

bool gri_slowed_wait(gri_map *waiters, uint64_t sender)
{
    return put(waiters, sender, 0);
}

gri_map gri_slowed_take(gri_map *waiters)
{
    const gri_map all = *waiters;
    *waiters = (gri_map){.count = 0};
    return all;
}
