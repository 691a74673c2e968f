/* supervisor/spec.c - writes and reads back a supervisor's spec. */
#include "supervisor/spec.h"

#include <stdlib.h>
#include <string.h>

#include <greenroom/system.h>

#include "actors/seal.h"

enum {
    TOP_VALUES = 8,     /* of a spec, */
    CHILD_VALUES = 14,  /* of a child, */
    LIMITS_VALUES = 7,  /* of its limits, */
    BACKOFF_VALUES = 6, /* of its back-off, and */
    ADDED_VALUES = 2    /* of a child that is added: see the head of spec.h */
};

/* ---- writing ------------------------------------------------------------ */

/* Text with its ending zero, so that the copy on the other side can be used as
 * it lies there. */
static gr_value text_value(const char *text)
{
    return text == NULL ? gr_nil() : gr_strn(text, strlen(text) + 1);
}

static uint32_t count_nodes(const gr_child *child)
{
    uint32_t n = 0;

    while (child->nodes != NULL && child->nodes[n] != NULL) {
        n++;
    }
    return n;
}

/* The values of a child itself and of its lists. */
static size_t child_room(const gr_child *child)
{
    return CHILD_VALUES + LIMITS_VALUES + BACKOFF_VALUES +
           (size_t)count_nodes(child);
}

size_t gri_child_room(const gr_child *child)
{
    return ADDED_VALUES + child_room(child);
}

size_t gri_spec_room(const gr_supervisor *spec, uint32_t n)
{
    size_t room = TOP_VALUES + (size_t)n;

    for (uint32_t i = 0; i < n; i++) {
        room += child_room(&spec->children[i]);
    }
    return room;
}

static int64_t stop_ms_of(const gr_child *child)
{
    if (child->stop_max_ms != 0) {
        return child->stop_max_ms;
    }
    return child->behavior == &gr_supervisor_behavior
               ? GRI_STOP_BY_ITSELF
               : GR_CHILD_STOP_MS_DEFAULT;
}

static gr_value backoff_value(const gr_backoff *b, gr_value *at)
{
    int64_t max = b->max_ms == 0 ? GR_BACKOFF_MAX_MS_DEFAULT : b->max_ms;
    uint32_t jitter = b->jitter == 0 ? GR_BACKOFF_JITTER_DEFAULT : b->jitter;

    if (b->first_ms == 0) {
        return gr_list_of(NULL, 0);
    }
    at[0] = GRI_VALUE(b->first_ms);
    at[1] = GRI_VALUE(max);
    at[2] = GRI_VALUE(b->factor == 0 ? GR_BACKOFF_FACTOR_DEFAULT : b->factor);
    at[3] = GRI_VALUE(jitter == GR_BACKOFF_EXACT ? 0 : jitter);
    at[4] = GRI_VALUE(b->reset_ms == 0 ? max : b->reset_ms);
    at[5] = GRI_VALUE(b->open_after);
    return gr_list_of(at, BACKOFF_VALUES);
}

static gr_value limits_value(const gr_limits *l, gr_value *at)
{
    at[0] = GRI_VALUE((uint64_t)l->memory_max);
    at[1] = GRI_VALUE(l->handler_max_ms);
    at[2] = GRI_VALUE((uint64_t)l->address_space_max);
    at[3] = GRI_VALUE((uint64_t)l->file_size_max);
    at[4] = GRI_VALUE(l->cpu_max_s);
    at[5] = GRI_VALUE(l->files_max);
    at[6] = gr_bool(l->seccomp);
    return gr_list_of(at, LIMITS_VALUES);
}

/* Writes one child to `at`, which has child_room(child) values. */
static gr_value child_value(const gr_child *child, const gr_system *sys,
                            gr_value *at)
{
    const uint64_t behavior = (uint64_t)(uintptr_t)child->behavior;
    uint32_t nodes_n = count_nodes(child);
    gr_value *limits = at + CHILD_VALUES;
    gr_value *backoff = limits + LIMITS_VALUES;
    gr_value *nodes = backoff + BACKOFF_VALUES;

    for (uint32_t i = 0; i < nodes_n; i++) {
        nodes[i] = text_value(child->nodes[i]);
    }
    at[0] = text_value(child->id);
    at[1] = GRI_VALUE(behavior);
    at[2] = GRI_VALUE(gri_seal(sys, behavior));
    at[3] = GRI_VALUE((uint32_t)child->restart);
    at[4] = GRI_VALUE(stop_ms_of(child));
    at[5] = text_value(child->name);
    at[6] = GRI_VALUE((uint32_t)child->grade);
    at[7] = limits_value(&child->limits, limits);
    at[8] = gr_bool(child->significant);
    at[9] = gr_bool(child->stable);
    at[10] = GRI_VALUE(child->poison_after);
    at[11] = backoff_value(&child->backoff, backoff);
    at[12] = gr_list_of(nodes, nodes_n);
    at[13] = gr_list_of(child->args.items, child->args.n);
    return gr_list_of(at, CHILD_VALUES);
}

gr_values gri_child_values(const gr_child *child, const gr_system *sys,
                           gr_value *room)
{
    room[0] = GRI_VALUE(gr_system_node(sys));
    room[1] = child_value(child, sys, room + ADDED_VALUES);
    return (gr_values){room, ADDED_VALUES};
}

gr_values gri_spec_values(const gr_supervisor *spec, uint32_t n,
                          const gr_system *sys, bool named, gr_value *room)
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
        children[i] = child_value(&spec->children[i], sys, parts);
        parts += child_room(&spec->children[i]);
    }
    room[0] = GRI_VALUE(gr_system_node(sys));
    room[1] = GRI_VALUE((uint32_t)spec->strategy);
    room[2] = GRI_VALUE(restarts_max);
    room[3] = GRI_VALUE(spec->period_ms == 0 ? (int64_t)GR_PERIOD_MS_DEFAULT
                                             : spec->period_ms);
    room[4] = GRI_VALUE((uint32_t)spec->auto_shutdown);
    room[5] = text_value(spec->name);
    room[6] = gr_bool(named && spec->name != NULL);
    room[7] = gr_list_of(children, n);
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

int gri_read_text(gr_reader *r, const char **out)
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

static int read_u32(gr_reader *r, uint32_t max, uint32_t *out)
{
    uint64_t value;

    if (gr_read_uint(r, &value) < 0 || value > max) {
        return GR_EINVAL;
    }
    *out = (uint32_t)value;
    return 0;
}

static int read_size(gr_reader *r, size_t *out)
{
    uint64_t value;

    if (gr_read_uint(r, &value) < 0 || value > SIZE_MAX) {
        return GR_EINVAL;
    }
    *out = (size_t)value;
    return 0;
}

static int read_limits(gr_reader *r, gr_limits *out)
{
    gr_reader list;

    *out = (gr_limits){0};
    return gr_read_list(r, &list) < 0 ||
                   read_size(&list, &out->memory_max) < 0 ||
                   gr_read_int(&list, &out->handler_max_ms) < 0 ||
                   read_size(&list, &out->address_space_max) < 0 ||
                   read_size(&list, &out->file_size_max) < 0 ||
                   read_u32(&list, UINT32_MAX, &out->cpu_max_s) < 0 ||
                   read_u32(&list, UINT32_MAX, &out->files_max) < 0 ||
                   gr_read_bool(&list, &out->seccomp) < 0
               ? GR_EINVAL
               : 0;
}

static int read_backoff(gr_reader *r, gr_backoff *out)
{
    gr_reader list;

    *out = (gr_backoff){0};
    if (gr_read_list(r, &list) < 0) {
        return GR_EINVAL;
    }
    if (list.left == 0) {
        return 0;
    }
    if (gr_read_int(&list, &out->first_ms) < 0 ||
        gr_read_int(&list, &out->max_ms) < 0 ||
        read_u32(&list, UINT32_MAX, &out->factor) < 0 ||
        read_u32(&list, 100, &out->jitter) < 0 ||
        gr_read_int(&list, &out->reset_ms) < 0 ||
        read_u32(&list, UINT32_MAX, &out->open_after) < 0) {
        return GR_EINVAL;
    }
    return out->first_ms > 0 && out->max_ms >= out->first_ms ? 0 : GR_EINVAL;
}

/* Reads one child but for the values of its arguments, of which it stores the
 * list. */
static int read_child(gr_reader *children, const gr_system *sys,
                      gri_child_spec *out, gr_reader *args)
{
    gr_reader r;
    const char *id = NULL;
    uint64_t behavior, seal;
    uint32_t restart, grade;

    if (gr_read_list(children, &r) < 0 || gri_read_text(&r, &id) < 0 ||
        id == NULL || gr_read_uint(&r, &behavior) < 0 ||
        gr_read_uint(&r, &seal) < 0 ||
        read_u32(&r, GR_TEMPORARY, &restart) < 0 ||
        gr_read_int(&r, &out->stop_max_ms) < 0 ||
        gri_read_text(&r, &out->name) < 0 ||
        read_u32(&r, GR_GRADE_PROCESS, &grade) < 0 ||
        read_limits(&r, &out->limits) < 0 ||
        gr_read_bool(&r, &out->significant) < 0 ||
        gr_read_bool(&r, &out->stable) < 0 ||
        read_u32(&r, UINT32_MAX, &out->poison_after) < 0 ||
        read_backoff(&r, &out->backoff) < 0 ||
        gr_read_list(&r, &out->nodes) < 0 || gr_read_list(&r, args) < 0) {
        return GR_EINVAL;
    }
    /* Only what this system has sealed is the address of a behaviour. */
    if (behavior == 0 || seal != gri_seal(sys, behavior)) {
        return GR_EDENIED;
    }
    out->id = (gr_str){id, (uint32_t)strlen(id)};
    out->behavior = (const gr_behavior *)(uintptr_t)behavior;
    out->restart = (gr_restart)restart;
    out->grade = (gr_grade)grade;
    return 0;
}

/* All that stands before the children, of which it stores the list. */
static int read_top(gr_reader *r, const gr_system *sys, gri_spec *out,
                    gr_reader *children)
{
    uint64_t from;
    uint32_t strategy, auto_shutdown;

    if (gr_read_uint(r, &from) < 0 || from != gr_system_node(sys).id ||
        read_u32(r, GR_SIMPLE_ONE_FOR_ONE, &strategy) < 0 ||
        read_u32(r, GR_RESTARTS_MAX, &out->restarts_max) < 0 ||
        gr_read_int(r, &out->period_ms) < 0 ||
        read_u32(r, GR_AUTO_ALL, &auto_shutdown) < 0 ||
        gri_read_text(r, &out->name) < 0 ||
        gr_read_bool(r, &out->registers) < 0 || gr_read_list(r, children) < 0) {
        return GR_EINVAL;
    }
    out->strategy = (gr_strategy)strategy;
    out->auto_shutdown = (gr_auto_shutdown)auto_shutdown;
    return 0;
}

/* Counts children and all their arguments. */
static int measure(gr_reader children, const gr_system *sys, uint32_t *n,
                   size_t *args)
{
    gri_child_spec child;
    gr_reader list;

    *n = 0;
    *args = 0;
    for (; children.left > 0; (*n)++) {
        GR_TRY(read_child(&children, sys, &child, &list));
        *args += list.left;
    }
    return 0;
}

int gri_spec_read(const gr_msg *args, const gr_system *sys, gri_spec *out)
{
    gri_spec spec = {0};
    gr_reader r = gr_msg_reader(args);
    gr_reader children;
    size_t args_n;

    GR_TRY(read_top(&r, sys, &spec, &children));
    GR_TRY(measure(children, sys, &spec.n, &args_n));

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
        rc = read_top(&r, sys, &spec, &children);
    }
    spec.children = (gri_child_spec *)(void *)spec.memory;
    for (uint32_t i = 0; i < spec.n && rc == 0; i++) {
        gr_reader list;
        rc = read_child(&children, sys, &spec.children[i], &list);
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

/* Reads [node, child] but for the values of the arguments. */
static int read_added(gr_any bytes, const gr_system *sys, gri_child_spec *out,
                      gr_reader *args)
{
    gr_reader whole = gr_any_reader(bytes);
    gr_reader list;
    uint64_t from;

    if (gr_read_list(&whole, &list) < 0 || gr_read_uint(&list, &from) < 0 ||
        from != gr_system_node(sys).id) {
        return GR_EINVAL;
    }
    return read_child(&list, sys, out, args);
}

int gri_child_read(gr_any bytes, const gr_system *sys, size_t head,
                   void **block, const gri_child_spec **out)
{
    gri_child_spec spec = {0};
    gr_reader args;

    GR_TRY(read_added(bytes, sys, &spec, &args));
    /* One block: the head, the spec, the values of its arguments, and a copy
     * of the bytes, into which they point. */
    size_t align = _Alignof(max_align_t);
    size_t spec_at = (head + align - 1) / align * align;
    size_t values_at = spec_at + sizeof(spec);
    size_t bytes_at = values_at + args.left * sizeof(gr_value);
    char *memory = calloc(1, bytes_at + bytes.len);
    if (memory == NULL) {
        return GR_ENOMEM;
    }
    memcpy(memory + bytes_at, bytes.ptr, bytes.len);
    gri_child_spec *copy = (gri_child_spec *)(void *)(memory + spec_at);
    int rc =
        read_added((gr_any){memory + bytes_at, bytes.len}, sys, copy, &args);
    if (rc < 0) {
        free(memory);
        return rc;
    }
    copy->args =
        gri_values_of_list(&args, (gr_value *)(void *)(memory + values_at));
    *block = memory;
    *out = copy;
    return 0;
}
