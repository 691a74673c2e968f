/*
 * mailbox/unpack.c - the reader: walks values one by one, allocates nothing.
 * It may be given bytes that nobody checked (gr_any_reader), so it never relies
 * on more than what gri_decode has seen.
 */
#include "mailbox/blob.h"
#include "mailbox/decode.h"

gr_any gr_msg_bytes(const gr_msg *msg)
{
    return gri_msg_owns(msg) ? (gr_any){NULL, 0}
                             : (gr_any){gri_msg_data(msg), msg->len};
}

gr_reader gr_any_reader(gr_any any)
{
    const uint8_t *p = any.ptr;
    if (any.len == 0) {
        return (gr_reader){p, p, 0, 0};
    }
    return (gr_reader){p, p + any.len, 1, 0};
}

gr_reader gr_msg_reader(const gr_msg *msg)
{
    gri_head h;
    const uint8_t *p = gri_msg_data(msg);
    const uint8_t *end = p + msg->len;
    p = gri_decode(p, end, &h);
    if (p == NULL || h.type != GRI_TYPE_ARRAY) {
        return (gr_reader){end, end, 0, 0};
    }
    return (gr_reader){p, end, h.n, GRI_READER_ELEMENTS};
}

/* Decodes the value that r is at, without stepping over it. */
static int peek(const gr_reader *r, gri_head *h, const uint8_t **body)
{
    if (r->left == 0) {
        return GR_ENOENT;
    }
    *body = gri_decode(r->p, r->end, h);
    return *body != NULL ? 0 : GR_EFORMAT;
}

/* Steps over a value that is no list or map. */
static int step(gr_reader *r, const gri_head *h, const uint8_t *body)
{
    r->p = body + h->n;
    r->left--;
    return 0;
}

/* What the place of a blob at r stands for, where peek has found no value and
 * given rc. *next is behind the place. */
static int at_place(const gr_reader *r, gr_any *value, const uint8_t **next,
                    int rc)
{
    if (rc != GR_EFORMAT || (r->flags & GRI_READER_ELEMENTS) == 0 ||
        r->p >= r->end || *r->p != GRI_BLOB_MARK) {
        return rc;
    }
    *value = gri_blob_value(r->p, r->end, next);
    return value->len > 0 ? 0 : GR_EFORMAT;
}

/* Steps over the place of a blob, if what it stands for is of that type. */
static int read_place(gr_reader *r, gri_type type, gr_bytes *out, int rc)
{
    gri_head h;
    gr_any value = {NULL, 0};
    const uint8_t *next;
    GR_TRY(at_place(r, &value, &next, rc));
    const uint8_t *p = value.ptr;
    const uint8_t *body = gri_decode(p, p + value.len, &h);
    if (body == NULL || h.type != type) {
        return GR_EFORMAT;
    }
    *out = (gr_bytes){body, h.n};
    r->p = next;
    r->left--;
    return 0;
}

int gr_read_nil(gr_reader *r)
{
    gri_head h;
    const uint8_t *body;
    int rc = peek(r, &h, &body);
    if (rc < 0) {
        gr_bytes none;
        return read_place(r, GRI_TYPE_NIL, &none, rc);
    }
    return h.type == GRI_TYPE_NIL ? step(r, &h, body) : GR_EFORMAT;
}

int gr_read_bool(gr_reader *r, bool *out)
{
    gri_head h;
    const uint8_t *body;
    GR_TRY(peek(r, &h, &body));
    return gri_as_bool(&h, out) ? step(r, &h, body) : GR_EFORMAT;
}

int gr_read_int(gr_reader *r, int64_t *out)
{
    gri_head h;
    const uint8_t *body;
    GR_TRY(peek(r, &h, &body));
    return gri_as_i64(&h, out) ? step(r, &h, body) : GR_EFORMAT;
}

int gr_read_uint(gr_reader *r, uint64_t *out)
{
    gri_head h;
    const uint8_t *body;
    GR_TRY(peek(r, &h, &body));
    return gri_as_u64(&h, out) ? step(r, &h, body) : GR_EFORMAT;
}

int gr_read_double(gr_reader *r, double *out)
{
    gri_head h;
    const uint8_t *body;
    GR_TRY(peek(r, &h, &body));
    return gri_as_double(&h, out) ? step(r, &h, body) : GR_EFORMAT;
}

int gr_read_str(gr_reader *r, gr_str *out)
{
    gri_head h;
    const uint8_t *body;
    GR_TRY(peek(r, &h, &body));
    if (h.type != GRI_TYPE_STR) {
        return GR_EFORMAT;
    }
    *out = (gr_str){(const char *)body, h.n};
    return step(r, &h, body);
}

int gr_read_bin(gr_reader *r, gr_bytes *out)
{
    gri_head h;
    const uint8_t *body;
    int rc = peek(r, &h, &body);
    if (rc < 0) {
        return read_place(r, GRI_TYPE_BIN, out, rc);
    }
    if (h.type != GRI_TYPE_BIN) {
        return GR_EFORMAT;
    }
    *out = (gr_bytes){body, h.n};
    return step(r, &h, body);
}

int gr_read_pid(gr_reader *r, gr_pid *out)
{
    gri_head h;
    const uint8_t *body;
    int rc = peek(r, &h, &body);
    if (rc < 0) {
        gr_bytes none;
        GR_TRY(read_place(r, GRI_TYPE_NIL, &none, rc));
        *out = GR_NOBODY;
        return 0;
    }
    return gri_as_pid(&h, body, out) ? step(r, &h, body) : GR_EFORMAT;
}

int gr_read_any(gr_reader *r, gr_any *out)
{
    if (r->left == 0) {
        return GR_ENOENT;
    }
    const uint8_t *next = gri_skip(r->p, r->end);
    gr_any value = {r->p, 0};
    if (next != NULL) {
        value.len = (uint32_t)(next - r->p);
    } else {
        GR_TRY(at_place(r, &value, &next, GR_EFORMAT));
    }
    *out = value;
    r->p = next;
    r->left--;
    return 0;
}

/* Enters a list or a map and steps over it. */
static int enter(gr_reader *r, gri_type type, gr_reader *inner)
{
    gri_head h;
    const uint8_t *body;
    gr_any all;
    GR_TRY(peek(r, &h, &body));
    if (h.type != type || (type == GRI_TYPE_MAP && h.n > UINT32_MAX / 2)) {
        return GR_EFORMAT;
    }
    GR_TRY(gr_read_any(r, &all));
    *inner = (gr_reader){body, r->p, type == GRI_TYPE_MAP ? 2 * h.n : h.n, 0};
    return 0;
}

int gr_read_list(gr_reader *r, gr_reader *inner)
{
    return enter(r, GRI_TYPE_ARRAY, inner);
}

int gr_read_map(gr_reader *r, gr_reader *inner)
{
    return enter(r, GRI_TYPE_MAP, inner);
}
