/*
 * chat - rooms, over as many nodes as there are people.
 *
 *   umask 077; head -c 32 /dev/urandom | base64 >secret
 *   chat --name alice --listen tcp://127.0.0.1:7000 --secret-file secret
 *   chat --name bob --connect tcp://127.0.0.1:7000 --secret-file secret
 *
 * Everybody is a node, and a room is a group: to be in it is to be a member, to
 * say something is to publish it. Nobody keeps the rooms, so nobody can lose
 * them. A message does not say who sent it: its sender's node does, which has
 * proven its name. Who is killed is gone when the connection is, and welcome
 * when it is back; until then who connected dials again.
 *
 * All happens in one actor, on the program's own thread: lines of the input
 * (lines.h), what others say, who comes and goes. Between hosts use TLS; chat
 * --help has the options.
 */
#include <stdio.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "lines.h"
#include "node_flags.h"

#define ROOMS_MAX  16u
#define ROOM_MAX   64u /* bytes of a room's name */
#define PEOPLE_MAX 256u

typedef struct person {
    char name[GR_NODE_NAME_MAX + 1];
    gr_node node; /* the last that had this name */
    bool here;
} person;

typedef struct room {
    char group[ROOM_MAX + 8]; /* "room/" and the name; "": none */
    gr_ref monitor;
} room;

typedef struct chat {
    gr_actor *self;
    node_flags flags;
    person people[PEOPLE_MAX]; /* the first is oneself */
    unsigned people_n;
    room rooms[ROOMS_MAX];
    room *now; /* where what is typed is said */
    lines input;
    bool over;
} chat;

static gr_str text(const char *zero_ended)
{
    return (gr_str){zero_ended, (uint32_t)strlen(zero_ended)};
}

static bool is(const char *text, gr_str other)
{
    return strlen(text) == other.len && memcmp(text, other.ptr, other.len) == 0;
}

/* ---- people -------------------------------------------------------------- */

static person *person_of(chat *c, gr_node node)
{
    for (unsigned i = 0; i < c->people_n; i++) {
        if (c->people[i].node.id == node.id) {
            return &c->people[i];
        }
    }
    return NULL;
}

static const char *name_of(chat *c, gr_pid pid)
{
    const person *p = person_of(c, (gr_node){pid.node});
    return p != NULL ? p->name : "somebody";
}

static person *person_named(chat *c, gr_str name)
{
    for (unsigned i = 0; i < c->people_n; i++) {
        if (is(c->people[i].name, name)) {
            return &c->people[i];
        }
    }
    return NULL;
}

/* A place for a new one: that of somebody who is gone, when all are taken. */
static person *new_person(chat *c, gr_str name)
{
    person *p = NULL;
    if (c->people_n < PEOPLE_MAX) {
        p = &c->people[c->people_n++];
    }
    for (unsigned i = 1; p == NULL && i < PEOPLE_MAX; i++) {
        p = c->people[i].here ? NULL : &c->people[i];
    }
    if (p != NULL) {
        *p = (person){.here = false};
        memcpy(p->name, name.ptr,
               name.len < GR_NODE_NAME_MAX ? name.len : GR_NODE_NAME_MAX);
    }
    return p;
}

static void on_node(chat *c, bool up, gr_node node, gr_str name, int reason)
{
    person *p = person_named(c, name);
    if (!up) {
        printf("* %.*s has gone: %s\n", GR_STR(name),
               reason == 0 ? "said goodbye" : gr_strerror(reason));
    } else if (p != NULL) {
        printf("* welcome back, %.*s\n", GR_STR(name));
    } else {
        printf("* %.*s is here\n", GR_STR(name));
        p = new_person(c, name);
    }
    if (p != NULL) {
        p->here = up;
        p->node = node;
    }
}

/* ---- rooms --------------------------------------------------------------- */

static const char *room_name(const room *r)
{
    return r->group + strlen("room/");
}

static room *room_named(chat *c, gr_str name)
{
    for (room *r = c->rooms; r < c->rooms + ROOMS_MAX; r++) {
        if (r->group[0] != '\0' && is(room_name(r), name)) {
            return r;
        }
    }
    return NULL;
}

static int join(chat *c, const char *name)
{
    room *r = room_named(c, text(name));
    if (r != NULL) {
        c->now = r;
        return 0;
    }
    for (r = c->rooms; r < c->rooms + ROOMS_MAX && r->group[0] != '\0'; r++) {
    }
    if (r == c->rooms + ROOMS_MAX || *name == '\0' || strlen(name) > ROOM_MAX) {
        printf("! /join ROOM: a short name, and not too many rooms\n");
        return 0;
    }
    (void)snprintf(r->group, sizeof r->group, "room/%s", name);
    c->now = r;
    GR_TRY(gr_group_monitor(c->self, r->group, &r->monitor));
    return gr_group_join(c->self, r->group);
}

static int leave(chat *c, const char *name)
{
    room *r = *name != '\0' ? room_named(c, text(name)) : c->now;
    if (r == NULL) {
        printf("! you are not in that room\n");
        return 0;
    }
    GR_TRY(gr_group_demonitor(c->self, r->monitor));
    GR_TRY(gr_group_leave(c->self, r->group));
    printf("* you left %s\n", room_name(r));
    r->group[0] = '\0';
    c->now = c->now == r ? NULL : c->now;
    return 0;
}

static int members(chat *c, const char *name)
{
    gr_pid pids[PEOPLE_MAX];
    room *r = *name != '\0' ? room_named(c, text(name)) : c->now;
    if (r == NULL) {
        printf("! you are not in that room\n");
        return 0;
    }
    const int n =
        gr_group_members(c->self, r->group, GR_GROUP_ALL, pids, PEOPLE_MAX);
    GR_TRY(n);
    printf("* %s, %d in all:", room_name(r), n);
    for (int i = 0; i < n && i < (int)PEOPLE_MAX; i++) {
        printf(" %s", name_of(c, pids[i]));
    }
    printf("\n");
    return 0;
}

static int say(chat *c, const char *what)
{
    if (c->now == NULL) {
        printf("! /join a room first\n");
        return 0;
    }
    const int n = gr_group_publish(c->self, c->now->group, GR_GROUP_ALL, "say",
                                   room_name(c->now), what);
    return n < 0 ? n : 0;
}

/* Who joins and leaves a room. Whoever leaves with the node was told of. */
static void on_group(chat *c, gr_ref monitor, gr_group_event event,
                     gr_reader *pids)
{
    static const char *const words[] = {"is in", "joined", "left"};
    char name[GR_NODE_NAME_MAX + 1];
    gr_pid pid;
    for (const room *r = c->rooms; r < c->rooms + ROOMS_MAX; r++) {
        if (r->group[0] == '\0' || r->monitor.id != monitor.id) {
            continue;
        }
        while (gr_read_pid(pids, &pid) == 0) {
            const bool own = gr_pid_eq(pid, gr_self(c->self));
            const int rc =
                gr_node_name(c->self, (gr_node){pid.node}, name, sizeof name);
            if (own || rc == 0) {
                printf("* %s %s %s\n", own ? c->people[0].name : name,
                       words[event], room_name(r));
            }
        }
    }
}

/* ---- the input ----------------------------------------------------------- */

static int nodes(chat *c, const char *rest)
{
    (void)rest;
    for (unsigned i = 0; i < c->people_n; i++) {
        printf("* %s%s\n", c->people[i].name,
               c->people[i].here ? "" : " (gone)");
    }
    return 0;
}

static int quit(chat *c, const char *rest)
{
    (void)rest;
    c->over = true;
    return 0;
}

static int on_line(chat *c, gr_str line)
{
    static const struct {
        const char *word;
        int (*run)(chat *c, const char *rest);
    } commands[] = {{"/join", join},   {"/leave", leave}, {"/members", members},
                    {"/nodes", nodes}, {"/quit", quit},   {"", say}};
    char typed[LINES_MAX + 1];
    (void)snprintf(typed, sizeof typed, "%.*s", GR_STR(line));
    size_t i = 0;
    while (i < sizeof commands / sizeof commands[0] - 1) {
        const size_t n = strlen(commands[i].word);
        if (strncmp(typed, commands[i].word, n) == 0 &&
            (typed[n] == ' ' || typed[n] == '\0')) {
            return commands[i].run(c, typed + n + strspn(typed + n, " "));
        }
        i++;
    }
    if (typed[0] == '/') {
        printf("! /join ROOM, /leave [ROOM], /members [ROOM], /nodes, /quit\n");
        return 0;
    }
    return typed[0] != '\0' ? commands[i].run(c, typed) : 0;
}

/* ---- all that comes ------------------------------------------------------ */

/* What others have written may not steer this terminal. */
static void print_said(const char *where, const char *who, gr_str what)
{
    printf("[%s] %s: ", where, who);
    for (size_t i = 0; i < what.len; i++) {
        const unsigned char byte = (unsigned char)what.ptr[i];
        (void)putchar(byte < 0x20 || byte == 0x7f ? '?' : byte);
    }
    printf("\n");
}

/* Only the reader's lines are commands. */
static int on_input(chat *c, const gr_msg *msg)
{
    gr_str line;
    if (gr_match(msg, "line", &line)) {
        GR_TRY(on_line(c, line));
        return gr_reply(c->self, msg, "next");
    }
    c->over = gr_match(msg, "end");
    return c->over ? 0 : gr_unhandled(c->self, msg);
}

static int on_message(chat *c, const gr_msg *msg)
{
    const room *in;
    gr_str what;
    gr_str where;
    gr_node node;
    gr_ref ref;
    gr_group_event event;
    gr_reader pids;
    bool up;
    int reason;
    if (gr_pid_eq(gr_sender(msg), c->input.reader)) {
        return on_input(c, msg);
    }
    if (gr_match(msg, "say", &where, &what) &&
        (in = room_named(c, where)) != NULL) {
        print_said(room_name(in), name_of(c, gr_sender(msg)), what);
        return 0;
    }
    if (gr_match_group(c->self, msg, &ref, &event, &pids)) {
        on_group(c, ref, event, &pids);
        return 0;
    }
    if (gr_match_node(msg, &up, &node, &what, &reason)) {
        on_node(c, up, node, what, reason);
        return 0;
    }
    if (gr_match_slow_node(msg, NULL, NULL, NULL, NULL)) {
        return 0;
    }
    return gr_unhandled(c->self, msg);
}

static int run(chat *c)
{
    const gr_msg *msg;
    GR_TRY(node_flags_start(c->self, &c->flags, stdout));
    while (!c->over) {
        (void)fflush(stdout);
        GR_TRY(gr_receive(c->self, GR_FOREVER, &msg));
        GR_TRY(on_message(c, msg));
    }
    return 0;
}

static int app(gr_actor *self, int argc, char **argv)
{
    chat *c = gr_alloc(self, sizeof *c);
    if (c == NULL) {
        return GR_ENOMEM;
    }
    c->self = self;
    if (!node_flags_take(&argc, argv, &c->flags)) {
        return 2;
    }
    if (argc != 1 || c->flags.node.name == NULL || !node_flags_any(&c->flags)) {
        (void)fprintf(stderr, "usage: chat --name NAME --listen ADDRESS ...\n"
                              "       chat --name NAME --connect ADDRESS ...\n"
                              "\n" NODE_FLAGS_HELP);
        return 2;
    }
    c->people[0] =
        (person){.node = gr_system_node(gr_system_of(self)), .here = true};
    (void)snprintf(c->people[0].name, sizeof c->people[0].name, "%s",
                   c->flags.node.name);
    c->people_n = 1;
    GR_TRY(lines_start(self, &c->input));
    const int rc = run(c);
    lines_stop(self, &c->input);
    return rc;
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
