/* tests/support/waiter.c - see waiter.h. */
#include "tests/support/waiter.h"

bool waiter_has_tag(const gr_msg *msg, const char *tag)
{
    gr_reader r = gr_msg_reader(msg);
    gr_str found;
    return gr_read_str(&r, &found) == 0 && found.len == strlen(tag) &&
           memcmp(found.ptr, tag, found.len) == 0;
}

int waiter_note(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self;
    stage_note_msg(p->on, p->letter, msg);
    return 0;
}

int waiter_hear(gr_actor *self, puppet *p, const gr_msg *msg)
{
    if (waiter_has_tag(msg, "go")) {
        p->hear = waiter_note;
        gr_unstash(self);
        return 0;
    }
    return gr_stash(self, msg);
}

gr_pid waiter_puppet(stage *s, puppet_fn *begin)
{
    gr_pid a =
        stage_puppet_with(s, s->self, 'a', &puppet_behavior, NULL, begin);
    stage_settle(s);
    stage_expect(s, "+a");
    return a;
}

void waiter_tell(stage *s, gr_pid pid, const char *words)
{
    char tag[8];
    int used;
    while (sscanf(words, "%7s%n", tag, &used) == 1) {
        CHECK_RC(
            gr_sendv(s->self, pid, (gr_value[]){gr_strn(tag, strlen(tag))}, 1),
            0);
        words += used;
    }
}

int64_t waiter_waiting(stage *s)
{
    gr_stats t = stage_stats(s);
    return (int64_t)(t.sent - t.handled - t.dead_letters - t.dropped -
                     t.late_replies);
}

enum { BLOCKS = 200 }; /* more than the worker keeps for itself */

static int count_blocks(gr_actor *self, puppet *p, const gr_msg *msg)
{
    uint64_t i;
    (void)self;
    CHECK(gr_match(msg, "block", &i));
    CHECK_INT(i, p->n);
    p->n++;
    return 0;
}

static int send_blocks(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    p->hear = count_blocks;
    p->n = 0;
    for (uint64_t i = 0; i < BLOCKS; i++) {
        CHECK_RC(gr_send(self, gr_self(self), "block", i), 0);
    }
    return 0;
}

static int check_count(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    CHECK_INT(p->n, BLOCKS);
    return 0;
}

void waiter_check_blocks(stage *s)
{
    gr_pid z = stage_puppet(s, 'z');
    stage_do(s, z, send_blocks);
    stage_do(s, z, check_count);
    stage_expect(s, "+z");
}
