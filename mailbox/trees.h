/* mailbox/trees.h - messages as msgpack-c's trees of objects. */
#ifndef GRI_MAILBOX_TREES_H
#define GRI_MAILBOX_TREES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include <greenroom/base.h>

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
/* The same of a message that owns blobs. */
int gri_trees_add_owning(gri_trees *trees, const gr_msg *msg,
                         msgpack_object *out);
/* Ends all trees. A little memory stays for the next ones. */
void gri_trees_clear(gri_trees *trees);
/* Ends all trees, and no memory stays. */
void gri_trees_fini(gri_trees *trees);

#endif /* GRI_MAILBOX_TREES_H */
