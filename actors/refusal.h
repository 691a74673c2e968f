/*
 * actors/refusal.h - ends that are none: an actor that has no memory, or no
 * room, for a link or a monitor says so as if it had ended, since nobody shall
 * rely on what is not there.
 */
#ifndef GRI_ACTORS_REFUSAL_H
#define GRI_ACTORS_REFUSAL_H

#include <greenroom/actor.h>

/* Whether who sent that DOWN or EXIT may live. One that ended with such an
 * error itself looks the same; who ties to it again is told that it is dead. */
static inline bool gri_is_refusal(const gr_exit_reason *why)
{
    return why->kind == GR_EXIT_ERROR &&
           (why->code == GR_ENOMEM || why->code == GR_ELIMIT);
}

#endif /* GRI_ACTORS_REFUSAL_H */
