/* greenroom/base.h - the words that all other headers use. */
#ifndef GREENROOM_BASE_H
#define GREENROOM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GR_VERSION_MAJOR 0
#define GR_VERSION_MINOR 1
#define GR_VERSION_PATCH 0

#define GR_VERSION "0.1.0"

#ifdef __cplusplus
#define GR_BEGIN_DECLS extern "C" {
#define GR_END_DECLS   }
#else
#define GR_BEGIN_DECLS
#define GR_END_DECLS
#endif

/* Part of the library's interface: everything else is hidden. */
#define GR_API __attribute__((visibility("default")))
/* The result says whether it happened: look at it. */
#define GR_MUST_CHECK __attribute__((warn_unused_result))

/* A wait without an end, in every function that takes milliseconds. */
#define GR_FOREVER INT64_C(-1)

/* Returns from the calling function with the error, if `call` gives one. In a
 * handler that is a failure, and the supervisor hears of it. */
#define GR_TRY(call)                                                           \
    do {                                                                       \
        int gr_try_rc_ = (call);                                               \
        if (gr_try_rc_ < 0) {                                                  \
            return gr_try_rc_;                                                 \
        }                                                                      \
    } while (0)

/* Says in the program's text that a result is not wanted, and why. (A cast to
 * void does not silence warn_unused_result in gcc.) */
#define GR_IGNORE(call, why)                                                   \
    do {                                                                       \
        int gr_ignored_rc_ = (call);                                           \
        (void)gr_ignored_rc_;                                                  \
        (void)sizeof("" why);                                                  \
    } while (0)

typedef struct gr_system gr_system; /* one running node: workers and actors */
typedef struct gr_actor gr_actor;   /* an actor's own view of itself */
typedef struct gr_msg gr_msg;       /* a received message, borrowed */
typedef struct gr_blob gr_blob;     /* large bytes that move, see actor.h */

/*
 * An actor's address: a value, not a pointer. Copy it, store it, send it, keep
 * it after the actor is gone: a pid never names a later actor, on this node or
 * after a node's restart. All zero names nobody.
 */
typedef struct gr_pid {
    uint64_t node; /* the node's incarnation */
    uint64_t id;   /* opaque */
} gr_pid;

/* A node's incarnation; all zero (GR_HERE) is the node one runs on. */
typedef struct gr_node {
    uint64_t id;
} gr_node;

/* Names one monitor, for gr_demonitor and for the message that it ends in. */
typedef struct gr_ref {
    uint64_t id;
} gr_ref;

/* Names one timer, for gr_timer_cancel. */
typedef struct gr_timer {
    uint64_t id;
} gr_timer;

/* Text and bytes that belong to somebody else; not ended by a zero byte. */
typedef struct gr_str {
    const char *ptr;
    uint32_t len; /* bytes */
} gr_str;

typedef struct gr_bytes {
    const void *ptr;
    uint32_t len;
} gr_bytes;

/* One msgpack value, not decoded. */
typedef struct gr_any {
    const void *ptr;
    uint32_t len;
} gr_any;

/* For printf: printf("%.*s\n", GR_STR(text)). */
#define GR_STR(s) (int)(s).len, (s).ptr

#ifdef __cplusplus
#define GR_NOBODY (gr_pid{0, 0})
#define GR_HERE   (gr_node{0})
#else
#define GR_NOBODY ((gr_pid){0, 0})
#define GR_HERE   ((gr_node){0})
#endif

static inline bool gr_pid_eq(gr_pid a, gr_pid b)
{
    return a.id == b.id && a.node == b.node;
}

static inline bool gr_pid_is_nobody(gr_pid pid)
{
    return pid.id == 0;
}

#endif /* GREENROOM_BASE_H */
