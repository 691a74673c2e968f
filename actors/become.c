/* actors/become.c - an actor that goes on with another behaviour. */
#include "actors/guard.h"
#include "actors/internal.h"

int gr_become(gr_actor *self, const gr_behavior *next)
{
    const gr_behavior *now = gri_behavior(self);
    if (now == NULL) {
        return GR_ENOTSUP; /* a thread's own code is its behaviour */
    }
    if (next == NULL || !gri_behavior_is_whole(next)) {
        return GR_EINVAL;
    }
    gri_ext *ext = gri_ext_of(self);
    if (ext == NULL) {
        return GR_ENOMEM;
    }
    if (ext->origin == NULL) {
        ext->origin = now;
    }
    /* What there is was made for the origin, whatever it was meanwhile. */
    if (next->state_size > ext->origin->state_size) {
        return GR_EINVAL;
    }
    if (next->terminate != NULL) {
        /* relaxed: gri_system_stop may see it a moment late. */
        atomic_fetch_or_explicit(&self->traits, GRI_SLOW_END,
                                 memory_order_relaxed);
    }
    gri_guard_admit(next);
    gri_set_behavior(self, next);
    gri_drops_rename(self, next);
    return 0;
}
