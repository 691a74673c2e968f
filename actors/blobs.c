/* actors/blobs.c - the blobs that an actor owns: in a list, for its end, and in
 * the sum of its memory. */
#include <stdlib.h>
#include <string.h>

#include "actors/limits.h"

void gri_blob_add(gri_ext *ext, gr_blob *blob)
{
    blob->before = NULL;
    blob->next = ext->blobs;
    if (ext->blobs != NULL) {
        ext->blobs->before = blob;
    }
    ext->blobs = blob;
    gri_ext_use(ext, gri_blob_cost(blob));
}

void gri_blob_remove(gri_ext *ext, gr_blob *blob)
{
    if (blob->next != NULL) {
        blob->next->before = blob->before;
    }
    if (blob->before != NULL) {
        blob->before->next = blob->next;
    } else {
        ext->blobs = blob->next;
    }
    blob->next = NULL;
    blob->before = NULL;
    gri_ext_use(ext, 0 - gri_blob_cost(blob));
}

size_t gri_blobs_size(const gri_ext *ext)
{
    size_t sum = 0;
    for (const gr_blob *blob = ext->blobs; blob != NULL; blob = blob->next) {
        sum += gri_blob_cost(blob);
    }
    return sum;
}

void gri_blobs_end(gri_ext *ext)
{
    while (ext->blobs != NULL) {
        gr_blob *blob = ext->blobs;
        ext->blobs = blob->next;
        free(blob);
    }
}

/* The bytes that a log may show of a dead letter's blob are its owner's or
 * zero, never what stood in the memory before. The rest of the new bytes is not
 * touched: a blob is large, and about to be filled. */
static void clear_shown(char *new_bytes, size_t size)
{
    const size_t shown = 256; /* of the log's 160 characters each takes one */
    memset(new_bytes, 0, size < shown ? size : shown);
}

gr_blob *gri_blob_make(size_t size)
{
    gr_blob *blob = size > GRI_BLOB_MAX ? NULL : malloc(sizeof *blob + size);
    if (blob == NULL) {
        return NULL;
    }
    blob->moving = NULL;
    blob->home = NULL;
    blob->room = (uint32_t)size;
    gri_blob_set_size(blob, (uint32_t)size);
    clear_shown(gr_blob_data(blob), size);
    return blob;
}

gr_blob *gr_blob_new(gr_actor *self, size_t size)
{
    gri_ext *ext = gri_ext_of(self);
    if (ext == NULL || size > GRI_BLOB_MAX ||
        !gri_has_room(self, sizeof(gr_blob) + size)) {
        return NULL;
    }
    gr_blob *blob = gri_blob_make(size);
    if (blob != NULL) {
        gri_blob_add(ext, blob);
    }
    return blob;
}

void gr_blob_free(gr_actor *self, gr_blob *blob)
{
    if (blob != NULL) {
        gri_blob_remove(self->ext, blob);
        free(blob);
    }
}

int gr_blob_resize(gr_actor *self, gr_blob **blob, size_t size)
{
    gri_ext *ext = self->ext;
    const uint32_t room = (*blob)->room;
    if (size > GRI_BLOB_MAX ||
        (size > room && !gri_has_room(self, size - room))) {
        return GR_ENOMEM;
    }
    if (size > room || size < room / 2) { /* else it is not worth a move */
        gri_blob_remove(ext, *blob);
        gr_blob *moved = realloc(*blob, sizeof *moved + size);
        if (moved != NULL) {
            moved->room = (uint32_t)size;
            if (size > room) {
                clear_shown((char *)gr_blob_data(moved) + room, size - room);
            }
            *blob = moved;
        }
        gri_blob_add(ext, *blob);
        if (moved == NULL && size > room) {
            return GR_ENOMEM;
        }
    }
    gri_blob_set_size(*blob, (uint32_t)size);
    return 0;
}

/* ---- out of a message --------------------------------------------------- */

/* Whether the walk comes to the blob that has exactly these bytes. */
static gr_blob *find(gr_msg *msg, gr_bytes bytes, gri_blob_walk *walk)
{
    gr_blob *blob;
    do {
        blob = gri_blob_next(msg, walk);
    } while (blob != NULL &&
             (blob->data != bytes.ptr || blob->size != bytes.len));
    return blob;
}

static gr_blob *copy_of(gr_actor *self, gr_bytes bytes)
{
    gr_blob *blob = gr_blob_new(self, bytes.len);
    if (blob != NULL && bytes.len > 0) {
        memcpy(blob->data, bytes.ptr, bytes.len);
    }
    return blob;
}

/* What a handler was called with, or a thread was given by its last wait. */
static const gr_msg *in_hand(const gr_actor *self)
{
    return self->ext->thread != NULL ? self->ext->thread->given
                                     : self->ctx->current;
}

gr_blob *gr_blob_take(gr_actor *self, const gr_msg *msg, gr_bytes bytes)
{
    gri_ext *ext = gri_ext_of(self);
    if (ext == NULL) {
        return NULL;
    }
    /* const is a promise to the program: the block is the runtime's. */
    gr_msg *m = (gr_msg *)(uintptr_t)(msg != NULL ? msg : in_hand(self));
    gri_blob_walk walk = {.p = NULL};
    gr_blob *blob = m != NULL && gri_msg_owns(m) ? find(m, bytes, &walk) : NULL;
    if (blob == NULL) {
        return copy_of(self, bytes);
    }
    if (gri_is_counted(self, m)) {
        /* Counted with the message. */
        gri_ext_use(ext, 0 - gri_blob_cost(blob));
    } else if (!gri_has_room(self, gri_blob_cost(blob))) {
        return NULL;
    }
    gri_blob_put(walk.place, NULL);
    blob->moving = NULL;
    blob->home = NULL;
    gri_blob_add(ext, blob);
    return blob;
}
