/*
 * greenroom/message.h - what a message is made of: values to send, patterns to
 * match, and a reader to walk.
 *
 * A message is a msgpack array whose first element is its tag: a short string,
 * or an integer where speed asks for it. Macros choose the encoding from the
 * type of each argument, so a type error is a compile error and nothing is
 * parsed at run time. Under each macro lies a plain function (gr_sendv, ...)
 * for other languages and for lists made at run time.
 *
 * Lifetimes: what goes into a send is borrowed for the call and copied, all but
 * a blob, which is moved (gr_move). What comes out of a message (gr_str,
 * gr_bytes, gr_any, gr_reader) points into it and lives as long as the message:
 * until the handler returns, or, in a thread actor, until its next gr_receive,
 * gr_call or gr_sleep.
 */
#ifndef GREENROOM_MESSAGE_H
#define GREENROOM_MESSAGE_H

#include <greenroom/base.h>
#include <greenroom/error.h>

GR_BEGIN_DECLS

/* What a gr_value holds. Order is part of the binary interface: append only. */
typedef enum gr_kind {
    GR_KIND_NIL = 0,
    GR_KIND_BOOL,  /* as.i is 0 or 1 */
    GR_KIND_INT,   /* as.i */
    GR_KIND_UINT,  /* as.u */
    GR_KIND_FLOAT, /* as.f */
    GR_KIND_DOUBLE,
    GR_KIND_STR,  /* as.p, len bytes */
    GR_KIND_BIN,  /* as.p, len bytes */
    GR_KIND_ANY,  /* as.p, len bytes of one msgpack value; checked */
    GR_KIND_LIST, /* as.items, len values */
    GR_KIND_MAP,  /* as.items, len values: key, value, key, value ... */
    GR_KIND_PID,  /* as.pid; GR_NOBODY travels as nil, and nil is read as it */
    GR_KIND_BAD,  /* made from an argument that cannot be sent (too long) */
    /* as.p: a msgpack_object to send, see greenroom/msgpack.h */
    GR_KIND_OBJECT,
    GR_KIND_BLOB /* as.blob: see gr_move */
} gr_kind;

/* One value to send. Made by the macros and functions below; it borrows what it
 * points to, so use it in the block that made it and never store it. */
typedef struct gr_value {
    uint32_t kind;
    uint32_t len;
    union {
        int64_t i;
        uint64_t u;
        double d;
        float f;
        const void *p;
        const struct gr_value *items;
        gr_pid pid;
        gr_blob **blob;
    } as;
} gr_value;

/* A list of values, as gr_args() makes it. All zero: none. */
typedef struct gr_values {
    const gr_value *items;
    uint32_t n;
} gr_values;

/* What one element of a message is matched into. */
typedef enum gr_out_kind {
    GR_OUT_BOOL = 0,
    GR_OUT_I8,
    GR_OUT_I16,
    GR_OUT_I32,
    GR_OUT_I64,
    GR_OUT_U8,
    GR_OUT_U16,
    GR_OUT_U32,
    GR_OUT_U64,
    GR_OUT_FLOAT,
    GR_OUT_DOUBLE,
    GR_OUT_STR,
    GR_OUT_BYTES,
    GR_OUT_ANY,
    GR_OUT_PID,
    GR_OUT_REF,
    GR_OUT_NODE,
    GR_OUT_REST, /* gr_reader: the rest of the elements; last only */
    GR_OUT_IS    /* p is a const gr_value *: an equal value */
} gr_out_kind;

#define GR_OUT_OPTIONAL                                                        \
    UINT32_C(1) /* flag: absent or nil leaves *p as it was */

typedef struct gr_out {
    uint32_t kind;
    uint32_t flags;
    void *p;
} gr_out;

/* A tag and the outputs that go with it, as gr_expect() makes it. */
typedef struct gr_pattern {
    gr_value tag;
    const gr_out *outs;
    uint32_t n;
} gr_pattern;

/*
 * Walks msgpack values one by one without allocation. A reader is a value of
 * the caller's; copying it saves a position. Each read function steps over the
 * value on success (0) and leaves the reader where it was on an error:
 * GR_EFORMAT (another type, or out of the target's range), GR_ENOENT (no more
 * values). Threads: as the message it reads.
 */
typedef struct gr_reader {
    const uint8_t *p;
    const uint8_t *end;
    uint32_t left;  /* values left at this level */
    uint32_t flags; /* the library's own */
} gr_reader;

/* Values, where a C type does not say it alone. */
static inline gr_value gr_nil(void);
static inline gr_value gr_bool(bool x);
/* Text of n bytes; more than 4 GiB - 1 makes the send fail (GR_ETOOBIG). */
static inline gr_value gr_strn(const char *p, size_t n);
/* Bytes. */
static inline gr_value gr_bin(const void *p, size_t n);
/*
 * The bytes of a blob (actor.h), moved and not copied to an actor of this
 * process; to any other place they go as gr_bin's do. Only among the elements
 * of the message itself, not in a list or a map: GR_EINVAL. When the send has
 * succeeded, *blob is NULL and the blob is the receiver's, who sees bytes as
 * any others. After an error, of whatever kind, it is the sender's as before.
 */
static inline gr_value gr_move(gr_blob **blob);
/* Lists and maps from arrays made at run time; a map is key, value, key ... */
static inline gr_value gr_list_of(const gr_value *items, size_t n);
static inline gr_value gr_map_of(const gr_value *items, size_t n);

/*
 * Matches a whole message against a tag and outputs: true when the tag is
 * equal, the number of elements fits, and every element has the type and range
 * of its output. On false the outputs' contents are unspecified; if the tag was
 * equal, a gr_unhandled of this message will say which argument did not fit.
 * Threads: as the message.
 */
GR_API GR_MUST_CHECK bool gr_matchv(const gr_msg *msg, const gr_value *tag,
                                    const gr_out *outs, uint32_t n);
/* The same without a tag, from the first element on: for init's arguments. */
GR_API GR_MUST_CHECK bool gr_unpackv(const gr_msg *msg, const gr_out *outs,
                                     uint32_t n);

/* The payload: one msgpack array. Borrowed from the message. Of a message with
 * a blob, whose bytes are not in one place: ptr NULL, len 0. */
GR_API gr_any gr_msg_bytes(const gr_msg *msg);
/* A reader over the elements of the message, its tag first. */
GR_API gr_reader gr_msg_reader(const gr_msg *msg);
/* A reader over the one value of `any` (of bytes that were checked). */
GR_API gr_reader gr_any_reader(gr_any any);

GR_API GR_MUST_CHECK int gr_read_nil(gr_reader *r);
GR_API GR_MUST_CHECK int gr_read_bool(gr_reader *r, bool *out);
GR_API GR_MUST_CHECK int gr_read_int(gr_reader *r, int64_t *out);
GR_API GR_MUST_CHECK int gr_read_uint(gr_reader *r, uint64_t *out);
GR_API GR_MUST_CHECK int gr_read_double(gr_reader *r, double *out);
GR_API GR_MUST_CHECK int gr_read_str(gr_reader *r, gr_str *out);
GR_API GR_MUST_CHECK int gr_read_bin(gr_reader *r, gr_bytes *out);
GR_API GR_MUST_CHECK int gr_read_pid(gr_reader *r, gr_pid *out);
/* Any one value, undecoded. */
GR_API GR_MUST_CHECK int gr_read_any(gr_reader *r, gr_any *out);
/* Enter a list or a map: *inner reads its elements (of a map: key, value, ...);
 * r steps over the whole of it. */
GR_API GR_MUST_CHECK int gr_read_list(gr_reader *r, gr_reader *inner);
GR_API GR_MUST_CHECK int gr_read_map(gr_reader *r, gr_reader *inner);

/* Nested lists and maps, the message itself counted: of what is sent (beyond:
 * GR_ELIMIT), and of bytes that come from outside. msgpack-c's own limit. */
#define GR_DEPTH_MAX 32u

/*
 * Checks that [p, p + n) is exactly one msgpack value: no truncation, no
 * trailing bytes, depth at most depth_max (0, and what is above it:
 * GR_DEPTH_MAX), no declared count larger than the bytes that are left. Reads
 * only, allocates nothing, time linear in n.
 * Errors: GR_EFORMAT, GR_ELIMIT (too deep). Threads: any.
 */
GR_API GR_MUST_CHECK int gr_validate(const void *p, size_t n,
                                     unsigned depth_max);

/*
 * Writes a message as text, such as ["add", 5], into buf: at most size bytes
 * with the ending zero, cut with "..." where it does not fit, control bytes
 * escaped. Returns the length written. Threads: as the message.
 */
GR_API size_t gr_msg_print(const gr_msg *msg, char *buf, size_t size);
/* The same for any one value. */
GR_API size_t gr_any_print(gr_any any, char *buf, size_t size);

GR_END_DECLS

#include <greenroom/detail/values.h> /* the type-directed macros */

#endif /* GREENROOM_MESSAGE_H */
