/*
 * base/map.h - a hash map from two words to a pointer.
 *
 * Open addressing with linear probing; a removal moves later entries back
 * (Knuth, The Art of Computer Programming 6.4, algorithm R), so there are no
 * tombstones. Grows at three quarters, shrinks at one eighth. Iteration order
 * depends on keys and history only, never on addresses: deterministic runs
 * repeat. Threads: the owner only.
 */
#ifndef GRI_BASE_MAP_H
#define GRI_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gri_key {
    uint64_t a, b;
} gri_key;

typedef struct gri_entry {
    gri_key key;
    void *value; /* NULL: the place is free */
} gri_entry;

typedef struct gri_map {
    gri_entry *entries; /* NULL while nothing was ever put */
    size_t cap;         /* a power of two, or 0 */
    size_t count;
} gri_map; /* all zero is an empty map */

/* Frees the table, not what the values point to. */
void gri_map_fini(gri_map *map);
/* The value of key, or NULL. */
void *gri_map_get(const gri_map *map, gri_key key);
/* Sets it; value is not NULL. Returns 0, or GR_ENOMEM: the map is unchanged. */
int gri_map_put(gri_map *map, gri_key key, void *value);
/* Takes key out and returns its value, or NULL. */
void *gri_map_remove(gri_map *map, gri_key key);
/* Walks the entries: start with *at = 0; NULL at the end. The map must not
 * change on the way. */
gri_entry *gri_map_next(const gri_map *map, size_t *at);

#endif /* GRI_BASE_MAP_H */
