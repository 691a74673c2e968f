/*
 * process/child_node.c - child nodes as their parent sees them.
 *
 * Each child node has a proxy, an ordinary actor, and a record here. The
 * process and its proxy live and die apart, so the record ends with the later
 * of the two:
 *   - The process ends: the launcher's thread notes how, and wakes the proxy by
 *     a request to stop (a signal, as those are never refused, made beforehand,
 *     as memory may be short by then). The proxy looks at the record and ends
 *     with the process's reason.
 *   - The proxy is asked to stop: it passes that on and waits for the end, so
 *     that a supervisor's ordered stop is one of processes, too.
 *   - The proxy ends at once (killed, or with a link): its exit hook asks the
 *     process to end. Whoever asks also has the launcher kill what does not.
 *   - The connection is lost: the process has ended or will soon; if not (it is
 *     stopped or hangs), it is killed, as nobody can reach it any more.
 *
 * The lock here may be held while the launcher's is taken, never the other way:
 * the launcher tells of processes without a lock.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <greenroom/node.h>

#include "actors/route.h"
#include "base/assert.h"
#include "base/memory.h"
#include "process/child.h"
#include "process/folder.h"
#include "process/launcher.h"

/* What a process may take to end once it is asked; the header names it. */
#define END_MS INT64_C(2000)
/* What a process may take until it is connected: far more than it ever needs,
 * and less than a person's patience. */
#define START_MS INT64_C(30000)

typedef struct children children;

/* One process and its proxy. */
typedef struct child {
    /* Constant. */
    children *owner;
    gr_pid proxy;
    char name[GR_NODE_NAME_MAX + 1];
    unsigned workers;
    /* Under the owner's lock. */
    struct child *next;
    gr_msg *wake; /* for the proxy, once the process has ended */
    int control;  /* our end; -1: closed */
    int pid;      /* 0: not running */
    bool stop_asked;
    bool proxy_gone;
    bool ended; /* and `end` says how */
    gri_process_event end;
    /* The proxy's. */
    gri_process process; /* 0: never given to the launcher */
} child;

/* All children of a system. */
struct children {
    gri_part part;
    /* Constant. */
    gr_system *sys;
    gri_folder folder;
    char address[GRI_ADDRESS_SIZE];
    unsigned char secret[GRI_SECRET_SIZE];
    /* Under lock. */
    pthread_mutex_t lock;
    gri_launcher *launcher; /* NULL until first use, then constant */
    bool stopping;          /* no process is started any more */
    child *all;
    gri_cache cache;
    /* The launcher's thread. */
    gri_cache launcher_cache;
};

/* The proxy's state. */
typedef struct proxy {
    child *child;
    gr_timer late;
    bool up;
    bool stopping;
} proxy;

static children *children_of(gr_system *sys)
{
    gri_part *part = gri_part_of(sys);
    return part != NULL ? GRI_CONTAINER(part, children, part) : NULL;
}

static void lock(children *all)
{
    /* Cannot fail: a normal mutex, and no thread takes it twice. */
    (void)pthread_mutex_lock(&all->lock);
}

static void unlock(children *all)
{
    (void)pthread_mutex_unlock(&all->lock);
}

/* ---- records ------------------------------------------------------------ */

static void close_control_locked(child *c)
{
    if (c->control >= 0) {
        (void)close(c->control);
        c->control = -1;
    }
}

/* Takes c out of the list and frees it. */
static void forget_locked(child *c)
{
    child **at = &c->owner->all;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    close_control_locked(c);
    if (c->wake != NULL) {
        gri_msg_free(&c->owner->cache, c->wake);
    }
    free(c);
}

static child *find_locked(const children *all, const char *name)
{
    child *c = all->all;
    while (c != NULL && (c->proxy_gone || strcmp(c->name, name) != 0)) {
        c = c->next;
    }
    return c;
}

/* A record for the proxy `self`. Errors: GR_EEXIST (another proxy has that
 * name), GR_ENOMEM, GR_ESTOPPED. */
static int record(children *all, gr_actor *self, const char *name,
                  unsigned workers, child **out)
{
    child *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return GR_ENOMEM;
    }
    c->owner = all;
    c->proxy = gr_self(self);
    c->control = -1;
    c->workers = workers;
    (void)stpcpy(c->name, name);
    int rc = 0;
    lock(all);
    if (all->stopping) {
        rc = GR_ESTOPPED;
    } else if (find_locked(all, name) != NULL) {
        rc = GR_EEXIST;
    } else {
        c->wake = gri_msg_signal(&all->cache, GRI_MSG_STOP, NULL, 0);
        rc = c->wake != NULL ? 0 : GR_ENOMEM;
    }
    if (rc == 0) {
        c->next = all->all;
        all->all = c;
    }
    unlock(all);
    if (rc < 0) {
        free(c);
        return rc;
    }
    *out = c;
    return 0;
}

/* ---- the process -------------------------------------------------------- */

static bool say(const child *c, const void *p, size_t n)
{
    return send(c->control, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n;
}

/* Passes a stop on, if the process has its configuration already. */
static void say_stop_locked(const child *c)
{
    const char stop = GRI_CHILD_STOP;
    if (c->stop_asked && c->pid != 0 && c->control >= 0) {
        /* Whatever goes wrong: the process is killed in the end. */
        (void)say(c, &stop, 1);
    }
}

/* The process waits for its configuration. It gets that only now that its id is
 * noted, so that nobody can hear of the node before. */
static void started_locked(child *c, int pid)
{
    const children *all = c->owner;
    gri_child_config config = {
        .magic = GRI_CHILD_MAGIC,
        .proxy = c->proxy,
        .workers = c->workers,
        .log_level = (uint32_t)gri_system_log(all->sys)->level,
        .message_max = gri_system_message_max(all->sys),
    };
    memcpy(config.secret, all->secret, sizeof(config.secret));
    memcpy(config.name, c->name, sizeof(config.name));
    memcpy(config.address, all->address, sizeof(config.address));
    c->pid = pid;
    /* It fits: the buffer is empty, and has room for 100 times as much. */
    if (say(c, &config, sizeof(config))) {
        say_stop_locked(c);
    } else {
        close_control_locked(c); /* it ends: if it has not already */
    }
    explicit_bzero(&config, sizeof(config));
}

/* The launcher's thread tells of the process. */
static void on_process(void *arg, const gri_process_event *event)
{
    child *c = arg;
    children *all = c->owner;
    lock(all);
    if (event->kind == GRI_PROCESS_STARTED) {
        started_locked(c, event->code);
        unlock(all);
        return;
    }
    c->ended = true;
    c->end = *event;
    c->pid = 0;
    gr_msg *wake = c->wake;
    const gr_pid to = c->proxy;
    if (c->proxy_gone) {
        forget_locked(c);
        wake = NULL;
    } else {
        close_control_locked(c);
        c->wake = NULL;
    }
    unlock(all);
    /* From here on c may be gone. */
    if (wake != NULL) {
        gri_deliver(all->sys, &all->launcher_cache, to, wake);
    }
}

/* Has the process killed if it has not ended in grace_ms. The lock is held over
 * the call, which takes the launcher's own: once `ended` is set, the launcher
 * may be gone. */
static void kill_locked(child *c, int64_t grace_ms)
{
    gri_launcher *launcher = c->owner->launcher;
    if (!c->ended && c->process.id != 0) {
        launcher->ops->end(launcher, c->process, grace_ms);
    }
}

static void kill_process(child *c, int64_t grace_ms)
{
    lock(c->owner);
    kill_locked(c, grace_ms);
    unlock(c->owner);
}

/* Asks the process to end, and has it killed if it has not in END_MS. */
static void end_process(child *c)
{
    lock(c->owner);
    c->stop_asked = true;
    say_stop_locked(c);
    kill_locked(c, END_MS);
    unlock(c->owner);
}

/* The proxy has ended, whyever. */
static void on_proxy_exit(void *arg)
{
    child *c = arg;
    children *all = c->owner;
    end_process(c);
    lock(all);
    c->proxy_gone = true;
    if (c->ended || c->process.id == 0) {
        forget_locked(c);
    }
    unlock(all);
}

/* A pair of descriptors; theirs in *out. */
static int make_control(child *c, int *out)
{
    children *all = c->owner;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return errno == EMFILE || errno == ENFILE ? GR_ELIMIT : GR_EIO;
    }
    lock(all);
    c->control = ends[0];
    unlock(all);
    *out = ends[1];
    return 0;
}

static int ready_locked(children *all)
{
    if (all->stopping) {
        return GR_ESTOPPED;
    }
    return all->launcher != NULL
               ? 0
               : gri_launcher_new(gri_system_log(all->sys), &all->launcher);
}

/* The lock is held over it: once `stopping` is set, the launcher may be gone.
 */
static int launch(child *c, const gri_launch *how)
{
    children *all = c->owner;
    lock(all);
    int rc = ready_locked(all);
    if (rc == 0) {
        rc = all->launcher->ops->start(all->launcher, how, &c->process);
    }
    unlock(all);
    return rc;
}

static int start_process(child *c)
{
    int control = -1;
    GR_TRY(make_control(c, &control));
    char number[16];
    (void)snprintf(number, sizeof(number), "%d", GRI_CONTROL_FD);
    char marker[] = GRI_CHILD_MARKER;
    char *argv[] = {program_invocation_name, marker, number, c->name, NULL};
    sigset_t blocked;
    gri_child_signals(&blocked);
    const int rc = launch(c, &(gri_launch){
                                 .path = "/proc/self/exe",
                                 .argv = argv,
                                 .control = control,
                                 .blocked = blocked,
                                 .fn = on_process,
                                 .arg = c,
                             });
    if (rc < 0) {
        (void)close(control);
    }
    return rc;
}

/* ---- the proxy ---------------------------------------------------------- */

static int proxy_init(gr_actor *self, void *state, const gr_msg *args)
{
    proxy *p = state;
    children *all = children_of(gr_system_of(self));
    gr_str name = {NULL, 0};
    unsigned workers = 0;
    char text[GR_NODE_NAME_MAX + 1];
    if (all == NULL) {
        gr_exit(self, GR_EINVAL, "gr_child_nodes_enable was not called");
        return GR_EINVAL;
    }
    const bool unpacked = gr_unpack(args, &name, &workers);
    if (!unpacked || name.len == 0 || name.len > GR_NODE_NAME_MAX ||
        workers > GR_WORKERS_MAX || memchr(name.ptr, '\0', name.len) != NULL) {
        gr_exit(self, GR_EINVAL, "not (name, workers)");
        return GR_EINVAL;
    }
    (void)snprintf(text, sizeof(text), "%.*s", GR_STR(name));
    GR_TRY(record(all, self, text, workers, &p->child));
    int rc = gr_on_exit(self, on_proxy_exit, p->child);
    if (rc < 0) {
        on_proxy_exit(p->child);
        return rc;
    }
    GR_TRY(gr_after(self, START_MS, &p->late, "gr.child_late"));
    return start_process(p->child);
}

/* Ends the proxy as its process ended. */
static int follow(gr_actor *self, const proxy *p)
{
    const gri_process_event end = p->child->end;
    gr_exit_reason why = {.kind = GR_EXIT_ERROR, .code = end.code};
    const char *name = NULL;
    if (p->stopping) {
        why = (gr_exit_reason){.kind = GR_EXIT_SHUTDOWN};
        gri_exit_with(self, &why);
        return 0;
    }
    switch (end.kind) {
    case GRI_PROCESS_EXITED:
        if (end.code == 0) {
            why.kind = GR_EXIT_NORMAL;
        } else {
            (void)snprintf(why.text, sizeof(why.text), "exit status %d",
                           end.code);
        }
        break;
    case GRI_PROCESS_SIGNALED:
        why.kind = GR_EXIT_SIGNAL;
        name = sigabbrev_np(end.code);
        (void)snprintf(why.text, sizeof(why.text), "SIG%s%s",
                       name != NULL ? name : "?",
                       end.oom_likely ? ", oom likely" : "");
        break;
    case GRI_PROCESS_FAILED:
    case GRI_PROCESS_STARTED:
        (void)snprintf(why.text, sizeof(why.text), "the process: %s",
                       gr_strerror(end.code));
        break;
    }
    gri_exit_with(self, &why);
    return 0;
}

static int proxy_stop(gr_actor *self, proxy *p)
{
    children *all = p->child->owner;
    lock(all);
    const bool ended = p->child->ended;
    unlock(all);
    if (ended) {
        return follow(self, p);
    }
    p->stopping = true;
    end_process(p->child);
    return 0;
}

static int proxy_up(gr_actor *self, proxy *p, const gr_msg *msg)
{
    const gr_node node = {gr_sender(msg).node};
    gr_ref ref;
    if (p->up || node.id == gr_system_node(gr_system_of(self)).id) {
        return gr_unhandled(self, msg);
    }
    p->up = true;
    gr_timer_cancel(self, p->late);
    return gr_monitor(self, gr_node_agent(node), &ref);
}

static int proxy_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    proxy *p = state;
    children *all = p->child->owner;
    gr_exit_reason why;
    if (gr_match_stop(msg, NULL)) {
        return proxy_stop(self, p);
    }
    if (gr_match_exit(msg, NULL, &why)) {
        /* As if it did not trap exits. */
        if (why.kind != GR_EXIT_NORMAL) {
            gri_exit_with(self, &why);
        }
        return 0;
    }
    if (gr_match_down(msg, NULL, NULL, NULL)) {
        /* Without a polite word: there is no one to hear it. */
        kill_process(p->child, END_MS);
        return 0;
    }
    if (gr_match(msg, GRI_CHILD_UP)) {
        return proxy_up(self, p, msg);
    }
    if (gr_match(msg, "gr.child_late")) {
        gri_log_write(gri_system_log(all->sys), GR_LOG_WARN,
                      "child node %s is not up after %d s: killed",
                      p->child->name, (int)(START_MS / 1000));
        kill_process(p->child, 0);
        return 0;
    }
    return gr_unhandled(self, msg);
}

const gr_behavior gr_child_node_behavior = {
    .name = "gr.child_node",
    .state_size = sizeof(proxy),
    .init = proxy_init,
    .receive = proxy_receive,
    .trap_exit = true,
};

/* ---- the system's ------------------------------------------------------- */

static void children_free(children *all)
{
    gri_cache_flush(&all->launcher_cache);
    gri_cache_flush(&all->cache);
    (void)pthread_mutex_destroy(&all->lock);
    explicit_bzero(all->secret, sizeof(all->secret));
    free(all);
}

/* The system ends: every proxy has, so every process is told to. A proxy whose
 * callback never returned finds its process ended, and its memory. */
static void children_stop(gri_part *part, int64_t deadline_ms)
{
    children *all = GRI_CONTAINER(part, children, part);
    lock(all);
    all->stopping = true;
    unlock(all);
    if (all->launcher != NULL) {
        all->launcher->ops->stop(all->launcher, deadline_ms);
    }
    gri_folder_fini(&all->folder);
}

static void free_part(gri_part *part)
{
    children *all = GRI_CONTAINER(part, children, part);
    GR_ASSERT(all->all == NULL); /* each ends with its proxy and its process */
    children_free(all);
}

static int children_new(gr_system *sys, children **out)
{
    children *all = calloc(1, sizeof(*all));
    if (all == NULL) {
        return GR_ENOMEM;
    }
    all->part = (gri_part){.stop = children_stop, .free = free_part};
    all->sys = sys;
    (void)pthread_mutex_init(&all->lock, NULL); /* never fails in glibc */
    gri_cache_init(&all->cache, gri_system_depot(sys));
    gri_cache_init(&all->launcher_cache, gri_system_depot(sys));
    ssize_t n;
    do {
        n = getrandom(all->secret, sizeof(all->secret), 0);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(all->secret)) {
        children_free(all);
        return GR_EIO;
    }
    *out = all;
    return 0;
}

int gr_child_nodes_enable(gr_actor *self, const char *name)
{
    gr_system *sys = gr_system_of(self);
    children *all = NULL;
    GR_TRY(children_new(sys, &all));
    int rc = gri_folder_init(&all->folder);
    if (rc < 0) {
        goto no_folder;
    }
    const int n = snprintf(all->address, sizeof(all->address), "ipc://%s/%s",
                           all->folder.path, GRI_FOLDER_SOCKET);
    GR_ASSERT(n > 0);
    GR_ASSERT((size_t)n < sizeof(all->address));
    rc = gr_node_start(self, &(gr_node_opts){
                                 .name = name,
                                 .listen = all->address,
                                 .secret = {all->secret, sizeof(all->secret)},
                             });
    if (rc < 0) {
        goto no_node;
    }
    rc = gri_part_install(sys, &all->part);
    if (rc < 0) {
        goto no_node;
    }
    return 0;

no_node:
    gri_folder_fini(&all->folder);
no_folder:
    children_free(all);
    return rc;
}

int gr_child_node_process(gr_actor *self, const char *name, int *out)
{
    children *all = children_of(gr_system_of(self));
    if (all == NULL) {
        return GR_ENOENT;
    }
    lock(all);
    const child *c = find_locked(all, name);
    const int pid = c != NULL ? c->pid : 0;
    unlock(all);
    if (pid == 0) {
        return GR_ENOENT;
    }
    *out = pid;
    return 0;
}
