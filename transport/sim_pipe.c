/* transport/sim_pipe.c - see sim_pipe.h. */
#include "transport/sim_pipe.h"

#include <stdlib.h>
#include <string.h>

#include <greenroom/error.h>

#include "base/clock.h"

struct gri_sim_chunk {
    gri_sim_chunk *next;
    int64_t at_ns; /* when it arrives */
    size_t len, pos;
    uint8_t bytes[];
};

void gri_sim_pipe_init(gri_sim_pipe *pipe)
{
    *pipe = (gri_sim_pipe){.first = NULL};
    pipe->last = &pipe->first;
}

void gri_sim_pipe_fini(gri_sim_pipe *pipe)
{
    gri_sim_pipe_keep(pipe, 0);
}

int gri_sim_pipe_put(gri_sim_pipe *pipe, const void *bytes, size_t n,
                     int64_t at_ns)
{
    gri_sim_chunk *c = malloc(sizeof *c + n);
    if (c == NULL) {
        return GR_ENOMEM;
    }
    pipe->last_ns = at_ns > pipe->last_ns ? at_ns : pipe->last_ns;
    *c = (gri_sim_chunk){.at_ns = pipe->last_ns, .len = n};
    memcpy(c->bytes, bytes, n);
    *pipe->last = c;
    pipe->last = &c->next;
    return 0;
}

size_t gri_sim_pipe_take(gri_sim_pipe *pipe, void *buf, size_t n,
                         int64_t now_ns)
{
    uint8_t *to = buf;
    size_t done = 0;
    while (done < n && pipe->first != NULL && pipe->first->at_ns <= now_ns) {
        gri_sim_chunk *c = pipe->first;
        size_t more = c->len - c->pos;
        more = more < n - done ? more : n - done;
        memcpy(to + done, c->bytes + c->pos, more);
        done += more;
        c->pos += more;
        if (c->pos < c->len) {
            break;
        }
        pipe->first = c->next;
        if (pipe->first == NULL) {
            pipe->last = &pipe->first;
        }
        free(c);
    }
    return done;
}

int64_t gri_sim_pipe_next(const gri_sim_pipe *pipe)
{
    int64_t end_ns = pipe->ends ? pipe->end_ns : GRI_NEVER;
    return pipe->first != NULL ? pipe->first->at_ns : end_ns;
}

size_t gri_sim_pipe_size(const gri_sim_pipe *pipe)
{
    size_t n = 0;
    for (const gri_sim_chunk *c = pipe->first; c != NULL; c = c->next) {
        n += c->len - c->pos;
    }
    return n;
}

void gri_sim_pipe_keep(gri_sim_pipe *pipe, size_t n)
{
    gri_sim_chunk **at = &pipe->first;
    while (*at != NULL && (*at)->len - (*at)->pos <= n) {
        n -= (*at)->len - (*at)->pos;
        at = &(*at)->next;
    }
    if (*at != NULL && n > 0) {
        (*at)->len = (*at)->pos + n;
        at = &(*at)->next;
    }
    gri_sim_chunk *rest = *at;
    *at = NULL;
    pipe->last = at;
    while (rest != NULL) {
        gri_sim_chunk *next = rest->next;
        free(rest);
        rest = next;
    }
}
