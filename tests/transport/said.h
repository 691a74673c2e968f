/*
 * tests/transport/said.h - a node whose log is kept, so that a test can wait
 * for what a person would be told.
 */
#ifndef TESTS_TRANSPORT_SAID_H
#define TESTS_TRANSPORT_SAID_H

#include "tests/transport/nodes.h"

#include <pthread.h>

typedef struct said {
    pthread_mutex_t lock;
    pthread_cond_t more;
    char text[1 << 16]; /* all lines, one behind the other */
    size_t len;
} said;

static inline void said_init(said *s)
{
    s->len = 0;
    s->text[0] = '\0';
    assert_int_equal(pthread_mutex_init(&s->lock, NULL), 0);
    assert_int_equal(pthread_cond_init(&s->more, NULL), 0);
}

static inline void said_fini(said *s)
{
    (void)pthread_cond_destroy(&s->more);
    (void)pthread_mutex_destroy(&s->lock);
}

/* gr_log_fn */
static inline void said_line(void *arg, gr_log_level level, const char *line)
{
    said *s = arg;
    size_t n = strlen(line);
    (void)level;
    (void)pthread_mutex_lock(&s->lock);
    if (n + 2 < sizeof s->text - s->len) {
        memcpy(s->text + s->len, line, n);
        s->len += n;
        s->text[s->len++] = '\n';
        s->text[s->len] = '\0';
    }
    (void)pthread_cond_signal(&s->more);
    (void)pthread_mutex_unlock(&s->lock);
}

/* Waits until that stands in the log. */
static inline void said_await(said *s, const char *what)
{
    struct timespec end;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += LONG_MS / 1000;
    int rc = 0;
    (void)pthread_mutex_lock(&s->lock);
    while (strstr(s->text, what) == NULL && rc == 0) {
        rc = pthread_cond_timedwait(&s->more, &s->lock, &end);
    }
    if (strstr(s->text, what) == NULL) {
        print_error("not said: \"%s\"; but:\n%s", what, s->text);
    }
    (void)pthread_mutex_unlock(&s->lock);
    assert_int_equal(rc, 0);
}

static inline void said_forget(said *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->len = 0;
    s->text[0] = '\0';
    (void)pthread_mutex_unlock(&s->lock);
}

/* A system that is no node yet, whose log is `s`. */
static inline gr_actor *start_system_with_log(nodes *n, int i, said *s)
{
    const gr_system_opts opts = {
        .workers = 2, .log_level = GR_LOG_INFO, .log = said_line, .log_arg = s};
    assert_int_equal(gr_system_start(&opts, &n->sys[i]), 0);
    assert_int_equal(gr_thread_attach(n->sys[i], NULL, &n->self[i]), 0);
    return n->self[i];
}

/* A node with just these options, and a place to listen if they have none. */
static inline int start_as(nodes *n, int i, const gr_node_opts *as, said *s)
{
    gr_node_opts opts = *as;
    char listen[128];
    gr_actor *self = start_system_with_log(n, i, s);
    place(n, i, listen, sizeof listen);
    opts.listen = opts.listen == NULL ? listen : opts.listen;
    GR_TRY(gr_node_start(self, &opts));
    return gr_node_address(self, n->address[i], sizeof n->address[i]);
}

#endif /* TESTS_TRANSPORT_SAID_H */
