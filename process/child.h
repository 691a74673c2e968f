/*
 * process/child.h - a child node as its own process sees it, and what its
 * parent tells it at the start.
 *
 * The parent starts the program's own binary with the marker, the number of the
 * control descriptor and the node's name as arguments. The control descriptor
 * is one end of a socket pair. The parent writes a gri_child_config into its
 * end once it has noted that the process runs, perhaps GRI_CHILD_STOP later,
 * and closes it at the latest when it dies.
 */
#ifndef GRI_PROCESS_CHILD_H
#define GRI_PROCESS_CHILD_H

#include <greenroom/node.h>
#include <signal.h>

#define GRI_CHILD_MARKER "--greenroom-child-node"
/* One byte: end, as gr_stop asks an actor to. */
#define GRI_CHILD_STOP 'S'
/* What the process sends to its proxy, once it is connected. */
#define GRI_CHILD_UP "gr.child_up"

enum {
    GRI_SECRET_SIZE = 32,  /* bytes: as long as the keys made from it */
    GRI_ADDRESS_SIZE = 128 /* bytes; a socket's path has at most 108 */
};

/* Tells that the other end is this library, in this layout. */
#define GRI_CHILD_MAGIC UINT64_C(0x67722d6368696c31)

/* Copied as it is: both ends are the same binary on the same machine. */
typedef struct gri_child_config {
    uint64_t magic;
    gr_pid proxy; /* the parent's actor that stands for the process */
    uint32_t workers;
    uint32_t log_level;
    uint32_t message_max;
    unsigned char secret[GRI_SECRET_SIZE];
    char name[GR_NODE_NAME_MAX + 1];
    char address[GRI_ADDRESS_SIZE];
} gri_child_config;

/*
 * The signals that a child node is started with blocked, so that there is no
 * moment when they end it; it unblocks them if the program handles signals
 * itself. SIGINT and SIGHUP are for the parent, which ends its children:
 * whoever sends them to all processes of the program means it as one. Blocked
 * and not ignored or handled, as gr_wait_stop changes what is done with SIGINT.
 */
void gri_child_signals(sigset_t *out);

/* True if the program was started as a child node. */
bool gri_child_is(int argc, char **argv);

/*
 * Runs the child node and ends the process: 0 when it was told to, or when
 * node_app returned 0; else as gr_main_with says.
 */
_Noreturn void gri_child_main(char **argv, const gr_main_opts *opts);

#endif /* GRI_PROCESS_CHILD_H */
