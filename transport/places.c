/* transport/places.c - see places.h. */
#include "transport/places.h"

#include <stdlib.h>
#include <string.h>

#include <greenroom/error.h>

#include "base/clock.h"

static void lock(gri_places *p)
{
    (void)pthread_mutex_lock(&p->lock);
}

static void unlock(gri_places *p)
{
    (void)pthread_mutex_unlock(&p->lock);
}

/* ---- the list; all under lock -------------------------------------------- */

static gri_place *find(const gri_places *p, const char *address)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (strcmp(p->list[i]->address, address) == 0) {
            return p->list[i];
        }
    }
    return NULL;
}

/* At rest, to begin with. NULL: no memory. */
static gri_place *add(gri_places *p, const char *address)
{
    if (p->count == p->room) {
        const uint32_t room = p->room == 0 ? 16 : p->room * 2;
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
        gri_place **list = realloc(p->list, room * sizeof *list);
        if (list == NULL) {
            return NULL;
        }
        p->list = list;
        p->room = room;
    }
    gri_place *place = calloc(1, sizeof *place);
    if (place == NULL) {
        return NULL;
    }
    place->address = strdup(address);
    if (place->address == NULL) {
        free(place);
        return NULL;
    }
    place->at = GRI_NEVER;
    p->list[p->count++] = place;
    return place;
}

static void free_place(gri_place *place)
{
    free(place->address);
    free(place);
}

/* Is it at rest because somebody is connected? */
static bool is_met(const gri_place *place)
{
    return place->at == GRI_NEVER && !place->dialing && !place->own;
}

static void remove_place(gri_places *p, gri_place *place)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->list[i] == place) {
            p->list[i] = p->list[--p->count];
            break;
        }
    }
    p->told -= place->told;
    free_place(place);
}

/* Removes it if nobody wants it any more. Returns whether it is gone. */
static bool drop(gri_places *p, gri_place *place)
{
    if (place->keeps > 0 || place->told || place->dialing) {
        return false;
    }
    remove_place(p, place);
    return true;
}

static void set_due(gri_places *p, gri_place *place, int64_t at)
{
    place->at = at;
    p->next = at < p->next ? at : p->next;
}

/* A time between half of the pause and all of it from now. */
static void rest(gri_places *p, gri_place *place, int64_t now)
{
    const uint32_t half_us = (uint32_t)(place->rest_ms * 500);
    const int64_t us = (int64_t)half_us + gri_rng_below(&p->rng, half_us + 1);
    set_due(p, place, now + us * 1000);
}

/* The next pause, which doubles. */
static void rest_more(gri_places *p, gri_place *place, int64_t now)
{
    const int64_t ms =
        place->rest_ms == 0 ? p->pace.first_ms : place->rest_ms * 2;
    place->rest_ms = ms < p->pace.max_ms ? ms : p->pace.max_ms;
    rest(p, place, now);
}

static bool is_parted(const gri_places *p, uint64_t node)
{
    for (uint32_t i = 0; node != 0 && i < GRI_PARTED_MAX; i++) {
        if (p->parted[i] == node) {
            return true;
        }
    }
    return false;
}

static void unpart(gri_places *p, uint64_t node)
{
    for (uint32_t i = 0; node != 0 && i < GRI_PARTED_MAX; i++) {
        if (p->parted[i] == node) {
            p->parted[i] = 0;
        }
    }
}

/* ---- life ---------------------------------------------------------------- */

int gri_places_init(gri_places *p, const gri_redial *pace, uint32_t told_max,
                    uint64_t seed)
{
    *p = (gri_places){
        .pace = *pace, .told_max = told_max, .rng = {seed}, .next = GRI_NEVER};
    return pthread_mutex_init(&p->lock, NULL) == 0 ? 0 : GR_ENOMEM;
}

void gri_places_fini(gri_places *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        free_place(p->list[i]);
    }
    free(p->list);
    (void)pthread_mutex_destroy(&p->lock);
}

int64_t gri_places_next(gri_places *p)
{
    lock(p);
    const int64_t next = p->dials < GRI_REDIALS_MAX ? p->next : GRI_NEVER;
    unlock(p);
    return next;
}

/* ---- what the program wants ---------------------------------------------- */

/* Under lock. */
static int keep(gri_places *p, const char *address, bool own, int64_t now)
{
    gri_place *place = find(p, address);
    if (place != NULL && place->keeps > 0) {
        if (place->keeps == UINT32_MAX) {
            return GR_ELIMIT;
        }
    } else if (p->kept == GR_KEPT_MAX) {
        return GR_ELIMIT;
    }
    const bool is_new = place == NULL;
    if (is_new) {
        place = add(p, address);
        if (place == NULL) {
            return GR_ENOMEM;
        }
        place->own = own;
    }
    p->kept += place->keeps == 0;
    place->keeps++;
    place->wished = true;
    unpart(p, place->node);
    if (!place->own && !place->dialing && (is_new || !is_met(place))) {
        place->rest_ms = 0;
        set_due(p, place, now);
    }
    return 0;
}

int gri_places_keep(gri_places *p, const char *address, bool own, int64_t now)
{
    lock(p);
    const int rc = keep(p, address, own, now);
    unlock(p);
    return rc;
}

int gri_places_forget(gri_places *p, const char *address)
{
    lock(p);
    gri_place *place = find(p, address);
    const bool found = place != NULL && place->keeps > 0;
    if (found) {
        place->keeps--;
        p->kept -= place->keeps == 0;
        (void)drop(p, place);
    }
    unlock(p);
    return found ? 0 : GR_ENOENT;
}

/* ---- what peers tell ----------------------------------------------------- */

/* Makes room for one more that is told of: whatever was tried most often in
 * vain goes. Returns whether there is. Under lock. */
static bool make_room(gri_places *p)
{
    gri_place *worst = NULL;
    if (p->told < p->told_max) {
        return true;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        gri_place *q = p->list[i];
        if (q->told && q->keeps == 0 && !q->dialing && !q->own && !is_met(q) &&
            q->tries > 0 && (worst == NULL || q->tries > worst->tries)) {
            worst = q;
        }
    }
    if (worst != NULL) {
        remove_place(p, worst);
    }
    return worst != NULL;
}

/* Under lock. */
static int tell(gri_places *p, const char *address, uint64_t node, bool there,
                int64_t now)
{
    gri_place *place = find(p, address);
    if (place == NULL) {
        if (is_parted(p, node)) {
            return 0;
        }
        if (!make_room(p)) {
            return GR_ELIMIT;
        }
        place = add(p, address);
        if (place == NULL) {
            return GR_ENOMEM;
        }
        if (!there) {
            set_due(p, place, now);
        }
        place->node = node;
        place->told = true;
        p->told++;
    } else if (!place->told && p->told < p->told_max) {
        place->told = true;
        p->told++;
    }
    place->since = now;
    /* Of who is connected nobody else knows better. */
    if (place->node == node || is_met(place) || place->own) {
        return 0;
    }
    place->node = node; /* another run: it has just been seen */
    if (!place->dialing && there) {
        place->at = GRI_NEVER;
    } else if (!place->dialing && !is_parted(p, node)) {
        place->rest_ms = 0;
        place->tries = 0;
        set_due(p, place, now);
    }
    return 0;
}

int gri_places_tell(gri_places *p, const char *address, uint64_t node,
                    bool there, int64_t now)
{
    lock(p);
    const int rc = tell(p, address, node, there, now);
    unlock(p);
    return rc;
}

/* ---- dialing ------------------------------------------------------------- */

gri_place *gri_places_take(gri_places *p, int64_t now)
{
    gri_place *first = NULL;
    int64_t second = GRI_NEVER; /* when the one behind it is due */
    lock(p);
    if (p->next > now || p->dials == GRI_REDIALS_MAX) {
        unlock(p);
        return NULL;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        gri_place *q = p->list[i];
        if (first == NULL || q->at < first->at) {
            second = first != NULL && first->at < second ? first->at : second;
            first = q;
        } else {
            second = q->at < second ? q->at : second;
        }
    }
    if (first != NULL && first->at <= now) {
        first->at = GRI_NEVER;
        first->dialing = true;
        first->by_wish = first->wished;
        p->dials++;
        p->next = second;
    } else {
        p->next = first != NULL ? first->at : GRI_NEVER;
        first = NULL;
    }
    unlock(p);
    return first;
}

/* The agent gives it back. Under lock. */
static void give_back(gri_places *p, gri_place *place)
{
    place->dialing = false;
    p->dials--;
}

void gri_places_met(gri_places *p, gri_place *place, uint64_t node, bool self,
                    int64_t now)
{
    lock(p);
    give_back(p, place);
    place->node = node;
    place->self = self;
    place->wished = false;
    place->since = now;
    place->rc = 0;
    place->tries = 0;
    if (!drop(p, place) && self) {
        place->rest_ms = p->pace.max_ms;
        rest(p, place, now);
    }
    unlock(p);
}

/* What is not going to be better in a moment. */
static bool is_lasting(int rc)
{
    switch (rc) {
    case GR_EDENIED:   /* a secret or a certificate */
    case GR_EVERSION:  /* of the protocol */
    case GR_EFORMAT:   /* no node */
    case GR_EADDRESS:  /* a name that nobody has */
    case GR_EINVAL:    /* no certificates here */
    case GR_EINSECURE: /* no secret here */
    case GR_ENOTSUP:
    case GR_ESTOPPED: /* it, or we, have said goodbye for good */
        return true;
    default:
        return false;
    }
}

void gri_places_failed(gri_places *p, gri_place *place, int rc, int64_t now)
{
    lock(p);
    give_back(p, place);
    place->rc = rc;
    place->self = false;
    place->tries += place->tries < UINT32_MAX;
    if (place->keeps == 0 && place->told &&
        now - place->since > GRI_TOLD_MS * GRI_NS_PER_MS) {
        place->told = false;
        p->told--;
    }
    if (drop(p, place)) {
        unlock(p);
        return;
    }
    if (place->wished && !place->by_wish) { /* meanwhile */
        set_due(p, place, now);
    } else {
        place->rest_ms = is_lasting(rc) ? p->pace.max_ms : place->rest_ms;
        rest_more(p, place, now);
    }
    unlock(p);
}

void gri_places_put_off(gri_places *p, gri_place *place, int64_t now)
{
    lock(p);
    give_back(p, place);
    if (!drop(p, place)) {
        set_due(p, place, now + p->pace.first_ms * GRI_NS_PER_MS);
    }
    unlock(p);
}

void gri_places_up(gri_places *p, uint64_t node, int64_t now)
{
    lock(p);
    unpart(p, node);
    for (uint32_t i = 0; i < p->count; i++) {
        gri_place *q = p->list[i];
        if (q->node == node && !q->own) {
            q->since = now;
            q->at = GRI_NEVER;
        }
    }
    unlock(p);
}

void gri_places_lost(gri_places *p, uint64_t node, int64_t lasted, int64_t now)
{
    lock(p);
    const bool parted = is_parted(p, node);
    for (uint32_t i = 0; i < p->count; i++) {
        gri_place *q = p->list[i];
        if (q->node != node || !is_met(q)) {
            continue;
        }
        if (lasted >= p->pace.reset_ms * GRI_NS_PER_MS) {
            q->rest_ms = 0;
        }
        if (parted) {
            q->rest_ms = p->pace.max_ms;
        }
        rest_more(p, q, now);
    }
    unlock(p);
}

/* ---- goodbyes for good --------------------------------------------------- */

void gri_places_part(gri_places *p, uint64_t node)
{
    lock(p);
    if (!is_parted(p, node)) {
        p->parted[p->parted_at++ % GRI_PARTED_MAX] = node;
    }
    unlock(p);
}

void gri_places_unpart(gri_places *p, uint64_t node)
{
    lock(p);
    unpart(p, node);
    unlock(p);
}

bool gri_places_is_parted(gri_places *p, uint64_t node)
{
    lock(p);
    const bool yes = is_parted(p, node);
    unlock(p);
    return yes;
}

/* ---- for people ---------------------------------------------------------- */

static void describe(gr_known_node *out, const gri_place *place, int64_t now)
{
    *out = (gr_known_node){.kept = place->keeps > 0,
                           .told = place->told,
                           .self = place->own || place->self,
                           .error = place->rc,
                           .tries = place->tries,
                           .next_ms = -1};
    strncpy(out->address, place->address, sizeof out->address - 1);
    if (is_met(place)) {
        out->node = (gr_node){place->node};
    } else if (place->at != GRI_NEVER) {
        out->next_ms = place->at > now ? (place->at - now) / GRI_NS_PER_MS : 0;
    }
}

uint32_t gri_places_list(gri_places *p, gr_known_node *out, uint32_t max,
                         int64_t now)
{
    lock(p);
    const uint32_t n = p->count;
    for (uint32_t i = 0; i < n && i < max; i++) {
        describe(&out[i], p->list[i], now);
    }
    unlock(p);
    return n;
}
