/*
 * process/launcher_wire.h - what a program and its launcher process say to each
 * other: packets over a pair of sockets (SOCK_SEQPACKET), each with at most one
 * descriptor.
 *
 * Copied as they are: both ends are the same binary on the same machine. They
 * are checked all the same, as who reads them starts and kills processes.
 */
#ifndef GRI_PROCESS_LAUNCHER_WIRE_H
#define GRI_PROCESS_LAUNCHER_WIRE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "process/launcher.h"

#define GRI_LAUNCHER_MARKER "--greenroom-launcher"
/* Tells that the other end is this library, in this layout. */
#define GRI_LAUNCHER_MAGIC UINT64_C(0x67722d6c61756e32)

enum {
    GRI_LAUNCH_WORDS_MAX = 32, /* arguments: ours have five */
    GRI_LAUNCH_TEXT_MAX = 8192 /* bytes of path and arguments: a path has at
                                  most 4096, a node's name 255 */
};

/* ---- from the program --------------------------------------------------- */

typedef enum gri_request_kind {
    GRI_REQUEST_START = 1,
    GRI_REQUEST_KILL /* SIGKILL to the process and its group */
} gri_request_kind;

typedef struct gri_request {
    uint32_t kind;
    uint32_t words; /* of text, the path and all arguments; KILL: 0 */
    uint64_t id;
    uint32_t text_size;   /* bytes; KILL: 0 */
    uint32_t has_control; /* 1: a descriptor comes with it; else 0 */
    sigset_t blocked;
    char text[]; /* the path and the arguments, each with its NUL */
} gri_request;

/* Room for the largest. */
typedef union gri_request_buffer {
    gri_request request;
    char bytes[sizeof(gri_request) + GRI_LAUNCH_TEXT_MAX];
} gri_request_buffer;

static inline size_t gri_request_size(const gri_request *r)
{
    return offsetof(gri_request, text) + r->text_size;
}

/* The request to start that, for free. Errors: GR_ENOMEM, GR_ETOOBIG. */
int gri_request_new(const gri_launch *launch, gri_request **out);

/* True if these n bytes are a request. */
bool gri_request_ok(const gri_request_buffer *b, size_t n);

/* Points into the request's text: *path, and argv, which ends at NULL. Only of
 * a START that is ok. */
void gri_request_words(gri_request *r, const char **path,
                       char *argv[GRI_LAUNCH_WORDS_MAX + 1]);

/* ---- from the launcher -------------------------------------------------- */

typedef enum gri_report_kind {
    GRI_REPORT_HELLO = 1, /* id is GRI_LAUNCHER_MAGIC: ready */
    GRI_REPORT_STARTED,   /* code: the process id; its pidfd comes with it */
    GRI_REPORT_FAILED,    /* code: an error; detail: the errno */
    GRI_REPORT_EXITED,    /* code: the exit status */
    GRI_REPORT_SIGNALED   /* code: the signal; detail 1: oom is likely */
} gri_report_kind;

typedef struct gri_report {
    uint32_t kind;
    int32_t code;
    uint64_t id;
    int32_t detail;
    uint32_t zero;
} gri_report;

/* ---- packets ------------------------------------------------------------ */

/*
 * Sends one packet, with fd if that is not -1; never waits.
 * Errors:  GR_EAGAIN (poll for POLLOUT), GR_ENOMEM (or too many descriptors are
 *          on their way), GR_ENOCONN.
 */
int gri_packet_send(int socket, const void *p, size_t size, int fd);

/*
 * Receives one packet of at most size bytes; never waits. Returns its length.
 * Owns:    gives *fd, close-on-exec; -1: none came, also where this process may
 *          not open more.
 * Errors:  GR_EAGAIN, GR_EFORMAT (longer, or with several descriptors, which
 *          are closed), GR_ENOCONN (the other end is closed).
 */
ssize_t gri_packet_receive(int socket, void *p, size_t size, int *fd);

#endif /* GRI_PROCESS_LAUNCHER_WIRE_H */
