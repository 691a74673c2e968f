/*
 * mailbox/trees.c - messages as msgpack-c's trees of objects.
 *
 * msgpack-c's unpacker believes the sizes that bytes declare (five bytes are
 * enough to make it ask for 2 GiB), and says of what is nested too deep that
 * there is no memory. So it is only given what was checked and counted here,
 * and whatever it then refuses is for want of memory.
 */
#include "mailbox/trees.h"

#include <greenroom/msgpack.h>

#include "base/assert.h"
#include "mailbox/blob.h"
#include "mailbox/decode.h"

enum {
    CHUNK = 8192, /* bytes that a zone takes first, and then at least */
    KEPT_VALUES = CHUNK / sizeof(msgpack_object) /* what fits the first */
};

/* Of bytes that were checked: all values, lists and maps counted, too. */
static size_t count_values(const uint8_t *p, const uint8_t *end)
{
    size_t values = 0;
    while (p < end) {
        gri_head h;
        p = gri_decode(p, end, &h);
        GR_ASSERT(p != NULL);
        if (h.type != GRI_TYPE_ARRAY && h.type != GRI_TYPE_MAP) {
            p += h.n;
        }
        values++;
    }
    return values;
}

static int open_zone(gri_trees *trees)
{
    if (!trees->is_open && !msgpack_zone_init(&trees->zone, CHUNK)) {
        return GR_ENOMEM;
    }
    trees->is_open = true;
    return 0;
}

int gri_trees_add(gri_trees *trees, const void *bytes, size_t n,
                  msgpack_object *out)
{
    GR_TRY(gri_check(bytes, n, GR_DEPTH_MAX));
    const uint8_t *p = bytes;
    size_t values = count_values(p, p + n);
    if (values > GR_TREE_MAX - trees->values) {
        return GR_ELIMIT;
    }
    GR_TRY(open_zone(trees));
    /* Before it is tried: what fails halfway has taken memory, too. */
    trees->values += (uint32_t)values;
    msgpack_object root;
    if (msgpack_unpack(bytes, n, NULL, &trees->zone, &root) !=
        MSGPACK_UNPACK_SUCCESS) {
        return GR_ENOMEM;
    }
    *out = root;
    return 0;
}

int gri_trees_add_owning(gri_trees *trees, const gr_msg *msg,
                         msgpack_object *out)
{
    gri_head h;
    const uint8_t *p = gri_msg_data(msg);
    const uint8_t *end = p + msg->len;
    p = gri_decode(p, end, &h);
    GR_ASSERT(p != NULL);
    if (trees->values >= GR_TREE_MAX) {
        return GR_ELIMIT;
    }
    GR_TRY(open_zone(trees));
    trees->values++;
    msgpack_object *items =
        msgpack_zone_malloc(&trees->zone, h.n * sizeof *items);
    if (items == NULL) {
        return GR_ENOMEM;
    }
    for (uint32_t i = 0; i < h.n; i++) {
        gr_any one = gri_blob_value(p, end, &p);
        GR_TRY(gri_trees_add(trees, one.ptr, one.len, &items[i]));
    }
    *out = (msgpack_object){.type = MSGPACK_OBJECT_ARRAY};
    out->via.array.size = h.n;
    out->via.array.ptr = items;
    return 0;
}

void gri_trees_clear(gri_trees *trees)
{
    if (trees->values > KEPT_VALUES) {
        gri_trees_fini(trees);
    } else if (trees->values > 0) {
        msgpack_zone_clear(&trees->zone);
        trees->values = 0;
    }
}

void gri_trees_fini(gri_trees *trees)
{
    if (trees->is_open) {
        msgpack_zone_destroy(&trees->zone);
        trees->is_open = false;
    }
    trees->values = 0;
}
