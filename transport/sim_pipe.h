/* transport/sim_pipe.h - what one end of a simulated link has sent, on its way
 * to the other. */
#ifndef GRI_TRANSPORT_SIM_PIPE_H
#define GRI_TRANSPORT_SIM_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gri_sim_chunk gri_sim_chunk;

typedef struct gri_sim_pipe {
    gri_sim_chunk *first, **last;
    size_t held;     /* bytes that were not read yet, or are lost: the user's */
    int64_t last_ns; /* when the last of them arrives */
    bool ends;       /* behind them comes the end of the connection */
    int64_t end_ns;  /* when that arrives */
} gri_sim_pipe;

void gri_sim_pipe_init(gri_sim_pipe *pipe);
void gri_sim_pipe_fini(gri_sim_pipe *pipe);
/* n bytes arrive at at_ns, or with the last before them. Errors: GR_ENOMEM. */
int gri_sim_pipe_put(gri_sim_pipe *pipe, const void *bytes, size_t n,
                     int64_t at_ns);
/* Takes up to n bytes that have arrived by now_ns; returns how many. */
size_t gri_sim_pipe_take(gri_sim_pipe *pipe, void *buf, size_t n,
                         int64_t now_ns);
/* When the first arrives, or the end: GRI_NEVER if there is neither. */
int64_t gri_sim_pipe_next(const gri_sim_pipe *pipe);
/* Bytes that were not taken yet. */
size_t gri_sim_pipe_size(const gri_sim_pipe *pipe);
/* Of those the first n stay. */
void gri_sim_pipe_keep(gri_sim_pipe *pipe, size_t n);

#endif /* GRI_TRANSPORT_SIM_PIPE_H */
