/* wordcount/survey.c - a walk in short turns. */
#include "survey.h"

#include <stdlib.h>
#include <string.h>

#include "walk.h"

#define TURN_FILES 256u /* that one turn looks at: some 0.3 ms */

typedef struct survey {
    gr_pid coordinator;
    wc_walk *walk;
    uint64_t bytes;
} survey;

/* The coordinator comes by the same files, and names them. */
static void ignore_problem(void *arg, const char *path, const char *why)
{
    (void)arg;
    (void)path;
    (void)why;
}

static void free_walk(void *walk)
{
    wc_walk_free(walk);
}

/* The paths, as texts that live as long as the actor. */
static int read_paths(gr_actor *self, gr_any list, wc_walk_opts *out)
{
    gr_reader outer = gr_any_reader(list);
    gr_reader reader;
    gr_bytes path;
    GR_TRY(gr_read_list(&outer, &reader));
    out->paths_n = reader.left;
    char **paths = gr_alloc(self, (out->paths_n + 1) * sizeof(*paths));
    if (paths == NULL) {
        return GR_ENOMEM;
    }
    for (size_t i = 0; i < out->paths_n; i++) {
        GR_TRY(gr_read_bin(&reader, &path));
        paths[i] = gr_alloc(self, (size_t)path.len + 1);
        if (paths[i] == NULL) {
            return GR_ENOMEM;
        }
        memcpy(paths[i], path.ptr, path.len);
    }
    out->paths = paths;
    return 0;
}

static int survey_init(gr_actor *self, void *state, const gr_msg *args)
{
    survey *s = state;
    wc_walk_opts opts = {.problem = ignore_problem};
    gr_any paths;
    if (!gr_unpack(args, &s->coordinator, &paths)) {
        return GR_EINVAL;
    }
    GR_TRY(read_paths(self, paths, &opts));
    GR_TRY(wc_walk_new(&opts, &s->walk));
    const int rc = gr_on_exit(self, free_walk, s->walk);
    if (rc < 0) {
        wc_walk_free(s->walk);
        return rc;
    }
    return gr_send(self, gr_self(self), "go");
}

static int survey_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    survey *s = state;
    wc_file file;
    if (!gr_match(msg, "go")) {
        return gr_unhandled(self, msg);
    }
    for (unsigned i = 0; i < TURN_FILES; i++) {
        const int rc = wc_walk_next(s->walk, &file);
        if (rc < 0) {
            return rc;
        }
        if (rc == 0) {
            gr_exit(self, 0, NULL);
            return gr_send(self, s->coordinator, "survey", s->bytes);
        }
        s->bytes += file.size;
    }
    return gr_send(self, gr_self(self), "go");
}

static const gr_behavior survey_behavior = {
    .name = "wordcount.survey",
    .state_size = sizeof(survey),
    .init = survey_init,
    .receive = survey_receive,
};

int wc_survey_start(gr_actor *self, char *const *paths, size_t paths_n)
{
    gr_value *list = calloc(paths_n + 1, sizeof(*list));
    if (list == NULL) {
        return GR_ENOMEM;
    }
    for (size_t i = 0; i < paths_n; i++) {
        list[i] = gr_bin(paths[i], strlen(paths[i]));
    }
    const gr_values args = gr_args(gr_self(self), gr_list_of(list, paths_n));
    const int rc =
        gr_spawn(self, &survey_behavior, &(gr_spawn_opts){.args = args}, NULL);
    free(list);
    return rc;
}
