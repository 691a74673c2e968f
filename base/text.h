/*
 * base/text.h - what machine code stands where: the executable parts of a
 * library, and the extent of a function. For ordinary code, at start: locks are
 * taken. A handler then only compares addresses.
 */
#ifndef GRI_BASE_TEXT_H
#define GRI_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* From the first byte to behind the last one; both 0: none. */
typedef struct gri_span {
    uintptr_t from, to;
} gri_span;

static inline bool gri_span_has(gri_span span, uintptr_t at)
{
    return at - span.from < span.to - span.from;
}

enum {
    GRI_OBJECT_SPANS = 4 /* executable segments of one object; one is usual */
};

/* An executable or a shared library. */
typedef struct gri_object {
    gri_span spans[GRI_OBJECT_SPANS];
    unsigned n;
    const char *name; /* the loader's; empty: the executable */
} gri_object;

/* The one that has code or data at `at`. False: none, or one with more
 * segments. */
bool gri_object_of(uintptr_t at, gri_object *out);
/* Whether a shared library whose file has that name is loaded. */
bool gri_is_loaded(const char *name);
static inline bool gri_object_has(const gri_object *object, uintptr_t at)
{
    for (unsigned i = 0; i < object->n; i++) {
        if (gri_span_has(object->spans[i], at)) {
            return true;
        }
    }
    return false;
}

/* The function around `at`, as the unwind tables know it. *is_bare, which may
 * be NULL: it never moves the stack pointer, and so calls nobody. */
bool gri_function_of(uintptr_t at, gri_span *out, bool *is_bare);

/* Where the call went that returns to `back`: directly, or through the stub by
 * which `text`, all of the code around it, calls another object's function. 0:
 * that cannot be told. For handlers, too: it only reads code, and the address
 * that the loader wrote for the stub. */
uintptr_t gri_call_target(uintptr_t back, gri_span text);

#endif /* GRI_BASE_TEXT_H */
