/* tests/soak/audit.c - see audit.h. */
#include "tests/soak/audit.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support/sanitizers.h"

enum { DEPTH_MAX = 4 }; /* of the tree of processes; ours has two levels */

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

static bool read_memory(audit *out)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[128];
    size_t kb;
    unsigned found = 0;
    out->own = 0;
    if (file == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it */
        if (sscanf(line, "VmHWM: %zu", &kb) == 1) {
            out->peak = kb << 10;
            found++;
        }
        /* NOLINTNEXTLINE(cert-err34-c): likewise */
        if (sscanf(line, "RssAnon: %zu", &kb) == 1 ||
            /* NOLINTNEXTLINE(cert-err34-c): likewise */
            sscanf(line, "RssShmem: %zu", &kb) == 1) {
            out->own += kb << 10;
            found++;
        }
        /* NOLINTNEXTLINE(cert-err34-c): likewise */
        if (sscanf(line, "RssFile: %zu", &kb) == 1) {
            out->mapped = kb << 10;
            found++;
        }
    }
    (void)fclose(file);
    return found == 4;
}

/* Numbers in the list of one thread's children, and theirs. */
static unsigned heirs_of_thread(const char *process, const char *task,
                                int depth);

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX */
static unsigned heirs_of(const char *process, int depth)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%.16s/task", process);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return 0; /* it has just ended */
    }
    unsigned n = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            n += heirs_of_thread(process, entry->d_name, depth);
        }
    }
    (void)closedir(dir);
    return n;
}

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX */
static unsigned heirs_of_thread(const char *process, const char *task,
                                int depth)
{
    char path[96];
    char child[17];
    (void)snprintf(path, sizeof path, "/proc/%.16s/task/%.16s/children",
                   process, task);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0; /* the thread has just ended */
    }
    unsigned n = 0;
    while (fscanf(file, "%16s", child) == 1) {
        n += 1 + (depth < DEPTH_MAX ? heirs_of(child, depth + 1) : 0);
    }
    (void)fclose(file);
    return n;
}

/* Descriptors, and those of files. */
static bool count_descriptors(audit *out)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return false;
    }
    out->fds = out->files = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            char to[1];
            out->fds++;
            /* Of pipes, sockets and the like it is "socket:[...]". */
            out->files += readlinkat(dirfd(dir), entry->d_name, to, 1) == 1 &&
                                  to[0] == '/'
                              ? 1
                              : 0;
        }
    }
    (void)closedir(dir);
    return true;
}

bool audit_peak_reset(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");
    bool ok = file != NULL && fputs("5", file) >= 0;
    if (file != NULL && fclose(file) != 0) {
        ok = false;
    }
    return ok;
}

bool audit_take(audit *out)
{
    out->heirs = heirs_of("self", 0);
    return read_memory(out) && count_descriptors(out) &&
           count_entries("/proc/self/task", &out->tasks);
}

int audit_take_steady(gr_actor *self, audit *out)
{
    unsigned same = 0;
    if (!audit_take(out)) {
        return GR_EIO;
    }
    for (int i = 0; i < 600 && same < 10; i++) {
        const audit last = *out;
        GR_TRY(gr_sleep(self, 100));
        if (!audit_take(out)) {
            return GR_EIO;
        }
        same = out->fds == last.fds && out->tasks == last.tasks &&
                       out->heirs == last.heirs
                   ? same + 1
                   : 0;
    }
    return 0;
}

bool audit_is_within(const audit *now, const audit *then, unsigned files)
{
    return now->files <= then->files + files &&
           now->fds - now->files <= then->fds - then->files &&
           now->heirs <= then->heirs &&
           (UNDER_SANITIZER || /* which has threads of its own */
            now->tasks <= then->tasks);
}
