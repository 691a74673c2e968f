/*
 * tests/mailbox/recorder.h - stands in for the actors under the verbs: each
 * call becomes a message of a box and a line on what was called. Included by
 * the tests of the macros in C and of the templates in C++, which therefore
 * link nothing of actors/.
 */
#ifndef GRI_TESTS_MAILBOX_RECORDER_H
#define GRI_TESTS_MAILBOX_RECORDER_H

#include <greenroom/actor.h>

GR_BEGIN_DECLS

typedef struct recorder recorder;

typedef struct recorded {
    const char *verb; /* "send", "tell", ...; "inline" for gri_commit,
                         gri_send_tag and gri_send_int */
    gr_pid to;
    int64_t ms; /* of "after_us": microseconds */
    uint64_t token;
    const gr_msg *msg; /* until the next call; NULL: could not be made */
    unsigned puts;     /* calls of gri_put and its like before */
    unsigned calls;    /* of all verbs so far */
} recorded;

/* An actor whose verbs are recorded. NULL: no memory. */
gr_actor *recorder_new(void);
void recorder_free(gr_actor *self);
const recorded *recorder_last(const gr_actor *self);
/* What gr_call answers with: a message to match, or NULL for a timeout. */
void recorder_answer(gr_actor *self, const gr_msg *msg);
/* A message of the recorder's memory, ended by recorder_forget. */
gr_msg *recorder_keep(gr_actor *self);
void recorder_forget(gr_actor *self, gr_msg *msg);
/* The last message as text; good until the next call. */
const char *recorder_text(gr_actor *self);

GR_END_DECLS

#endif /* GRI_TESTS_MAILBOX_RECORDER_H */
