/* actors/arena.c - an actor's private memory: given out in order, freed whole.
 */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "actors/limits.h"

enum {
    CHUNK_FIRST = 1024,   /* bytes of the first chunk; the next is twice it */
    CHUNK_MAX = 64 * 1024 /* and so on up to this */
};

struct gri_chunk {
    gri_chunk *next;
    size_t size, used; /* bytes of data */
    alignas(max_align_t) char data[];
};

static gri_chunk *add_chunk(gri_ext *ext, size_t size)
{
    size_t usual = ext->arena == NULL ? CHUNK_FIRST : ext->arena->size * 2;
    usual = usual > CHUNK_MAX ? CHUNK_MAX : usual;
    size = size > usual ? size : usual;
    gri_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->size = size;
    chunk->used = 0;
    chunk->next = ext->arena;
    ext->arena = chunk;
    return chunk;
}

void *gr_alloc(gr_actor *self, size_t size)
{
    gri_ext *ext = gri_ext_of(self);
    /* No block is nearly this large, even without a cap; so the sums below
     * do not wrap. */
    if (ext == NULL || size > ext->arena_max || size > PTRDIFF_MAX / 2) {
        return NULL;
    }
    size = gri_round_up(size == 0 ? 1 : size, alignof(max_align_t));
    if (!gri_has_room(self, size)) {
        return NULL;
    }
    gri_chunk *chunk = ext->arena;
    if (chunk == NULL || chunk->size - chunk->used < size) {
        chunk = add_chunk(ext, size);
        if (chunk == NULL) {
            return NULL;
        }
    }
    void *at = chunk->data + chunk->used;
    chunk->used += size;
    gri_ext_use(ext, size);
    memset(at, 0, size);
    return at;
}

gr_str gr_str_copy(gr_actor *self, gr_str text)
{
    char *copy = gr_alloc(self, (size_t)text.len + 1);
    if (copy == NULL) {
        return (gr_str){NULL, 0};
    }
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    return (gr_str){copy, text.len};
}

size_t gri_arena_size(const gri_ext *ext)
{
    size_t sum = 0;
    for (const gri_chunk *chunk = ext->arena; chunk != NULL;
         chunk = chunk->next) {
        sum += chunk->used;
    }
    return sum;
}

void gri_arena_end(gri_ext *ext)
{
    while (ext->arena != NULL) {
        gri_chunk *chunk = ext->arena;
        ext->arena = chunk->next;
        free(chunk);
    }
}
