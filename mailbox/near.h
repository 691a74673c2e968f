/*
 * mailbox/near.h - messages that nearly matched: a pattern had the tag, and an
 * argument did not fit. Who matches leaves a note of it in the message's flags,
 * so that a message that fits pays nothing, and one of another tag neither. If
 * the message becomes a dead letter for it, the note says why.
 *
 * Threads: the message's receiver, which is the only one that looks at its
 * flags by then.
 */
#ifndef GRI_MAILBOX_NEAR_H
#define GRI_MAILBOX_NEAR_H

#include "mailbox/message.h"

/* A note: the argument's number, from 1, in the four bits on top; below it five
 * bits of what was wanted, a gr_out_kind or GRI_NEAR_END. */
enum {
    GRI_NEAR_ARG_AT = 12,
    GRI_NEAR_ARG_MAX = 15,              /* this one, or a later one */
    GRI_NEAR_WANTED_MAX = 31,           /* what five bits hold */
    GRI_NEAR_END = GRI_NEAR_WANTED_MAX, /* wanted: no argument any more */
    GRI_NEAR_OVER = GRI_NEAR_END - 1,   /* see gri_near_over */
    GRI_NEAR_TEXT_MAX = 128 /* bytes of the longest text, its zero counted */
};

/* Notes that argument `arg` was not what was wanted. Of several notes the one
 * of the latest argument counts; of those the last. */
void gri_near_note(gr_msg *msg, uint32_t arg, uint32_t wanted)
    __attribute__((cold));

/* The message was said not to be handled: it needs no other note any more, and
 * is not to be counted again. */
static inline bool gri_near_is_over(const gr_msg *msg)
{
    return (uint32_t)msg->flags >> GRI_MSG_NEAR_AT ==
           (GRI_NEAR_ARG_MAX << (GRI_NEAR_ARG_AT - GRI_MSG_NEAR_AT) |
            GRI_NEAR_OVER);
}
static inline void gri_near_over(gr_msg *msg)
{
    const uint32_t others = msg->flags & ((1u << GRI_MSG_NEAR_AT) - 1);
    msg->flags =
        (uint16_t)(others | (uint32_t)GRI_NEAR_ARG_MAX << GRI_NEAR_ARG_AT |
                   (uint32_t)GRI_NEAR_OVER << GRI_MSG_NEAR_AT);
}

/* Writes what the note says, such as "argument 1 is 300 (wanted: int8)".
 * False, and an empty text: there is no note. */
bool gri_near_text(const gr_msg *msg, char text[GRI_NEAR_TEXT_MAX]);

#endif /* GRI_MAILBOX_NEAR_H */
