/*
 * tests/support/waiter.h - puppets that stash what they hear until they hear
 * "go".
 */
#ifndef TESTS_SUPPORT_WAITER_H
#define TESTS_SUPPORT_WAITER_H

#include "tests/support/stage.h"

bool waiter_has_tag(const gr_msg *msg, const char *tag);
/* Writes the message down. */
int waiter_note(gr_actor *self, puppet *p, const gr_msg *msg);
/* Stashes all but "go", after which it writes all down. */
int waiter_hear(gr_actor *self, puppet *p, const gr_msg *msg);
/* A puppet a that has begun with `begin`. */
gr_pid waiter_puppet(stage *s, puppet_fn *begin);
/* Sends one message for each word of at most seven letters. */
void waiter_tell(stage *s, gr_pid pid, const char *words);
/* The messages that wait, by the counters. */
int64_t waiter_waiting(stage *s);
/* Checks that no block of a message was freed twice: messages that are made
 * after that would share it. */
void waiter_check_blocks(stage *s);

/* Defines a thing for a puppet to do: to hear by `how` from now on. */
#define WAITER_HEARS(name, how)                                                \
    static int name(gr_actor *self, puppet *p, const gr_msg *msg)              \
    {                                                                          \
        (void)self, (void)msg;                                                 \
        p->hear = how;                                                         \
        p->n = 0;                                                              \
        return 0;                                                              \
    }

#endif /* TESTS_SUPPORT_WAITER_H */
