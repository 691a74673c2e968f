/*
 * actors/guard.c - see guard.h.
 *
 * All that the handler compares with is collected in ordinary code. The tables
 * only grow: a span is written, then the count that covers it. A library whose
 * code is in them is kept loaded, so that its addresses never become another's.
 *
 * Which functions of libc are mem*, str* and wmem* is asked of libc itself, by
 * name: that gives the variant for this processor, whose own name is not known
 * to anybody. Where a function begins and ends is in the unwind tables. But
 * variants of memmove and memset jump into each other. So the functions next to
 * theirs count too, as long as there are only bare ones (which never move the
 * stack pointer): those call nobody, so they hold no lock, and the allocator
 * and stdio have none like that.
 */
#include "actors/guard.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include "actors/hosted.h"
#include "actors/internal.h"
#include "actors/last_words.h"
#include "base/text.h"
#include "base/unwind.h"

enum {
    ACTOR_SPANS = 256, /* of executable and libraries: one each is usual */
    LEAF_SPANS = 128,  /* functions of libc that may be innermost */
    NEIGHBOURS = 8,    /* variants of one function in one file of libc */
    GAP = 64,          /* bytes between two functions, at most */
    LEAVES = 4,        /* frames of such functions: strstr calls strlen */
    ABORT_FRAMES = 6,  /* below abort or raise: how libc raises a signal */
    ASSERT_FRAMES = 2  /* between abort and assert, or its caller, as it may
                          jump to them; an abort of malloc's, which assert
                          calls, too, has more */
};

/* In the linker's words: where the section begins, and ends. They are hidden,
 * so the object's own. The first two are NULL in the shared library. */
#define SECTION_END(name)                                                      \
    /* NOLINTNEXTLINE: it is a name */                                         \
    extern const char name[] __attribute__((weak, visibility("hidden")))
SECTION_END(__start_gri_text);  /* NOLINT: the linker's names */
SECTION_END(__stop_gri_text);   /* NOLINT */
SECTION_END(__start_gri_calls); /* NOLINT */
SECTION_END(__stop_gri_calls);  /* NOLINT */

_Atomic(const gr_behavior *) gri_guard_seen[GRI_GUARD_SEEN];

/* The process's, as its code is. */
static struct {
    pthread_mutex_t lock;
    bool prepared;
    /* Constant once prepared. */
    gri_span calls;
    gri_object runtime;
    gri_object libc;
    gri_span leaves[LEAF_SPANS];
    unsigned leaf_count;
    gri_span aborts[2], asserts[3];
    uintptr_t malloc; /* whoever's it is */
    /* Written under lock, read by handlers. */
    _Atomic(unsigned) actor_count;
    gri_span actors[ACTOR_SPANS];
} guard = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- what stands where -------------------------------------------------- */

static bool is_in(const gri_span *spans, unsigned n, uintptr_t pc)
{
    for (unsigned i = 0; i < n; i++) {
        if (gri_span_has(spans[i], pc)) {
            return true;
        }
    }
    return false;
}

static gri_span section(const char *from, const char *to)
{
    return (gri_span){(uintptr_t)from, (uintptr_t)to};
}

/* ISO C has no cast from a function's pointer to a number. */
static uintptr_t address_of(const void *function_pointer)
{
    uintptr_t at;
    memcpy(&at, function_pointer, sizeof at);
    return at;
}

#define LIBC "libc.so.6"

#define ADDRESS_OF(function) address_of(&(function))

static void find_runtime(void)
{
    /* A hidden one: others' addresses may be those of a program's stubs. */
    void (*const ours)(gr_actor *, const gr_exit_reason *) = gri_exit_set;
    guard.calls = section(__start_gri_calls, __stop_gri_calls);
    const gri_span text = section(__start_gri_text, __stop_gri_text);
    if (gri_span_has(text, ADDRESS_OF(ours))) {
        guard.runtime = (gri_object){.spans = {text, guard.calls}, .n = 2};
        return;
    }
    /* The shared library: all of it. Or a static one whose objects lost their
     * section: then actors' code is as the runtime's, and nothing is trapped.
     */
    (void)gri_object_of(guard.calls.from, &guard.runtime);
}

static void add_leaf(gri_span span)
{
    if (!is_in(guard.leaves, guard.leaf_count, span.from) &&
        guard.leaf_count < LEAF_SPANS) {
        guard.leaves[guard.leaf_count++] = span;
    }
}

/* The functions next to a bare one, in the direction of `step`. */
static void add_neighbours(gri_span from, int step)
{
    for (unsigned n = 0; n < NEIGHBOURS; n++) {
        gri_span next = {0, 0};
        bool bare = false;
        for (uintptr_t gap = 0; gap < GAP && next.to == 0; gap++) {
            const uintptr_t at = step > 0 ? from.to + gap : from.from - 1 - gap;
            if (!gri_function_of(at, &next, &bare)) {
                next.to = 0;
            }
        }
        if (next.to == 0 || !bare) {
            return;
        }
        add_leaf(next);
        from = next;
    }
}

static bool find_function(void *libc, const char *name, gri_span *out,
                          bool *is_bare)
{
    void *at = dlsym(libc, name);
    return at != NULL && gri_object_has(&guard.libc, (uintptr_t)at) &&
           gri_function_of((uintptr_t)at, out, is_bare);
}

static void find_leaves(void *libc)
{
    static const char *const siblings[] = {
        "memcpy",  "memmove", "mempcpy",       "memset",
        "wmemset", "bzero",   "__mempcpy_chk", "__memset_chk",
    };
    static const char *const names[] = {
        "memccpy",        "memchr",        "memcmp",        "memmem",
        "memrchr",        "rawmemchr",     "bcmp",          "bcopy",
        "explicit_bzero", "stpcpy",        "stpncpy",       "strcasecmp",
        "strcasecmp_l",   "strcasestr",    "strcat",        "strchr",
        "strchrnul",      "strcmp",        "strcpy",        "strcspn",
        "strlen",         "strncasecmp",   "strncasecmp_l", "strncat",
        "strncmp",        "strncpy",       "strnlen",       "strpbrk",
        "strrchr",        "strsep",        "strspn",        "strstr",
        "strtok_r",       "wmemchr",       "wmemcmp",       "wmemcpy",
        "wmemmove",       "wmempcpy",      "__memcpy_chk",  "__memmove_chk",
        "__stpcpy_chk",   "__stpncpy_chk", "__strcat_chk",  "__strcpy_chk",
        "__strncat_chk",  "__strncpy_chk",
    };
    gri_span span;
    bool bare;
    for (size_t i = 0; i < sizeof siblings / sizeof *siblings; i++) {
        if (find_function(libc, siblings[i], &span, &bare)) {
            add_leaf(span);
            if (bare) {
                add_neighbours(span, 1);
                add_neighbours(span, -1);
            }
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (find_function(libc, names[i], &span, &bare)) {
            add_leaf(span);
        }
    }
}

/* False: no memory. */
static bool find_libc(void)
{
    /* By its name in the loader: whatever stands before it in the search, a
     * sanitizer's functions above all, is not it. */
    void *libc = dlopen(LIBC, RTLD_LAZY | RTLD_NOLOAD);
    if (libc == NULL) {
        return !gri_is_loaded(LIBC); /* a static one: see is_admissible */
    }
    void *at = dlsym(libc, "abort");
    if (at != NULL && gri_object_of((uintptr_t)at, &guard.libc)) {
        static const char *const aborts[] = {"abort", "raise"};
        static const char *const asserts[] = {
            "__assert_fail", "__assert_perror_fail", "__assert"};
        find_leaves(libc);
        for (unsigned i = 0; i < 2; i++) {
            (void)find_function(libc, aborts[i], &guard.aborts[i], NULL);
        }
        for (unsigned i = 0; i < 3; i++) {
            (void)find_function(libc, asserts[i], &guard.asserts[i], NULL);
        }
    }
    (void)dlclose(libc);
    return true;
}

/* ---- actor code --------------------------------------------------------- */

/* Where the allocator stands in the object itself, its own functions cannot be
 * told from actors'. (A sanitizer's can: it calls no program from there.) */
static bool is_admissible(const gri_object *object)
{
    return object->n > 0 && !gri_object_has(object, guard.libc.spans[0].from) &&
           guard.libc.n > 0 &&
           (!gri_object_has(object, guard.malloc) ||
            dlsym(RTLD_DEFAULT, "__sanitizer_print_stack_trace") != NULL);
}

/* From now on the library stays loaded; the executable always does. */
static bool keep_loaded(const gri_object *object)
{
    void *kept =
        object->name[0] == '\0'
            ? NULL
            : dlopen(object->name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    if (kept != NULL) {
        (void)dlclose(kept);
    }
    return kept != NULL || object->name[0] == '\0';
}

/* The loader's lock may be held by who wants ours: not both at once. Errors:
 * GR_ELIMIT, GR_ENOTSUP. */
static int admit_object(const gri_object *object)
{
    if (!is_admissible(object) || !keep_loaded(object)) {
        return GR_ENOTSUP;
    }
    int rc = 0;
    (void)pthread_mutex_lock(&guard.lock);
    /* relaxed: written under the lock. */
    unsigned n = atomic_load_explicit(&guard.actor_count, memory_order_relaxed);
    if (!is_in(guard.actors, n, object->spans[0].from)) {
        if (object->n > ACTOR_SPANS - n) {
            rc = GR_ELIMIT;
        }
        for (unsigned i = 0; rc == 0 && i < object->n; i++) {
            guard.actors[n++] = object->spans[i];
        }
        /* release: pairs with the acquire in is_actors. */
        atomic_store_explicit(&guard.actor_count, n, memory_order_release);
    }
    (void)pthread_mutex_unlock(&guard.lock);
    return rc;
}

static void admit_function(uintptr_t at)
{
    gri_object object;
    if (at != 0 && !gri_object_has(&guard.runtime, at) &&
        gri_object_of(at, &object)) {
        /* What cannot be admitted is not trapped, and the line says so. */
        (void)admit_object(&object);
    }
}

void gri_guard_admit_slow(const gr_behavior *b)
{
    admit_function(ADDRESS_OF(b->receive));
    admit_function(ADDRESS_OF(b->init));
    admit_function(ADDRESS_OF(b->terminate));
    for (const gr_handler *h = b->handlers; h != NULL && h->tag != NULL; h++) {
        admit_function(ADDRESS_OF(h->receive));
    }
    /* relaxed: see gri_guard_admit. */
    atomic_store_explicit(gri_guard_place(b), b, memory_order_relaxed);
}

int gri_guard_prepare(void)
{
    (void)pthread_mutex_lock(&guard.lock);
    if (!guard.prepared) {
        find_runtime();
        guard.malloc = (uintptr_t)dlsym(RTLD_DEFAULT, "malloc");
        guard.prepared = find_libc();
    }
    const bool prepared = guard.prepared;
    (void)pthread_mutex_unlock(&guard.lock);
    return prepared ? 0 : GR_ENOMEM;
}

int gr_trap_library(const char *name)
{
    if (name == NULL || name[0] == '\0') {
        return GR_EINVAL;
    }
    GR_TRY(gri_guard_prepare());
    void *library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL) {
        return GR_ENOENT;
    }
    gri_object object;
    const struct link_map *map = NULL;
    int rc = GR_ENOTSUP;
    if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 &&
        gri_object_of((uintptr_t)map->l_ld, &object) &&
        !gri_object_has(&object, guard.calls.from)) {
        rc = admit_object(&object);
    }
    (void)dlclose(library);
    return rc;
}

/* ---- the decision ------------------------------------------------------- */

typedef enum stage {
    AT_LEAF,   /* only functions of libc that may be innermost, so far */
    AT_RAISE,  /* only what libc raises a signal by */
    AT_ABORT,  /* abort or raise was the last, or what is below assert */
    AT_ASSERT, /* assert was the last */
    AT_ACTOR,  /* actor code was the last */
    AT_END     /* the runtime, or what has no business there */
} stage;

typedef struct decision {
    gri_fault *fault;
    uintptr_t cfa, high; /* of the last frame; of the stack */
    stage stage;
    unsigned frames; /* in this stage */
    const char *why; /* it is refused */
} decision;

static bool is_actors(uintptr_t pc)
{
    /* acquire: pairs with the release in admit_object. */
    const unsigned n =
        atomic_load_explicit(&guard.actor_count, memory_order_acquire);
    return is_in(guard.actors, n, pc) && !gri_object_has(&guard.runtime, pc);
}

/* Whether it is where actor code goes on after its call of assert. */
static bool has_asserted(uintptr_t back)
{
    /* acquire: as in is_actors. */
    const unsigned n =
        atomic_load_explicit(&guard.actor_count, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        if (gri_span_has(guard.actors[i], back - 1)) {
            const uintptr_t to = gri_call_target(back, guard.actors[i]);
            return is_in(guard.asserts, 3, to);
        }
    }
    return false;
}

bool gri_guard_in_callback(void *const *frames, unsigned n)
{
    bool inside = false;
    for (unsigned i = 0; i < n; i++) {
        const uintptr_t pc = (uintptr_t)frames[i];
        if (gri_span_has(guard.calls, pc)) {
            return inside;
        }
        inside = inside || is_actors(pc);
    }
    return inside && n == GRI_FRAMES_MAX; /* there are more */
}

static void refuse(decision *d, const char *why)
{
    d->why = why;
    d->stage = AT_END;
}

static void enter(decision *d, stage next)
{
    if (d->stage != next) {
        d->stage = next;
        d->frames = 0;
    }
    d->frames++;
}

/* A frame before actor code was reached, of an abort. */
static void see_abort(decision *d, uintptr_t pc)
{
    const bool in_libc = gri_object_has(&guard.libc, pc);
    if (d->stage == AT_RAISE && !is_in(guard.aborts, 2, pc)) {
        enter(d, AT_RAISE);
        if (!in_libc || d->frames > ABORT_FRAMES) {
            refuse(d, "a signal that the actor did not raise");
        }
    } else if (is_in(guard.aborts, 2, pc)) {
        if (d->stage == AT_ABORT && d->frames > 1) {
            refuse(d, "an abort of libc's own");
        }
        d->stage = AT_ABORT;
        d->frames = 1;
    } else if (d->stage == AT_ABORT && is_in(guard.asserts, 3, pc)) {
        enter(d, AT_ASSERT);
        d->fault->assertion = true;
    } else if (d->stage == AT_ABORT && in_libc && d->frames <= ASSERT_FRAMES) {
        d->frames++;
    } else {
        refuse(d, "an abort of libc's or of another library");
    }
}

static void see(decision *d, uintptr_t pc)
{
    const bool actors = is_actors(pc);
    switch (d->stage) {
    case AT_ACTOR:
        if (gri_span_has(guard.calls, pc)) {
            d->stage = AT_END;
        } else if (!actors) {
            refuse(d, gri_object_has(&guard.runtime, pc)
                          ? "actor code that the runtime called in between"
                          : "actor code that a library called");
        }
        break;
    case AT_LEAF:
        if (actors) {
            enter(d, AT_ACTOR);
        } else if (is_in(guard.leaves, guard.leaf_count, pc) &&
                   d->frames < LEAVES) {
            enter(d, AT_LEAF);
        } else {
            refuse(d, "not in an actor's code");
        }
        break;
    case AT_RAISE:
    case AT_ABORT:
    case AT_ASSERT:
        /* Between abort and actor code stands all of assert, or what assert
         * has jumped to, or nothing. */
        if (actors && d->stage == AT_ABORT && d->frames > 1 &&
            has_asserted(pc + 1)) {
            d->fault->assertion = true;
            enter(d, AT_ACTOR);
        } else if (actors && (d->stage == AT_ASSERT ||
                              (d->stage == AT_ABORT && d->frames == 1))) {
            enter(d, AT_ACTOR);
        } else {
            see_abort(d, pc);
        }
        break;
    case AT_END:
        break;
    }
}

/* Goes on to the runtime's frame, and to as many frames as are kept. */
static bool visit(void *arg, const gri_frame *frame)
{
    decision *d = arg;
    gri_fault *f = d->fault;
    /* pc is there already. */
    if (f->n < GRI_FRAMES_MAX &&
        !(f->n == 1 && frame->innermost && frame->pc == (uintptr_t)f->pc)) {
        f->frames[f->n++] =
            (void *)(frame->innermost ? frame->pc : frame->pc + 1);
    }
    if (d->stage != AT_END && (frame->cfa <= d->cfa || frame->cfa > d->high)) {
        refuse(d, "its stack is damaged");
    }
    d->cfa = frame->cfa;
    if (d->stage != AT_END) {
        see(d, frame->pc);
    }
    return d->stage != AT_END || (d->why != NULL && f->n < GRI_FRAMES_MAX);
}

/* Whether this thread's own instruction failed, or it raised the signal. */
static bool is_own(const siginfo_t *info)
{
    switch (info->si_signo) {
    case SIGABRT:
        return (info->si_code == SI_TKILL || info->si_code == SI_USER) &&
               info->si_pid == getpid();
    case SIGBUS:
        /* Not: the memory itself is broken. */
        return info->si_code > 0 && info->si_code != BUS_MCEERR_AR &&
               info->si_code != BUS_MCEERR_AO;
    default:
        return info->si_code > 0;
    }
}

/* Whether somebody called or jumped to where no code is. */
static bool is_bad_call(const gri_fault *f)
{
    return f->signal == SIGSEGV && f->has_address && f->address == f->pc;
}

static const char *refuse_fault(void *arg, const gri_moment *at,
                                gri_fault *fault)
{
    const gri_worker *worker = arg;
    const gri_ctx *ctx = worker->user;
    /* relaxed: this thread's own. */
    const gr_actor *actor =
        atomic_load_explicit(&ctx->running, memory_order_relaxed);
    decision d = {
        .fault = fault,
        .high = at->stack_high,
        .stage = fault->signal == SIGABRT ? AT_RAISE : AT_LEAF,
    };
    const gri_span stack = {at->stack_low, at->stack_high};
    if (is_bad_call(fault)) {
        gri_unwind_call(at->ucontext, stack, visit, &d);
    } else {
        gri_unwind(at->ucontext, stack, visit, &d);
    }
    if (d.why != NULL) {
        return d.why;
    }
    if (d.stage != AT_END) {
        return "its stack cannot be followed";
    }
    if (!is_own(at->info)) {
        return "it was sent by somebody else";
    }
    /* relaxed: set before the run was published. */
    if (actor == NULL ||
        (atomic_load_explicit(&actor->traits, memory_order_relaxed) &
         GRI_UNTRAPPED) != 0) {
        return "its grade is abort";
    }
    return NULL;
}

static void tell_host(void *arg, const gri_fault *fault)
{
    const gri_worker *worker = arg;
    const gri_ctx *ctx = worker->user;
    gri_hosted *host = ctx->sys->hosted;
    if (host != NULL) {
        host->dies(host, fault);
    }
}

const gri_trap_ops gri_guard_ops = {
    .refuse = refuse_fault, .dying = tell_host, .aborting = gri_last_words};

int gri_grade_of(const gr_system *sys, const gr_behavior *b, gr_grade asked)
{
    const gr_grade own = b != NULL ? b->grade : GR_GRADE_DEFAULT;
    if ((unsigned)asked > GR_GRADE_PROCESS ||
        (unsigned)own > GR_GRADE_PROCESS) {
        return GR_EINVAL;
    }
    const gr_grade grade = asked != GR_GRADE_DEFAULT ? asked
                           : own != GR_GRADE_DEFAULT ? own
                                                     : sys->opts.grade;
    return grade == GR_GRADE_PROCESS   ? GR_ENOTSUP
           : grade == GR_GRADE_DEFAULT ? GR_GRADE_TRAP
                                       : (int)grade;
}
