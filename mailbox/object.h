/*
 * mailbox/object.h - messages as msgpack-c's trees of objects, and back.
 *
 * Only who includes this header, and pack.c, know how msgpack-c lays its
 * objects out.
 */
#ifndef GRI_MAILBOX_OBJECT_H
#define GRI_MAILBOX_OBJECT_H

#include <stdbool.h>

#include <msgpack.h>

#include <greenroom/message.h>

/*
 * The value that is encoded as this object is. Of an array or map as.p is its
 * first object, and len how many there are (of a map: keys and values); an ext,
 * which no value has, is a GR_KIND_OBJECT.
 * Errors: GR_EINVAL (no such type; a size, and no pointer), GR_ETOOBIG.
 */
int gri_object_value(const msgpack_object *object, gr_value *out);

/* Trees that end together. Zero: none. Owns: their memory. */
typedef struct gri_trees {
    msgpack_zone zone;
    uint32_t values; /* in all trees: GR_TREE_MAX at most */
    bool is_open;    /* there is a zone */
} gri_trees;

/*
 * Makes the tree of one msgpack value. Its texts and bytes stand in `bytes`.
 * Errors: GR_EFORMAT, GR_ELIMIT (too deep, or GR_TREE_MAX), GR_ENOMEM.
 */
int gri_trees_add(gri_trees *trees, const void *bytes, size_t n,
                  msgpack_object *out);
/* Ends all trees. A little memory stays for the next ones. */
void gri_trees_clear(gri_trees *trees);
/* Ends all trees, and no memory stays. */
void gri_trees_fini(gri_trees *trees);

#endif /* GRI_MAILBOX_OBJECT_H */
