/* wordcount/options.c - the command line. */
#include "options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <greenroom/base.h>

#include "node_flags.h"

static const char help_text[] =
    "Usage: wordcount [OPTION]... PATH...\n"
    "Counts the words (runs of ASCII letters, case ignored) of the files at "
    "and\n"
    "below each PATH with supervised actors, by default in a child process.\n"
    "The answer is exact, whatever crashes meanwhile.\n"
    "\n"
    "  --nodes N        child processes that count (default 1; 0: none, count\n"
    "                   in this process)\n"
    "  --workers N      counting actors on each node (default: the "
    "processors,\n"
    "                   divided among the nodes)\n"
    "  --crash-every K  let each K-th chunk's actor fail after half its work\n"
    "  --kill-node      kill one child process in mid-run\n"
    "  --top K          print the K most frequent words (default 10)\n"
    "  --all            print all words\n"
    "  --json           print JSON\n"
    "  --bytes          send chunks as bytes, as to nodes that do not share\n"
    "                   this file system\n"
    "  --words-max N    fail when there are more distinct words than N\n"
    "  --chunk SIZE     cut the input into chunks of about SIZE bytes (K, M "
    "or\n"
    "                   G may follow; default: guided by what is left)\n"
    "\n"
    "With nodes on other hosts, instead of child processes; who is given no "
    "PATH\n"
    "counts for others. Chunks travel as bytes then.\n"
    "\n" NODE_FLAGS_HELP "\n"
    "  --help           print this help\n"
    "  --version        print the version\n"
    "\n"
    "Exit status: 0 all was counted, 1 a file could not be read or the run\n"
    "failed, 2 the command line cannot be understood.\n";

enum {
    OPT_NODES = 256,
    OPT_WORKERS,
    OPT_CRASH_EVERY,
    OPT_KILL_NODE,
    OPT_TOP,
    OPT_ALL,
    OPT_JSON,
    OPT_BYTES,
    OPT_WORDS_MAX,
    OPT_CHUNK,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"nodes", required_argument, NULL, OPT_NODES},
    {"workers", required_argument, NULL, OPT_WORKERS},
    {"crash-every", required_argument, NULL, OPT_CRASH_EVERY},
    {"kill-node", no_argument, NULL, OPT_KILL_NODE},
    {"top", required_argument, NULL, OPT_TOP},
    {"all", no_argument, NULL, OPT_ALL},
    {"json", no_argument, NULL, OPT_JSON},
    {"bytes", no_argument, NULL, OPT_BYTES},
    {"words-max", required_argument, NULL, OPT_WORDS_MAX},
    {"chunk", required_argument, NULL, OPT_CHUNK},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static bool complain(const char *option, const char *text)
{
    (void)fprintf(stderr,
                  "wordcount: --%s: '%s' is not a number that it takes\n",
                  option, text);
    return false;
}

/* Digits, and a unit if units are allowed. Stops at the first other byte. */
static bool read_number(const char *text, bool units, uint64_t max,
                        uint64_t *out)
{
    static const char unit_letters[] = "KMG";
    uint64_t x = 0;
    if (*text < '0' || *text > '9') {
        return false;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
        const uint64_t digit = (uint64_t)(*text - '0');
        if (x > (max - digit) / 10) {
            return false;
        }
        x = 10 * x + digit;
    }
    if (units && *text != '\0') {
        const char upper = (char)(*text & ~0x20);
        const char *unit = strchr(unit_letters, upper);
        if (unit == NULL || upper == '\0') {
            return false;
        }
        const unsigned shift = 10 * (unsigned)(unit - unit_letters + 1);
        if (x > max >> shift) {
            return false;
        }
        x <<= shift;
        text++;
    }
    *out = x;
    return *text == '\0';
}

static bool number(const char *option, uint64_t min, uint64_t max,
                   uint64_t *out)
{
    const bool units = strcmp(option, "chunk") == 0;
    if (!read_number(optarg, units, max, out) || *out < min) {
        return complain(option, optarg);
    }
    return true;
}

/* Takes one option that has a number. */
static bool take_number(int opt, const char *name, wc_options *o)
{
    uint64_t x = 0;
    switch (opt) {
    case OPT_NODES:
        if (!number(name, 0, WC_NODES_MAX, &x)) {
            return false;
        }
        o->nodes = (unsigned)x;
        return true;
    case OPT_WORKERS:
        if (!number(name, 1, WC_WORKERS_MAX, &x)) {
            return false;
        }
        o->workers = (unsigned)x;
        return true;
    case OPT_CRASH_EVERY:
        return number(name, 1, UINT64_MAX - 1, &o->crash_every);
    case OPT_TOP:
        if (!number(name, 1, SIZE_MAX - 1, &x)) {
            return false;
        }
        o->top = (size_t)x;
        return true;
    case OPT_WORDS_MAX:
        if (!number(name, 1, SIZE_MAX - 1, &x)) {
            return false;
        }
        o->words_max = (size_t)x;
        return true;
    default:
        return number(name, 1, WC_CHUNK_SIZE_MAX, &o->chunk_size);
    }
}

/* What only the whole command line can tell. */
static bool agree(const wc_options *o)
{
    const char *wrong = NULL;
    if (o->paths_n == 0 && !o->by_hand) {
        wrong = "no PATH is given";
    } else if (o->by_hand && o->nodes > 0) {
        wrong = "--nodes are child processes: not with --listen or --connect";
    } else if (o->kill_node && o->nodes == 0) {
        wrong = "--kill-node needs a node to kill: --nodes 1 or more";
    } else if (o->bytes && o->chunk_size > WC_BYTES_CHUNK_MAX) {
        wrong = "--bytes needs chunks that fit into a message: --chunk 1M or "
                "less";
    }
    if (wrong != NULL) {
        (void)fprintf(stderr, "wordcount: %s\n", wrong);
    }
    return wrong == NULL;
}

static wc_next usage_error(void)
{
    (void)fputs("Try 'wordcount --help'.\n", stderr);
    return WC_EXIT_USAGE_ERROR;
}

/* Takes one option. WC_RUN: go on. */
static wc_next take(int opt, int index, wc_options *o)
{
    switch (opt) {
    case OPT_KILL_NODE:
        o->kill_node = true;
        return WC_RUN;
    case OPT_ALL:
        o->top = 0;
        return WC_RUN;
    case OPT_JSON:
        o->json = true;
        return WC_RUN;
    case OPT_BYTES:
        o->bytes = true;
        return WC_RUN;
    case OPT_HELP:
        (void)fputs(help_text, stdout);
        return WC_EXIT_OK;
    case OPT_VERSION:
        (void)puts("wordcount (greenroom) " GR_VERSION);
        return WC_EXIT_OK;
    case '?':
        return usage_error();
    default:
        return take_number(opt, long_options[index].name, o) ? WC_RUN
                                                             : usage_error();
    }
}

wc_next wc_options_parse(int argc, char **argv, bool by_hand, wc_options *out)
{
    wc_options o = {.nodes = by_hand ? 0 : WC_NODES_DEFAULT,
                    .top = WC_TOP_DEFAULT,
                    .by_hand = by_hand,
                    .bytes = by_hand};
    int opt;
    int index = 0;
    optind = 0; /* glibc: begin anew, as a test parses more than once */
    /* Before any other thread runs. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((opt = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        const wc_next next = take(opt, index, &o);
        if (next != WC_RUN) {
            return next;
        }
    }
    o.paths = argv + optind;
    o.paths_n = (size_t)(argc - optind);
    o.serves = by_hand && o.paths_n == 0;
    if (!agree(&o)) {
        return usage_error();
    }
    *out = o;
    return WC_RUN;
}
