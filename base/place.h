/*
 * base/place.h - in which executable or library an address stands, and where
 * in it, as `addr2line -e` asks for it. For signal handlers, too: the loader is
 * asked without a lock, and what it says is read where it stands.
 */
#ifndef GRI_BASE_PLACE_H
#define GRI_BASE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct gri_place {
    const char *object; /* the file's name without its folder */
    uintptr_t offset;   /* to what the file says of its addresses */
} gri_place;

/* False: no object has code or data there. */
bool gri_place_of(uintptr_t at, gri_place *out);

#endif /* GRI_BASE_PLACE_H */
