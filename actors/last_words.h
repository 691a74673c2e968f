/*
 * actors/last_words.h - what is told when a fault ends the process: the report
 * that an actor's end would make (crash.h), as far as a signal handler can, on
 * standard error and in the flight recorder's file.
 */
#ifndef GRI_ACTORS_LAST_WORDS_H
#define GRI_ACTORS_LAST_WORDS_H

#include <stdbool.h>

#include "base/fault.h"

/* gri_trap_ops.aborting, of a worker. */
bool gri_last_words(void *worker, const gri_fault *fault, unsigned part);

#endif /* GRI_ACTORS_LAST_WORDS_H */
