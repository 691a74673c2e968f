/*
 * process/hosts.h - the processes that actors run in: started ahead, watched
 * for news, killed at their deadline, reaped.
 *
 * A host is one process and our end of its socket. It is one proxy's from
 * gri_host_take to gri_host_drop, and ends with the later of that and the
 * process. Whatever happens to it comes to the proxy by gri_proxy_wake.
 */
#ifndef GRI_PROCESS_HOSTS_H
#define GRI_PROCESS_HOSTS_H

#include "process/launcher.h"
#include "process/wire.h"

typedef struct gri_hosts gri_hosts;
typedef struct gri_host gri_host;

#define GRI_ACTOR_MARKER "--greenroom-actor"

/*
 * Of a system; warm: as many processes wait to be used, from the first use on
 * (gri_hosts_refill).
 * Starts nothing. Owns: gives *out, which ends with gri_hosts_free.
 * Errors: GR_ENOMEM.
 */
int gri_hosts_new(gr_system *sys, uint32_t warm, gri_hosts **out);
/* Kills and reaps all processes, and joins the thread, within about
 * deadline_ms. Proxies may still come to their hosts. */
void gri_hosts_stop(gri_hosts *all, int64_t deadline_ms);
/* Stopped, or never used; no proxy is left. */
void gri_hosts_free(gri_hosts *all);

/*
 * A process for that proxy: one that waits, or a new one, to be started soon.
 * Errors: GR_ENOMEM, GR_ELIMIT (GRI_PROCESSES_MAX, descriptors), GR_EIO,
 * GR_ESTOPPED.
 */
int gri_host_take(gri_hosts *all, gr_pid proxy, gri_host **out);
/* The proxy has ended. */
void gri_host_drop(gri_host *h);
/* Starts ahead what is missing. For when an actor has begun, and not before: a
 * start is more work than all that a restart waits for. */
void gri_hosts_refill(gri_hosts *all);

/* Our end of the socket; not to be closed. */
int gri_host_fd(const gri_host *h);
/* Wakes the proxy once: if `reading` when there is something to be read, if
 * `writing` when there is room again, and in any case when nothing more will
 * come than what is there. */
void gri_host_arm(gri_host *h, bool reading, bool writing);
/* Whether that is so. */
bool gri_host_is_last(const gri_host *h);
/* The proxy has taken its GRI_MSG_WAKE: news from now on send another. */
void gri_host_awake(gri_host *h);
/* Whether the process has ended, and how; late: it was killed for a callback
 * that took too long. */
bool gri_host_ended(gri_host *h, gri_process_event *out, bool *late);
/* Kills it, grace_ms from now. */
void gri_host_kill(gri_host *h, int64_t grace_ms);
/* What runs there has max_ms from now; 0: nothing runs that has a limit. If it
 * takes longer, and nothing waits to be read of it, it is killed. */
void gri_host_limit(gri_host *h, int64_t max_ms);
/* The process id of that proxy's process, or 0. */
int gri_hosts_process_of(gri_hosts *all, gr_pid proxy);

/* The warm processes of a system, for tests: those that have started. */
unsigned gri_hosts_warm(gri_hosts *all);

#endif /* GRI_PROCESS_HOSTS_H */
