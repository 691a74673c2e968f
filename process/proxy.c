/*
 * process/proxy.c - the life of a process actor's proxy. actors/proxy.h says
 * what it is.
 *
 * It ends when its process has ended, and not before, whatever it was that came
 * to an end first:
 *   - The actor there ends: the process says how (EXITED) and ends itself.
 *   - The process ends without a word: by a signal, or by an exit status.
 *   - The proxy is killed, or the process breaks a rule: it is killed, and the
 *     reason was decided here.
 * From that moment the proxy is paused, so that what comes stays in its mailbox
 * and is buried there as for any actor. So whoever hears of its end, and starts
 * another, finds that nothing of this one runs any more.
 */
#include "process/proxy.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/route.h"
#include "base/assert.h"
#include "base/memory.h"
#include "process/actors.h"
#include "process/divert.h"

static const gri_proxy_kind *kind_of(const gr_behavior *b)
{
    return (const gri_proxy_kind *)(const void *)((const char *)b -
                                                  offsetof(gri_proxy_kind,
                                                           behavior));
}

void gri_proxy_decide(gri_proxy *p, const gr_exit_reason *why)
{
    if (!p->decided) {
        p->decided = true;
        p->why = *why;
        gri_host_kill(p->host, 0);
        gri_host_limit(p->host, 0);
    }
}

void gri_proxy_decide_error(gri_proxy *p, int code, const char *text)
{
    gr_exit_reason why = {GR_EXIT_ERROR, code, ""};
    (void)snprintf(why.text, sizeof(why.text), "its process: %s", text);
    gri_proxy_decide(p, &why);
}

/* ---- the end ------------------------------------------------------------- */

/* How a process that said nothing has ended. */
static gr_exit_reason reason_of(const gri_process_event *end)
{
    gr_exit_reason why = {GR_EXIT_ERROR, end->code, ""};
    const char *name = NULL;
    switch (end->kind) {
    case GRI_PROCESS_EXITED:
        why.code = end->code != 0 ? end->code : GR_EFAIL;
        (void)snprintf(why.text, sizeof(why.text), "exit status %d", end->code);
        break;
    case GRI_PROCESS_SIGNALED:
        why.kind = GR_EXIT_SIGNAL;
        name = sigabbrev_np(end->code);
        (void)snprintf(why.text, sizeof(why.text), "SIG%s%s",
                       name != NULL ? name : "?",
                       end->oom_likely ? ", oom likely" : "");
        break;
    case GRI_PROCESS_FAILED:
    case GRI_PROCESS_STARTED:
        (void)snprintf(why.text, sizeof(why.text), "its process: %s",
                       gr_strerror(end->code));
        break;
    }
    return why;
}

/* The process has ended, and all that it sent was read. */
static void finish(gri_proxy *p, gr_actor *self, const gri_process_event *end,
                   bool late)
{
    if (!p->decided && !p->exited) {
        p->why = reason_of(end);
        if (late) {
            p->why = (gr_exit_reason){GR_EXIT_LIMIT, GR_ETIMEOUT,
                                      "handler deadline"};
        }
        if (late && gri_proxy_is_starting(p)) {
            (void)stpcpy(p->why.text, "its process did not start in time");
        }
    }
    /* One that never ran has nothing in hand. */
    const bool failed = (p->decided || !p->exited) && p->up;
    /* What a process says of its fault counts if it died of that. */
    const bool died = !p->decided && !p->exited && p->fault != NULL &&
                      p->why.kind == GR_EXIT_SIGNAL &&
                      p->why.code == p->fault->signal;
    gri_proxy_end(self, &p->why, gri_proxy_bury_handed(p, self, failed),
                  died ? p->fault : NULL);
}

/* It has ended, however it did. */
static void on_proxy_exit(void *arg)
{
    gri_proxy *p = arg;
    gri_host_drop(p->host);
    gri_proxy_free_out(p);
    gri_proxy_free_in(p);
    free(p->fault);
}

/* ---- turns --------------------------------------------------------------- */

static bool is_over(const gri_proxy *p)
{
    return p->decided || p->exited || p->eof;
}

/* One turn's work, whether paused or not. */
static void work(gri_proxy *p, gr_actor *self)
{
    gri_process_event end;
    bool late = false;
    /* Before it is read: then all that it sent is there. */
    const bool ended = gri_host_ended(p->host, &end, &late);
    const bool was_over = is_over(p);
    gri_proxy_flush(p);
    const bool all_read = gri_proxy_read(p, self);
    if (p->eof && !was_over) {
        gri_host_kill(p->host, GRI_PROXY_PARTING_MS);
    }
    /* Then nothing more can come, even if somebody still has its end. */
    if (ended && (p->decided || p->exited || all_read)) {
        finish(p, self, &end, late);
    } else if (is_over(p) || gri_proxy_is_full(p)) {
        gri_proxy_pause(self);
    } else {
        gri_proxy_go_on(self);
        gri_host_arm(p->host, true, false);
    }
}

static void pump(gri_processes *processes, gr_actor *self, void *state)
{
    (void)processes;
    work(state, self);
}

static bool pausing(gri_processes *processes, void *state)
{
    gri_proxy *p = state;
    gri_process_event end;
    bool late = false;
    (void)processes;
    if (!p->eof && !p->decided) {
        /* Not for what would not be read: that would wake us at once. */
        gri_host_arm(p->host, !gri_proxy_is_behind(p), p->out.at < p->out.len);
    }
    return !gri_host_ended(p->host, &end, &late);
}

static bool killed(gri_processes *processes, gr_actor *self, void *state,
                   const gr_exit_reason *why)
{
    gri_proxy *p = state;
    (void)processes;
    /* Nothing outranks a kill. */
    p->decided = false;
    gri_proxy_decide(p, why);
    gri_proxy_pause(self);
    return true;
}

static void tied(gri_processes *processes, gr_actor *self, void *state,
                 const gr_msg *msg)
{
    gri_proxy *p = state;
    const gri_wire head = {
        .type = msg->kind == GRI_MSG_LINK ? GRI_WIRE_LINKED : GRI_WIRE_UNLINKED,
        .pid = msg->from,
        .ref = gri_msg_ref(msg),
    };
    (void)processes;
    if (!is_over(p) &&
        (!gri_proxy_put(p, &head, NULL) || gri_proxy_is_full(p))) {
        gri_proxy_pause(self);
    }
}

static int proxy_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    gri_proxy *p = state;
    if (msg->kind == GRI_MSG_WAKE) {
        gri_host_awake(p->host);
        work(p, self);
        return 0;
    }
    if (msg->kind == GRI_MSG_USER) {
        (void)gri_proxy_give_message(p, self, msg);
    } else {
        (void)gri_proxy_give_signal(p, self, msg);
    }
    if (is_over(p) || gri_proxy_is_full(p)) {
        gri_proxy_pause(self);
    }
    return 0;
}

static int proxy_init(gr_actor *self, void *state, const gr_msg *args)
{
    gri_proxy *p = state;
    gr_system *sys = gr_system_of(self);
    const gr_system_opts *opts = gri_system_opts(sys);
    const gri_proxy_kind *kind = kind_of(gri_proxy_behavior_of(self));
    p->user = kind->user;
    p->limits = kind->limits;
    p->parent = gr_sender(args);
    p->message_max = opts->message_max;
    p->arena_max =
        p->user->arena_max != 0 ? p->user->arena_max : opts->arena_max;
    p->hard =
        p->user->mailbox.hard != 0 ? p->user->mailbox.hard : opts->mailbox_hard;
    p->hosts = kind->hosts;
    GR_TRY(gri_host_take(p->hosts, gr_self(self), &p->host));
    const int rc = gr_on_exit(self, on_proxy_exit, p);
    if (rc < 0) {
        on_proxy_exit(p);
        return rc;
    }
    (void)gri_proxy_assign(p, self, args);
    gri_host_arm(p->host, true, false);
    if (is_over(p) || gri_proxy_is_full(p)) {
        gri_proxy_pause(self);
    }
    return 0;
}

/* ---- what a system has of them ------------------------------------------- */

typedef struct process_actors {
    gri_processes table;
    gri_hosts *hosts;
    pthread_mutex_t lock;
    gri_proxy_kind *kinds; /* under lock; each lives as long as this */
    unsigned count;
} process_actors;

enum {
    KINDS_MAX = 4096 /* behaviours, each with each of its limits */
};

static process_actors *of_table(gri_processes *processes)
{
    return GRI_CONTAINER(processes, process_actors, table);
}

static gri_proxy_kind *kind_new(process_actors *all, const gr_behavior *user,
                                const gr_limits *limits)
{
    gri_proxy_kind *k = calloc(1, sizeof(*k));
    if (k != NULL) {
        k->behavior = (gr_behavior){
            .name = user->name,
            .state_size = sizeof(gri_proxy),
            .init = proxy_init,
            .receive = proxy_receive,
            .mailbox = user->mailbox,
            /* What it keeps is bounded by its window, and by the arena_max of
             * the actor there. */
            .arena_max = SIZE_MAX / 2,
            .trap_exit = true,
            .limits = {.memory_max = limits->memory_max},
        };
        k->user = user;
        k->limits = *limits;
        k->hosts = all->hosts;
        k->next = all->kinds;
        all->kinds = k;
        all->count++;
    }
    return k;
}

static bool equal_limits(const gr_limits *a, const gr_limits *b)
{
    return a->memory_max == b->memory_max &&
           a->handler_max_ms == b->handler_max_ms &&
           a->address_space_max == b->address_space_max &&
           a->file_size_max == b->file_size_max &&
           a->cpu_max_s == b->cpu_max_s && a->files_max == b->files_max &&
           a->seccomp == b->seccomp;
}

static int behavior(gri_processes *processes, const gr_behavior *user,
                    const gr_limits *limits, const gr_behavior **out)
{
    process_actors *all = of_table(processes);
    int rc = 0;
    (void)pthread_mutex_lock(&all->lock);
    gri_proxy_kind *k = all->kinds;
    while (k != NULL &&
           (k->user != user || !equal_limits(&k->limits, limits))) {
        k = k->next;
    }
    if (k == NULL && all->count == KINDS_MAX) {
        rc = GR_ELIMIT;
    } else if (k == NULL) {
        k = kind_new(all, user, limits);
        rc = k != NULL ? 0 : GR_ENOMEM;
    }
    (void)pthread_mutex_unlock(&all->lock);
    if (rc == 0) {
        *out = &k->behavior;
    }
    return rc;
}

static void stop(gri_processes *processes, int64_t deadline_ms)
{
    gri_hosts_stop(of_table(processes)->hosts, deadline_ms);
}

static void free_all(gri_processes *processes)
{
    process_actors *all = of_table(processes);
    while (all->kinds != NULL) {
        gri_proxy_kind *k = all->kinds;
        all->kinds = k->next;
        free(k);
    }
    (void)pthread_mutex_destroy(&all->lock);
    gri_hosts_free(all->hosts);
    free(all);
}

int gri_process_actors_install(gr_system *sys, uint32_t warm)
{
    process_actors *all = calloc(1, sizeof(*all));
    if (all == NULL) {
        return GR_ENOMEM;
    }
    int rc = gri_hosts_new(sys,
                           warm == 0 ? GR_PROCESSES_WARM_DEFAULT
                           : warm == GR_PROCESSES_COLD ? 0
                                                       : warm,
                           &all->hosts);
    if (rc < 0) {
        free(all);
        return rc;
    }
    (void)pthread_mutex_init(&all->lock, NULL); /* never fails in glibc */
    all->table = (gri_processes){
        .behavior = behavior,
        .pump = pump,
        .pausing = pausing,
        .killed = killed,
        .tied = tied,
        .stop = stop,
        .free = free_all,
    };
    rc = gri_processes_install(sys, &all->table);
    if (rc < 0) {
        free_all(&all->table);
    }
    return rc;
}

gri_hosts *gri_process_actors_hosts(gr_system *sys)
{
    gri_processes *table = gri_processes_of(sys);
    return table != NULL ? of_table(table)->hosts : NULL;
}

/* ---- what programs call -------------------------------------------------- */

int gr_processes_enable(gr_actor *self)
{
    gr_system *sys = gr_system_of(self);
    if (!gri_diverts()) {
        gri_log_write(gri_system_log(sys), GR_LOG_ERROR,
                      "gr_processes_enable needs gr_child_main in main: else a "
                      "process of an actor would run the whole program");
        return GR_ENOTSUP;
    }
    return gri_process_actors_install(sys,
                                      gri_system_opts(sys)->processes_warm);
}

int gr_process_of(gr_actor *self, gr_pid pid, int *out)
{
    gri_hosts *hosts = gri_process_actors_hosts(gr_system_of(self));
    const int process = hosts != NULL && !gr_pid_is_nobody(pid)
                            ? gri_hosts_process_of(hosts, pid)
                            : 0;
    if (process == 0) {
        return GR_ENOENT;
    }
    *out = process;
    return 0;
}
