/* wordcount/options.h - what the command line asks for. */
#ifndef WORDCOUNT_OPTIONS_H
#define WORDCOUNT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WC_EXIT_FAILED 1 /* an input failed, or the run itself */
#define WC_EXIT_USAGE  2 /* the command line cannot be understood */

#define WC_NODES_MAX     64u
#define WC_WORKERS_MAX   64u /* a node; the runtime's own limit */
#define WC_NODES_DEFAULT 1u
#define WC_TOP_DEFAULT   10u
/* Bytes. Chunks that travel as bytes are a message each, of which some must
 * fit into the queue to a node. */
#define WC_CHUNK_SIZE_MAX  ((uint64_t)1 << 40)
#define WC_BYTES_CHUNK_MAX ((uint64_t)1 << 20)

typedef struct wc_options {
    unsigned nodes;       /* child processes; 0: count in this one */
    unsigned workers;     /* counting actors on each node; 0: by processors */
    uint64_t crash_every; /* 0: never */
    bool kill_node;
    size_t top; /* words to print; 0: all */
    bool json;
    bool bytes;          /* chunks travel as bytes */
    bool by_hand;        /* nodes that others start count, no child processes */
    bool serves;         /* this one counts for others: there is no path */
    size_t words_max;    /* distinct words; 0: no limit */
    uint64_t chunk_size; /* bytes; 0: guided */
    char *const *paths;
    size_t paths_n;
} wc_options;

typedef enum wc_next {
    WC_RUN,             /* *out says what */
    WC_EXIT_OK,         /* help or version was printed */
    WC_EXIT_USAGE_ERROR /* standard error says what is wrong */
} wc_next;

/* Reads the command line, without the options that make a node of this process
 * (by_hand: there were some). Keeps argv. Reorders it, as getopt does. */
wc_next wc_options_parse(int argc, char **argv, bool by_hand, wc_options *out);

#endif /* WORDCOUNT_OPTIONS_H */
