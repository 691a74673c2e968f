/* transport/crossing.c - see crossing.h. */
#include "transport/crossing.h"

#include <stdlib.h>

/* The value of entries whose key says all. */
static const uint8_t present;

static void *mark(void)
{
    return (void *)(uintptr_t)&present; /* never written, never freed */
}

/* A monitor's other end. */
typedef struct tie {
    uint64_t id;
} tie;

/* A link's LINKs, by the number of the last each way; 0: none. */
typedef struct both {
    uint64_t sent;
    uint64_t heard;
} both;

static int add_mark(gri_map *map, gri_key key)
{
    if (map->count >= GRI_CROSSINGS_MAX) {
        return GR_ELIMIT;
    }
    return gri_map_put(map, key, mark());
}

static int add_tie(gri_map *map, gri_key key, uint64_t id)
{
    tie *t = gri_map_get(map, key);
    if (t != NULL) {
        t->id = id; /* of our own, which have each a number of its own */
        return 0;
    }
    if (map->count >= GRI_CROSSINGS_MAX) {
        return GR_ELIMIT;
    }
    t = malloc(sizeof *t);
    if (t == NULL) {
        return GR_ENOMEM;
    }
    t->id = id;
    int rc = gri_map_put(map, key, t);
    if (rc < 0) {
        free(t);
    }
    return rc;
}

static void cut_tie(gri_map *map, gri_key key)
{
    free(gri_map_remove(map, key));
}

/* A LINK with that number, sent or heard. */
static int add_link(gri_map *map, gri_key key, uint64_t number, bool sent)
{
    both *link = gri_map_get(map, key);
    if (link == NULL) {
        if (map->count >= GRI_CROSSINGS_MAX) {
            return GR_ELIMIT;
        }
        link = calloc(1, sizeof *link);
        if (link == NULL) {
            return GR_ENOMEM;
        }
        int rc = gri_map_put(map, key, link);
        if (rc < 0) {
            free(link);
            return rc;
        }
    }
    *(sent ? &link->sent : &link->heard) = number;
    return 0;
}

/* An UNLINK, sent or heard, whose sender knows of the other end's LINKs up to
 * that number. A newer one crosses it, and outlives it: see actors/links.c. */
static void unlink_known(gri_map *map, gri_key key, uint64_t known, bool sent)
{
    both *link = gri_map_get(map, key);
    if (link == NULL) {
        return;
    }
    *(sent ? &link->sent : &link->heard) = 0;
    const uint64_t last = sent ? link->heard : link->sent;
    if (last == 0 || last == known) {
        cut_tie(map, key);
    }
}

static void free_ties(gri_map *map)
{
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(map, &at)) != NULL;) {
        free(e->value);
    }
    gri_map_fini(map);
}

void gri_crossing_fini(gri_crossing *c)
{
    gri_map_fini(&c->asks);
    free_ties(&c->watching);
    free_ties(&c->watched);
    free_ties(&c->links);
    gri_leave_fini(&c->leave);
}

int gri_crossing_check(gri_crossing *c, const gri_frame *f)
{
    if (f->type == GRI_FRAME_MONITOR &&
        gri_map_get(&c->watched, (gri_key){f->from, f->ref}) != NULL) {
        return GR_EEXIST;
    }
    if (c->leave.may == NULL) {
        return 0;
    }
    const gri_held held = {
        .monitors = c->watched.count,
        .links = c->links.count,
        .linked = gri_map_get(&c->links, (gri_key){f->to, f->from}) != NULL};
    return gri_leave_check(&c->leave, f, &held);
}

/* An EXIT: the link has ended, or (with a status) is not to be. */
static int send_exit(gri_crossing *c, const gri_frame *f)
{
    const gri_key key = {f->from, f->to};
    const both *link = gri_map_get(&c->links, key);
    if (f->status != 0 && link != NULL && link->sent != 0) {
        return GR_EEXIST;
    }
    cut_tie(&c->links, key);
    return 0;
}

static int note_out(gri_crossing *c, const gri_frame *f)
{
    switch ((int)f->type) {
    case GRI_FRAME_ASK:
    case GRI_FRAME_CONFIRM:
        return add_mark(&c->asks, (gri_key){f->from, f->ref});
    case GRI_FRAME_MONITOR:
        return add_tie(&c->watching, (gri_key){f->from, f->ref}, f->to);
    case GRI_FRAME_DEMONITOR:
        cut_tie(&c->watching, (gri_key){f->from, f->ref});
        return 0;
    case GRI_FRAME_DOWN:
        cut_tie(&c->watched, (gri_key){f->to, f->ref});
        return 0;
    case GRI_FRAME_LINK:
        return add_link(&c->links, (gri_key){f->from, f->to}, f->ref, true);
    case GRI_FRAME_UNLINK:
        unlink_known(&c->links, (gri_key){f->from, f->to}, f->ref, true);
        return 0;
    case GRI_FRAME_EXIT:
        return send_exit(c, f);
    default:
        break; /* ties nothing */
    }
    return 0;
}

int gri_crossing_out(gri_crossing *c, const gri_frame *f)
{
    GR_TRY(gri_leave_told(&c->leave, f));
    return note_out(c, f);
}

/* A DOWN that ends a monitor of exactly that actor. */
static int take_down(gri_crossing *c, const gri_frame *f)
{
    gri_key key = {f->to, f->ref};
    const tie *t = gri_map_get(&c->watching, key);
    if (t == NULL || t->id != f->from) {
        return 0;
    }
    cut_tie(&c->watching, key);
    return 1;
}

int gri_crossing_in(gri_crossing *c, const gri_frame *f)
{
    int rc = 0;
    switch ((int)f->type) {
    case GRI_FRAME_REPLY:
        return gri_map_remove(&c->asks, (gri_key){f->to, f->ref}) != NULL;
    case GRI_FRAME_MONITOR:
        rc = add_tie(&c->watched, (gri_key){f->from, f->ref}, f->to);
        break;
    case GRI_FRAME_DEMONITOR:
        cut_tie(&c->watched, (gri_key){f->from, f->ref});
        break;
    case GRI_FRAME_DOWN:
        return take_down(c, f);
    case GRI_FRAME_LINK:
        rc = add_link(&c->links, (gri_key){f->to, f->from}, f->ref, false);
        break;
    case GRI_FRAME_UNLINK:
        unlink_known(&c->links, (gri_key){f->to, f->from}, f->ref, false);
        break;
    case GRI_FRAME_EXIT:
        /* Without a link it is a stale one; the receiver knows better. */
        cut_tie(&c->links, (gri_key){f->to, f->from});
        break;
    default:
        break; /* ties nothing */
    }
    return rc < 0 ? rc : 1;
}

void gri_crossing_lose(gri_crossing *c, gri_crossing_fn *fn, void *arg)
{
    gri_frame f = {.why = {.kind = GR_EXIT_NOCONNECTION}};
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&c->asks, &at)) != NULL;) {
        f.type = GRI_FRAME_REPLY;
        f.status = GR_ENOCONN;
        f.to = e->key.a;
        f.from = 0;
        f.ref = e->key.b;
        fn(arg, &f);
    }
    at = 0;
    for (gri_entry *e; (e = gri_map_next(&c->watching, &at)) != NULL;) {
        f.type = GRI_FRAME_DOWN;
        f.to = e->key.a;
        f.from = ((const tie *)e->value)->id;
        f.ref = e->key.b;
        fn(arg, &f);
    }
    at = 0;
    for (gri_entry *e; (e = gri_map_next(&c->links, &at)) != NULL;) {
        f.type = GRI_FRAME_EXIT;
        f.to = e->key.a;
        f.from = e->key.b;
        f.ref = ((const both *)e->value)->sent;
        fn(arg, &f);
    }
    at = 0;
    for (gri_entry *e; (e = gri_map_next(&c->watched, &at)) != NULL;) {
        f.type = GRI_FRAME_DEMONITOR;
        f.to = ((const tie *)e->value)->id;
        f.from = e->key.a;
        f.ref = e->key.b;
        fn(arg, &f);
    }
    gri_crossing_fini(c);
}
