/* transport/draft.c - see draft.h. */
#include "transport/draft.h"

#include "base/assert.h"

enum {
    /* Bytes: longer messages do not come often enough for a lock to matter. Not
     * a constant to gri_draft_add: compilers that know how little is to be
     * copied do so by instructions that take long to begin. */
    LONGEST = 1024
};

bool gri_draft_take(gri_draft *d, gri_payload *out)
{
    /* acquire: pairs with the release in gri_draft_add: the bytes are there. */
    const uint64_t filled =
        atomic_load_explicit(&d->filled, memory_order_acquire);
    const uint64_t rest = filled - d->taken;
    *out = (gri_payload){.to = d->of.to,
                         .from = d->of.from,
                         .p = d->bytes + (uint32_t)d->taken,
                         .len = (uint32_t)rest,
                         .count = (uint32_t)(rest >> 32)};
    d->taken = filled;
    return rest != 0;
}

void gri_draft_empty(gri_draft *d)
{
    /* relaxed: others look with the lock that is held. */
    atomic_store_explicit(&d->filled, 0, memory_order_relaxed);
    d->taken = 0;
}

void gri_draft_begin(gri_draft *d, struct gri_peer *peer,
                     const gri_draft_for *what)
{
    const uint32_t most = sizeof d->bytes;
    GR_DASSERT(gri_draft_is_empty(d));
    d->of = *what;
    d->of.room = what->room < most ? what->room : most;
    d->longest = LONGEST;
    d->open = true;
    /* release: pairs with the acquire of who finds the peer by this, to take
     * its lock. */
    atomic_store_explicit(&d->peer, peer, memory_order_release);
}
