/* supervisor/spec.c - checks, writes and reads back a supervisor's spec. */
#include "supervisor/spec.h"

#include <stdlib.h>
#include <string.h>

enum {
    TOP_VALUES = 6,  /* of a spec, and */
    CHILD_VALUES = 6 /* of a child: see the head of spec.h */
};

/* ---- checking ----------------------------------------------------------- */

static bool is_end(const gr_child *child)
{
    return child->id == NULL && child->behavior == NULL;
}

static int check_child(const gr_child *child)
{
    const gr_behavior *behavior = child->behavior;

    if (child->id == NULL || child->id[0] == '\0' || behavior == NULL) {
        return GR_EINVAL;
    }
    if (behavior->name == NULL ||
        (behavior->receive == NULL && behavior->handlers == NULL)) {
        return GR_EINVAL;
    }
    if (child->restart > GR_TEMPORARY || child->stop_max_ms < GR_CHILD_KILL ||
        (child->args.n > 0 && child->args.items == NULL)) {
        return GR_EINVAL;
    }
    return 0;
}

static int check_children(const gr_child *children, uint32_t *n)
{
    uint32_t count = 0;

    for (; !is_end(&children[count]); count++) {
        if (count == GR_CHILDREN_MAX) {
            return GR_ELIMIT;
        }
        GR_TRY(check_child(&children[count]));
        for (uint32_t i = 0; i < count; i++) {
            if (strcmp(children[i].id, children[count].id) == 0) {
                return GR_EINVAL;
            }
        }
    }
    *n = count;
    return 0;
}

int gri_spec_check(const gr_supervisor *spec, uint32_t *n)
{
    uint32_t count = 0;

    if (spec == NULL || spec->strategy > GR_SIMPLE_ONE_FOR_ONE ||
        spec->period_ms < 0) {
        return GR_EINVAL;
    }
    if (spec->restarts_max > GR_RESTARTS_MAX &&
        spec->restarts_max != GR_RESTARTS_NONE) {
        return GR_ELIMIT;
    }
    if (spec->children != NULL) {
        GR_TRY(check_children(spec->children, &count));
    }
    if (spec->strategy == GR_SIMPLE_ONE_FOR_ONE) {
        /* Its children have no name of their own: they would all be given the
         * same. */
        if (count != 1 || spec->children[0].name != NULL) {
            return GR_EINVAL;
        }
    }
    *n = count;
    return 0;
}

/* ---- writing ------------------------------------------------------------ */

/* Text with its ending zero, so that the copy on the other side can be used as
 * it lies there. */
static gr_value text_value(const char *text)
{
    return text == NULL ? gr_nil() : gr_strn(text, strlen(text) + 1);
}

size_t gri_spec_room(uint32_t n)
{
    return TOP_VALUES + (size_t)n * (1 + CHILD_VALUES);
}

static void write_child(const gr_child *child, gr_value *at)
{
    int64_t stop_max_ms =
        child->stop_max_ms == 0 ? GR_CHILD_STOP_MS_DEFAULT : child->stop_max_ms;

    at[0] = text_value(child->id);
    at[1] = GRI_VALUE((uint64_t)(uintptr_t)child->behavior);
    at[2] = GRI_VALUE((uint32_t)child->restart);
    at[3] = GRI_VALUE(stop_max_ms);
    at[4] = text_value(child->name);
    at[5] = gr_list_of(child->args.items, child->args.n);
}

gr_values gri_spec_values(const gr_supervisor *spec, uint32_t n, gr_node node,
                          bool named, gr_value *room)
{
    gr_value *children = room + TOP_VALUES;
    gr_value *parts = children + n;
    uint32_t restarts_max = spec->restarts_max;

    if (restarts_max == 0) {
        restarts_max = GR_RESTARTS_MAX_DEFAULT;
    } else if (restarts_max == GR_RESTARTS_NONE) {
        restarts_max = 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        gr_value *at = parts + (size_t)i * CHILD_VALUES;
        write_child(&spec->children[i], at);
        children[i] = gr_list_of(at, CHILD_VALUES);
    }
    room[0] = GRI_VALUE(node);
    room[1] = GRI_VALUE((uint32_t)spec->strategy);
    room[2] = GRI_VALUE(restarts_max);
    room[3] = GRI_VALUE(spec->period_ms == 0 ? (int64_t)GR_PERIOD_MS_DEFAULT
                                             : spec->period_ms);
    room[4] = text_value(named ? spec->name : NULL);
    room[5] = gr_list_of(children, n);
    return (gr_values){room, TOP_VALUES};
}

/* ---- reading ------------------------------------------------------------ */

gr_values gri_values_of_list(gr_reader *list, gr_value *room)
{
    gr_values values = {room, 0};
    gr_any any;

    while (gr_read_any(list, &any) == 0) {
        room[values.n++] = GRI_VALUE(any);
    }
    return values;
}

/* Text that text_value wrote, or NULL where it wrote nil. */
static int read_text(gr_reader *r, const char **out)
{
    gr_str text;

    if (gr_read_nil(r) == 0) {
        *out = NULL;
        return 0;
    }
    if (gr_read_str(r, &text) < 0 || text.len == 0 ||
        text.ptr[text.len - 1] != '\0') {
        return GR_EINVAL;
    }
    *out = text.ptr;
    return 0;
}

/* Reads one child but for the values of its arguments, of which it stores the
 * list. */
static int read_child(gr_reader *children, gri_child_spec *out, gr_reader *args)
{
    gr_reader r;
    const char *id = NULL;
    uint64_t behavior, restart;

    if (gr_read_list(children, &r) < 0 || read_text(&r, &id) < 0 ||
        id == NULL || gr_read_uint(&r, &behavior) < 0 ||
        gr_read_uint(&r, &restart) < 0 ||
        gr_read_int(&r, &out->stop_max_ms) < 0 ||
        read_text(&r, &out->name) < 0 || gr_read_list(&r, args) < 0) {
        return GR_EINVAL;
    }
    if (behavior == 0 || restart > GR_TEMPORARY) {
        return GR_EINVAL;
    }
    out->id = (gr_str){id, (uint32_t)strlen(id)};
    out->behavior = (const gr_behavior *)(uintptr_t)behavior;
    out->restart = (gr_restart)restart;
    return 0;
}

/* All that stands before the children, of which it stores the list. */
static int read_top(gr_reader *r, gr_node node, gri_spec *out,
                    gr_reader *children)
{
    uint64_t from, strategy, restarts_max;

    if (gr_read_uint(r, &from) < 0 || from != node.id ||
        gr_read_uint(r, &strategy) < 0 || gr_read_uint(r, &restarts_max) < 0 ||
        gr_read_int(r, &out->period_ms) < 0 || read_text(r, &out->name) < 0 ||
        gr_read_list(r, children) < 0) {
        return GR_EINVAL;
    }
    if (strategy > GR_SIMPLE_ONE_FOR_ONE || restarts_max > GR_RESTARTS_MAX) {
        return GR_EINVAL;
    }
    out->strategy = (gr_strategy)strategy;
    out->restarts_max = (uint32_t)restarts_max;
    return 0;
}

/* Counts children and all their arguments. */
static int measure(gr_reader children, uint32_t *n, size_t *args)
{
    gri_child_spec child;
    gr_reader list;

    *n = 0;
    *args = 0;
    for (; children.left > 0; (*n)++) {
        GR_TRY(read_child(&children, &child, &list));
        *args += list.left;
    }
    return 0;
}

int gri_spec_read(const gr_msg *args, gr_node node, gri_spec *out)
{
    gri_spec spec = {0};
    gr_reader r = gr_msg_reader(args);
    gr_reader children;
    size_t args_n;

    GR_TRY(read_top(&r, node, &spec, &children));
    GR_TRY(measure(children, &spec.n, &args_n));

    /* One block: the children, the values of their arguments, and a copy of
     * the message, into which they point. */
    gr_any bytes = gr_msg_bytes(args);
    size_t children_size = spec.n * sizeof(spec.children[0]);
    size_t values_size = args_n * sizeof(gr_value);
    spec.memory = malloc(children_size + values_size + bytes.len);
    if (spec.memory == NULL) {
        return GR_ENOMEM;
    }
    char *copy = spec.memory + children_size + values_size;
    memcpy(copy, bytes.ptr, bytes.len);

    gr_reader whole = gr_any_reader((gr_any){copy, bytes.len});
    gr_value *value = (gr_value *)(void *)(spec.memory + children_size);
    int rc = gr_read_list(&whole, &r);
    if (rc == 0) {
        rc = read_top(&r, node, &spec, &children);
    }
    spec.children = (gri_child_spec *)(void *)spec.memory;
    for (uint32_t i = 0; i < spec.n && rc == 0; i++) {
        gr_reader list;
        rc = read_child(&children, &spec.children[i], &list);
        if (rc == 0) {
            spec.children[i].args = gri_values_of_list(&list, value);
            value += spec.children[i].args.n;
        }
    }
    if (rc < 0) {
        free(spec.memory);
        return rc;
    }
    *out = spec;
    return 0;
}

void gri_spec_fini(gri_spec *spec)
{
    free(spec->memory);
    *spec = (gri_spec){0};
}
