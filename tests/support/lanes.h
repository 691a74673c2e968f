/*
 * tests/support/lanes.h - mailboxes with lanes, and messages of one letter each
 * to fill them.
 */
#ifndef TESTS_SUPPORT_LANES_H
#define TESTS_SUPPORT_LANES_H

#include "tests/support/stage.h"

enum { LANES_HARD = 4, LANES_URGENT = 3 };

/* A puppet with that mailbox; one that drops its oldest beyond LANES_HARD. */
gr_pid lanes_with(stage *s, char letter, gr_mailbox box);
gr_pid lanes_dropper(stage *s, char letter);
uint64_t lanes_dropped(stage *s, gr_pid pid);
/* From self, one message for each letter; from the stage's own, urgent. */
void lanes_send_each(gr_actor *self, gr_pid to, const char *letters);
void lanes_urge_each(stage *s, gr_pid to, const char *letters);

#endif /* TESTS_SUPPORT_LANES_H */
