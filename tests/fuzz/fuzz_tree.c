/*
 * Goal:   no bytes can make a tree of msgpack-c's crash, hang or grow beyond
 *         what is due to them; a tree is made of all that is valid, and of
 *         nothing else; and a tree that is sent is the same tree again.
 * Method: each input becomes a tree, that tree bytes, those a second tree, and
 *         that bytes again, which must be the first ones.
 */
#include <stdlib.h>
#include <string.h>

#include <greenroom/msgpack.h>

#include "base/assert.h"
#include "mailbox/pack.h"
#include "mailbox/trees.h"
#include "tests/fuzz/fuzz.h"

/* The bytes that a tree is sent as, in a block of exactly their size. */
static uint8_t *bytes_of(const msgpack_object *tree, size_t max, size_t *n)
{
    gr_value v = gr_object(tree);
    uint8_t *bytes = malloc(max);
    if (bytes == NULL) {
        return NULL;
    }
    int64_t length = gri_pack_value(&v, bytes, max);
    GR_ASSERT(length > 0);
    *n = (size_t)length;
    return bytes;
}

static void check_tree(gri_trees *trees, const msgpack_object *tree, size_t max)
{
    size_t n = 0;
    size_t again_n = 0;
    uint8_t *bytes = bytes_of(tree, max, &n);
    msgpack_object again;
    if (bytes == NULL) {
        return;
    }
    GR_ASSERT(gri_trees_add(trees, bytes, n, &again) == 0);
    uint8_t *same = bytes_of(&again, n, &again_n);
    if (same != NULL) {
        GR_ASSERT(again_n == n && memcmp(bytes, same, n) == 0);
    }
    free(same);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gri_trees trees = {.values = 0};
    msgpack_object tree;
    gr_pid pid;
    int rc = gri_trees_add(&trees, data, size, &tree);
    GR_ASSERT(size > GR_TREE_MAX || rc == gr_validate(data, size, 0));
    GR_ASSERT(trees.values <= size);
    if (rc == 0) {
        GR_ASSERT(!gr_object_pid(&tree, &pid) || pid.id == 0 || size >= 18);
        /* The shortest forms are written: never longer than they came. */
        check_tree(&trees, &tree, size);
    }
    gri_trees_clear(&trees);
    GR_ASSERT(trees.values == 0);
    gri_trees_fini(&trees);
    return 0;
}
