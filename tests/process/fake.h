/*
 * tests/process/fake.h - what a program speaks to a proxy with, when it plays
 * the process of an actor. It ends as soon as nobody hears it.
 */
#ifndef TESTS_PROCESS_FAKE_H
#define TESTS_PROCESS_FAKE_H

#include <sys/socket.h>
#include <unistd.h>

#include "process/wire.h"

enum { CONTROL = 3 };

static inline void put(gri_wire w, const void *body)
{
    if (send(CONTROL, &w, sizeof(w), MSG_NOSIGNAL) < 0 ||
        (w.len > 0 && send(CONTROL, body, w.len, MSG_NOSIGNAL) < 0)) {
        _exit(0);
    }
}

static inline void pass_over(size_t n)
{
    char byte;
    while (n-- > 0 && recv(CONTROL, &byte, 1, 0) == 1) {
    }
}

static inline gri_wire get_head(void)
{
    gri_wire w = {0};
    if (recv(CONTROL, &w, sizeof(w), MSG_WAITALL) != (ssize_t)sizeof(w)) {
        _exit(0);
    }
    pass_over(w.len);
    return w;
}

#endif /* TESTS_PROCESS_FAKE_H */
