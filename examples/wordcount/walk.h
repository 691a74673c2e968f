/*
 * wordcount/walk.h - the regular files below some paths, one at a time.
 *
 * A pull iterator: nothing is read ahead, so its memory does not depend on the
 * number of files. It holds one open folder for each level of the tree, and
 * beyond a fixed number of levels the names that are left in the upper ones.
 */
#ifndef WORDCOUNT_WALK_H
#define WORDCOUNT_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wc_walk wc_walk;

/* Told of what cannot be read; `why` is a constant text. */
typedef void wc_problem_fn(void *arg, const char *path, const char *why);

typedef struct wc_walk_opts {
    char *const *paths; /* may be links; links below them are not followed */
    size_t paths_n;
    bool no_sizes; /* sizes are not needed, which saves a call for each file */
    wc_problem_fn *problem; /* required */
    void *problem_arg;
} wc_walk_opts;

typedef struct wc_file {
    const char *path; /* lives until the next call */
    uint64_t size;    /* bytes, as the walk found it */
} wc_file;

/* Keeps opts->paths and problem_arg. Gives *out, which ends with wc_walk_free.
 * Errors: GR_ENOMEM. */
int wc_walk_new(const wc_walk_opts *opts, wc_walk **out);
void wc_walk_free(wc_walk *walk);

/* 1 and the next file; 0 after the last. Errors: GR_ENOMEM. */
int wc_walk_next(wc_walk *walk, wc_file *out);

/* open(2) for paths of any length, with O_CLOEXEC. -1 with errno. */
int wc_open(const char *path, int flags);
/* Why a system call failed: a constant text. */
const char *wc_why(int os_error);

#endif /* WORDCOUNT_WALK_H */
