/* transport/offenders.c - see offenders.h. */
#include "transport/offenders.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static int find(const gri_offenders *o, const char *name)
{
    for (int i = 0; i < GRI_OFFENDERS_MAX; i++) {
        if (strcmp(o->list[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The place for one more name. */
static gri_offender *take_place(gri_offenders *o, const char *name)
{
    gri_offender *f = &o->list[0];
    for (int i = 1; i < GRI_OFFENDERS_MAX; i++) {
        f = o->list[i].until < f->until ? &o->list[i] : f;
    }
    *f = (gri_offender){.pause_ms = 0};
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    return f;
}

void gri_offenders_add(gri_offenders *o, const char *name, bool doubles,
                       const gri_redial *pace, int64_t now)
{
    const int at = find(o, name);
    gri_offender *f = at >= 0 ? &o->list[at] : take_place(o, name);
    if (f->pause_ms == 0 || now - f->until > pace->reset_ms * GRI_NS_PER_MS) {
        f->pause_ms = pace->first_ms;
    } else if (doubles) {
        f->pause_ms *= 2;
    }
    f->pause_ms = f->pause_ms < pace->max_ms ? f->pause_ms : pace->max_ms;
    f->until = now + f->pause_ms * GRI_NS_PER_MS;
}

bool gri_offenders_has(const gri_offenders *o, const char *name, int64_t now)
{
    const int at = find(o, name);
    return at >= 0 && now < o->list[at].until;
}
