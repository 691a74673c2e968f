/*
 * mailbox/object.c - messages as msgpack-c's trees of objects, and back.
 *
 * msgpack-c's unpacker believes the sizes that bytes declare (five bytes are
 * enough to make it ask for 2 GiB) and takes an out-of-memory for too deep a
 * nesting, and the other way. So it is only given what was checked and counted
 * here, and whatever it then refuses is for want of memory.
 */
#include "mailbox/object.h"

#include <greenroom/msgpack.h>

#include "base/assert.h"
#include "mailbox/decode.h"

enum {
    CHUNK = 8192, /* bytes that a zone takes at a time, or twice that ... */
    KEPT_VALUES = CHUNK / sizeof(msgpack_object) /* what fits the first */
};

_Static_assert(sizeof(msgpack_object_kv) == 2 * sizeof(msgpack_object),
               "a pair is two objects and nothing else");

int gri_object_value(const msgpack_object *object, gr_value *out)
{
    const msgpack_object_union *via = &object->via;
    gr_value v = {.kind = GR_KIND_NIL};
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        v = gr_bool(via->boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        v = gri_v_u64(via->u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        v = gri_v_i64(via->i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
        v = gri_v_float((float)via->f64);
        break;
    case MSGPACK_OBJECT_FLOAT64:
        v = gri_v_double(via->f64);
        break;
    case MSGPACK_OBJECT_STR:
        v = gr_strn(via->str.ptr, via->str.size);
        break;
    case MSGPACK_OBJECT_BIN:
        v = gr_bin(via->bin.ptr, via->bin.size);
        break;
    case MSGPACK_OBJECT_EXT:
        v = gri_v_span(GR_KIND_OBJECT, via->ext.ptr, via->ext.size);
        break;
    case MSGPACK_OBJECT_ARRAY:
        v = gri_v_span(GR_KIND_LIST, via->array.ptr, via->array.size);
        break;
    case MSGPACK_OBJECT_MAP:
        v = gri_v_span(GR_KIND_MAP, via->map.ptr, 2 * (size_t)via->map.size);
        break;
    default: /* a program may have made it */
        return GR_EINVAL;
    }
    if (v.kind == GR_KIND_BAD) {
        return GR_ETOOBIG;
    }
    if (v.kind >= GR_KIND_STR && v.len > 0 && v.as.p == NULL) {
        return GR_EINVAL;
    }
    *out = v;
    return 0;
}

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

int gri_trees_add(gri_trees *trees, const void *bytes, size_t n,
                  msgpack_object *out)
{
    GR_TRY(gri_check(bytes, n, GR_DEPTH_MAX));
    const uint8_t *p = bytes;
    size_t values = count_values(p, p + n);
    if (values > GR_TREE_MAX - trees->values) {
        return GR_ELIMIT;
    }
    if (!trees->is_open && !msgpack_zone_init(&trees->zone, CHUNK)) {
        return GR_ENOMEM;
    }
    trees->is_open = true;
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
