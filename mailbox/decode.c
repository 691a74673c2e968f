/* mailbox/decode.c - heads of msgpack values, and what they can be read as. */
#include "mailbox/decode.h"

#include "base/assert.h"
#include "mailbox/pack.h"

/* The first bytes from 0xc0 to 0xdf: what follows them. */
static const struct form {
    uint8_t type;  /* gri_type; 0xc1 is told apart */
    uint8_t bytes; /* of the number behind the first byte */
    uint8_t fixed; /* x or n, where no number tells it */
} forms[] = {
    {GRI_TYPE_NIL, 0, 0},  {GRI_TYPE_NIL, 0, 0},   {GRI_TYPE_BOOL, 0, 0},
    {GRI_TYPE_BOOL, 0, 1}, {GRI_TYPE_BIN, 1, 0},   {GRI_TYPE_BIN, 2, 0},
    {GRI_TYPE_BIN, 4, 0},  {GRI_TYPE_EXT, 1, 0},   {GRI_TYPE_EXT, 2, 0},
    {GRI_TYPE_EXT, 4, 0},  {GRI_TYPE_FLOAT, 4, 0}, {GRI_TYPE_DOUBLE, 8, 0},
    {GRI_TYPE_UINT, 1, 0}, {GRI_TYPE_UINT, 2, 0},  {GRI_TYPE_UINT, 4, 0},
    {GRI_TYPE_UINT, 8, 0}, {GRI_TYPE_INT, 1, 0},   {GRI_TYPE_INT, 2, 0},
    {GRI_TYPE_INT, 4, 0},  {GRI_TYPE_INT, 8, 0},   {GRI_TYPE_EXT, 0, 1},
    {GRI_TYPE_EXT, 0, 2},  {GRI_TYPE_EXT, 0, 4},   {GRI_TYPE_EXT, 0, 8},
    {GRI_TYPE_EXT, 0, 16}, {GRI_TYPE_STR, 1, 0},   {GRI_TYPE_STR, 2, 0},
    {GRI_TYPE_STR, 4, 0},  {GRI_TYPE_ARRAY, 2, 0}, {GRI_TYPE_ARRAY, 4, 0},
    {GRI_TYPE_MAP, 2, 0},  {GRI_TYPE_MAP, 4, 0},
};
_Static_assert(sizeof forms / sizeof forms[0] == 0xe0 - 0xc0, "0xc0 to 0xdf");

/* The n of a head is known: whether enough bytes are left behind it. */
static const uint8_t *with_body(const uint8_t *p, const uint8_t *end,
                                gri_head *h, uint64_t n)
{
    size_t left = (size_t)(end - p);
    h->n = (uint32_t)n;
    if (h->type == GRI_TYPE_EXT) {
        if (left == 0) {
            return NULL;
        }
        h->x = gri_sign_extend(*p, 1);
        p++;
        left--;
    }
    return (h->type == GRI_TYPE_MAP ? 2 * n : n) <= left ? p : NULL;
}

const uint8_t *gri_decode_long(const uint8_t *p, const uint8_t *end,
                               gri_head *h)
{
    uint8_t first = *p++;
    if (first < 0x90) { /* fixmap */
        h->type = GRI_TYPE_MAP;
        return with_body(p, end, h, first & 0x0fu);
    }
    if (first >= 0xe0) {
        h->type = GRI_TYPE_INT;
        h->x = gri_sign_extend(first, 1);
        return p;
    }
    if (first == 0xc1) { /* never used */
        return NULL;
    }
    GR_DASSERT(first > 0xbf);
    const struct form *form = &forms[first & 0x1fu];
    if ((size_t)(end - p) < form->bytes) {
        return NULL;
    }
    uint64_t x = form->bytes > 0 ? gri_load(p, form->bytes) : form->fixed;
    p += form->bytes;
    h->type = (gri_type)form->type;
    if (h->type >= GRI_TYPE_STR) {
        return with_body(p, end, h, x);
    }
    h->x = x;
    if (h->type == GRI_TYPE_INT) {
        h->x = gri_sign_extend(x, form->bytes);
        if (h->x <= INT64_MAX) { /* a long form of what is not negative */
            h->type = GRI_TYPE_UINT;
        }
    }
    return p;
}

const uint8_t *gri_skip_items(const uint8_t *p, const uint8_t *end)
{
    uint64_t left =
        1; /* values; each is at least one byte, so it stays small */
    while (left > 0) {
        gri_head h;
        p = gri_decode(p, end, &h);
        if (p == NULL) {
            return NULL;
        }
        left--;
        if (h.type == GRI_TYPE_ARRAY) {
            left += h.n;
        } else if (h.type == GRI_TYPE_MAP) {
            left += 2 * (uint64_t)h.n;
        } else {
            p += h.n;
        }
        if (left > (size_t)(end - p)) {
            return NULL;
        }
    }
    return p;
}

/* ---- what a head can be read as ----------------------------------------- */

bool gri_as_bool(const gri_head *h, bool *out)
{
    if ((h->type != GRI_TYPE_BOOL && h->type != GRI_TYPE_UINT) || h->x > 1) {
        return false;
    }
    *out = h->x == 1;
    return true;
}

bool gri_as_i64(const gri_head *h, int64_t *out)
{
    if (h->type == GRI_TYPE_INT ||
        (h->type == GRI_TYPE_UINT && h->x <= INT64_MAX)) {
        *out = (int64_t)h->x;
        return true;
    }
    return false;
}

bool gri_as_u64(const gri_head *h, uint64_t *out)
{
    if (h->type != GRI_TYPE_UINT) {
        return false;
    }
    *out = h->x;
    return true;
}

bool gri_as_double(const gri_head *h, double *out)
{
    const int64_t exact_max = INT64_C(1) << 53; /* beyond, doubles have gaps */
    int64_t i;
    if (h->type == GRI_TYPE_DOUBLE) {
        memcpy(out, &h->x, sizeof *out);
        return true;
    }
    if (h->type == GRI_TYPE_FLOAT) {
        uint32_t bits = (uint32_t)h->x;
        float f;
        memcpy(&f, &bits, sizeof f);
        *out = (double)f;
        return true;
    }
    if (gri_as_i64(h, &i) && i <= exact_max && i >= -exact_max) {
        *out = (double)i;
        return true;
    }
    return false;
}

bool gri_as_pid(const gri_head *h, const uint8_t *body, gr_pid *out)
{
    if (h->type == GRI_TYPE_NIL) {
        *out = GR_NOBODY;
        return true;
    }
    if (h->type != GRI_TYPE_EXT || h->x != GRI_EXT_PID ||
        h->n != GRI_PID_BYTES) {
        return false;
    }
    gr_pid pid = {gri_load(body, 8), gri_load(body + 8, 8)};
    if (pid.node == 0 || pid.id == 0) {
        return false;
    }
    *out = pid;
    return true;
}
