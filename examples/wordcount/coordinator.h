/* wordcount/coordinator.h - runs a count from the command line to the answer.
 */
#ifndef WORDCOUNT_COORDINATOR_H
#define WORDCOUNT_COORDINATOR_H

#include <greenroom/greenroom.h>

#include "node_flags.h"
#include "options.h"

/* Prints the answer. Returns the exit status, or GR_ESTOPPED. Call it on the
 * program's thread actor. flags: of nodes that others start. */
int wc_coordinate(gr_actor *self, const wc_options *options, node_flags *flags);

#endif /* WORDCOUNT_COORDINATOR_H */
