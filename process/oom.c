/* process/oom.c - the kernel's count of processes that it killed for memory. */
#include "process/oom.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_SIZE = 4096,
    LINE_SIZE = 4096, /* a cgroup's path and its controllers */
    FILE_SIZE = 512   /* both files have a dozen short lines */
};

/* The counter in such a file; false: it is not there, or cannot be read. */
static bool read_count(int fd, uint64_t *out)
{
    static const char name[] = "oom_kill ";
    char text[FILE_SIZE];
    const ssize_t n = fd >= 0 ? pread(fd, text, sizeof(text) - 1, 0) : -1;
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    const char *line = text;
    while (line != NULL && strncmp(line, name, strlen(name)) != 0) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL) {
        return false;
    }
    *out = strtoull(line + strlen(name), NULL, 10);
    return true;
}

/* Opens mount/between/group/file, if that has the counter. */
static int open_counter(const char *mount, const char *between,
                        const char *group, const char *file)
{
    char path[PATH_SIZE];
    uint64_t count;
    const int n =
        snprintf(path, sizeof(path), "%s%s%s/%s", mount, between, group, file);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return -1;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && !read_count(fd, &count)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Is `memory` among the names between commas? */
static bool has_memory(const char *names)
{
    for (const char *at = names; at != NULL;) {
        const size_t n = strcspn(at, ",");
        if (n == strlen("memory") && strncmp(at, "memory", n) == 0) {
            return true;
        }
        at = at[n] == ',' ? at + n + 1 : NULL;
    }
    return false;
}

/* What a line "number:controllers:group" leads to. */
static int open_line(char *line, const char *mount)
{
    line[strcspn(line, "\n")] = '\0';
    char *names = strchr(line, ':');
    char *group = names != NULL ? strchr(names + 1, ':') : NULL;
    if (group == NULL) {
        return -1;
    }
    *group++ = '\0';
    names++;
    if (has_memory(names)) { /* version 1; in a container it may be the root */
        int fd = open_counter(mount, "/memory", group, "memory.oom_control");
        return fd >= 0
                   ? fd
                   : open_counter(mount, "/memory", "", "memory.oom_control");
    }
    if (names[0] != '\0') {
        return -1;
    }
    int fd = open_counter(mount, "", group, "memory.events");
    if (fd < 0) { /* where both versions are in use */
        fd = open_counter(mount, "/unified", group, "memory.events");
    }
    return fd >= 0 ? fd : open_counter(mount, "", "", "memory.events");
}

void gri_oom_open_at(gri_oom *oom, const char *list, const char *mount)
{
    char line[LINE_SIZE];
    *oom = (gri_oom){.fd = -1};
    FILE *file = fopen(list, "re");
    if (file == NULL) {
        return;
    }
    while (oom->fd < 0 && fgets(line, sizeof(line), file) != NULL) {
        oom->fd = open_line(line, mount);
    }
    (void)fclose(file);
}

void gri_oom_open(gri_oom *oom)
{
    gri_oom_open_at(oom, "/proc/self/cgroup", "/sys/fs/cgroup");
}

void gri_oom_close(gri_oom *oom)
{
    if (oom->fd >= 0) {
        (void)close(oom->fd);
        oom->fd = -1;
    }
}

gri_oom_mark gri_oom_begin(const gri_oom *oom)
{
    gri_oom_mark mark = {.explained = oom->explained};
    if (!read_count(oom->fd, &mark.count)) {
        mark.count = UINT64_MAX; /* then nothing is likely */
    }
    return mark;
}

bool gri_oom_likely(gri_oom *oom, const gri_oom_mark *begin)
{
    uint64_t count = 0;
    if (!read_count(oom->fd, &count) || count < begin->count ||
        count - begin->count <= oom->explained - begin->explained) {
        return false;
    }
    oom->explained++;
    return true;
}
