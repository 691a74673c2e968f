/*
 * actors/proxy.h - actors that stand for another process's.
 *
 * A process actor (grade GR_GRADE_PROCESS) has two halves. Its pid, name,
 * links, monitors and mailbox are those of an ordinary actor here, its proxy,
 * which runs a behaviour of whoever installed the gri_processes below
 * (process/actors.c). The proxy gives its messages on to the process, and does,
 * on its own turn and so as itself, what the actor there asks for.
 *
 * A proxy may pause: it takes nothing from its inbox then, so that messages
 * wait in it, and bounds and policies hold, as for an actor that is in a long
 * callback. While it is paused its turns are calls of `pump`.
 */
#ifndef GRI_ACTORS_PROXY_H
#define GRI_ACTORS_PROXY_H

#include <greenroom/system.h>

#include "base/fault.h"
#include "mailbox/message.h"

typedef struct gri_processes gri_processes;
struct gri_processes {
    /* The behaviour of proxies for `user` with those limits (every default
     * filled in): constant, and as long-lived as the system. Errors:
     * GR_ENOTSUP, GR_ENOMEM, GR_ELIMIT, GR_EIO. Any thread. */
    int (*behavior)(gri_processes *processes, const gr_behavior *user,
                    const gr_limits *limits, const gr_behavior **out);
    /* The others are called on the proxy's turn. */
    /* One turn's work of a paused proxy, which ends by gri_proxy_go_on,
     * gri_exit_with, or neither: it stays paused. */
    void (*pump)(gri_processes *processes, gr_actor *proxy, void *state);
    /* It is about to be suspended: from now on whoever has news for it calls
     * gri_proxy_wake. False: there are news already. */
    bool (*pausing)(gri_processes *processes, void *state);
    /* It was killed. True: it will end with that reason, soon. */
    bool (*killed)(gri_processes *processes, gr_actor *proxy, void *state,
                   const gr_exit_reason *why);
    /* Another actor has linked it (LINK) or unlinked it (UNLINK). */
    void (*tied)(gri_processes *processes, gr_actor *proxy, void *state,
                 const gr_msg *msg);
    /* The system ends: as gri_part's. */
    void (*stop)(gri_processes *processes, int64_t deadline_ms);
    void (*free)(gri_processes *processes);
};

/* GR_EEXIST: there is one. Any thread. */
int gri_processes_install(gr_system *sys, gri_processes *processes);
/* What was installed, or NULL. Any thread. */
gri_processes *gri_processes_of(gr_system *sys);

/* ---- what a proxy may do that programs may not; on its own turn -----------
 */

/* Its behaviour, as `behavior` gave it. */
const gr_behavior *gri_proxy_behavior_of(const gr_actor *self);
void gri_proxy_pause(gr_actor *self);
void gri_proxy_go_on(gr_actor *self);
/* Its init has returned 0, there: tells its spawner, if that wants to know. */
void gri_proxy_started(gr_actor *self, gr_pid parent);
/* A message with that payload, and a trailer unless it is a plain one. NULL: no
 * memory. */
gr_msg *gri_proxy_msg(gr_actor *self, gri_msg_kind kind, const void *payload,
                      size_t len, bool trailer);
/* The bytes of its payload, with those of the blobs that stand in it: *flat is
 * then a message to be freed with gri_proxy_free. False: no memory. */
bool gri_proxy_flat(gr_actor *self, const gr_msg *msg, gr_msg **flat,
                    gr_any *out);
void gri_proxy_free(gr_actor *self, gr_msg *flat);
/* gr_tell of a message; takes it. */
void gri_proxy_send(gr_actor *self, gr_pid to, gr_msg *msg);
/* gr_ask and gr_send_then without a deadline, and gr_reply. They take msg,
 * which has a trailer, in any case. Errors: as those. */
int gri_proxy_ask(gr_actor *self, gr_pid to, gr_continuation then, gr_msg *msg);
int gri_proxy_confirm(gr_actor *self, gr_pid to, gr_continuation then,
                      gr_msg *msg);
int gri_proxy_reply(gr_actor *self, const gr_msg *to, gr_msg *reply);
/* A kept message was not handled, and the actor ends: it will be a dead letter,
 * once those who are tied to the actor have been told. */
void gri_proxy_bury(gr_actor *self, const gr_msg *kept);
/* The message in hand cannot be kept: a dead letter, at once. */
void gri_proxy_lose(gr_actor *self, const gr_msg *msg);
/* One is not for that actor: gr_unhandled. It stays kept. Once a message: said
 * again, it is nothing. */
void gri_proxy_unhandled(gr_actor *self, const gr_msg *kept);
/* What it was to send cannot be sent: a dead letter. */
void gri_proxy_lost(gr_actor *self, gr_pid to);
/* Ends it; at: the kept message that was in hand, or NULL; fault: the one that
 * its process died by, at addresses of this process, or NULL. Both stay until
 * its exit hooks are called. */
void gri_proxy_end(gr_actor *self, const gr_exit_reason *why, const gr_msg *at,
                   const gri_fault *fault);

/* ---- from any thread ------------------------------------------------------
 */

/*
 * Has the proxy look at its process. With `signal` it is given a GRI_MSG_WAKE,
 * of which one at a time is enough; in any case it does not stay paused.
 * False: no memory for the signal; nothing was done.
 */
bool gri_proxy_wake(gr_system *sys, gri_cache *cache, gr_pid proxy,
                    bool signal);

/* What its grade and limits come to, with the system's defaults. */
const gr_system_opts *gri_system_opts(gr_system *sys);

#endif /* GRI_ACTORS_PROXY_H */
