/* node_flags.c - a node as the command line wants it. */
#include "node_flags.h"

#include <stdlib.h>
#include <string.h>

#define DIAL_MS 2000 /* how long the first dial may take */
/* Between the next ones: these examples are for killing and starting again. */
#define REDIAL_MAX_MS   1000
#define REDIAL_RESET_MS 100

/* ---- the command line ---------------------------------------------------- */

/* Where the text of an option goes. NULL: it is none of these. */
static const char **place_of(node_flags *flags, const char *name, size_t len)
{
    gr_node_opts *node = &flags->node;
    const struct {
        const char *name;
        const char **place;
    } options[] = {
        {"name", &node->name},
        {"listen", &node->listen},
        {"secret-file", &node->secret_file},
        {"certificate", &node->certificate_file},
        {"key", &node->key_file},
        {"authority", &node->authority_file},
        {"silence-ms", &flags->silence},
        {"connect", flags->connect + flags->connect_n},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strlen(options[i].name) == len &&
            memcmp(options[i].name, name, len) == 0) {
            return options[i].place;
        }
    }
    return NULL;
}

static bool take_silence(node_flags *flags)
{
    char *end;
    const long ms = strtol(flags->silence, &end, 10);
    if (*end != '\0' || ms < 1 || ms > INT32_MAX) {
        (void)fprintf(stderr, "--silence-ms: %s?\n", flags->silence);
        return false;
    }
    flags->node.silence_ms = ms;
    return true;
}

/* Takes what begins at *argv. How many arguments that was; 0: it is none of
 * these options; -1: it is wrong. */
static int take_one(char **argv, node_flags *flags)
{
    if (strcmp(*argv, "--insecure-listen") == 0) {
        flags->node.insecure_listen = true;
        return 1;
    }
    if (strncmp(*argv, "--", 2) != 0) {
        return 0;
    }
    const char *name = *argv + 2;
    const size_t len = strcspn(name, "=");
    const char **place = place_of(flags, name, len);
    if (place == NULL) {
        return 0;
    }
    if (place == flags->connect + NODE_FLAGS_DIALS_MAX) {
        (void)fprintf(stderr, "--connect: %u times is as often as it goes\n",
                      NODE_FLAGS_DIALS_MAX);
        return -1;
    }
    const bool joined = name[len] == '=';
    *place = joined ? name + len + 1 : argv[1];
    if (*place == NULL || **place == '\0') {
        (void)fprintf(stderr, "%s: what?\n", *argv);
        return -1;
    }
    if (place == &flags->silence && !take_silence(flags)) {
        return -1;
    }
    if (place == flags->connect + flags->connect_n) {
        flags->connect_n++;
    }
    return joined ? 1 : 2;
}

bool node_flags_take(int *argc, char **argv, node_flags *out)
{
    node_flags flags = {.node = {.redial_max_ms = REDIAL_MAX_MS,
                                 .redial_reset_ms = REDIAL_RESET_MS}};
    int left = 0;
    int i = 0;
    while (i < *argc && (i == 0 || strcmp(argv[i], "--") != 0)) {
        const int taken = i == 0 ? 0 : take_one(argv + i, &flags);
        if (taken < 0) {
            return false;
        }
        if (taken == 0) {
            argv[left++] = argv[i++];
        }
        i += taken;
    }
    while (i < *argc) {
        argv[left++] = argv[i++];
    }
    argv[left] = NULL;
    *argc = left;
    *out = flags;
    return true;
}

bool node_flags_any(const node_flags *flags)
{
    return flags->node.listen != NULL || flags->connect_n > 0;
}

bool node_flags_any_in(char *const *argv)
{
    for (; *argv != NULL && strcmp(*argv, "--") != 0; argv++) {
        if (strncmp(*argv, "--listen", 8) == 0 ||
            strncmp(*argv, "--connect", 9) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- the node ------------------------------------------------------------ */

/* Who is not there yet is dialed until it is. GR_EEXIST: it may not have
 * noticed yet that an earlier run of this node has gone. */
static bool may_mend(int rc)
{
    return rc == GR_ENOCONN || rc == GR_ETIMEOUT || rc == GR_EEXIST;
}

int node_flags_start(gr_actor *self, node_flags *flags, FILE *print)
{
    GR_TRY(gr_node_start(self, &flags->node));
    if (flags->node.listen != NULL) {
        char address[GR_NODE_ADDRESS_MAX + 1];
        GR_TRY(gr_node_address(self, address, sizeof address));
        (void)fprintf(print, "listening at %s\n", address);
        (void)fflush(print);
    }
    GR_TRY(gr_watch_nodes(self, true));
    for (unsigned i = 0; i < flags->connect_n; i++) {
        gr_node node;
        const int rc = gr_node_connect(self, flags->connect[i], DIAL_MS, &node);
        if (rc < 0 && !may_mend(rc)) {
            return rc;
        }
        GR_TRY(gr_node_keep(self, flags->connect[i]));
    }
    return 0;
}
