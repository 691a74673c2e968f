/*
 * actors/watchdog.c - turns and callbacks that last too long, as the
 * scheduler's watchdog sees them: it names them, and marks those beyond their
 * deadline.
 *
 * A turn is told apart by its number. A callback is not numbered: that would be
 * paid with each message. But whoever is called counts a message as handled,
 * which every usual message does anyway, or, where that is not so or is taken
 * back, a callback: `handled` and `callbacks` together never come again. Seen
 * twice with one turn they are of one callback, which has lasted at least from
 * the one look to the other. So what is too long is seen up to a look late, and
 * what is not is never taken for it. (Time without a processor counts.)
 *
 * The deadline of a run stands in a word for each slot, which is made when the
 * first actor has one, with the run on top: so spawns without one do not touch
 * it, and none has to be cleared. Who missed it gets its word marked, and then
 * an alert as a kill does, for that run only: is_killed in turn.c asks why.
 *
 * What the turn does is written down by its own thread (sched/probe.h). If that
 * does not answer, the actor is named as it is seen from here: by now, ms
 * later, what a thread wrote when its turn began can be seen.
 */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "actors/guard.h"
#include "actors/internal.h"
#include "actors/reports.h"
#include "actors/stay.h"
#include "base/symbols.h"

enum {
    FRAMES_TOLD = 24, /* of a stack, in a line of log */
    STACK_MAX = 700,  /* bytes of that line for them */
    HEAD_MAX = 600    /* and for what is before them */
};

/* What a turn was doing. */
typedef enum doing {
    DOING_UNKNOWN = 0, /* with what was stashed, or nobody could tell */
    DOING_INIT,
    DOING_END,    /* terminate, or what is called at an exit */
    DOING_MESSAGE /* the note's text is its tag, if it has one */
} doing;

/* What the watchdog remembers: its thread's own, but for the counters, which
 * anybody reads. */
struct gri_watched {
    gri_ctx ctx;
    gri_cache cache;
    _Atomic(uint64_t) long_turns, deadlines;
    struct {
        uint64_t reported; /* the last turn that was */
        /* The last callback that was seen, and since when. */
        uint64_t turns, parks, handled, callbacks;
        uint64_t life; /* of a stable actor: which of its runs; else 0 */
        int64_t since_ns;
        bool is_over; /* its deadline was looked at, and is no more */
    } of[GR_WORKERS_MAX];
};

/* ---- start and end ----------------------------------------------------------
 */

bool gri_watch_fill_opts(gr_system_opts *o)
{
    if (o->turn_warn_ms == 0) {
        o->turn_warn_ms = GR_TURN_WARN_MS_DEFAULT;
    }
    if (o->spares_max == 0) {
        o->spares_max = GR_SPARES_MAX_DEFAULT;
    } else if (o->spares_max == GR_SPARES_NONE) {
        o->spares_max = 0;
    }
    const uint32_t room =
        o->workers < GR_WORKERS_MAX ? GR_WORKERS_MAX - o->workers : 0;
    o->spares_max = o->spares_max < room ? o->spares_max : room;
    return o->turn_warn_ms >= GR_FOREVER &&
           (o->watch_signal == 0 || o->watch_signal == GR_SIGNAL_NONE ||
            (o->watch_signal >= SIGRTMIN && o->watch_signal <= SIGRTMAX));
}

int gri_watch_init(gr_system *sys)
{
    if (sys->sched.is_sim) {
        return 0;
    }
    gri_watched *watched = gri_lines_new(sizeof *watched);
    if (watched == NULL) {
        return GR_ENOMEM;
    }
    gri_cache_init(&watched->cache, &sys->depot);
    gri_ctx_init(&watched->ctx, sys, NULL, &watched->cache, ++sys->context_ids);
    sys->watched = watched;
    int number = sys->opts.watch_signal;
    if (number == GR_SIGNAL_NONE) {
        return 0;
    }
    if (gri_probe_take(&number)) {
        sys->sched.watch_signal = number;
    } else {
        gri_log_write(&sys->log, GR_LOG_WARN,
                      "signal %d is the program's own: reports of long turns "
                      "have no stack",
                      number);
    }
    return 0;
}

void gri_watch_fini(gr_system *sys)
{
    if (sys->sched.watch_signal != 0) {
        gri_probe_give(sys->sched.watch_signal);
    }
    /* relaxed: nothing runs any more. */
    void *words = atomic_load_explicit(&sys->deadlines, memory_order_relaxed);
    if (words != NULL) {
        (void)munmap(words, sys->opts.actors_max * sizeof(gri_deadline_word));
    }
    free(sys->watched);
}

static uint64_t read_counter(const _Atomic(uint64_t) *counter)
{
    /* relaxed: numbers, only compared or added. */
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void count(_Atomic(uint64_t) *counter)
{
    /* relaxed: one writer, the watchdog. */
    atomic_store_explicit(counter, read_counter(counter) + 1,
                          memory_order_relaxed);
}

void gri_watch_stats(gr_system *sys, gri_counters *sum, gr_stats *stats)
{
    const gri_watched *watched = sys->watched;
    const gri_watchdog *d = &sys->sched.watchdog;
    if (watched == NULL) {
        return;
    }
    gri_counters_add(sum, &watched->ctx.counters);
    stats->long_turns = read_counter(&watched->long_turns);
    stats->deadlines = read_counter(&watched->deadlines);
    stats->spares_lent = read_counter(&d->lent);
    stats->spares_missed = read_counter(&d->missed);
    /* relaxed, both: numbers. */
    stats->spares_most = atomic_load_explicit(&d->most, memory_order_relaxed);
    stats->spares =
        atomic_load_explicit(&sys->sched.members, memory_order_relaxed) -
        sys->sched.base;
}

/* ---- deadlines
 * ---------------------------------------------------------------- */

#define MISSED                                                                 \
    UINT32_C(0x80000000)    /* of a word, below the run: with the ms           \
                             */
#define MS_MAX (MISSED - 1) /* 24 days; longer deadlines are as long */

static uint64_t word_of(uint32_t run, uint32_t low)
{
    return (uint64_t)run << 32 | low;
}

/* NULL: no memory. */
static gri_deadline_word *make_words(gr_system *sys)
{
    (void)pthread_mutex_lock(&sys->lock);
    /* relaxed: written under the lock only. */
    gri_deadline_word *words =
        atomic_load_explicit(&sys->deadlines, memory_order_relaxed);
    if (words == NULL) {
        /* Zeroed; a page costs nothing before it is written. */
        void *at = mmap(NULL, sys->opts.actors_max * sizeof *words,
                        PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        words = at == MAP_FAILED ? NULL : at;
        /* release: pairs with the acquire in words_of. */
        atomic_store_explicit(&sys->deadlines, words, memory_order_release);
    }
    (void)pthread_mutex_unlock(&sys->lock);
    return words;
}

static gri_deadline_word *words_of(const gr_system *sys)
{
    /* acquire: pairs with the release in make_words. */
    return atomic_load_explicit(&sys->deadlines, memory_order_acquire);
}

int gri_deadline_begin(gr_actor *slot, uint32_t run, int64_t ms)
{
    gr_system *sys = slot->sys;
    if (sys->watched == NULL) {
        return 0; /* in deterministic mode a callback takes no time */
    }
    gri_deadline_word *words = words_of(sys);
    if (words == NULL) {
        words = make_words(sys);
    }
    if (words == NULL) {
        return GR_ENOMEM;
    }
    const uint32_t low = ms < MS_MAX ? (uint32_t)ms : MS_MAX;
    /* relaxed: published with the run. */
    atomic_store_explicit(&words[gri_index(slot)], word_of(run, low),
                          memory_order_relaxed);
    return 0;
}

void gri_deadline_forget(gr_actor *slot)
{
    gri_deadline_word *words = words_of(slot->sys);
    if (words != NULL) {
        /* relaxed: as in mark; who ordered the run publishes it later. */
        (void)atomic_fetch_and_explicit(
            &words[gri_index(slot)], ~(uint64_t)MISSED, memory_order_relaxed);
    }
}

bool gri_deadline_missed(const gr_actor *self)
{
    const gri_deadline_word *words = words_of(self->sys);
    if (words == NULL) {
        return false;
    }
    /* relaxed: marked before the alert, which the caller has acquired. */
    const uint64_t word =
        atomic_load_explicit(&words[gri_index(self)], memory_order_relaxed);
    return word >> 32 == self->now && (word & MISSED) != 0;
}

/* How long a callback of that run may take; 0: as long as it likes. */
static int64_t deadline_ns_of(gr_actor *slot, uint32_t run)
{
    /* relaxed: a number. */
    const uint64_t word = atomic_load_explicit(
        &words_of(slot->sys)[gri_index(slot)], memory_order_relaxed);
    return word >> 32 == run ? (int64_t)(word & MS_MAX) * GRI_NS_PER_MS : 0;
}

/* False: it has ended. */
static bool set_missed(gri_deadline_word *word, uint32_t run)
{
    /* relaxed, all: published by the alert. */
    uint64_t now = atomic_load_explicit(word, memory_order_relaxed);
    return now >> 32 == run && atomic_compare_exchange_strong_explicit(
                                   word, &now, now | MISSED,
                                   memory_order_relaxed, memory_order_relaxed);
}

/* Ends that run when its callback returns; of a stable actor only that life, as
 * the next one may have begun since it was looked at. */
static void mark(gri_ctx *ctx, gr_actor *slot, uint32_t run, uint64_t life)
{
    const gr_pid pid = {ctx->sys->node, gri_id(run, gri_index(slot))};
    if (!gri_stay_pin(slot, life)) {
        return;
    }
    const bool lives = set_missed(&words_of(ctx->sys)[gri_index(slot)], run);
    if (lives) {
        gri_kill(ctx, pid);
    }
    gri_stay_unpin(slot, life);
    if (!lives) {
        return;
    }
    /* Only a wake-up; without memory it ends with its next message. */
    (void)gri_send_new_signal(ctx, GR_NOBODY, pid, GRI_MSG_KILL, 0);
}

/* ---- what a turn does, in a signal handler on its thread
 * --------------------- */

/* The message in hand. It stands at the head of the inbox, which stays; what
 * `current` says may be left from a turn that is over. */
static const gr_msg *message_of(const gri_ctx *ctx, const gr_actor *self)
{
    const gr_msg *head = self->outlet.head;
    return ctx->current == NULL || ctx->current == head ? head : NULL;
}

void gri_watch_note(gri_worker *worker, gri_turn_note *note)
{
    const gri_ctx *ctx = worker->user;
    /* relaxed: our own writing. */
    const gr_actor *self =
        atomic_load_explicit(&ctx->running, memory_order_relaxed);
    const gri_probe *p = &worker->probe;
    if (self == NULL || !gri_guard_in_callback(p->frames, p->n)) {
        return; /* the turn may be over, and the actor another worker's */
    }
    if (self->now == 0) {
        return; /* it buries what nobody receives */
    }
    note->id = gri_id(self->now, gri_index(self));
    /* `begun` is false before init has returned, and again once the run ends,
     * where it says that terminate is not to be called any more. */
    if ((self->todo & GRI_IS_ENDING) != 0 ||
        (!self->begun && gri_exiting(self))) {
        note->kind = DOING_END;
        return;
    }
    if (!self->begun) {
        note->kind = DOING_INIT;
        return;
    }
    const gr_msg *msg = message_of(ctx, self);
    gr_str tag;
    if (msg == NULL ||
        (msg->kind != GRI_MSG_USER && msg->kind != GRI_MSG_TIMER &&
         msg->kind != GRI_MSG_REPLY)) {
        return;
    }
    gr_reader r = gr_msg_reader(msg);
    if (gr_read_str(&r, &tag) == 0) {
        note->kind = DOING_MESSAGE;
        note->len =
            (unsigned)(tag.len < sizeof note->text - 1 ? tag.len
                                                       : sizeof note->text - 1);
        memcpy(note->text, tag.ptr, note->len);
    }
}

/* ---- reports
 * ------------------------------------------------------------------ */

/* What is known of a turn that lasts too long. */
typedef struct long_turn {
    gri_worker *worker;
    gr_actor *slot;
    uint32_t run;
    const gr_behavior *behavior;
    char name[GR_NAME_MAX + 2]; /* and a blank; or empty */
    int64_t ns;                 /* so far */
    bool was_probed;            /* the worker's probe has the rest */
} long_turn;

/* One frame for people: its function, or where it stands in its file. */
static int print_frame(const gr_frame *f, bool first, char *to, size_t size)
{
    const char *before = first ? ": " : " < ";
    if (f->function[0] == '\0') {
        return snprintf(to, size, "%s%s+0x%llx", before, f->file,
                        (unsigned long long)f->offset);
    }
    return f->line != 0 ? snprintf(to, size, "%s%s (%s:%u)", before,
                                   f->function, f->file, f->line)
                        : snprintf(to, size, "%s%s", before, f->function);
}

static void print_stack(const gr_frame *frames, unsigned n, char to[STACK_MAX])
{
    size_t len = 0;
    to[0] = '\0';
    for (unsigned i = 0; i < n; i++) {
        const int more =
            print_frame(&frames[i], i == 0, to + len, STACK_MAX - len);
        if (more < 0 || (size_t)more >= STACK_MAX - len) {
            to[len] = '\0'; /* no half of a name */
            return;
        }
        len += (size_t)more;
    }
}

static void print_doing(const gri_turn_note *note, char *to, size_t size)
{
    to[0] = '\0';
    if (note->kind == DOING_INIT) {
        (void)snprintf(to, size, ", in init");
    } else if (note->kind == DOING_END) {
        (void)snprintf(to, size, ", at its end");
    } else if (note->kind == DOING_MESSAGE) {
        char tag[sizeof note->text] = "";
        for (unsigned i = 0; i < note->len; i++) {
            tag[i] = note->text[i];
            if (!isprint((unsigned char)tag[i])) {
                tag[i] = '?';
            }
        }
        (void)snprintf(to, size, ", at \"%.*s\"", (int)note->len, tag);
    }
}

static void write_report(gri_ctx *ctx, const gri_report *r,
                         const gr_frame *frames)
{
    char stack[STACK_MAX];
    print_stack(frames, r->n, stack);
    gri_log_write(&ctx->sys->log, GR_LOG_WARN, "%s%s", (const char *)r->of,
                  stack);
}

/* The stack waits for its names: that is not for this thread, which others wait
 * for. */
static void report(gr_system *sys, const long_turn *t, const char *what)
{
    if (sys->log.level < GR_LOG_WARN) {
        return;
    }
    gri_report r = {.write = write_report, .returns_from = GRI_FRAMES_MAX};
    char pid[GR_PID_TEXT_MAX];
    char at[sizeof(gri_turn_note) + 16] = "";
    const gr_pid who = {sys->node, gri_id(t->run, gri_index(t->slot))};
    if (t->was_probed) {
        const gri_probe *p = &t->worker->probe;
        print_doing(&p->note, at, sizeof at);
        while (r.n < p->n && r.n < FRAMES_TOLD) {
            r.at[r.n] = p->frames[r.n];
            r.n++;
        }
    }
    (void)snprintf((char *)r.of, HEAD_MAX, "%s (%lld ms so far): %s %s%s%s",
                   what, (long long)(t->ns / GRI_NS_PER_MS),
                   t->behavior != NULL ? t->behavior->name : "actor", t->name,
                   gr_pid_text(who, pid), at);
    gri_report_leave(&sys->watched->ctx, &r);
}

/* ---- a look
 * --------------------------------------------------------------------- */

/* Who that is, as long as it is there. */
static void name_it(gr_system *sys, long_turn *t)
{
    char name[GR_NAME_MAX + 1];
    const gr_pid who = {sys->node, gri_id(t->run, gri_index(t->slot))};
    t->behavior = gri_behavior(t->slot);
    if (gri_name_of(sys, who, name, sizeof name) != NULL) {
        (void)snprintf(t->name, sizeof t->name, "%s ", name);
    }
}

/* Finds out what a worker does that has been in its turn for long. False: it is
 * in none, it only finds no time to look for one. */
static bool find_out(gri_worker *w, const gri_sight *sight, long_turn *out)
{
    gri_ctx *ctx = w->user;
    /* relaxed, both: see the head of this file. */
    gr_actor *slot = atomic_load_explicit(&ctx->running, memory_order_relaxed);
    if (slot == NULL) {
        return false;
    }
    *out = (long_turn){
        .worker = w,
        .slot = slot,
        .run = atomic_load_explicit(&slot->run, memory_order_relaxed),
    };
    if (!gri_probe_ask(w, sight->turns)) {
        return true;
    }
    const gri_probe *p = &w->probe;
    if (!p->in_turn) {
        gri_probe_end(w);
        return read_counter(&w->turns) != sight->turns; /* just over */
    }
    out->was_probed = true;
    if (p->note.id != 0) {
        out->slot = &ctx->sys->slots[(uint32_t)p->note.id];
        out->run = (uint32_t)(p->note.id >> 32);
    }
    return true;
}

static void end_of(const long_turn *t)
{
    if (t->was_probed) {
        gri_probe_end(t->worker);
    }
}

static void look_at_turn(gr_system *sys, gri_worker *w, const gri_sight *sight)
{
    gri_watched *watched = sys->watched;
    const int64_t warn_ms = sys->opts.turn_warn_ms;
    long_turn t;
    if (warn_ms == GR_FOREVER || sight->turn_ns < warn_ms * GRI_NS_PER_MS ||
        watched->of[w->index].reported == sight->turns ||
        !find_out(w, sight, &t)) {
        return;
    }
    watched->of[w->index].reported = sight->turns;
    t.ns = sight->turn_ns;
    name_it(sys, &t);
    count(&watched->long_turns);
    report(sys, &t, "long turn");
    end_of(&t);
}

/* Whether it is the callback that was seen last; if not, it is from now on. */
static bool is_same_callback(gri_worker *w, gr_actor *slot,
                             const gri_sight *sight)
{
    const gri_ctx *ctx = w->user;
    gri_watched *watched = ctx->sys->watched;
    const unsigned i = w->index;
    const uint64_t parks = read_counter(&w->parks);
    const uint64_t handled = read_counter(&ctx->counters.handled);
    const uint64_t callbacks = read_counter(&ctx->counters.callbacks);
    if (watched->of[i].turns == sight->turns && watched->of[i].parks == parks &&
        watched->of[i].handled == handled &&
        watched->of[i].callbacks == callbacks) {
        return true;
    }
    watched->of[i].turns = sight->turns;
    watched->of[i].parks = parks;
    watched->of[i].handled = handled;
    watched->of[i].callbacks = callbacks;
    watched->of[i].life = gri_stay_life_now(slot);
    watched->of[i].since_ns = sight->now_ns;
    watched->of[i].is_over = false;
    return false;
}

static void look_at_callback(gr_system *sys, gri_worker *w,
                             const gri_sight *sight)
{
    gri_watched *watched = sys->watched;
    const unsigned i = w->index;
    const gri_ctx *ctx = w->user;
    /* relaxed: see the head of this file. */
    gr_actor *slot = atomic_load_explicit(&ctx->running, memory_order_relaxed);
    if (slot == NULL || !is_same_callback(w, slot, sight) ||
        watched->of[i].is_over) {
        return;
    }
    /* relaxed: as above. */
    const int64_t limit_ns = deadline_ns_of(
        slot, atomic_load_explicit(&slot->run, memory_order_relaxed));
    const int64_t since_ns = watched->of[i].since_ns;
    long_turn t;
    if (limit_ns == 0 || sight->now_ns - since_ns < limit_ns ||
        !find_out(w, sight, &t)) {
        return;
    }
    /* It is still the same: so all that was found out is of it. */
    const uint64_t life = watched->of[i].life;
    if (is_same_callback(w, slot, sight) && t.slot == slot &&
        deadline_ns_of(slot, t.run) != 0) {
        watched->of[i].is_over = true;
        t.ns = sight->now_ns - since_ns;
        name_it(sys, &t);
        /* First: a report takes its time. */
        mark(&watched->ctx, slot, t.run, life);
        count(&watched->deadlines);
        report(sys, &t, "handler deadline");
    }
    end_of(&t);
}

void gri_watch_look(gri_worker *worker, const gri_sight *sight)
{
    const gri_ctx *ctx = worker->user;
    gr_system *sys = ctx->sys;
    if (sight->turn_ns >= 2 * GRI_WATCH_NS) {
        gri_route_hurry(sys);
    }
    look_at_turn(sys, worker, sight);
    if (words_of(sys) != NULL) {
        look_at_callback(sys, worker, sight);
    }
}

/* Into a mailbox: an actor on a worker finds it there when one comes back, a
 * thread at once. By the watchdog's own context, which is the system's to free,
 * so behind the end of this thread or, if that does not come in time, never. */
void gri_watch_fired(gri_sched *sched, const gri_fired *fired)
{
    gr_system *sys = GRI_CONTAINER(sched, gr_system, sched);
    gri_timer_fired(&sys->watched->ctx, fired);
}

void gri_watch_short(gri_sched *sched)
{
    gr_system *sys = GRI_CONTAINER(sched, gr_system, sched);
    if (read_counter(&sched->watchdog.missed) == 1) { /* once */
        gri_log_write(&sys->log, GR_LOG_WARN,
                      "long turns: no spare worker is left (%u): others wait "
                      "until one ends",
                      sched->n - sched->base);
    }
}
