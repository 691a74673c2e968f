/* tests/soak/memory.c - see memory.h. */
#include "tests/soak/memory.h"

#include <pthread.h>
#include <stdio.h>

#include "tests/soak/audit.h"

bool memory_sample(memory *m, int sample)
{
    const int part = sample * MEMORY_FIFTHS / MEMORY_SAMPLES;
    audit now;
    if (sample < MEMORY_SAMPLES / MEMORY_FIFTHS / 2) {
        return true;
    }
    if (m->part != part + 1) {
        m->part = part + 1;
        if (!audit_peak_reset()) {
            return false;
        }
    }
    if (!audit_take(&now)) {
        return false;
    }
    size_t *floor = &m->floors[part];
    if (*floor == 0 || now.own < *floor) {
        *floor = now.own;
    }
    if (now.mapped > m->mapped) {
        m->mapped = now.mapped;
    }
    m->peaks[part] = now.peak; /* which does not shrink */
    return true;
}

static growth growth_of(const size_t in[MEMORY_FIFTHS])
{
    growth g = {in[0], 0};
    for (int i = 1; i < MEMORY_FIFTHS; i++) {
        g.last = in[i] > g.last ? in[i] : g.last;
    }
    return g;
}

static bool is_flat(const growth *g, const char *what, char why[MEMORY_WHY_MAX])
{
    if (g->last <= g->first + g->first * MEMORY_PERCENT / 100) {
        return true;
    }
    (void)snprintf(why, MEMORY_WHY_MAX, "%s has grown from %zu to %zu KiB",
                   what, g->first >> 10, g->last >> 10);
    return false;
}

/* Of a worker. */
static size_t stack_size(void)
{
    pthread_attr_t usual;
    size_t size = 0;
    if (pthread_getattr_default_np(&usual) == 0) {
        (void)pthread_attr_getstacksize(&usual, &size);
        (void)pthread_attr_destroy(&usual);
    }
    return size;
}

bool memory_is_flat(memory *m, unsigned workers, char why[MEMORY_WHY_MAX])
{
    m->least = growth_of(m->floors);
    m->most = growth_of(m->peaks);
    const size_t all = m->least.first + m->mapped + workers * stack_size();
    if (m->most.first < all) {
        m->most.first = all;
    }
    return is_flat(&m->least, "the memory", why) &&
           is_flat(&m->most, "the memory's peak", why);
}
