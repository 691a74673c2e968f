/*
 * mailbox/print.c - messages as text, for logs and dead letters.
 *
 *   nil true 5 -1 2.5 "text" <2 bytes: 01 ff> [1, [2]] {"key": 1}
 *   pid<node.id> and ext<type: 01 ff>, in hexadecimal
 *
 * The text may come from a hostile peer and go to a terminal: what is no valid
 * UTF-8, and every control character, is escaped. All of it may be done in a
 * signal handler, but what stdio knows best: doubles.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mailbox/blob.h"
#include "mailbox/decode.h"
#include "mailbox/pack.h"
#include "mailbox/print.h"

/* The buffer; bytes beyond it are dropped, and `cut` says so. */
typedef struct text {
    char *buf;
    size_t len, max; /* max: without the ending zero */
    bool cut;
    bool rough; /* no stdio */
} text;

static void put(text *t, const char *s, size_t n)
{
    if (n > t->max - t->len) {
        n = t->max - t->len;
        t->cut = true;
    }
    memcpy(t->buf + t->len, s, n);
    t->len += n;
}

static void put_text(text *t, const char *s)
{
    put(t, s, strlen(s));
}

/* In base 10 or 16; at least `digits` of them. */
static void put_number(text *t, uint64_t x, unsigned base, unsigned digits)
{
    char buf[21];
    char *p = buf + sizeof buf - 1;
    *p = '\0';
    do {
        *--p = "0123456789abcdef"[x % base];
        x /= base;
    } while (x != 0 || (size_t)(buf + sizeof buf - 1 - p) < digits);
    put_text(t, p);
}

/* "..." over the end of what was cut, not through the middle of a character. */
static size_t finish(text *t)
{
    if (t->cut) {
        size_t dots = t->max < 3 ? t->max : 3;
        t->len = t->max - dots;
        while (t->len > 0 && ((uint8_t)t->buf[t->len] & 0xc0) == 0x80) {
            t->len--;
        }
        memcpy(t->buf + t->len, "...", dots);
        t->len += dots;
    }
    t->buf[t->len] = '\0';
    return t->len;
}

/* ---- scalars ------------------------------------------------------------ */

/* The length of the character at p if it is well-formed UTF-8 and printable,
 * else 0. */
static size_t character(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (*p < 0x80) {
        return *p >= 0x20 && *p != 0x7f;
    }
    size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if (*p < 0xc0 || *p >= 0xf8 || n > left) {
        return 0;
    }
    uint32_t code = *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (p[i] & 0x3fu);
    }
    bool valid = code >= least[n] && code <= 0x10ffff &&
                 !(code >= 0xd800 && code < 0xe000);
    bool control = code < 0xa0 || code == 0x2028 || code == 0x2029 ||
                   (code >= 0x202a && code <= 0x202e) || /* turn lines round */
                   (code >= 0x2066 && code <= 0x2069);
    return valid && !control ? n : 0;
}

static void put_escaped(text *t, uint8_t byte)
{
    const char *named = byte == '\n'   ? "\\n"
                        : byte == '\r' ? "\\r"
                        : byte == '\t' ? "\\t"
                        : byte == '"'  ? "\\\""
                        : byte == '\\' ? "\\\\"
                                       : NULL;
    put_text(t, named != NULL ? named : "\\x");
    if (named == NULL) {
        put_number(t, byte, 16, 2);
    }
}

/* How many bytes from p on stand for themselves and are a character each. */
static size_t plain_run(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' &&
           p[i] != '\\') {
        i++;
    }
    return i;
}

/* quoted: as in C, so that it can be told where it ends. */
static void put_chars(text *t, const uint8_t *p, size_t n, bool quoted)
{
    while (n > 0 && !t->cut) {
        const size_t room = t->max - t->len + 1; /* one more: it is cut */
        size_t width = plain_run(p, n < room ? n : room);
        if (width > 0) { /* as most texts are, to their end */
            put(t, (const char *)p, width);
            p += width;
            n -= width;
            continue;
        }
        width = character(p, n);
        if (width == 0 || (quoted && *p == '"') || *p == '\\') {
            put_escaped(t, *p);
            width = 1;
        } else {
            put(t, (const char *)p, width);
        }
        p += width;
        n -= width;
    }
}

static void put_str(text *t, const uint8_t *p, size_t n)
{
    put_text(t, "\"");
    put_chars(t, p, n, true);
    put_text(t, "\"");
}

static void put_hex(text *t, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n && !t->cut; i++) {
        put_text(t, " ");
        put_number(t, p[i], 16, 2);
    }
    put_text(t, ">");
}

static void put_int(text *t, int64_t x)
{
    put_text(t, x < 0 ? "-" : "");
    put_number(t, x < 0 ? 0 - (uint64_t)x : (uint64_t)x, 10, 1);
}

static void put_ext(text *t, const gri_head *h, const uint8_t *body)
{
    gr_pid pid;
    if (gri_as_pid(h, body, &pid)) {
        put_text(t, "pid<");
        put_number(t, pid.node, 16, 1);
        put_text(t, ".");
        put_number(t, pid.id, 16, 1);
        put_text(t, ">");
        return;
    }
    put_text(t, "ext<");
    put_int(t, (int64_t)h->x);
    put_text(t, ":");
    put_hex(t, body, h->n);
}

static void put_rough(text *t, double d, uint64_t bits)
{
    static const double most = 1e18; /* less than 64 bits hold */
    if (!(d > -most && d < most)) {
        put_text(t, "a number of bits 0x");
        put_number(t, bits, 16, 1);
        return;
    }
    const double size = d < 0 ? -d : d;
    uint64_t whole = (uint64_t)size;
    uint64_t rest = (uint64_t)((size - (double)whole) * 1e6 + 0.5);
    whole += rest == 1000000;
    rest %= 1000000;
    put_text(t, d < 0 ? "-" : "");
    put_number(t, whole, 10, 1);
    put_text(t, ".");
    unsigned digits = 6;
    for (; digits > 1 && rest % 10 == 0; digits--) {
        rest /= 10;
    }
    put_number(t, rest, 10, digits);
}

/* Looks like a float: with a point or an exponent, or a word. */
static void put_double(text *t, const gri_head *h)
{
    char buf[40];
    double d;
    if (!gri_as_double(h, &d)) {
        return;
    }
    if (t->rough) {
        put_rough(t, d, h->x);
        return;
    }
    /* As many digits as the number takes to come back the same. */
    int digits = h->type == GRI_TYPE_FLOAT ? 9 : 17;
    for (int i = 1; i <= digits; i++) {
        (void)snprintf(buf, sizeof buf, "%.*g", i, d);
        double back = strtod(buf, NULL);
        if ((h->type == GRI_TYPE_FLOAT ? (float)back == (float)d : back == d)) {
            break;
        }
    }
    put_text(t, buf);
    if (strspn(buf, "-0123456789") == strlen(buf)) {
        put_text(t, ".0");
    }
}

static void put_scalar(text *t, const gri_head *h, const uint8_t *body)
{
    switch (h->type) {
    case GRI_TYPE_NIL:
        put_text(t, "nil");
        break;
    case GRI_TYPE_BOOL:
        put_text(t, h->x != 0 ? "true" : "false");
        break;
    case GRI_TYPE_UINT:
        put_number(t, h->x, 10, 1);
        break;
    case GRI_TYPE_INT:
        put_int(t, (int64_t)h->x);
        break;
    case GRI_TYPE_FLOAT:
    case GRI_TYPE_DOUBLE:
        put_double(t, h);
        break;
    case GRI_TYPE_STR:
        put_str(t, body, h->n);
        break;
    case GRI_TYPE_BIN:
        put_text(t, "<");
        put_number(t, h->n, 10, 1);
        put_text(t, " bytes:");
        put_hex(t, body, h->n);
        break;
    case GRI_TYPE_EXT:
        put_ext(t, h, body);
        break;
    case GRI_TYPE_ARRAY:
    case GRI_TYPE_MAP:
        break;
    }
}

/* ---- lists and maps ----------------------------------------------------- */

typedef struct level {
    uint64_t left; /* values still to come */
    bool map;
    bool started;
} level;

/* What stands before the next value of a level. */
static void put_separator(text *t, const level *l)
{
    if (l->started) {
        put_text(t, l->map && l->left % 2 != 0 ? ": " : ", ");
    }
}

/* The place of a blob (blob.h) among a message's elements. NULL: it is none. */
static const uint8_t *put_place(text *t, const uint8_t *p, const uint8_t *end)
{
    gri_head h;
    const uint8_t *next = NULL;
    if (p >= end || *p != GRI_BLOB_MARK) {
        return NULL;
    }
    gr_any value = gri_blob_value(p, end, &next);
    const uint8_t *bytes = value.ptr;
    const uint8_t *body = gri_decode(bytes, bytes + value.len, &h);
    if (body != NULL) {
        put_scalar(t, &h, body);
    }
    return next;
}

/* One value with all that is in it. It stops where the buffer ends, and where
 * the bytes do not make sense. `owns`: it is a message, with blobs. */
static void put_value(text *t, const uint8_t *p, const uint8_t *end, bool owns)
{
    level levels[GR_DEPTH_MAX + 1] = {{.left = 1}};
    unsigned top = 0;
    while (!t->cut) {
        level *l = &levels[top];
        if (l->left == 0) {
            if (top == 0) {
                return;
            }
            put_text(t, l->map ? "}" : "]");
            top--;
            continue;
        }
        gri_head h;
        put_separator(t, l);
        const uint8_t *next = owns && top == 1 ? put_place(t, p, end) : NULL;
        if (next != NULL) {
            p = next;
            l->left--;
            l->started = true;
            continue;
        }
        p = gri_decode(p, end, &h);
        bool opens =
            p != NULL && (h.type == GRI_TYPE_ARRAY || h.type == GRI_TYPE_MAP);
        if (p == NULL || (opens && top == GR_DEPTH_MAX)) {
            put_text(t, p == NULL ? "<malformed>" : "<too deep>");
            return;
        }
        l->left--;
        l->started = true;
        if (opens) {
            bool map = h.type == GRI_TYPE_MAP;
            put_text(t, map ? "{" : "[");
            levels[++top] = (level){map ? 2 * (uint64_t)h.n : h.n, map, false};
        } else {
            put_scalar(t, &h, p);
            p += h.n;
        }
    }
}

static size_t print(gr_any any, bool owns, bool rough, char *buf, size_t size)
{
    if (size == 0) {
        return 0;
    }
    text t = {.max = size - 1, .rough = rough};
    t.buf = buf;
    const uint8_t *p = any.ptr;
    if (any.len == 0) {
        put_text(&t, "<malformed>");
    } else {
        put_value(&t, p, p + any.len, owns);
    }
    return finish(&t);
}

size_t gr_any_print(gr_any any, char *buf, size_t size)
{
    return print(any, false, false, buf, size);
}

size_t gr_msg_print(const gr_msg *msg, char *buf, size_t size)
{
    gr_any payload = {gri_msg_data(msg), msg->len};
    return print(payload, gri_msg_owns(msg), false, buf, size);
}

size_t gri_msg_print_rough(const gr_msg *msg, char *buf, size_t size)
{
    gr_any payload = {gri_msg_data(msg), msg->len};
    return print(payload, gri_msg_owns(msg), true, buf, size);
}

const char *gri_escape(char *buf, size_t size, const char *s, size_t n)
{
    text t = {.max = size - 1};
    t.buf = buf;
    put_chars(&t, (const uint8_t *)s, n, false);
    (void)finish(&t);
    return buf;
}
