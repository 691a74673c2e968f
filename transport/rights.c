/* transport/rights.c - see rights.h. */
#include "transport/rights.h"

#include "actors/route.h"
#include "mailbox/decode.h"

/* The value of entries whose key says all; never written, never freed. */
static const uint8_t present;

void gri_leave_fini(gri_leave *leave)
{
    gri_map_fini(&leave->young);
    gri_map_fini(&leave->old);
    *leave = (gri_leave){.may = NULL};
}

/* ---- whom it knows ------------------------------------------------------- */

static int learn(gri_leave *leave, uint64_t id)
{
    const gri_key key = {id, 0};
    if (gri_map_get(&leave->young, key) != NULL) {
        return 0;
    }
    if (leave->young.count >= GRI_TOLD_MAX) {
        gri_map_fini(&leave->old);
        leave->old = leave->young;
        leave->young = (gri_map){.count = 0};
    }
    return gri_map_put(&leave->young, key, (void *)(uintptr_t)&present);
}

static bool knows(gri_leave *leave, uint64_t id)
{
    const gri_key key = {id, 0};
    if (id == GRI_AGENT_ID || gri_map_get(&leave->young, key) != NULL) {
        return true;
    }
    if (gri_map_get(&leave->old, key) == NULL) {
        return false;
    }
    /* In use, so it stays for longer. Without memory not so much longer. */
    (void)learn(leave, id);
    return true;
}

/* Each pid in an answer of the agent's, which is the core's own writing: one
 * value behind the other, whatever they are nested in. */
static int learn_all(gri_leave *leave, const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    gri_head h;
    while (p < end) {
        gr_pid pid;
        const uint8_t *body = gri_decode(p, end, &h);
        if (body == NULL) {
            return 0;
        }
        if (h.type == GRI_TYPE_EXT && gri_as_pid(&h, body, &pid)) {
            GR_TRY(learn(leave, pid.id));
        }
        bool holds = h.type == GRI_TYPE_ARRAY || h.type == GRI_TYPE_MAP;
        p = holds ? body : body + h.n;
    }
    return 0;
}

int gri_leave_told(gri_leave *leave, const gri_frame *f)
{
    if (leave->may == NULL) {
        return 0;
    }
    if (leave->may->names != NULL) {
        if (f->from != 0 && f->type != GRI_FRAME_EXIT &&
            f->type != GRI_FRAME_DOWN) {
            GR_TRY(learn(leave, f->from));
        }
        if (f->type == GRI_FRAME_REPLY && f->from == GRI_AGENT_ID) {
            GR_TRY(learn_all(leave, f->payload, f->len));
        }
    }
    if (f->type == GRI_FRAME_REPLY && leave->asked > 0) {
        leave->asked--;
    }
    return 0;
}

/* ---- what it does -------------------------------------------------------- */

static int check_monitor(const gri_rights *may, const gri_held *held)
{
    if (!may->may_monitor) {
        return GR_EDENIED;
    }
    return held->monitors >= may->monitors_max ? GR_ELIMIT : 0;
}

static int check_link(const gri_rights *may, const gri_held *held)
{
    if (held->linked) {
        return 0; /* so an actor here wants it, or it was allowed */
    }
    if (!may->may_link) {
        return GR_EDENIED;
    }
    return held->links >= may->links_max ? GR_ELIMIT : 0;
}

int gri_leave_check(gri_leave *leave, const gri_frame *f, const gri_held *held)
{
    const gri_rights *may = leave->may;
    if (may == NULL) {
        return 0;
    }
    /* A CONFIRM is a question to the mailbox, and answered as one. */
    bool asks = f->type == GRI_FRAME_ASK || f->type == GRI_FRAME_CONFIRM;
    /* Also one that is refused: its REPLY counts, too. */
    leave->asked += asks ? 1 : 0;
    bool begins = asks || f->type == GRI_FRAME_SEND ||
                  f->type == GRI_FRAME_STOP || f->type == GRI_FRAME_KILL ||
                  f->type == GRI_FRAME_MONITOR || f->type == GRI_FRAME_LINK;
    if (!begins) {
        return 0; /* it answers or ends something */
    }
    if (may->names != NULL && !knows(leave, f->to) && !held->linked) {
        return GR_EDENIED;
    }
    switch ((int)f->type) {
    case GRI_FRAME_ASK:
    case GRI_FRAME_CONFIRM:
        return leave->asked > may->asks_max ? GR_ELIMIT : 0;
    case GRI_FRAME_STOP:
    case GRI_FRAME_KILL:
        return may->may_stop ? 0 : GR_EDENIED;
    case GRI_FRAME_MONITOR:
        return check_monitor(may, held);
    case GRI_FRAME_LINK:
        return check_link(may, held);
    default:
        return 0;
    }
}
