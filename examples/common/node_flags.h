/*
 * node_flags.h - what the examples that run on several hosts have in common:
 * the command line of a node.
 */
#ifndef EXAMPLES_NODE_FLAGS_H
#define EXAMPLES_NODE_FLAGS_H

#include <stdio.h>

#include <greenroom/greenroom.h>

#define NODE_FLAGS_DIALS_MAX 16u

#define NODE_FLAGS_HELP                                                        \
    "  --name NAME         how other nodes call this one\n"                    \
    "  --listen ADDRESS    tcp://HOST:PORT, tls+tcp://HOST:PORT, "             \
    "ipc:///PATH\n"                                                            \
    "  --connect ADDRESS   a node to connect to, again when it was lost "      \
    "(may\n"                                                                   \
    "                      be given more than once); "                         \
    "tls+tcp://NAME@HOST:PORT\n"                                               \
    "                      wants the certificate of NAME\n"                    \
    "  --secret-file FILE  what all nodes know, 16 bytes at least; mode "      \
    "0600\n"                                                                   \
    "  --certificate FILE  for TLS: this node's certificate, for its name,\n"  \
    "  --key FILE          its key, mode 0600,\n"                              \
    "  --authority FILE    and who must have signed the other nodes'\n"        \
    "  --silence-ms N      give a node up that says nothing for so long "      \
    "(5000)\n"                                                                 \
    "  --insecure-listen   listen beyond this host without TLS all the same\n"

typedef struct node_flags {
    gr_node_opts node;   /* to be completed by the program: spawnable, rights */
    const char *silence; /* as it was given */
    unsigned connect_n;
    const char *connect[NODE_FLAGS_DIALS_MAX];
} node_flags;

/* Takes these options, up to a "--", out of the command line: *argc and argv
 * are what is left. Keeps the texts. False: standard error says what is wrong.
 */
bool node_flags_take(int *argc, char **argv, node_flags *out);
/* Whether any address is given: in what was taken, and in a command line. */
bool node_flags_any(const node_flags *flags);
bool node_flags_any_in(char *const *argv);

/* Starts the node, prints where it listens, if it does, has self watch nodes,
 * and connects to the others: who is not there yet, or is lost, is dialed until
 * it is there. Whatever else goes wrong with the first dial is an error, and
 * the node's log says why. For thread actors, as gr_node_connect is. */
int node_flags_start(gr_actor *self, node_flags *flags, FILE *print);

#endif /* EXAMPLES_NODE_FLAGS_H */
