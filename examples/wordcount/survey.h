/*
 * wordcount/survey.h - an actor that adds up what there is to count.
 *
 * The coordinator looks ahead only a little, so it learns the whole when it is
 * nearly done. Whoever wants to know earlier, for a bar or for killing a node
 * in mid-run, spawns a survey with gr_args(coordinator pid, [path...]). It
 * walks as fast as it can and then says ["survey", bytes] to the coordinator.
 */
#ifndef WORDCOUNT_SURVEY_H
#define WORDCOUNT_SURVEY_H

#include <stddef.h>

#include <greenroom/greenroom.h>

/* Starts a survey on this node. Errors: as gr_spawn. */
int wc_survey_start(gr_actor *self, char *const *paths, size_t paths_n);

#endif /* WORDCOUNT_SURVEY_H */
