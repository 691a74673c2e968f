/*
 * actors/service.h - an actor that the system has for a room above: its process
 * groups (patterns/). Beyond what a program's own actor is,
 *
 * - the room finds its struct by the system, from any actor, and it ends with
 *   the system;
 * - it lives as long as the system: nobody but gr_system_stop ends it, and that
 *   after all actors of the program and before the node's agent;
 * - it is not slowed down by those it sends to: it serves all, and one that
 * does not read must not hold up the others;
 * - the system's limits for actors (gr_system_opts.limits, .grade) are not its.
 */
#ifndef GRI_ACTORS_SERVICE_H
#define GRI_ACTORS_SERVICE_H

#include <greenroom/system.h>

typedef struct gri_service gri_service;
struct gri_service {
    /* Frees it: no actor and no worker is left. Never called of a system that
     * did not stop in time. */
    void (*free)(gri_service *service);
};

/* What was installed, or NULL. Any thread. */
gri_service *gri_service_of(const gr_system *sys);
/* Stands in the room's struct. Errors: GR_EEXIST (there is one), GR_ENOTSUP (in
 * the process of an actor, see hosted.h). Any thread. */
int gri_service_install(gr_system *sys, gri_service *service);

/*
 * Starts its actor; the room sees to it that it does so once. As gr_spawn, of a
 * behaviour without state, init or arena_max: so what has been started begins,
 * also without memory. It must trap exits, and end when gr_match_stop says that
 * nobody asks. From now on it is sent `GRI_SERVICE_WAKE` whenever the system
 * becomes a node; who starts it sends one itself, behind this, for a system
 * that is one.
 */
int gri_service_start(gr_actor *self, const gr_behavior *behavior, gr_pid *out);
#define GRI_SERVICE_WAKE "gr.service.wake"

/* What random numbers begin with: nobody can guess it, but in deterministic
 * mode it comes from the seed. */
uint64_t gri_service_chance(const gr_system *sys);

/*
 * gr_tell of a part of a message: `part` is an array that stands in msg, and is
 * sent as the whole message, as it is, with msg's sender. An array without an
 * element is no message, and is not sent.
 */
void gri_tell_part(gr_actor *self, gr_pid to, const gr_msg *msg, gr_any part);

/* ---- for this room ------------------------------------------------------ */

/* Whether that one is the service: nobody kills it, and nobody slows it down.
 */
bool gri_is_service(const gr_system *sys, uint64_t id);
/* Its run is about to be found by others. */
void gri_service_is(gr_system *sys, uint64_t id);

#endif /* GRI_ACTORS_SERVICE_H */
