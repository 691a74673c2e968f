/*
 * mailbox/match.c - a whole message against a tag and outputs. What stands here
 * is reached when the inline test of greenroom/detail/values.h found the tag,
 * or could not decide.
 *
 * Outputs are stored with memcpy: the same kind serves types that C holds
 * apart, such as long and long long.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "mailbox/blob.h"
#include "mailbox/decode.h"
#include "mailbox/near.h"
#include "mailbox/pack.h"

/* ---- one output --------------------------------------------------------- */

/* The low bytes of x into an integer of 1, 2, 4 or 8 bytes: signed or not, they
 * are the same. */
static inline void store_bits(void *out, uint64_t x, size_t size)
{
    uint8_t x8 = (uint8_t)x;
    uint16_t x16 = (uint16_t)x;
    uint32_t x32 = (uint32_t)x;
    switch (size) {
    case 1:
        memcpy(out, &x8, 1);
        break;
    case 2:
        memcpy(out, &x16, 2);
        break;
    case 4:
        memcpy(out, &x32, 4);
        break;
    default:
        memcpy(out, &x, 8);
        break;
    }
}

_Static_assert(GR_OUT_I8 % 4 == 1 && GR_OUT_U8 % 4 == 1, "see int_size");

/* The bytes of an integer output. */
static inline size_t int_size(uint32_t kind)
{
    return (size_t)1 << ((kind - GR_OUT_I8) & 3);
}

static bool store_signed(const gri_head *h, void *out, size_t size)
{
    int64_t x;
    if (!gri_as_i64(h, &x)) {
        return false;
    }
    if (size < 8 && (x > (INT64_C(1) << (8 * size - 1)) - 1 ||
                     x < -(INT64_C(1) << (8 * size - 1)))) {
        return false;
    }
    store_bits(out, (uint64_t)x, size);
    return true;
}

static bool store_unsigned(const gri_head *h, void *out, size_t size)
{
    uint64_t x;
    if (!gri_as_u64(h, &x) || (size < 8 && x >> (8 * size) != 0)) {
        return false;
    }
    store_bits(out, x, size);
    return true;
}

/* The nearest float; but no finite number becomes infinite, and integers are
 * exact or nothing. */
static bool store_float(const gri_head *h, void *out)
{
    const double exact_max = 16777216; /* 2^24: beyond, floats have gaps */
    double d;
    if (!gri_as_double(h, &d)) {
        return false;
    }
    bool integer = h->type == GRI_TYPE_UINT || h->type == GRI_TYPE_INT;
    if ((integer && fabs(d) > exact_max) ||
        (isfinite(d) && fabs(d) > (double)FLT_MAX)) {
        return false;
    }
    float f = (float)d;
    memcpy(out, &f, sizeof f);
    return true;
}

static bool store_head(const gri_head *h, const uint8_t *body,
                       const gr_out *out)
{
    switch ((gr_out_kind)out->kind) {
    case GR_OUT_BOOL:
        return gri_as_bool(h, out->p);
    case GR_OUT_I8:
    case GR_OUT_I16:
    case GR_OUT_I32:
    case GR_OUT_I64:
        return store_signed(h, out->p, int_size(out->kind));
    case GR_OUT_U8:
    case GR_OUT_U16:
    case GR_OUT_U32:
    case GR_OUT_U64:
        return store_unsigned(h, out->p, int_size(out->kind));
    case GR_OUT_REF:
    case GR_OUT_NODE: /* structs of one uint64_t */
        return store_unsigned(h, out->p, sizeof(uint64_t));
    case GR_OUT_FLOAT:
        return store_float(h, out->p);
    case GR_OUT_DOUBLE:
        return gri_as_double(h, out->p);
    case GR_OUT_STR:
        if (h->type == GRI_TYPE_STR) {
            *(gr_str *)out->p = (gr_str){(const char *)body, h->n};
        }
        return h->type == GRI_TYPE_STR;
    case GR_OUT_BYTES:
        if (h->type == GRI_TYPE_BIN) {
            *(gr_bytes *)out->p = (gr_bytes){body, h->n};
        }
        return h->type == GRI_TYPE_BIN;
    case GR_OUT_PID:
        return gri_as_pid(h, body, out->p);
    case GR_OUT_ANY:
    case GR_OUT_REST:
    case GR_OUT_IS:
        break;
    }
    return false;
}

/* ---- equal values ------------------------------------------------------- */

static bool equal_double(const gri_head *h, double x)
{
    double d;
    return gri_as_double(h, &d) && d == x;
}

/* All but lists, maps and gr_any. */
static bool equal_head(const gri_head *h, const uint8_t *body,
                       const gr_value *v)
{
    gr_pid pid;
    switch ((gr_kind)v->kind) {
    case GR_KIND_NIL:
        return h->type == GRI_TYPE_NIL;
    case GR_KIND_BOOL:
        return h->type == GRI_TYPE_BOOL && h->x == (v->as.i != 0 ? 1 : 0);
    case GR_KIND_INT:
        return h->x == v->as.u &&
               h->type == (v->as.i < 0 ? GRI_TYPE_INT : GRI_TYPE_UINT);
    case GR_KIND_UINT:
        return h->type == GRI_TYPE_UINT && h->x == v->as.u;
    case GR_KIND_FLOAT:
        return equal_double(h, (double)v->as.f);
    case GR_KIND_DOUBLE:
        return equal_double(h, v->as.d);
    case GR_KIND_STR:
    case GR_KIND_BIN:
        return h->type ==
                   (v->kind == GR_KIND_STR ? GRI_TYPE_STR : GRI_TYPE_BIN) &&
               h->n == v->len &&
               (h->n == 0 || memcmp(body, v->as.p, h->n) == 0);
    case GR_KIND_PID:
        return gri_as_pid(h, body, &pid) &&
               (gr_pid_eq(pid, v->as.pid) ||
                (gr_pid_is_nobody(pid) && gr_pid_is_nobody(v->as.pid)));
    case GR_KIND_ANY:
    case GR_KIND_LIST:
    case GR_KIND_MAP:
    case GR_KIND_BAD:
    case GR_KIND_OBJECT:
    case GR_KIND_BLOB:
        break;
    }
    return false;
}

/* Steps over the value at p if it is equal to *v; of a list or a map, over the
 * head if the number of items is, and sets *items. NULL: it is not equal. */
static const uint8_t *equal_one(const uint8_t *p, const uint8_t *end,
                                const gr_value *v, bool *items)
{
    gri_head h;
    *items = v->kind == GR_KIND_LIST || v->kind == GR_KIND_MAP;
    if (v->kind == GR_KIND_ANY) {
        bool same = (size_t)(end - p) >= v->len && v->len > 0 &&
                    memcmp(p, v->as.p, v->len) == 0;
        return same ? p + v->len : NULL;
    }
    p = gri_decode(p, end, &h);
    if (p == NULL) {
        return NULL;
    }
    if (v->kind == GR_KIND_LIST) {
        return h.type == GRI_TYPE_ARRAY && h.n == v->len ? p : NULL;
    }
    if (v->kind == GR_KIND_MAP) {
        return h.type == GRI_TYPE_MAP && 2 * (uint64_t)h.n == v->len ? p : NULL;
    }
    /* What is equal here has h.n bytes of body, or h.n is 0. */
    return equal_head(&h, p, v) ? p + h.n : NULL;
}

/* Steps over the value at p if it is equal to *v; NULL: it is not, or *v is
 * nested too deep to be in any message. Maps are equal in the same order. */
static const uint8_t *equal(const uint8_t *p, const uint8_t *end,
                            const gr_value *v)
{
    struct level {
        const gr_value *next;
        uint32_t left;
    } level = {v, 1}, outer[GR_DEPTH_MAX];
    unsigned opened = 0;
    for (;;) {
        if (level.left == 0) {
            if (opened == 0) {
                return p;
            }
            level = outer[--opened];
            continue;
        }
        bool items;
        const gr_value *one = level.next++;
        level.left--;
        p = equal_one(p, end, one, &items);
        if (p == NULL || (items && opened == GR_DEPTH_MAX)) {
            return NULL;
        }
        if (items) {
            outer[opened++] = level;
            level.next = one->as.items;
            level.left = one->len;
        }
    }
}

/* ---- elements and messages ---------------------------------------------- */

/* Steps over an integer that fits an output of 64 bits: what most messages
 * carry, so without a head in between. NULL: it is for match_one. */
static inline const uint8_t *match_number(const uint8_t *p, const uint8_t *end,
                                          const gr_out *out)
{
    if (p >= end || (out->kind != GR_OUT_I64 && out->kind != GR_OUT_U64)) {
        return NULL;
    }
    uint64_t x = *p;
    if (x <= GRI_FIXINT_MAX) {
        memcpy(out->p, &x, sizeof x);
        return p + 1;
    }
    const unsigned form = *p - 0xccu; /* uint 8 to 64, int 8 to 64 */
    const size_t size = (size_t)1 << (form & 3);
    if (form >= 8 || (size_t)(end - p) <= size) {
        return NULL;
    }
    x = gri_load(p + 1, size);
    if (form >= 4) {
        x = gri_sign_extend(x, size);
    }
    /* With the top bit set it is above all int64, or below all uint64. */
    if (x >> 63 != 0 && (form >= 4) != (out->kind == GR_OUT_I64)) {
        return NULL;
    }
    memcpy(out->p, &x, sizeof x);
    return p + 1 + size;
}

/* Steps over a pid, likewise. */
static inline const uint8_t *match_pid(const uint8_t *p, const uint8_t *end,
                                       const gr_out *out)
{
    if (end - p < GRI_PID_MAX || p[0] != GRI_FIXEXT16 || p[1] != GRI_EXT_PID) {
        return NULL;
    }
    const gr_pid pid = {gri_load(p + 2, 8), gri_load(p + 10, 8)};
    if (pid.node == 0 || pid.id == 0) {
        return NULL;
    }
    memcpy(out->p, &pid, sizeof pid);
    return p + GRI_PID_MAX;
}

/* Steps over a short text or bytes, likewise. */
static inline const uint8_t *match_body(const uint8_t *p, const uint8_t *end,
                                        const gr_out *out)
{
    if (end - p < 2) {
        return NULL;
    }
    const bool bin = *p == GRI_BIN_8;
    const uint8_t n = bin ? p[1] : *p & GRI_FIXSTR_MAX;
    const uint8_t *body = p + 1 + bin;
    if (n > end - body) {
        return NULL;
    }
    if (bin && out->kind == GR_OUT_BYTES) {
        *(gr_bytes *)out->p = (gr_bytes){body, n};
        return body + n;
    }
    if (!bin && out->kind == GR_OUT_STR && (*p & 0xe0u) == GRI_FIXSTR) {
        *(gr_str *)out->p = (gr_str){(const char *)body, n};
        return body + n;
    }
    return NULL;
}

/* The same for one of what most messages carry; other outputs are NULL. */
static inline const uint8_t *match_short(const uint8_t *p, const uint8_t *end,
                                         const gr_out *out)
{
    if (out->kind == GR_OUT_PID) {
        return match_pid(p, end, out);
    }
    if (out->kind == GR_OUT_STR || out->kind == GR_OUT_BYTES) {
        return match_body(p, end, out);
    }
    return match_number(p, end, out);
}

/* Steps over the element at p if it fits the output. NULL: it does not. */
static const uint8_t *match_one(const uint8_t *p, const uint8_t *end,
                                const gr_out *out)
{
    gri_head h;
    if (p < end && *p <= GRI_FIXINT_MAX && out->kind >= GR_OUT_I8 &&
        out->kind <= GR_OUT_U64) {
        /* The commonest: a small number fits every integer. */
        store_bits(out->p, *p, int_size(out->kind));
        return p + 1;
    }
    const uint8_t *body = gri_decode(p, end, &h);
    if (body == NULL) {
        return NULL;
    }
    if (h.type == GRI_TYPE_NIL && (out->flags & GR_OUT_OPTIONAL) != 0) {
        return body;
    }
    if (out->kind == GR_OUT_ANY) {
        const uint8_t *next = gri_skip(p, end);
        if (next != NULL) {
            *(gr_any *)out->p = (gr_any){p, (uint32_t)(next - p)};
        }
        return next;
    }
    if (out->kind == GR_OUT_IS) {
        return equal(p, end, out->p);
    }
    /* What was stored has h.n bytes of body, or h.n is 0: nothing is stored
     * from the head of a list or a map. */
    return store_head(&h, body, out) ? body + h.n : NULL;
}

/* `left` elements from p on against all outputs. */
static __attribute__((noinline)) bool
match_elements(const uint8_t *p, const uint8_t *end, uint32_t left,
               const gr_out *outs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (outs[i].kind == GR_OUT_REST) {
            *(gr_reader *)outs[i].p =
                (gr_reader){p, end, left, GRI_READER_ELEMENTS};
            left = 0;
        } else if (left > 0) {
            p = match_one(p, end, &outs[i]);
            if (p == NULL) {
                return false;
            }
            left--;
        } else if ((outs[i].flags & GR_OUT_OPTIONAL) == 0) {
            return false;
        }
    }
    return left == 0;
}

/* As match_elements, of a message that owns blobs: one by one, what a place
 * stands for in its stead. */
static bool match_owning(const uint8_t *p, const uint8_t *end, uint32_t left,
                         const gr_out *outs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const bool rest = outs[i].kind == GR_OUT_REST;
        if (rest || left == 0) {
            if (!match_elements(p, end, left, &outs[i], 1)) {
                return false;
            }
            left = 0;
            continue;
        }
        gr_any one = gri_blob_value(p, end, &p);
        const uint8_t *bytes = one.ptr;
        if (p == NULL ||
            !match_elements(bytes, bytes + one.len, 1, &outs[i], 1)) {
            return false;
        }
        left--;
    }
    return left == 0;
}

/* Opens the array that a message is. NULL: it is none. */
static const uint8_t *open_message(const gr_msg *msg, const uint8_t **end,
                                   uint32_t *n)
{
    gri_head h;
    const uint8_t *p = gri_msg_data(msg);
    *end = p + msg->len;
    p = gri_decode(p, *end, &h);
    if (p == NULL || h.type != GRI_TYPE_ARRAY) {
        return NULL;
    }
    *n = h.n;
    return p;
}

/* The inline test has seen 1 to 15 elements, of which the first is the tag, in
 * one byte or a short text. */
bool gri_match_args(const gr_msg *msg, const gr_out *outs, uint32_t n)
{
    const uint8_t *p = gri_msg_data(msg);
    const uint8_t *end = p + msg->len;
    uint32_t left = (*p & 0x0fu) - 1;
    p++;
    p += *p <= GRI_FIXINT_MAX ? 1 : 1 + (*p & GRI_FIXSTR_MAX);
    if (p > end) {
        return false;
    }
    while (n > 0 && left > 0) {
        const uint8_t *next = match_short(p, end, outs);
        if (next == NULL) {
            break;
        }
        p = next;
        outs++;
        n--;
        left--;
    }
    return (n == 0 && left == 0) || match_elements(p, end, left, outs, n);
}

/* The inline test has seen two elements, of which the first is the tag, so that
 * this one, `at` bytes into the payload, is the last. */
bool gri_match_int(const gr_msg *msg, uint32_t at, uint32_t kind, void *out)
{
    const uint8_t *p = gri_msg_data(msg) + at;
    uint64_t x = *p;
    bool negative = false;
    if (x > GRI_FIXINT_MAX) {
        const unsigned form = *p - 0xccu; /* uint 8 to 64, int 8 to 64 */
        const size_t size = (size_t)1 << (form & 3);
        if (form >= 8 || at + 1 + size != msg->len) {
            const gr_out any = {kind, 0, out};
            return gri_match_args(msg, &any, 1);
        }
        /* The eight bytes that end with it: those before it, of the message in
         * any case, are shifted out. */
        const unsigned unused = 64 - 8 * (unsigned)size;
        uint64_t bytes;
        memcpy(&bytes, p + 1 + size - sizeof bytes, sizeof bytes);
        x = be64toh(bytes) << unused;
        negative = form >= 4 && x >> 63 != 0;
        x = negative ? (uint64_t)((int64_t)x >> unused) : x >> unused;
    }
    bool fits = false;
    const bool wide = kind == GR_OUT_I64 || kind == GR_OUT_U64;
    switch (kind) {
    case GR_OUT_I64:
        fits = negative || x <= INT64_MAX;
        break;
    case GR_OUT_U64:
        fits = !negative;
        break;
    case GR_OUT_I32:
        fits = negative ? (int64_t)x >= INT32_MIN : x <= INT32_MAX;
        break;
    default:
        fits = !negative && x <= UINT32_MAX;
        break;
    }
    if (fits) {
        store_bits(out, x, wide ? 8 : 4);
    }
    return fits;
}

/* One element after another, each by match_elements, which stays as it is: what
 * it found to fit is stepped over once more. */
bool gri_match_near(const gr_msg *msg, const gr_out *outs, uint32_t n)
{
    const uint8_t *end;
    uint32_t left;
    const uint8_t *p = open_message(msg, &end, &left);
    p = p != NULL && left > 0 ? gri_skip(p, end) : NULL;
    if (p == NULL) {
        return false;
    }
    left--;
    if (gri_msg_owns(msg) && match_owning(p, end, left, outs, n)) {
        return true;
    }
    uint32_t arg = 1; /* when the elements before it fit */
    while (arg < GRI_NEAR_ARG_MAX) {
        const bool more = arg <= n;
        const bool rest = more && outs[arg - 1].kind == GR_OUT_REST;
        const uint32_t some = rest ? left : left > 0;
        const uint8_t *next = end;
        gr_any one = {p, (uint32_t)(end - p)};
        if (some > 0 && !rest && gri_msg_owns(msg)) {
            one = gri_blob_value(p, end, &next);
        } else if (some > 0 && !rest) {
            next = gri_skip(p, end);
        }
        const uint8_t *bytes = one.ptr;
        if (next == NULL ||
            !match_elements(bytes, bytes + one.len, some,
                            more ? &outs[arg - 1] : outs, more)) {
            break;
        }
        p = next;
        left -= some;
        arg++;
    }
    /* const is a promise to the program: the block is the runtime's. */
    gri_near_note((gr_msg *)(uintptr_t)msg, arg,
                  arg <= n ? outs[arg - 1].kind : GRI_NEAR_END);
    return false;
}

bool gr_matchv(const gr_msg *msg, const gr_value *tag, const gr_out *outs,
               uint32_t n)
{
    const uint8_t *end;
    uint32_t left;
    const uint8_t *p = open_message(msg, &end, &left);
    if (p == NULL || left == 0) {
        return false;
    }
    p = equal(p, end, tag);
    return p != NULL && (match_elements(p, end, left - 1, outs, n) ||
                         gri_match_near(msg, outs, n));
}

bool gr_unpackv(const gr_msg *msg, const gr_out *outs, uint32_t n)
{
    const uint8_t *end;
    uint32_t left;
    const uint8_t *p = open_message(msg, &end, &left);
    return p != NULL &&
           (match_elements(p, end, left, outs, n) ||
            (gri_msg_owns(msg) && match_owning(p, end, left, outs, n)));
}
