/* greenroom/crash.h - what is known of an actor that ended abnormally. */
#ifndef GREENROOM_CRASH_H
#define GREENROOM_CRASH_H

#include <greenroom/actor.h>

GR_BEGIN_DECLS

/*
 * Each abnormal end of an actor (any reason but normal and shutdown) is a crash
 * of which its system makes one report: for the log, for actors that watch, and
 * kept for whoever asks. A crash by a signal is logged as an error, one by
 * an error or a limit as a warning, any other, such as a kill, at GR_LOG_INFO.
 * Texts in the log are escaped; in a gr_crash, names and the reason's text are
 * as the program gave them.
 */

#define GR_CRASH_FRAMES_MAX  64u  /* of a backtrace, the innermost ones */
#define GR_CRASH_PARENTS_MAX 8u   /* of the parent chain, the nearest ones */
#define GR_CRASH_NAME_MAX    64u  /* bytes of a name, its zero counted; cut */
#define GR_CRASH_MESSAGE_MAX 256u /* likewise, of the message as text */

/* One address of a backtrace. */
typedef struct gr_frame {
    const void *address;
    uint64_t offset; /* in the file that it was loaded from, for addr2line */
    unsigned line;   /* in the source; 0: not known */
    char function[GR_CRASH_NAME_MAX]; /* "": not known */
    char file[GR_CRASH_NAME_MAX]; /* of the source, its path's end; if the line
                                     is not known, what it was loaded from */
} gr_frame;

typedef struct gr_crash_parent {
    gr_pid pid;
    char behavior[GR_CRASH_NAME_MAX]; /* "": it has ended, or is a thread */
} gr_crash_parent;

typedef struct gr_crash {
    uint64_t number; /* the system's first is 1 */
    int64_t at_ms;   /* when, by gr_now_ms */
    gr_pid pid;
    char behavior[GR_CRASH_NAME_MAX]; /* "": a thread */
    char name[GR_NAME_MAX + 1];       /* registered; "": none */
    gr_exit_reason reason;

    int signal;          /* 0: it was none */
    int signal_code;     /* si_code; 0: not known */
    bool stack_overflow; /* the stack had no more room */
    bool has_address;    /* it is known */
    const void *address; /* that could not be used */

    char message[GR_CRASH_MESSAGE_MAX]; /* in hand, as gr_msg_print; "": none */
    gr_pid sender;                      /* of it */
    uint32_t waiting;                   /* messages in the mailbox, about */
    size_t state_bytes, arena_bytes, blob_bytes;
    size_t kept_bytes; /* of messages that were kept or stashed */

    unsigned parent_count; /* who spawned it, who spawned that one ..., */
    gr_crash_parent parents[GR_CRASH_PARENTS_MAX]; /* while they live */

    unsigned frame_count; /* 0 unless it was a fault; the innermost first */
    gr_frame frames[GR_CRASH_FRAMES_MAX];
} gr_crash;

/*
 * The report of that actor's end. Whoever hears of the end (gr_match_down,
 * gr_match_exit) finds it, unless gr_system_opts.crashes_kept later ones pushed
 * it out. What became of actors of other nodes is reported there. Names of
 * functions that nobody has asked for before are looked up here, which takes
 * some 10 ms the first time: other actors wait less behind a gr_watch_crashes.
 * Errors:  GR_EINVAL (nobody), GR_ENOENT.
 * Threads: any.
 */
GR_API GR_MUST_CHECK int gr_crash_report(gr_system *sys, gr_pid pid,
                                         gr_crash *out);

/*
 * Those that are kept, the newest first: the first call with *number 0, each
 * further one with what the one before left there.
 * Errors:  GR_ENOENT (no more).
 * Threads: any.
 */
GR_API GR_MUST_CHECK int gr_crash_next(gr_system *sys, uint64_t *number,
                                       gr_crash *out);

/*
 * From now on (or no longer) this actor gets a message
 * ["gr.crash", number, pid, behaviour, name, kind of reason, code, text,
 * signal, where, message text] for each crash of its system, its own excepted:
 * the members of gr_crash, escaped as in the log, and `where` the innermost
 * frame. It may come later than the end itself is heard of, once names are
 * looked up. A best effort, as gr_watch_dead_letters. Errors: GR_ENOMEM.
 */
GR_API GR_MUST_CHECK int gr_watch_crashes(gr_actor *self, bool on);

GR_END_DECLS

#endif /* GREENROOM_CRASH_H */
