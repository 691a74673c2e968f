/* tests/soak/audit.c - see audit.h. */
#include "tests/soak/audit.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

/* Entries of a folder of numbers. */
static bool count_entries(const char *path, unsigned *out)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return false;
    }
    *out = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        *out += isdigit((unsigned char)entry->d_name[0]) ? 1 : 0;
    }
    (void)closedir(dir);
    return true;
}

static bool read_rss(size_t *out)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long all;
    unsigned long resident;
    if (file == NULL) {
        return false;
    }
    /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it, or we did */
    const bool ok = fscanf(file, "%lu %lu", &all, &resident) == 2;
    (void)fclose(file);
    *out = resident * (size_t)sysconf(_SC_PAGESIZE);
    return ok;
}

/* Numbers in the list of one thread's children. */
static unsigned children_of(const char *task)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%.16s/children", task);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0; /* the thread has just ended */
    }
    unsigned n = 0;
    int pid;
    /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it, or we did */
    while (fscanf(file, "%d", &pid) == 1) {
        n++;
    }
    (void)fclose(file);
    return n;
}

static bool count_children(unsigned *out)
{
    DIR *dir = opendir("/proc/self/task");
    if (dir == NULL) {
        return false;
    }
    *out = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            *out += children_of(entry->d_name);
        }
    }
    (void)closedir(dir);
    return true;
}

bool audit_take(audit *out)
{
    return read_rss(&out->rss) && count_entries("/proc/self/fd", &out->fds) &&
           count_entries("/proc/self/task", &out->tasks) &&
           count_children(&out->heirs);
}
