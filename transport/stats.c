/* transport/stats.c - see stats.h. */
#include "transport/stats.h"

#include <string.h>

#include <greenroom/error.h>

enum { SMOOTH = 8 }; /* a new round trip is one of so many */

/* Shorter than the clock can tell is not unknown. */
static int64_t at_least_one(int64_t ns)
{
    return ns > 0 ? ns : 1;
}

void gri_rtt_ping(gri_rtt *rtt, int64_t now)
{
    if (rtt->open == 0) {
        rtt->asked_ns = now;
    }
    rtt->open++;
}

void gri_rtt_pong(gri_rtt *rtt, int64_t now)
{
    if (rtt->open == 0) {
        return;
    }
    rtt->open--;
    if (rtt->asked_ns == 0) {
        return; /* of one that was sent while another was open */
    }
    const int64_t ns = at_least_one(now - rtt->asked_ns);
    const bool first = rtt->rough || rtt->last_ns == 0;
    rtt->smooth_ns =
        first ? ns
              : at_least_one(rtt->smooth_ns + (ns - rtt->smooth_ns) / SMOOTH);
    rtt->last_ns = ns;
    rtt->at_ns = now;
    rtt->asked_ns = 0;
    rtt->rough = false;
}

void gri_rtt_shake(gri_rtt *rtt, int64_t said, int64_t now)
{
    rtt->last_ns = rtt->smooth_ns = at_least_one(now - said);
    rtt->at_ns = now;
    rtt->rough = true;
}

bool gri_rtt_is_stale(const gri_rtt *rtt, int64_t now)
{
    return rtt->open == 0 &&
           (rtt->rough || now - rtt->at_ns > GRI_RTT_FRESH_NS);
}

gri_blame gri_blame_of(int reason)
{
    switch (reason) {
    case GR_EFORMAT:
    case GR_EVERSION:
        return GRI_BLAME_FORMAT;
    case GR_EDENIED:
        return GRI_BLAME_DENIED;
    case GR_ETIMEOUT:
        return GRI_BLAME_LATE;
    case GR_ELIMIT:
        return GRI_BLAME_LIMIT;
    default:
        return GRI_BLAME_OTHER;
    }
}

/* By what they say: the same text may stand at several places. */
static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

uint64_t gri_causes_add(gri_causes *causes, const char *what, const char *why)
{
    unsigned i = 0;
    while (i < causes->count && !(same_text(causes->list[i].what, what) &&
                                  same_text(causes->list[i].why, why))) {
        i++;
    }
    if (i == causes->count && i < GRI_CAUSES_MAX) {
        causes->list[i] = (gri_cause){.what = what, .why = why};
        causes->count++;
    }
    gri_cause *c = &causes->list[i < GRI_CAUSES_MAX ? i : GRI_CAUSES_MAX - 1];
    c->n++;
    return c->n;
}
