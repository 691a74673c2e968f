/*
 * process/actors.h - process actors, as the parent and their own processes see
 * them.
 */
#ifndef GRI_PROCESS_ACTORS_H
#define GRI_PROCESS_ACTORS_H

#include "process/hosts.h"

/* From now on actors of GR_GRADE_PROCESS can be spawned. Errors: GR_EEXIST,
 * GR_ENOMEM. */
int gri_process_actors_install(gr_system *sys, uint32_t warm);
/* NULL: they were not installed. */
gri_hosts *gri_process_actors_hosts(gr_system *sys);

/* In a process that was started with GRI_ACTOR_MARKER: runs the actor and ends
 * the process. */
_Noreturn void gri_actor_process_main(char **argv);

#endif /* GRI_PROCESS_ACTORS_H */
