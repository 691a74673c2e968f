/* tests/support/stage.c - see stage.h. */
#include "tests/support/stage.h"

#include <stdlib.h>

uint64_t stage_seed_now;

/* ---- journal and log ---- */

static void append(char *buf, size_t size, const char *word)
{
    size_t n = strlen(buf);
    (void)snprintf(buf + n, size - n, "%s%s", n > 0 ? " " : "", word);
}

void stage_note(stage *s, const char *format, ...)
{
    char word[256];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(word, sizeof word, format, args);
    va_end(args);
    (void)pthread_mutex_lock(&s->lock);
    append(s->journal, sizeof s->journal, word);
    (void)pthread_mutex_unlock(&s->lock);
}

static void take_journal(stage *s, char *to, size_t size)
{
    (void)pthread_mutex_lock(&s->lock);
    (void)snprintf(to, size, "%s", s->journal);
    s->journal[0] = '\0';
    (void)pthread_mutex_unlock(&s->lock);
}

void stage_expect(stage *s, const char *story)
{
    char seen[sizeof s->journal];
    take_journal(s, seen, sizeof seen);
    if (strcmp(seen, story) != 0) {
        fail_msg("seed %" PRIu64 ": expected <%s>, saw <%s>", s->seed, story,
                 seen);
    }
}

static int by_text(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

/* Sorts the words of a text, in place, into to. */
static void sort_words(char *text, char *to, size_t size)
{
    char *word[512] = {NULL};
    size_t n = 0;
    char *rest = text;
    for (char *w; n < 512 && (w = strtok_r(rest, " ", &rest)) != NULL;) {
        word[n++] = w;
    }
    qsort(word, n, sizeof word[0], by_text);
    to[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        append(to, size, word[i]);
    }
}

void stage_expect_words(stage *s, const char *story)
{
    char seen[sizeof s->journal];
    char sorted[sizeof s->journal];
    char wanted[sizeof s->journal];
    char copy[sizeof s->journal];
    take_journal(s, seen, sizeof seen);
    (void)snprintf(copy, sizeof copy, "%s", seen);
    sort_words(copy, sorted, sizeof sorted);
    (void)snprintf(copy, sizeof copy, "%s", story);
    sort_words(copy, wanted, sizeof wanted);
    if (strcmp(sorted, wanted) != 0) {
        fail_msg("seed %" PRIu64 ": expected in any order <%s>, saw <%s>",
                 s->seed, story, seen);
    }
}

static void log_line(void *arg, gr_log_level level, const char *line)
{
    stage *s = arg;
    (void)level;
    (void)pthread_mutex_lock(&s->lock);
    size_t n = strlen(s->log);
    (void)snprintf(s->log + n, sizeof s->log - n, "%s\n", line);
    s->log_lines++;
    (void)pthread_mutex_unlock(&s->lock);
}

bool stage_logged(stage *s, const char *text)
{
    (void)pthread_mutex_lock(&s->lock);
    bool found = strstr(s->log, text) != NULL;
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

/* ---- start and end ---- */

void stage_start(stage *s, uint64_t seed, const gr_system_opts *opts)
{
    gr_system_opts o = {.log_level = GR_LOG_WARN};
    if (opts != NULL) {
        o = *opts;
    }
    memset(s, 0, sizeof *s);
    (void)pthread_mutex_init(&s->lock, NULL);
    s->seed = seed;
    stage_seed_now = seed;
    o.seed = seed;
    o.log = log_line;
    o.log_arg = s;
    CHECK_RC(gr_system_start(&o, &s->sys), 0);
    CHECK_RC(gr_thread_attach(s->sys, NULL, &s->self), 0);
    gr_trap_exit(s->self, true);
}

gr_stats stage_stats(stage *s)
{
    gr_stats stats;
    gr_system_stats(s->sys, &stats);
    return stats;
}

void stage_check_conserved(stage *s)
{
    gr_stats t = stage_stats(s);
    if (t.sent != t.handled + t.dead_letters + t.dropped + t.late_replies) {
        fail_msg("seed %" PRIu64 ": sent %" PRIu64 ", but handled %" PRIu64
                 ", dead %" PRIu64 ", dropped %" PRIu64 ", late %" PRIu64,
                 s->seed, t.sent, t.handled, t.dead_letters, t.dropped,
                 t.late_replies);
    }
}

void stage_end(stage *s)
{
    if (s->self != NULL) {
        gr_thread_detach(s->self, 0);
        s->self = NULL;
    }
    if (s->seed != 0) {
        (void)gr_sim_settle(s->sys);
        stage_check_conserved(s);
    }
    CHECK_RC(gr_system_stop(s->sys, STAGE_STOP_MS), 0);
}

void stage_each_seed(void (*scene)(stage *s), const gr_system_opts *opts)
{
    for (uint64_t seed = 1; seed <= STAGE_SEEDS; seed++) {
        stage s;
        stage_start(&s, seed, opts);
        scene(&s);
        stage_end(&s);
    }
    stage_seed_now = 0;
}

void stage_settle(stage *s)
{
    gr_sim_advance(s->sys, 0);
}

/* ---- puppets ---- */

char stage_letter(stage *s, gr_pid pid)
{
    char letter = '?';
    if (s->self != NULL && gr_pid_eq(pid, gr_self(s->self))) {
        return '$';
    }
    (void)pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->cast_count; i++) {
        if (gr_pid_eq(s->cast[i].pid, pid)) {
            letter = s->cast[i].letter;
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return letter;
}

void stage_note_msg(stage *s, char letter, const gr_msg *msg)
{
    gr_pid from;
    gr_exit_reason why;
    if (gr_match_exit(msg, &from, &why)) {
        stage_note(s, "%c<exit:%c:%s", letter, stage_letter(s, from),
                   gr_exit_kind_name(why.kind));
    } else if (gr_match_down(msg, NULL, &from, &why)) {
        stage_note(s, "%c<down:%c:%s", letter, stage_letter(s, from),
                   gr_exit_kind_name(why.kind));
    } else if (gr_match_stop(msg, NULL)) {
        stage_note(s, "%c<stop", letter);
    } else if (gr_match_started(msg, &from)) {
        stage_note(s, "%c<started:%c", letter, stage_letter(s, from));
    } else {
        gr_reader r = gr_msg_reader(msg);
        gr_str tag = {"?", 1};
        (void)!gr_read_str(&r, &tag);
        stage_note(s, "%c:%.*s", letter, GR_STR(tag));
    }
}

void stage_drain(stage *s)
{
    const gr_msg *msg;
    while (gr_receive(s->self, 0, &msg) == 0) {
        stage_note_msg(s, '$', msg);
    }
}

static puppet_fn *fn_of(uint64_t word)
{
    return (puppet_fn *)(uintptr_t)word;
}

static int puppet_init(gr_actor *self, void *state, const gr_msg *args)
{
    puppet *p = state;
    uint64_t on;
    uint64_t begin;
    gr_str letter;
    if (!gr_unpack(args, &on, &letter, &begin)) {
        return GR_EINVAL;
    }
    p->on = (stage *)(uintptr_t)on;
    p->letter = letter.ptr[0];
    int rc = begin != 0 ? fn_of(begin)(self, p, args) : 0;
    if (rc == 0) {
        stage_note(p->on, "+%c", p->letter);
    }
    return rc;
}

static int puppet_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    puppet *p = state;
    uint64_t fn;
    gr_pid peer;
    if (gr_match(msg, "puppet.do", &fn)) {
        return fn_of(fn)(self, p, msg);
    }
    if (gr_match(msg, "puppet.do_to", &fn, &peer)) {
        p->peer = peer;
        return fn_of(fn)(self, p, msg);
    }
    if (p->hear != NULL) {
        return p->hear(self, p, msg);
    }
    stage_note_msg(p->on, p->letter, msg);
    return 0;
}

static void puppet_terminate(gr_actor *self, void *state,
                             const gr_exit_reason *why)
{
    const puppet *p = state;
    (void)self;
    stage_note(p->on, "-%c:%s", p->letter, gr_exit_kind_name(why->kind));
}

const gr_behavior puppet_behavior = {
    .name = "puppet",
    .state_size = sizeof(puppet),
    .init = puppet_init,
    .receive = puppet_receive,
    .terminate = puppet_terminate,
};

gr_pid stage_puppet_with(stage *s, gr_actor *parent, char letter,
                         const gr_behavior *behavior, const gr_spawn_opts *opts,
                         puppet_fn *begin)
{
    gr_spawn_opts o = {.name = NULL};
    gr_pid pid = GR_NOBODY;
    if (opts != NULL) {
        o = *opts;
    }
    /* Under the lock, so that a quick child finds its letter known. */
    (void)pthread_mutex_lock(&s->lock);
    o.args = gr_args((uint64_t)(uintptr_t)s, gr_strn(&letter, 1),
                     (uint64_t)(uintptr_t)begin);
    int rc = gr_spawn(parent, behavior, &o, &pid);
    if (rc == 0 && s->cast_count < STAGE_PUPPETS_MAX) {
        s->cast[s->cast_count].pid = pid;
        s->cast[s->cast_count].letter = letter;
        s->cast_count++;
    }
    (void)pthread_mutex_unlock(&s->lock);
    CHECK_RC(rc, 0);
    return pid;
}

gr_pid stage_puppet(stage *s, char letter)
{
    return stage_puppet_with(s, s->self, letter, &puppet_behavior, NULL, NULL);
}

gr_pid stage_begun(stage *s, char letter, const char *name, puppet_fn *begin)
{
    const gr_msg *msg;
    gr_spawn_opts opts = {.name = name, .ack = true};
    gr_pid pid =
        stage_puppet_with(s, s->self, letter, &puppet_behavior, &opts, begin);
    CHECK_RC(gr_receive(s->self, GR_FOREVER, &msg), 0);
    CHECK(gr_match_started(msg, NULL));
    return pid;
}

void stage_do(stage *s, gr_pid pid, puppet_fn *fn)
{
    CHECK_RC(gr_send(s->self, pid, "puppet.do", (uint64_t)(uintptr_t)fn), 0);
    if (s->seed != 0) {
        stage_settle(s);
    }
}

void stage_do_to(stage *s, gr_pid pid, puppet_fn *fn, gr_pid peer)
{
    CHECK_RC(
        gr_send(s->self, pid, "puppet.do_to", (uint64_t)(uintptr_t)fn, peer),
        0);
    if (s->seed != 0) {
        stage_settle(s);
    }
}

int puppet_fail(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)p, (void)msg;
    return ERROR_TEST;
}

int puppet_leave(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    gr_exit(self, 0, "done");
    return 0;
}

int puppet_trap(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    gr_trap_exit(self, true);
    return 0;
}

int puppet_link(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_link(self, p->peer);
}

int puppet_monitor(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    return gr_monitor(self, p->peer, &p->ref);
}

int puppet_count(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->n++;
    return 0;
}

int puppet_be_counter(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = puppet_count;
    return 0;
}

int puppet_tell_count(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    stage_note(p->on, "%" PRIu64, p->n);
    return 0;
}
