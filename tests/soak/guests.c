/* tests/soak/guests.c - see guests.h. */
#include "tests/soak/guests.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tests/soak/ledger.h"
#include "tests/support/faults.h"
#include "tests/support/sanitizers.h"

enum {
    PROCESSES = 6,
    HANG_MS = 1000, /* a process is killed for it */
    SLOW_MS = 20,   /* an actor is ended for it, when it returns */
    MEMORY_MAX = 1 << 20,
    PIECE = 64 << 10,    /* of memory */
    AWAIT_MS = 60000,    /* a busy machine starts processes slowly */
    BEHIND_MAX = 1 << 20 /* messages in the mailbox of an auditor */
};

/* How a guest is to end; the first three are for processes. */
typedef enum way {
    CRASH,
    KILL,
    HANG,
    PROCESS_WAYS,
    MEMORY = PROCESS_WAYS,
    SLOW,
    WAYS
} way;

/* Relaxed throughout: whoever reads it waits until all is quiet, or may be
 * late. */
static struct {
    _Atomic(uint64_t) node, id[GUESTS];
    _Atomic(uint64_t) ends[WAYS];
} book;

#define ADD(what, n)                                                           \
    ((void)atomic_fetch_add_explicit(&(what), (n), memory_order_relaxed))
#define GET(what)    atomic_load_explicit(&(what), memory_order_relaxed)
#define SET(what, x) atomic_store_explicit(&(what), (x), memory_order_relaxed)

/* ---- the guests ---------------------------------------------------------- */

static int guest_init(gr_actor *self, void *state, const gr_msg *args)
{
    gr_pid auditor;
    uint32_t index;
    (void)state;
    if (!gr_unpack(args, &auditor, &index)) {
        return GR_EINVAL;
    }
    return gr_send(self, auditor, "born", index);
}

static void end_as(gr_actor *self, way how)
{
    switch (how) {
    case CRASH:
        fault_now(FAULT_WRITE_NULL);
        break;
    case KILL:
        (void)raise(SIGKILL);
        break;
    case HANG:
        for (;;) {
            (void)poll(NULL, 0, HANG_MS);
        }
    case MEMORY:
        for (int i = 0; i <= MEMORY_MAX / PIECE; i++) {
            GR_IGNORE(gr_alloc(self, PIECE) != NULL, "that is the purpose");
        }
        break;
    case SLOW:
        (void)poll(NULL, 0, 5 * SLOW_MS);
        break;
    case WAYS:
        break;
    }
}

static int guest_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    int how;
    (void)state;
    if (gr_match(msg, "end", &how)) {
        end_as(self, (way)how);
        return 0;
    }
    return gr_match(msg, "there?") ? gr_reply(self, msg, "there")
                                   : gr_unhandled(self, msg);
}

static const gr_behavior process_guest = {
    .name = "process guest",
    .init = guest_init,
    .receive = guest_receive,
    .grade = GR_GRADE_PROCESS,
    .limits = {.handler_max_ms = HANG_MS},
};

static const gr_behavior guest = {
    .name = "guest",
    .init = guest_init,
    .receive = guest_receive,
    .limits = {.memory_max = MEMORY_MAX, .handler_max_ms = SLOW_MS},
};

static gr_pid pid_of(uint32_t i)
{
    return (gr_pid){GET(book.node), GET(book.id[i])};
}

int guests_start(gr_actor *self)
{
    gr_pid of_processes, of_others;
    gr_child children[GUESTS + 1] = {{0}};
    gr_value args[GUESTS][2];
    char id[GUESTS][16];
    gr_pid supervisor, last;
    GR_TRY(auditor_start(self, AUDIT_PROCESSES, &of_processes));
    GR_TRY(auditor_start(self, AUDIT_OTHERS, &of_others));
    for (uint32_t i = 0; i < GUESTS; i++) {
        (void)snprintf(id[i], sizeof id[i], "guest %u", i);
        args[i][0] = gri_v_pid(i < PROCESSES ? of_processes : of_others);
        args[i][1] = gri_v_u64(i);
        children[i] =
            (gr_child){.id = id[i],
                       .behavior = i < PROCESSES ? &process_guest : &guest,
                       .args = {args[i], 2}};
    }
    const gr_supervisor spec = {.restarts_max = GR_RESTARTS_MAX,
                                .period_ms = 1000,
                                .children = children};
    GR_TRY(gr_supervise(self, &spec, &supervisor));
    return gr_child_pid(self, supervisor, id[GUESTS - 1], &last);
}

void guests_end_one(gr_actor *self, unsigned chance)
{
    const unsigned i = chance % GUESTS;
    const unsigned other = chance / GUESTS;
    const int how = i < PROCESSES ? (int)(other % PROCESS_WAYS)
                                  : PROCESS_WAYS + (int)(other % 2);
    gr_tell(self, pid_of(i), "end", how);
}

int guests_await(gr_actor *self)
{
    const int64_t end_ms = gr_now_ms(self) + AWAIT_MS;
    for (uint32_t i = 0; i < GUESTS; i++) {
        int rc;
        /* One that is being started again has another pid a moment later. */
        do {
            rc = gr_call(self, pid_of(i), AWAIT_MS, gr_expect("there"),
                         "there?");
        } while (rc < 0 && gr_now_ms(self) < end_ms && gr_sleep(self, 10) == 0);
        GR_TRY(rc);
    }
    return 0;
}

guest_ends guests_ended(void)
{
    uint64_t n[WAYS];
    for (int i = 0; i < WAYS; i++) {
        n[i] = GET(book.ends[i]);
    }
    return (guest_ends){n[CRASH], n[KILL], n[HANG], n[MEMORY], n[SLOW]};
}

/* ---- who watches them all ------------------------------------------------ */

typedef struct auditor {
    audited whom;
} auditor;

static int auditor_init(gr_actor *self, void *state, const gr_msg *args)
{
    auditor *a = state;
    int whom;
    (void)self;
    if (!gr_unpack(args, &whom)) {
        return GR_EINVAL;
    }
    a->whom = (audited)whom;
    return 0;
}

static int on_born(gr_actor *self, const auditor *a, uint32_t index, gr_pid pid)
{
    gr_ref ref;
    if (a->whom != AUDIT_LEAVES) {
        SET(book.node, pid.node);
        SET(book.id[index % GUESTS], pid.id);
        ledger_born(pid);
    }
    return gr_monitor(self, pid, &ref);
}

static way way_of(const auditor *a, const gr_exit_reason *why)
{
    if (why->kind == GR_EXIT_LIMIT) {
        return why->code != GR_ETIMEOUT     ? MEMORY
               : a->whom == AUDIT_PROCESSES ? HANG
                                            : SLOW;
    }
    return why->kind == GR_EXIT_SIGNAL && why->code == SIGKILL ? KILL : CRASH;
}

/* Leaves say themselves that they are about to fail. One that had failed before
 * it was watched is over as well. */
static void on_down(const auditor *a, gr_pid pid, const gr_exit_reason *why)
{
    if (why->kind == GR_EXIT_NORMAL || why->kind == GR_EXIT_SHUTDOWN) {
        return;
    }
    if (a->whom != AUDIT_LEAVES) {
        ADD(book.ends[way_of(a, why)], 1);
    }
    ledger_end(pid, a->whom != AUDIT_LEAVES);
}

static int auditor_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    const auditor *a = state;
    uint32_t index;
    gr_pid pid;
    gr_exit_reason why;
    if (gr_match(msg, "born", &index)) {
        return on_born(self, a, index, gr_sender(msg));
    }
    if (gr_match_down(msg, NULL, &pid, &why)) {
        on_down(a, pid, &why);
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior auditor_behavior = {
    .name = "auditor",
    .state_size = sizeof(auditor),
    .init = auditor_init,
    .receive = auditor_receive,
    /* It must not slow down those whom it watches. */
    .mailbox = {.soft = BEHIND_MAX, .hard = BEHIND_MAX},
};

int auditor_start(gr_actor *self, audited whom, gr_pid *out)
{
    const gr_spawn_opts opts = {.args = gr_args((int)whom)};
    return gr_spawn(self, &auditor_behavior, &opts, out);
}
