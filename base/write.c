/* base/write.c - see write.h. */
#include "base/write.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "base/clock.h"

/* Of the whole process, for whoever reads its last words. Less than the second
 * that the process of an actor has before it is killed, so that the program
 * learns of its own signal (GRI_PROXY_PARTING_MS). */
#define PATIENCE_NS (GRI_NS_PER_MS * 500)

static const gri_clock real_clock = {.is_virtual = false};

/* For how long its threads have waited so far: a fact of the process. Should it
 * live on, by a handler of the program's own, what it says next does not wait.
 */
static _Atomic(int64_t) waited_ns;

/* Like write, but an interrupted one goes on. */
static ssize_t put(int fd, const char *text, size_t n)
{
    ssize_t done;
    do {
        done = write(fd, text, n);
    } while (done < 0 && errno == EINTR);
    return done;
}

bool gri_write(int fd, const char *text, size_t n)
{
    while (n > 0) {
        const ssize_t done = put(fd, text, n);
        if (done <= 0) {
            return false;
        }
        text += done;
        n -= (size_t)done;
    }
    return true;
}

/* Whether a write would go on at once, in a while. Not where nobody can read
 * any more: the write would be a SIGPIPE. */
static bool gets_room(int fd)
{
    for (;;) {
        struct pollfd out = {.fd = fd, .events = POLLOUT};
        /* relaxed, both: a number. Threads that look at once may wait for all
         * that is left, each of them: at the same time. */
        const int64_t left_ns =
            PATIENCE_NS -
            atomic_load_explicit(&waited_ns, memory_order_relaxed);
        const int64_t since_ns = gri_clock_ns(&real_clock);
        const int n =
            poll(&out, 1, left_ns > 0 ? (int)(left_ns / GRI_NS_PER_MS) : 0);
        const bool again = n < 0 && errno == EINTR;
        (void)atomic_fetch_add_explicit(&waited_ns,
                                        gri_clock_ns(&real_clock) - since_ns,
                                        memory_order_relaxed);
        if (!again) {
            return n == 1 && out.revents == POLLOUT;
        }
    }
}

bool gri_write_last(int fd, const char *text, size_t n)
{
    while (n > 0) {
        /* A pipe that polls as writable has room for that many. */
        const size_t now = n < PIPE_BUF ? n : PIPE_BUF;
        const ssize_t done = gets_room(fd) ? put(fd, text, now) : -1;
        if (done <= 0) {
            return false;
        }
        text += done;
        n -= (size_t)done;
    }
    return true;
}

void gri_write_prepare(void)
{
    (void)poll(NULL, 0, 0);
    (void)gri_clock_ns(&real_clock);
    (void)put(STDERR_FILENO, "", 0);
}
