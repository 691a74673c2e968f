/* transport/cargo.c - see cargo.h. */
#include "transport/cargo.h"

#include <stdlib.h>

#include <greenroom/error.h>

#include "base/assert.h"

enum {
    ROOM_MIN = 8,  /* entries */
    ROOM_BUSY = 64 /* more are given back with all that is beyond `cap` */
};

void gri_own_free(const gri_own *own)
{
    if (own->block == NULL) {
        return;
    }
    gri_large_free(own->depot, own->block, own->class_);
}

static void free_owned(gri_cargo *c)
{
    free(c->owned);
    c->owned = NULL;
    c->room = 0;
}

void gri_cargo_fini(gri_cargo *c)
{
    for (uint32_t i = c->gone; i < c->count; i++) {
        gri_own_free(&c->owned[i].own);
    }
    free_owned(c);
    gri_buffer_fini(&c->bytes);
    *c = (gri_cargo){.count = 0};
}

int gri_cargo_reserve(gri_cargo *c)
{
    if (c->count < c->room) {
        return 0;
    }
    const uint32_t room = c->room == 0 ? ROOM_MIN : c->room * 2;
    gri_own_at *owned =
        room > c->room ? realloc(c->owned, room * sizeof *owned) : NULL;
    if (owned == NULL) {
        return GR_ENOMEM;
    }
    c->owned = owned;
    c->room = room;
    return 0;
}

void gri_cargo_put(gri_cargo *c, const gri_own *own)
{
    GR_DASSERT(c->count < c->room);
    c->owned[c->count++] = (gri_own_at){.at = c->bytes.len, .own = *own};
    c->own_left += own->len;
}

/* The one that goes next, or NULL: bytes do. */
static const gri_own *next_own(const gri_cargo *c)
{
    return c->gone < c->count && c->owned[c->gone].at == c->at
               ? &c->owned[c->gone].own
               : NULL;
}

const uint8_t *gri_cargo_next(const gri_cargo *c, size_t *n)
{
    const gri_own *own = next_own(c);
    if (own != NULL) {
        *n = own->len - c->part;
        return own->frame + c->part;
    }
    *n = (c->gone < c->count ? c->owned[c->gone].at : c->bytes.len) - c->at;
    return c->bytes.data + c->at;
}

gri_own gri_cargo_went(gri_cargo *c, size_t n)
{
    const gri_own *own = next_own(c);
    gri_own over = {.block = NULL};
    if (own == NULL) {
        c->at += n;
    } else {
        GR_DASSERT(n <= own->len - c->part);
        c->part += (uint32_t)n;
        c->own_left -= n;
        if (c->part == own->len) {
            over = *own;
            c->gone++;
            c->part = 0;
        }
    }
    if (gri_cargo_left(c) == 0) {
        c->bytes.len = c->at = 0;
        c->count = c->gone = 0;
    }
    return over;
}

void gri_cargo_shrink(gri_cargo *c, size_t cap)
{
    gri_buffer_shrink(&c->bytes, cap);
    if (c->count == 0 && (cap == 0 || c->room > ROOM_BUSY)) {
        free_owned(c);
    }
}
