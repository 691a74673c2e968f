/*
 * supervisor/spec.h - a supervisor's spec on its way from the program to the
 * actor: checked, written as a list of values, read back in init.
 *
 * It travels as any spawn's arguments do, so nobody owns anything meanwhile:
 *
 *   [node, strategy, restarts_max, period_ms, name or nil, [child ...]]
 *   child = [id, behaviour, restart, stop_max_ms, name or nil, [argument ...]]
 *
 * A behaviour is the address of a constant, an integer that means something in
 * this process only. `node` is where the spec was written; a supervisor on
 * another node refuses it.
 */
#ifndef GRI_SUPERVISOR_SPEC_H
#define GRI_SUPERVISOR_SPEC_H

#include <greenroom/supervisor.h>

/* One child, as the supervisor keeps it: defaults filled in. */
typedef struct gri_child_spec {
    gr_str id;
    const gr_behavior *behavior;
    const char *name; /* or NULL */
    gr_restart restart;
    int64_t stop_max_ms; /* above 0, or GR_CHILD_KILL */
    gr_values args;
} gri_child_spec;

typedef struct gri_spec {
    gr_strategy strategy;
    uint32_t restarts_max; /* 0: not a single one */
    int64_t period_ms;
    const char *name;         /* to be registered by the supervisor, or NULL */
    gri_child_spec *children; /* n of them */
    uint32_t n;
    char *memory; /* what all the above points into */
} gri_spec;

/* Checks what a program wrote and counts its children. Errors: GR_EINVAL,
 * GR_ELIMIT. */
int gri_spec_check(const gr_supervisor *spec, uint32_t *n);

/* How many values n children need. */
size_t gri_spec_room(uint32_t n);
/* Writes a checked spec into `room`, borrowing all that it points to. With
 * `named` the supervisor registers spec->name itself. */
gr_values gri_spec_values(const gr_supervisor *spec, uint32_t n, gr_node node,
                          bool named, gr_value *room);

/*
 * Reads the arguments of a supervisor.
 * Owns:   *out owns its memory, which gri_spec_fini frees.
 * Errors: GR_EINVAL (not written by gri_spec_values on `node`), GR_ENOMEM.
 */
int gri_spec_read(const gr_msg *args, gr_node node, gri_spec *out);
void gri_spec_fini(gri_spec *spec);

/* Elements of a list of msgpack values as values to send, in `room` (as many as
 * *list has left); they borrow the bytes. */
gr_values gri_values_of_list(gr_reader *list, gr_value *room);

#endif /* GRI_SUPERVISOR_SPEC_H */
