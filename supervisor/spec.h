/*
 * supervisor/spec.h - a supervisor's spec on its way from the program to the
 * actor: checked, written as a list of values, read back in init.
 *
 * It travels as any spawn's arguments do, so nobody owns anything meanwhile:
 *
 *   [node, strategy, restarts_max, period_ms, auto_shutdown, name or nil,
 *    whether to register it, [child ...]]
 *   child = [id, behaviour, seal, restart, stop_max_ms, name or nil, grade,
 *            [limit ...], significant, stable, poison_after, [back-off ...],
 *            [name of a node ...], [argument ...]]
 *
 * and a child that is added at run time travels alone, as [node, child]. A
 * behaviour is the address of a constant, an integer that means something in
 * this process only. `node` is where the spec was written; a supervisor on
 * another node refuses it.
 *
 * But anybody may send a supervisor such values: another node, or the process
 * of an actor, which has this node's number and addresses of its own. So each
 * address has a seal (actors/seal.h) that only this system can make. Its key is
 * in no message: should a spec be sent to where it does not belong, no other
 * address can be sealed with what is read there.
 */
#ifndef GRI_SUPERVISOR_SPEC_H
#define GRI_SUPERVISOR_SPEC_H

#include <greenroom/supervisor.h>

/* stop_max_ms of a supervisor whose own children say how long it takes. */
#define GRI_STOP_BY_ITSELF INT64_MAX

/* One child, as the supervisor keeps it: defaults filled in. */
typedef struct gri_child_spec {
    gr_str id; /* ended by a zero byte, as is every text of a spec */
    const gr_behavior *behavior;
    const char *name; /* or NULL */
    gr_restart restart;
    bool significant;
    bool stable;
    uint32_t poison_after;
    int64_t stop_max_ms; /* above 0, GR_CHILD_KILL or GRI_STOP_BY_ITSELF */
    gr_grade grade;
    gr_limits limits;
    gr_backoff backoff; /* first_ms 0: none; jitter 0: none */
    gr_reader nodes;    /* their names, see gri_read_text; none: this node */
    gr_values args;
} gri_child_spec;

typedef struct gri_spec {
    gr_strategy strategy;
    gr_auto_shutdown auto_shutdown;
    uint32_t restarts_max; /* 0: not a single one */
    int64_t period_ms;
    const char *name;         /* or NULL */
    bool registers;           /* the supervisor its name, itself */
    gri_child_spec *children; /* n of them */
    uint32_t n;
    char *memory; /* what all the above points into */
} gri_spec;

/* Checks what a program wrote and counts its children. Errors: GR_EINVAL,
 * GR_ELIMIT. */
int gri_spec_check(const gr_supervisor *spec, uint32_t *n);
/* The same for one child, which may be significant for all that is known. */
int gri_child_check(const gr_child *child);

/* How many values a checked spec of n children needs, and one child. */
size_t gri_spec_room(const gr_supervisor *spec, uint32_t n);
size_t gri_child_room(const gr_child *child);
/* Writes a checked spec into `room`, borrowing all that it points to. With
 * `named` the supervisor registers spec->name itself. */
gr_values gri_spec_values(const gr_supervisor *spec, uint32_t n,
                          const gr_system *sys, bool named, gr_value *room);
/* Writes a checked child that is to be added. */
gr_values gri_child_values(const gr_child *child, const gr_system *sys,
                           gr_value *room);

/*
 * Reads the arguments of a supervisor.
 * Owns:   *out owns its memory, which gri_spec_fini frees.
 * Errors: GR_EINVAL (no such values, or of another node), GR_EDENIED (not
 * written by gri_spec_values in this system), GR_ENOMEM.
 */
int gri_spec_read(const gr_msg *args, const gr_system *sys, gri_spec *out);
void gri_spec_fini(gri_spec *spec);

/*
 * Reads a child that is to be added, behind `head` bytes that the caller may
 * use, in one block from malloc: *out is in it.
 * Errors: as gri_spec_read.
 */
int gri_child_read(gr_any bytes, const gr_system *sys, size_t head,
                   void **block, const gri_child_spec **out);

/* Elements of a list of msgpack values as values to send, in `room` (as many as
 * *list has left); they borrow the bytes. */
gr_values gri_values_of_list(gr_reader *list, gr_value *room);
/* A text of a spec, ended by a zero byte, or NULL for nil. Errors: GR_EINVAL.
 */
int gri_read_text(gr_reader *r, const char **out);

#endif /* GRI_SUPERVISOR_SPEC_H */
