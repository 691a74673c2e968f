/*
 * mailbox/near.c - what kept a message from matching a pattern of its tag. The
 * note holds no more than a number and what was wanted: what was found is still
 * in the message when the text is written.
 */
#include <stdio.h>

#include "mailbox/decode.h"
#include "mailbox/near.h"

_Static_assert((int)GR_OUT_IS < (int)GRI_NEAR_OVER,
               "a note has room for each kind");
_Static_assert(GRI_MSG_NEAR_AT + 5 == GRI_NEAR_ARG_AT, "five bits of `wanted`");
_Static_assert(GRI_MSG_LENT < 1 << GRI_MSG_NEAR_AT, "no flag is a note");

enum { FOUND_MAX = 48 /* bytes of a value that a text shows */ };

void gri_near_note(gr_msg *msg, uint32_t arg, uint32_t wanted)
{
    if (arg > GRI_NEAR_ARG_MAX) {
        arg = GRI_NEAR_ARG_MAX;
    }
    if (arg < (uint32_t)msg->flags >> GRI_NEAR_ARG_AT ||
        gri_near_is_over(msg)) {
        return;
    }
    uint32_t others = msg->flags & ((1u << GRI_MSG_NEAR_AT) - 1);
    msg->flags = (uint16_t)(others | arg << GRI_NEAR_ARG_AT |
                            (wanted & GRI_NEAR_WANTED_MAX) << GRI_MSG_NEAR_AT);
}

static const char *wanted_name(uint32_t wanted)
{
    static const char *const names[] = {
        [GR_OUT_BOOL] = "bool",
        [GR_OUT_I8] = "int8",
        [GR_OUT_I16] = "int16",
        [GR_OUT_I32] = "int32",
        [GR_OUT_I64] = "int64",
        [GR_OUT_U8] = "uint8",
        [GR_OUT_U16] = "uint16",
        [GR_OUT_U32] = "uint32",
        [GR_OUT_U64] = "uint64",
        [GR_OUT_FLOAT] = "float",
        [GR_OUT_DOUBLE] = "double",
        [GR_OUT_STR] = "str",
        [GR_OUT_BYTES] = "bytes",
        [GR_OUT_ANY] = "any value",
        [GR_OUT_PID] = "pid",
        [GR_OUT_REF] = "ref",
        [GR_OUT_NODE] = "node",
        [GR_OUT_REST] = "the rest",
        [GR_OUT_IS] = "a value equal to the pattern's",
    };
    /* An output of a kind that does not exist matches nothing, too. */
    bool known = wanted < sizeof names / sizeof names[0];
    return known ? names[wanted] : "an unknown kind";
}

/* The argument of that number, from 1; len 0: the message ends before it. */
static gr_any argument(const gr_msg *msg, uint32_t number)
{
    gr_reader r = gr_msg_reader(msg);
    gr_any value = {0};
    for (uint32_t i = 0; i <= number; i++) { /* the first is the tag */
        if (gr_read_any(&r, &value) < 0) {
            return (gr_any){0};
        }
    }
    return value;
}

bool gri_near_text(const gr_msg *msg, char text[GRI_NEAR_TEXT_MAX])
{
    uint32_t arg = (uint32_t)msg->flags >> GRI_NEAR_ARG_AT;
    uint32_t wanted =
        (uint32_t)msg->flags >> GRI_MSG_NEAR_AT & GRI_NEAR_WANTED_MAX;
    text[0] = '\0';
    if (arg == 0 || gri_near_is_over(msg)) {
        return false;
    }
    if (arg == GRI_NEAR_ARG_MAX) {
        (void)snprintf(text, GRI_NEAR_TEXT_MAX,
                       "an argument behind the first %d did not fit",
                       GRI_NEAR_ARG_MAX - 1);
        return true;
    }
    if (wanted == GRI_NEAR_END) {
        (void)snprintf(text, GRI_NEAR_TEXT_MAX, "argument %u is one too many",
                       (unsigned)arg);
        return true;
    }
    char found[FOUND_MAX] = "missing";
    gr_any value = argument(msg, arg);
    if (value.len > 0) {
        (void)gr_any_print(value, found, sizeof found);
    }
    (void)snprintf(text, GRI_NEAR_TEXT_MAX, "argument %u is %s (wanted: %s)",
                   (unsigned)arg, found, wanted_name(wanted));
    return true;
}
