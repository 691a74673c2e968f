/* base/map.c - see map.h. */
#include "base/map.h"

#include <stdlib.h>

#include <greenroom/error.h>

#include "base/assert.h"

enum { CAP_MIN = 8 };

static size_t hash(gri_key key)
{
    /* Two rounds of multiply and fold: ids differ in few and low bits. */
    uint64_t x = key.a ^ (key.b * UINT64_C(0x9e3779b97f4a7c15));
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    return (size_t)x;
}

static bool same(gri_key x, gri_key y)
{
    return x.a == y.a && x.b == y.b;
}

/* The place of key, or the free one where it would go. */
static size_t find(const gri_map *map, gri_key key)
{
    size_t i = hash(key) & (map->cap - 1);
    while (map->entries[i].value != NULL && !same(map->entries[i].key, key)) {
        i = (i + 1) & (map->cap - 1);
    }
    return i;
}

static int resize(gri_map *map, size_t cap)
{
    gri_map bigger = {.cap = cap};
    bigger.entries = calloc(cap, sizeof *bigger.entries);
    if (bigger.entries == NULL) {
        return GR_ENOMEM;
    }
    for (size_t i = 0; i < map->cap; i++) {
        if (map->entries[i].value != NULL) {
            bigger.entries[find(&bigger, map->entries[i].key)] =
                map->entries[i];
        }
    }
    bigger.count = map->count;
    free(map->entries);
    *map = bigger;
    return 0;
}

void gri_map_fini(gri_map *map)
{
    free(map->entries);
    *map = (gri_map){.entries = NULL};
}

void *gri_map_get(const gri_map *map, gri_key key)
{
    return map->count == 0 ? NULL : map->entries[find(map, key)].value;
}

int gri_map_put(gri_map *map, gri_key key, void *value)
{
    GR_DASSERT(value != NULL);
    if (map->cap == 0 || (map->count + 1) * 4 > map->cap * 3) {
        int rc = resize(map, map->cap == 0 ? CAP_MIN : map->cap * 2);
        if (rc < 0) {
            return rc;
        }
    }
    gri_entry *e = &map->entries[find(map, key)];
    if (e->value == NULL) {
        map->count++;
    }
    *e = (gri_entry){key, value};
    return 0;
}

void *gri_map_remove(gri_map *map, gri_key key)
{
    if (map->count == 0) {
        return NULL;
    }
    size_t mask = map->cap - 1;
    size_t hole = find(map, key);
    void *value = map->entries[hole].value;
    if (value == NULL) {
        return NULL;
    }
    for (size_t i = (hole + 1) & mask; map->entries[i].value != NULL;
         i = (i + 1) & mask) {
        /* An entry may fill the hole if its home is not behind the hole. */
        size_t home = hash(map->entries[i].key) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    map->entries[hole].value = NULL;
    map->count--;
    if (map->cap > CAP_MIN && map->count * 8 < map->cap) {
        (void)resize(map, map->cap / 2); /* without memory it stays large */
    }
    return value;
}

gri_entry *gri_map_next(const gri_map *map, size_t *at)
{
    while (*at < map->cap) {
        gri_entry *e = &map->entries[(*at)++];
        if (e->value != NULL) {
            return e;
        }
    }
    return NULL;
}
