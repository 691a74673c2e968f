/*
 * process/actor_child.c - the process of an actor, as it sees itself.
 *
 * The main thread reads what the proxy sends and pushes it to the actor, which
 * runs on the one worker of a system of its own (actors/hosted.h). The worker
 * writes, and waits if the proxy is slow to read: so does nobody else.
 *
 * It must not outlive its parent. The kernel kills it with its launcher, and so
 * with that one's program (process/divert.c), and the main thread ends it when
 * the socket says that the other end is gone; it does nothing that could hang.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "actors/hosted.h"
#include "actors/route.h"
#include "base/assert.h"
#include "base/memory.h"
#include "process/actors.h"
#include "process/object.h"
#include "process/sandbox.h"
#include "process/words.h"

enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

typedef struct child {
    gri_hosted host; /* the first */
    int control;
    gr_system *sys;
    gr_pid self;
    /* The worker's, and what interrupts it. */
    volatile bool writes; /* a frame may be there in part */
    volatile bool dying;
    /* The main thread's. */
    gri_cache cache;
    /* Under lock: the answer to a name verb. */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool waits;
    gri_wire answer;
} child;

static child *of_host(gri_hosted *host)
{
    return GRI_CONTAINER(host, child, host);
}

/* ---- writing: the worker ------------------------------------------------- */

/* Waits until all of it is written. Whoever cannot write has no parent. */
static void put(child *c, const gri_wire *head, const void *body)
{
    struct iovec parts[2] = {
        {(void *)(uintptr_t)head, sizeof(*head)},
        {(void *)(uintptr_t)body, head->len},
    };
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
    c->writes = true;
    while (parts[0].iov_len + parts[1].iov_len > 0) {
        const ssize_t n = sendmsg(c->control, &msg, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            _exit(STATUS_FAILED);
        }
        size_t done = n > 0 ? (size_t)n : 0;
        for (int i = 0; i < 2; i++) {
            const size_t cut =
                done < parts[i].iov_len ? done : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + cut;
            parts[i].iov_len -= cut;
            done -= cut;
        }
    }
    c->writes = false;
}

static void begins(gri_hosted *host, uint64_t id)
{
    put(of_host(host), &(gri_wire){.type = GRI_WIRE_BEGIN, .id = id}, NULL);
}

static void ends(gri_hosted *host, uint64_t id, gri_held held)
{
    put(of_host(host),
        &(gri_wire){.type = GRI_WIRE_DONE, .id = id, .flags = (uint32_t)held},
        NULL);
}

static void unhandled(gri_hosted *host, uint64_t id)
{
    put(of_host(host), &(gri_wire){.type = GRI_WIRE_UNHANDLED, .id = id}, NULL);
}

static _Noreturn void leave(int status)
{
    /* What the actor has printed is not lost; the program's own code that runs
     * at an exit is its parent's affair. */
    (void)fflush(NULL);
    _exit(status);
}

/* Nothing more will come: the parent waits for the end, and not for long. What
 * is told of the fault may fault itself, as anything may have been overwritten.
 */
static void dies(gri_hosted *host, const gri_fault *fault)
{
    child *c = of_host(host);
    if (!c->dying && !c->writes) {
        c->dying = true;
        gri_words_send(c->control, fault);
    }
    (void)shutdown(c->control, SHUT_WR);
}

static void ended(gri_hosted *host, uint64_t id, const gr_exit_reason *why)
{
    gri_wire head = {.type = GRI_WIRE_EXITED, .id = id};
    gri_wire_put_reason(&head, why);
    put(of_host(host), &head, why->text);
    leave(0);
}

static int name(gri_hosted *host, gri_name_verb verb, const char *text,
                gr_pid *out)
{
    child *c = of_host(host);
    const size_t len = strlen(text);
    if (len == 0 || len > GR_NAME_MAX) {
        return verb == GRI_NAME_TAKE ? GR_EINVAL : GR_ENOENT;
    }
    (void)pthread_mutex_lock(&c->lock);
    c->waits = true;
    (void)pthread_mutex_unlock(&c->lock);
    put(c,
        &(gri_wire){.type = GRI_WIRE_NAME,
                    .flags = (uint32_t)verb,
                    .len = (uint32_t)len},
        text);
    (void)pthread_mutex_lock(&c->lock);
    while (c->waits) {
        (void)pthread_cond_wait(&c->answered, &c->lock);
    }
    const gri_wire answer = c->answer;
    (void)pthread_mutex_unlock(&c->lock);
    if (answer.code == 0 && out != NULL) {
        *out = answer.pid;
    }
    return answer.code;
}

/* A question, an answer, a message, or one that is passed on. */
static void put_message(child *c, gr_pid to, const gr_msg *msg)
{
    gri_wire head = {.type = GRI_WIRE_SEND, .len = msg->len, .pid = to};
    static const gri_trailer none;
    const gri_trailer *t =
        (msg->flags & GRI_MSG_TRAILER) != 0 ? gri_msg_trail(msg) : &none;
    if (msg->kind == GRI_MSG_REPLY) {
        head = (gri_wire){.type = GRI_WIRE_REPLY,
                          .len = msg->len,
                          .code = (int32_t)t->extra,
                          .id = t->ref};
    } else if (t->extra != 0) {
        head = (gri_wire){
            .type = GRI_WIRE_FORWARD, .pid = to, .id = (uint64_t)t->extra};
    } else if (msg->kind == GRI_MSG_CONFIRM ||
               (msg->flags & GRI_MSG_ASKED) != 0) {
        head.type =
            msg->kind == GRI_MSG_CONFIRM ? GRI_WIRE_CONFIRM : GRI_WIRE_ASK;
        head.ref = t->ref;
    }
    put(c, &head, gri_msg_data(msg));
}

static int deliver(void *net, struct gri_worker *worker, gr_pid to, gr_msg *msg)
{
    (void)worker;
    child *c = of_host(net);
    gri_wire head = {.pid = to};
    switch ((int)msg->kind) {
    case GRI_MSG_USER:
    case GRI_MSG_REPLY:
    case GRI_MSG_CONFIRM:
        put_message(c, to, msg);
        return 0;
    case GRI_MSG_STARTED:
        head = (gri_wire){.type = GRI_WIRE_UP};
        break;
    case GRI_MSG_STOP:
        head.type = GRI_WIRE_STOP_IT;
        break;
    case GRI_MSG_KILL:
        head.type = GRI_WIRE_KILL_IT;
        break;
    case GRI_MSG_LINK:
        head.type = GRI_WIRE_LINK;
        break;
    case GRI_MSG_UNLINK:
        head.type = GRI_WIRE_UNLINK;
        break;
    case GRI_MSG_MONITOR:
        head.type = GRI_WIRE_MONITOR;
        head.ref = gri_msg_ref(msg);
        break;
    case GRI_MSG_DEMONITOR:
        head = (gri_wire){.type = GRI_WIRE_DEMONITOR, .ref = gri_msg_ref(msg)};
        break;
    default:
        return 0; /* its ties are the proxy's to end */
    }
    put(c, &head, NULL);
    return 0;
}

/* ---- reading: the main thread -------------------------------------------- */

/* False: the other end is gone. */
static bool get(const child *c, void *p, size_t n)
{
    char *at = p;
    while (n > 0) {
        const ssize_t got = recv(c->control, at, n, MSG_WAITALL);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
    return true;
}

/* The socket goes first: standard error may be a pipe that nobody reads, and
 * whoever sees the end of the stream has this process killed in a while. */
static _Noreturn void fail(const child *c, const char *what)
{
    (void)shutdown(c->control, SHUT_WR);
    (void)fprintf(stderr, "%s: process of an actor: %s\n",
                  program_invocation_name, what);
    leave(STATUS_FAILED);
}

/* The rest of a frame as the payload of a message with a trailer. */
static gr_msg *get_message(child *c, const gri_wire *w, gri_msg_kind kind)
{
    gr_msg *msg = gri_msg_new(&c->cache, gri_with_trailer(w->len));
    if (msg == NULL) {
        fail(c, "no memory for a message");
    }
    if (!get(c, gri_msg_payload(msg), w->len)) {
        leave(STATUS_FAILED);
    }
    msg->kind = (uint8_t)kind;
    msg->flags = GRI_MSG_TRAILER;
    msg->len = w->len;
    msg->from = w->pid;
    *gri_msg_trailer(msg) = (gri_trailer){.ref = w->ref};
    return msg;
}

static gr_msg *signal_of(child *c, const gri_wire *w, gri_msg_kind kind)
{
    gr_msg *msg = gri_msg_signal(&c->cache, kind, NULL, 0);
    if (msg == NULL) {
        fail(c, "no memory for a signal");
    }
    msg->from = w->pid;
    gri_msg_trailer(msg)->ref = w->ref;
    return msg;
}

static void push(child *c, gr_msg *msg)
{
    gri_hosted_push(c->sys, &c->cache, c->self, msg);
}

static void on_message(child *c, const gri_wire *w)
{
    gr_msg *msg = get_message(c, w, GRI_MSG_USER);
    gri_msg_trailer(msg)->extra = (int64_t)w->id;
    if ((w->flags & GRI_WIRE_ASKED) != 0) {
        msg->flags |= GRI_MSG_ASKED;
        gri_msg_trailer(msg)->ref = w->id;
    }
    push(c, msg);
}

static void on_answer(child *c, const gri_wire *w)
{
    gr_msg *msg = get_message(c, w, GRI_MSG_REPLY);
    gri_msg_trailer(msg)->extra = w->code;
    push(c, msg);
}

static void on_end(child *c, const gri_wire *w)
{
    uint8_t text[GR_EXIT_TEXT_MAX];
    if (w->len > sizeof(text) || !get(c, text, w->len)) {
        leave(STATUS_FAILED);
    }
    const gr_exit_reason why = gri_wire_reason(w, text);
    const bool down = w->type == GRI_WIRE_DOWN;
    gr_msg *msg = down ? gri_down_signal(&c->cache, w->pid, w->ref, &why)
                       : gri_exit_signal(&c->cache, w->pid, &why);
    if (msg == NULL) {
        fail(c, "no memory for a signal");
    }
    if (!down) {
        /* The link is the proxy's, and so is the knowledge that there was one;
         * it may have been made before the actor was there. */
        gri_wire link = *w;
        link.ref = 0;
        push(c, signal_of(c, &link, GRI_MSG_LINK));
    }
    push(c, msg);
}

static void on_named(child *c, const gri_wire *w)
{
    (void)pthread_mutex_lock(&c->lock);
    c->answer = *w;
    c->waits = false;
    (void)pthread_cond_signal(&c->answered);
    (void)pthread_mutex_unlock(&c->lock);
}

/* Reads frames for as long as there is a parent. */
static _Noreturn void serve(child *c)
{
    gri_wire w;
    while (get(c, &w, sizeof(w))) {
        switch ((int)w.type) {
        case GRI_WIRE_MESSAGE:
            on_message(c, &w);
            break;
        case GRI_WIRE_ANSWER:
            on_answer(c, &w);
            break;
        case GRI_WIRE_EXIT:
        case GRI_WIRE_DOWN:
            on_end(c, &w);
            break;
        case GRI_WIRE_STOP:
            push(c, signal_of(c, &w, GRI_MSG_STOP));
            break;
        case GRI_WIRE_STARTED:
            push(c, signal_of(c, &w, GRI_MSG_STARTED));
            break;
        case GRI_WIRE_LINKED:
            push(c, signal_of(c, &w, GRI_MSG_LINK));
            break;
        case GRI_WIRE_UNLINKED:
            push(c, signal_of(c, &w, GRI_MSG_UNLINK));
            break;
        case GRI_WIRE_NAMED:
            on_named(c, &w);
            break;
        default:
            fail(c, "unknown frame");
        }
    }
    /* The parent has gone, or wants no more of this. */
    _exit(STATUS_FAILED);
}

/* ---- the beginning ------------------------------------------------------- */

static int read_setup(const child *c, gri_wire_setup *setup)
{
    gri_wire w;
    struct stat status;
    if (fstat(c->control, &status) != 0 || !S_ISSOCK(status.st_mode) ||
        fcntl(c->control, F_SETFD, FD_CLOEXEC) != 0) {
        return STATUS_USAGE;
    }
    if (!get(c, &w, sizeof(w))) {
        return STATUS_FAILED;
    }
    return w.type == GRI_WIRE_SETUP && w.len == sizeof(*setup) &&
                   get(c, setup, sizeof(*setup)) &&
                   setup->magic == GRI_WIRE_MAGIC
               ? 0
               : STATUS_USAGE;
}

static void start_system(child *c, const gri_wire_setup *setup)
{
    const gr_system_opts opts = {
        .workers = 1,
        .actors_max = setup->actors_max,
        .message_max = setup->message_max,
        .asks_max = setup->asks_max,
        .timers_max = setup->timers_max,
        .arena_max = (size_t)setup->arena_max,
        .log_level = (gr_log_level)setup->log_level,
    };
    c->host.route = (gri_route){.deliver = deliver};
    c->host.begins = begins;
    c->host.ends = ends;
    c->host.unhandled = unhandled;
    c->host.dies = dies;
    c->host.ended = ended;
    c->host.name = name;
    if (gri_hosted_system(&opts, setup->node, &c->host, &c->sys) < 0) {
        fail(c, "cannot start its system");
    }
    gri_cache_init(&c->cache, gri_system_depot(c->sys));
}

/* Says that the actor cannot be started, which nobody did for it. */
static _Noreturn void refuse(child *c, int rc, const char *what)
{
    gr_exit_reason why = {GR_EXIT_ERROR, rc, ""};
    (void)snprintf(why.text, sizeof(why.text), "%s", what);
    ended(&c->host, 0, &why);
    leave(0);
}

/* Starts the actor that the first frame names. */
static void take_actor(child *c)
{
    gri_wire w;
    gri_wire_assign a;
    if (!get(c, &w, sizeof(w))) {
        _exit(0); /* it was started ahead, and is not needed */
    }
    char *texts = NULL;
    if (w.type == GRI_WIRE_ASSIGN && w.len >= sizeof(a) &&
        get(c, &a, sizeof(a))) {
        texts = malloc(w.len - sizeof(a) + 2);
    }
    if (texts == NULL || !get(c, texts, w.len - sizeof(a))) {
        fail(c, "no actor to run");
    }
    char *behavior = strndup(texts + a.object_len, a.name_len);
    char *object = strndup(texts, a.object_len);
    if (behavior == NULL || object == NULL) {
        fail(c, "no memory");
    }
    c->self = w.pid;
    c->host.timed = a.timed != 0;
    /* As in ps; the rest of a long name is cut off. */
    (void)prctl(PR_SET_NAME, behavior);
    const gr_behavior *b = gri_object_at(object, a.offset, behavior);
    if (b == NULL) {
        refuse(c, GR_ENOENT, "its process does not find its behaviour");
    }
    char why[GR_EXIT_TEXT_MAX];
    int rc = gri_sandbox_enter(&a.sandbox, why, sizeof(why));
    if (rc < 0) {
        refuse(c, rc, why);
    }
    begins(&c->host, 0); /* of init, which ends with UP */
    rc = gri_hosted_spawn_actor(
        c->sys, &c->cache,
        &(gri_hosted_spawn){
            .behavior = b,
            .pid = w.pid,
            .parent = a.parent,
            .args = {texts + a.object_len + a.name_len, a.args_len},
            .hard = a.hard,
            .memory_max = (size_t)a.memory_max,
        });
    if (rc < 0) {
        refuse(c, rc, "its process cannot start it");
    }
    free(behavior);
    free(object);
    free(texts);
}

_Noreturn void gri_actor_process_main(char **argv)
{
    /* Used by the worker until the process is gone; this never returns. */
    child c = {.lock = PTHREAD_MUTEX_INITIALIZER,
               .answered = PTHREAD_COND_INITIALIZER};
    gri_wire_setup setup;
    /* Not that of /proc/self/exe. Cannot fail with such arguments. */
    (void)prctl(PR_SET_NAME, program_invocation_short_name);
    c.control = argv[2] != NULL ? atoi(argv[2]) : -1; /* NOLINT(cert-err34-c) */
    const int status = read_setup(&c, &setup);
    if (status == STATUS_USAGE) {
        (void)fprintf(stderr, "%s: %s: its parent is another program\n",
                      program_invocation_name, GRI_ACTOR_MARKER);
    }
    if (status != 0) {
        leave(status);
    }
    if (!gri_sandbox_prepare()) {
        fail(&c, "cannot give up its rights");
    }
    start_system(&c, &setup);
    take_actor(&c);
    serve(&c);
}
