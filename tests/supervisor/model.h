/*
 * tests/supervisor/model.h - what OTP's supervisor does, as its documentation
 * describes it: a pure model without actors, messages or waiting, in which a
 * restart is a function call. It tells its story as the parts do (fixture.h).
 */
#ifndef TESTS_SUPERVISOR_MODEL_H
#define TESTS_SUPERVISOR_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <greenroom/greenroom.h>

enum { MODEL_CHILDREN = 16, MODEL_RESTARTS = 64 };

typedef struct model_child {
    char letter;
    gr_restart type;
    bool significant;
    bool up;
} model_child;

typedef struct model {
    gr_strategy strategy;
    gr_auto_shutdown auto_shutdown;
    int restarts_max;
    int64_t period_ms;
    int64_t now_ms;
    model_child children[MODEL_CHILDREN];
    int n;
    int64_t restarts[MODEL_RESTARTS];
    int restarts_n;
    int failures[128]; /* as init_failures of the fixture */
    bool over;         /* the supervisor has ended: */
    bool gave_up;      /* by too many restarts */
    char story[1024];
} model;

/* What a start came to. */
typedef enum model_start {
    MODEL_STARTED,
    MODEL_IGNORED,
    MODEL_FAILED
} model_start;

static inline void model_note(model *m, char what, char letter)
{
    size_t n = strlen(m->story);

    if (n + 2 < sizeof(m->story)) {
        m->story[n] = what;
        m->story[n + 1] = letter;
        m->story[n + 2] = '\0';
    }
}

static inline void model_remove(model *m, int i)
{
    m->n--;
    memmove(&m->children[i], &m->children[i + 1],
            (size_t)(m->n - i) * sizeof(m->children[0]));
}

/* The child has ended for good, or was terminated: only the spec of one that
 * can be started again is kept. */
static inline void model_delete(model *m, int i)
{
    m->children[i].up = false;
    if (m->strategy == GR_SIMPLE_ONE_FOR_ONE ||
        m->children[i].type == GR_TEMPORARY) {
        model_remove(m, i);
    }
}

static inline model_start model_start_child(model *m, model_child *child)
{
    int *failures = &m->failures[(unsigned char)child->letter];

    if (*failures < 0) {
        model_note(m, '.', child->letter);
        model_note(m, '-', child->letter);
        return MODEL_IGNORED;
    }
    if (*failures > 0) {
        (*failures)--;
        model_note(m, '*', child->letter);
        return MODEL_FAILED;
    }
    model_note(m, '+', child->letter);
    child->up = true;
    return MODEL_STARTED;
}

/* Terminates [first, end), the last first. */
static inline void model_terminate(model *m, int first, int end)
{
    for (int i = end - 1; i >= first; i--) {
        if (m->children[i].up) {
            model_note(m, '-', m->children[i].letter);
        }
        m->children[i].up = false;
        if (m->children[i].type == GR_TEMPORARY) {
            model_remove(m, i);
        }
    }
}

/* Shuts down. */
static inline void model_end(model *m)
{
    for (int i = m->n - 1; i >= 0; i--) {
        if (m->children[i].up) {
            model_note(m, '-', m->children[i].letter);
        }
    }
    m->over = true;
}

/* Counts a restart; false: it is one too many. */
static inline bool model_count(model *m)
{
    int kept = 0;

    for (int i = 0; i < m->restarts_n; i++) {
        if (m->now_ms - m->restarts[i] <= m->period_ms) {
            m->restarts[kept++] = m->restarts[i];
        }
    }
    m->restarts[kept++] = m->now_ms;
    m->restarts_n = kept;
    return kept <= m->restarts_max;
}

/* One restart of the child at i, which is not up. Returns the place of the
 * child that is to be tried again, or -1. */
static inline int model_try(model *m, int i)
{
    int first = i, end = i + 1;

    if (m->strategy == GR_ONE_FOR_ALL || m->strategy == GR_REST_FOR_ONE) {
        first = m->strategy == GR_ONE_FOR_ALL ? 0 : i;
        model_terminate(m, first, m->n);
        end = m->n; /* the temporary ones are gone */
    }
    for (int k = first; k < end; k++) {
        switch (model_start_child(m, &m->children[k])) {
        case MODEL_STARTED:
            break;
        case MODEL_IGNORED:
            if (m->strategy == GR_SIMPLE_ONE_FOR_ONE) {
                model_remove(m, k);
                return -1;
            }
            break;
        case MODEL_FAILED:
            return k;
        }
    }
    return -1;
}

static inline void model_restart(model *m, int i)
{
    while (i >= 0) {
        if (!model_count(m)) {
            m->gave_up = true;
            model_end(m);
            return;
        }
        i = model_try(m, i);
    }
}

static inline void model_auto_shutdown(model *m, bool significant)
{
    if (m->auto_shutdown == GR_AUTO_NEVER || !significant) {
        return;
    }
    if (m->auto_shutdown == GR_AUTO_ALL) {
        for (int i = 0; i < m->n; i++) {
            if (m->children[i].up && m->children[i].significant) {
                return;
            }
        }
    }
    model_end(m);
}

/* The child at i, which is up, has ended. */
static inline void model_ended(model *m, int i, gr_exit_kind why)
{
    model_child *child = &m->children[i];
    bool failed = why != GR_EXIT_NORMAL && why != GR_EXIT_SHUTDOWN;

    child->up = false;
    if (why != GR_EXIT_KILLED) {
        model_note(m, why == GR_EXIT_ERROR ? '!' : '-', child->letter);
    }
    if (child->type == GR_PERMANENT ||
        (child->type == GR_TRANSIENT && failed)) {
        model_restart(m, i);
        return;
    }
    bool significant = child->significant;
    model_delete(m, i);
    model_auto_shutdown(m, significant);
}

static inline int model_find(const model *m, char letter)
{
    for (int i = 0; i < m->n; i++) {
        if (m->children[i].letter == letter) {
            return i;
        }
    }
    return -1;
}

/* ---- what is asked: the error that the answer is
 * ------------------------------ */

static inline int model_add(model *m, model_child child, int error)
{
    if (m->strategy != GR_SIMPLE_ONE_FOR_ONE &&
        model_find(m, child.letter) >= 0) {
        return GR_EEXIST;
    }
    switch (model_start_child(m, &child)) {
    case MODEL_STARTED:
        m->children[m->n++] = child;
        return 0;
    case MODEL_IGNORED:
        if (m->strategy != GR_SIMPLE_ONE_FOR_ONE &&
            child.type != GR_TEMPORARY) {
            m->children[m->n++] = child;
        }
        return GR_ENOPROC;
    case MODEL_FAILED:
        return error;
    }
    return GR_EINVAL;
}

static inline int model_ask_terminate(model *m, int i)
{
    if (i < 0) {
        return GR_ENOENT;
    }
    if (m->children[i].up) {
        model_note(m, '-', m->children[i].letter);
    }
    model_delete(m, i);
    return 0;
}

static inline int model_ask_restart(model *m, int i, int error)
{
    if (i < 0) {
        return GR_ENOENT;
    }
    if (m->children[i].up) {
        return GR_EEXIST;
    }
    switch (model_start_child(m, &m->children[i])) {
    case MODEL_STARTED:
        return 0;
    case MODEL_IGNORED:
        return GR_ENOPROC;
    case MODEL_FAILED:
        return error;
    }
    return GR_EINVAL;
}

static inline int model_ask_delete(model *m, int i)
{
    if (i < 0) {
        return GR_ENOENT;
    }
    if (m->children[i].up) {
        return GR_EEXIST;
    }
    model_remove(m, i);
    return 0;
}

#endif /* TESTS_SUPERVISOR_MODEL_H */
