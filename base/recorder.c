/* base/recorder.c - see recorder.h. */
#include "base/recorder.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <greenroom/error.h>

enum {
    PROBES = 8,     /* places where a behaviour's name may stand */
    LAST_WORDS = 32 /* events of each ring that an abort prints */
};

#define NAMES_AT  ((size_t)GRI_REC_HEAD_SIZE)
#define SLOTS_AT  (NAMES_AT + GRI_REC_NAMES * sizeof(gri_rec_name))
#define TRACKS_AT (SLOTS_AT + GRI_REC_SLOTS * sizeof(uint64_t))

static void set_head(gri_rec_head *h, const gri_recorder_opts *opts,
                     size_t size)
{
    memcpy(h->magic, GRI_REC_MAGIC, sizeof h->magic);
    h->version = GRI_REC_VERSION;
    h->byte_order = GRI_REC_BYTE_ORDER;
    h->size = size;
    h->node = opts->node;
    h->process = (uint32_t)getpid();
    h->is_virtual = opts->is_virtual;
    h->started_ns = (uint64_t)opts->now_ns;
    struct timespec now;
    /* For people only: no decision depends on it, in any mode. */
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
    h->started_utc = (uint64_t)now.tv_sec;
    const char *program = program_invocation_short_name;
    memcpy(h->program, program, strnlen(program, sizeof h->program - 1));
    h->tracks = opts->workers + 1;
    h->name_size = sizeof(gri_rec_name);
    h->names = GRI_REC_NAMES;
    h->slots = GRI_REC_SLOTS;
    h->track_size = sizeof(gri_track);
    h->turns = GRI_REC_TURNS;
    h->lives = GRI_REC_LIVES;
    h->events = GRI_REC_EVENTS;
    h->names_at = NAMES_AT;
    h->slots_at = SLOTS_AT;
    h->tracks_at = TRACKS_AT;
    h->task_at = opts->task_at;
    h->slot_size = opts->slot_size;
}

int gri_recorder_init(gri_recorder *r, const gri_recorder_opts *opts,
                      const gri_log *log)
{
    const size_t size = TRACKS_AT + (opts->workers + 1) * sizeof(gri_track);
    int fd = -1;
    if (opts->path != NULL) {
        fd = gri_recorder_open(opts->path, opts->node, size, log);
        if (fd < 0) {
            return fd;
        }
    }
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        if (fd >= 0) {
            (void)close(fd); /* nothing was written */
        }
        return GR_ENOMEM;
    }
    char *image = at;
    *r = (gri_recorder){
        .head = at,
        .names = (gri_rec_name *)(void *)(image + NAMES_AT),
        .slots = (_Atomic(uint64_t) *)(void *)(image + SLOTS_AT),
        .tracks = (gri_track *)(void *)(image + TRACKS_AT),
        .size = size,
        .fd = fd,
    };
    (void)pthread_mutex_init(&r->lock, NULL); /* cannot fail on Linux */
    set_head(r->head, opts, size);
    return 0;
}

void gri_recorder_fini(gri_recorder *r)
{
    if (r->head == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&r->lock); /* nobody holds it */
    (void)munmap(r->head, r->size);        /* ours: cannot fail */
    if (r->fd >= 0) {
        (void)close(r->fd); /* what was mapped is the file's already */
    }
    r->head = NULL;
}

void gri_recorder_state(gri_recorder *r, gri_rec_state state)
{
    /* relaxed: for a reader that comes later. */
    atomic_store_explicit(&r->head->state, (uint32_t)state,
                          memory_order_relaxed);
}

void gri_record_other(gri_recorder *r, gri_event what, int64_t now_ns,
                      uint64_t a, uint64_t b, uint64_t c)
{
    (void)pthread_mutex_lock(&r->lock);
    gri_rec_put(&r->tracks[r->head->tracks - 1], what, now_ns, a, b, c);
    (void)pthread_mutex_unlock(&r->lock);
}

/* Under lock. */
static uint32_t take_place(gri_recorder *r, const void *behavior,
                           const char *name)
{
    for (uint32_t i = 0; i < PROBES; i++) {
        const uint32_t place = (gri_rec_place(behavior) + i) % GRI_REC_NAMES;
        gri_rec_name *n = &r->names[place];
        const uint64_t address = gri_rec_get(&n->address);
        if (address != 0 && address != (uint64_t)(uintptr_t)behavior) {
            continue;
        }
        if (address == 0) {
            memcpy(n->name, name, strnlen(name, sizeof n->name - 1));
            /* release: who finds it finds the name. */
            atomic_store_explicit(&n->address, (uint64_t)(uintptr_t)behavior,
                                  memory_order_release);
        }
        return place + 1;
    }
    return 0;
}

uint32_t gri_record_new_name(gri_recorder *r, const void *behavior,
                             const char *name)
{
    for (uint32_t i = 0; i < PROBES; i++) {
        const uint32_t place = (gri_rec_place(behavior) + i) % GRI_REC_NAMES;
        /* relaxed: as in gri_record_name. */
        if (gri_rec_get(&r->names[place].address) ==
            (uint64_t)(uintptr_t)behavior) {
            return place + 1;
        }
    }
    (void)pthread_mutex_lock(&r->lock);
    const uint32_t number = take_place(r, behavior, name);
    (void)pthread_mutex_unlock(&r->lock);
    return number;
}

void gri_recorder_abort(gri_recorder *r, const gri_fault *fault, uint64_t id)
{
    gri_rec_head *h = r->head;
    h->signal = (uint32_t)fault->signal;
    h->signal_code = fault->code;
    h->actor = id;
    h->address = (uint64_t)(uintptr_t)fault->address;
    h->pc = (uint64_t)(uintptr_t)fault->pc;
    h->frame_count = fault->n < GRI_FRAMES_MAX ? fault->n : GRI_FRAMES_MAX;
    for (unsigned i = 0; i < h->frame_count; i++) {
        h->frames[i] = (uint64_t)(uintptr_t)fault->frames[i];
    }
    /* relaxed: only compared, by gri_recorder_say. */
    atomic_store_explicit(&r->told, fault, memory_order_relaxed);
    r->told_bytes = 0;
    memset(h->report, 0, sizeof h->report);
    gri_recorder_state(r, GRI_REC_ABORTED);
}

void gri_recorder_say(gri_recorder *r, const gri_fault *fault, const char *line,
                      size_t n)
{
    /* relaxed: two threads that end the process at once may mix two lines,
     * within their bounds all the same. */
    if (atomic_load_explicit(&r->told, memory_order_relaxed) != fault) {
        return;
    }
    const size_t at = r->told_bytes;
    const size_t max = sizeof r->head->report - 1;
    if (at <= max && n <= max - at) {
        memcpy(r->head->report + at, line, n);
        r->told_bytes = at + n;
    }
}

void gri_recorder_last_words(const gri_recorder *r, int fd)
{
    /* There is nobody left to tell of an error. */
    (void)gri_recorder_print(r->head, r->size, LAST_WORDS, false, fd);
}
