/* transport/discover_from.c - two places to look for nodes: a list and a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transport/discovery.h"

/* ---- a list -------------------------------------------------------------- */

static int look_at_list(void *arg, gr_found *found)
{
    const gr_found *list = arg;
    for (uint32_t i = 0; i < list->count; i++) {
        GR_TRY(gr_found_add(found, list->list[i]));
    }
    return 0;
}

static void end_list(void *arg)
{
    gri_found_fini(arg);
    free(arg);
}

int gr_discovery_list(const char *const *addresses, gr_discovery *out)
{
    gr_found *list = calloc(1, sizeof *list);
    if (list == NULL) {
        return GR_ENOMEM;
    }
    for (size_t i = 0; addresses != NULL && addresses[i] != NULL; i++) {
        const int rc = gr_found_add(list, addresses[i]);
        if (rc < 0) {
            end_list(list);
            return rc;
        }
    }
    *out = (gr_discovery){.name = "list of nodes",
                          .look = look_at_list,
                          .end = end_list,
                          .arg = list};
    return 0;
}

/* ---- a file -------------------------------------------------------------- */

static int64_t read_all(int fd, char *buf, size_t size)
{
    size_t n = 0;
    while (n < size) {
        const ssize_t got = read(fd, buf + n, size - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return GR_EIO;
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
    }
    return (int64_t)n;
}

/* Reads all of it, and one byte more if there is one. Returns the number. */
static int64_t read_file(const char *path, char *buf, size_t size)
{
    /* NONBLOCK: a pipe in the file's place must not hold the actor up. */
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? GR_ENOENT
               : errno == EACCES                   ? GR_EDENIED
                                                   : GR_EIO;
    }
    const int64_t n = read_all(fd, buf, size);
    (void)close(fd); /* only read from */
    return n;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* What is in the line, without what is around it; ends it with a zero byte. */
static char *trim(char *line)
{
    while (is_space(*line)) {
        line++;
    }
    for (char *p = line; *p != '\0'; p++) {
        if (*p == '#' && (p == line || is_space(p[-1]))) {
            *p = '\0';
            break;
        }
    }
    size_t n = strlen(line);
    while (n > 0 && is_space(line[n - 1])) {
        line[--n] = '\0';
    }
    return line;
}

/* Text is n bytes and a zero byte. */
static int read_lines(const char *path, char *text, size_t n, gr_found *found)
{
    char said[GRI_FOUND_TEXT];
    unsigned number = 0;
    if (memchr(text, 0, n) != NULL) {
        (void)snprintf(said, sizeof said, "%s: there is a zero byte in it",
                       path);
        return gr_found_fail(found, GR_EFORMAT, said);
    }
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        number++;
        const char *address = trim(line);
        if (*address == '\0') {
            continue;
        }
        const int rc = gr_found_add(found, address);
        if (rc < 0) {
            (void)snprintf(said, sizeof said, "%s:%u: \"%.200s\"", path, number,
                           address);
            return gr_found_fail(found, rc, said);
        }
    }
    return 0;
}

static int look_at_file(void *arg, gr_found *found)
{
    const char *path = arg;
    char *text = malloc(GR_DISCOVERY_FILE_MAX + 1);
    if (text == NULL) {
        return GR_ENOMEM;
    }
    const int64_t n = read_file(path, text, GR_DISCOVERY_FILE_MAX + 1);
    int rc = (int)n;
    if (n > GR_DISCOVERY_FILE_MAX) {
        rc = GR_ELIMIT;
    }
    if (rc < 0) {
        rc = gr_found_fail(found, rc, path);
    } else {
        text[n] = '\0';
        rc = read_lines(path, text, (size_t)n, found);
    }
    free(text);
    return rc;
}

int gr_discovery_file(const char *path, int64_t interval_ms, gr_discovery *out)
{
    if (path == NULL || path[0] == '\0' || interval_ms < 0) {
        return GR_EINVAL;
    }
    char *copy = strdup(path);
    if (copy == NULL) {
        return GR_ENOMEM;
    }
    *out = (gr_discovery){
        .name = "file of nodes",
        .look = look_at_file,
        .end = free,
        .arg = copy,
        .interval_ms = interval_ms > 0 ? interval_ms : GR_DISCOVERY_MS_DEFAULT};
    return 0;
}
