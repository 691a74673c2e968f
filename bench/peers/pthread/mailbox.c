/*
 * bench/peers/pthread/mailbox.c - queues under a mutex, and the threads that
 * read them.
 */
#include <stdlib.h>

#include "bench/peers/pthread/peer.h"

static void *there(void *p)
{
    if (p == NULL) {
        die("out of memory");
    }
    return p;
}

void *many(int64_t n, size_t size)
{
    return there(calloc((size_t)n, size));
}

void mailbox_init(mailbox *m)
{
    *m = (mailbox){.first = NULL};
    m->last = &m->first;
    if (pthread_mutex_init(&m->lock, NULL) != 0 ||
        pthread_cond_init(&m->filled, NULL) != 0) {
        die("no mutex or condition variable");
    }
}

mailbox *mailbox_new(void)
{
    mailbox *m = many(1, sizeof(*m));
    mailbox_init(m);
    return m;
}

void mailbox_fini(mailbox *m)
{
    (void)pthread_cond_destroy(&m->filled); /* nobody uses them */
    (void)pthread_mutex_destroy(&m->lock);
}

void push(mailbox *to, mailbox *from, int64_t kind, int64_t value)
{
    message *msg = there(malloc(sizeof(*msg)));
    *msg = (message){.from = from, .kind = kind, .value = value};
    /* Neither fails for a mutex that is used as it should be. */
    (void)pthread_mutex_lock(&to->lock);
    *to->last = msg;
    to->last = &msg->next;
    const bool wake = to->waits;
    to->waits = false;
    (void)pthread_mutex_unlock(&to->lock);
    /* Behind the lock, so that who wakes does not find it taken. */
    if (wake) {
        (void)pthread_cond_signal(&to->filled);
    }
}

message *take(mailbox *m)
{
    if (m->taken == NULL) {
        (void)pthread_mutex_lock(&m->lock);
        while (m->first == NULL) {
            m->waits = true;
            (void)pthread_cond_wait(&m->filled, &m->lock);
        }
        m->taken = m->first;
        m->first = NULL;
        m->last = &m->first;
        (void)pthread_mutex_unlock(&m->lock);
    }
    message *msg = m->taken;
    m->taken = msg->next;
    return msg;
}

int64_t take_value(mailbox *m)
{
    message *msg = take(m);
    const int64_t value = msg->value;
    free(msg);
    return value;
}

int64_t gather(mailbox *m, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += take_value(m);
    }
    return sum;
}

pthread_t spawn(void *(*body)(void *), void *arg)
{
    pthread_attr_t attr;
    pthread_t thread;
    if (pthread_attr_init(&attr) != 0 ||
        pthread_attr_setstacksize(&attr, STACK_BYTES) != 0 ||
        pthread_create(&thread, &attr, body, arg) != 0) {
        die("no more threads");
    }
    (void)pthread_attr_destroy(&attr);
    return thread;
}

void spawn_detached(void *(*body)(void *), void *arg)
{
    (void)pthread_detach(spawn(body, arg)); /* it is there, and joinable */
}
