/* process/spawn.c - posix_spawn, as the parent starts its launcher and the
 * launcher its processes. */
#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <greenroom/error.h>
#include <spawn.h>
#include <unistd.h>

int gri_spawn_error(int system_error)
{
    switch (system_error) {
    case ENOMEM:
        return GR_ENOMEM;
    case EAGAIN: /* RLIMIT_NPROC, the cgroup's pids.max */
    case EMFILE:
    case ENFILE:
        return GR_ELIMIT;
    case ENOENT:
        return GR_ENOENT;
    case EACCES:
    case EPERM:
        return GR_EDENIED;
    default:
        return GR_EIO;
    }
}

/* What the process begins with. Returns 0 or an errno. */
static int prepare(posix_spawn_file_actions_t *files,
                   posix_spawnattr_t *attributes, const gri_spawn *spawn)
{
    const int control = spawn->control;
    sigset_t all;
    (void)sigfillset(&all);
    int rc = 0;
    /* The control descriptor goes first: it may itself be 0. */
    if (control >= 0) {
        rc = posix_spawn_file_actions_adddup2(files, control, GRI_CONTROL_FD);
    }
    if (rc == 0) {
        rc = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null",
                                              O_RDONLY, 0);
    }
    /* Close-on-exec does not reach what the program's libraries forgot. */
    if (rc == 0) {
        rc = posix_spawn_file_actions_addclosefrom_np(
            files, control >= 0 ? GRI_CONTROL_FD + 1 : STDERR_FILENO + 1);
    }
    if (rc == 0) {
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    }
    if (rc == 0) {
        rc = posix_spawnattr_setsigmask(attributes, &spawn->blocked);
    }
    if (rc == 0) {
        rc = posix_spawnattr_setpgroup(attributes, 0);
    }
    if (rc == 0) {
        rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF |
                                                      POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETPGROUP);
    }
    return rc;
}

int gri_spawn_process(const gri_spawn *spawn, pid_t *out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&files);
    if (rc != 0) {
        return rc;
    }
    rc = posix_spawnattr_init(&attributes);
    if (rc != 0) {
        goto no_attributes;
    }
    rc = prepare(&files, &attributes, spawn);
    if (rc == 0) {
        rc = posix_spawn(out, spawn->path, &files, &attributes, spawn->argv,
                         spawn->env);
    }
    (void)posix_spawnattr_destroy(&attributes);
no_attributes:
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}
