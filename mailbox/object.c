/* mailbox/object.c - one object of msgpack-c's as a value to send. */
#include "mailbox/object.h"

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
