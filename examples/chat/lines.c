/* chat/lines.c - a thread that is an actor, and waits for two things: for input
 * by poll, and for its owner by gr_call. To stop it both are ended. */
#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* False: the input has ended, or the reader is to stop. */
static bool read_more(lines *l)
{
    struct pollfd wait[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = l->stop[0], .events = POLLIN}};
    while (poll(wait, 2, -1) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    if (wait[1].revents != 0) {
        return false;
    }
    ssize_t n = read(STDIN_FILENO, l->buffer + l->len, LINES_MAX - l->len);
    l->len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* Gives the first n bytes to the owner, and forgets them and `skip` more. */
static int give(gr_actor *self, lines *l, size_t n, size_t skip)
{
    GR_TRY(gr_call(self, l->owner, GR_FOREVER, gr_expect("next"), "line",
                   gr_strn(l->buffer, n)));
    l->len -= n + skip;
    memmove(l->buffer, l->buffer + n + skip, l->len);
    return 0;
}

static int read_all(gr_actor *self, lines *l)
{
    for (;;) {
        const char *end = memchr(l->buffer, '\n', l->len);
        if (end != NULL) {
            GR_TRY(give(self, l, (size_t)(end - l->buffer), 1));
        } else if (l->len == LINES_MAX) {
            GR_TRY(give(self, l, l->len, 0));
        } else if (!read_more(l)) {
            break;
        }
    }
    if (l->len > 0) {
        GR_TRY(give(self, l, l->len, 0));
    }
    return gr_send(self, l->owner, "end");
}

static void *run(void *arg)
{
    lines *l = arg;
    gr_actor *self;
    if (gr_thread_attach(l->sys, NULL, &self) < 0) {
        (void)sem_post(&l->started);
        return NULL;
    }
    l->reader = gr_self(self);
    (void)sem_post(&l->started);
    int rc = read_all(self, l);
    gr_thread_detach(self, rc == GR_ESTOPPED ? 0 : rc);
    return NULL;
}

int lines_start(gr_actor *self, lines *l)
{
    l->sys = gr_system_of(self);
    l->owner = gr_self(self);
    l->reader = GR_NOBODY;
    l->len = 0;
    if (pipe(l->stop) != 0) {
        return GR_EIO;
    }
    (void)sem_init(&l->started, 0, 0); /* cannot fail for 0, 0 */
    const bool runs = pthread_create(&l->thread, NULL, run, l) == 0;
    while (runs && sem_wait(&l->started) != 0) { /* EINTR */
    }
    if (!gr_pid_is_nobody(l->reader)) {
        return 0;
    }
    if (runs) {
        (void)pthread_join(l->thread, NULL);
    }
    (void)close(l->stop[0]);
    (void)close(l->stop[1]);
    return GR_EFAIL;
}

void lines_stop(gr_actor *self, lines *l)
{
    GR_IGNORE(gr_stop(self, l->reader), "then the pipe's end must do");
    (void)close(l->stop[1]);
    (void)pthread_join(l->thread, NULL);
    (void)close(l->stop[0]);
    (void)sem_destroy(&l->started);
}
