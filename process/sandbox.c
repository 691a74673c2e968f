/* process/sandbox.c - limits for a process that runs a user's code. */
#include "process/sandbox.h"

#include <errno.h>
#include <greenroom/error.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/line.h"

static int because(char *why, size_t size, int code, const char *what,
                   int system_error)
{
    (void)snprintf(why, size, "%s: error %d", what, system_error);
    return code;
}

/* ---- limits ------------------------------------------------------------- */

/* Both limits, so that the process cannot take it back. */
static int limit(__rlimit_resource_t what, uint64_t soft, uint64_t hard)
{
    struct rlimit old;
    if (getrlimit(what, &old) != 0) {
        return errno;
    }
    /* A lower one that is there already stays: it is the stricter. */
    const struct rlimit new = {
        .rlim_cur = soft < old.rlim_max ? soft : old.rlim_max,
        .rlim_max = hard < old.rlim_max ? hard : old.rlim_max,
    };
    return setrlimit(what, &new) == 0 ? 0 : errno;
}

static int limit_all(const gri_sandbox *s, char *why, size_t size)
{
    const struct {
        __rlimit_resource_t what;
        bool on;
        uint64_t soft;
        uint64_t hard;
        const char *name;
    } limits[] = {
        {RLIMIT_AS, s->memory_max != 0, s->memory_max, s->memory_max,
         "the limit of memory"},
        /* SIGXCPU says why; the second after it, SIGKILL, would not. */
        {RLIMIT_CPU, s->cpu_max_s != 0, s->cpu_max_s, s->cpu_max_s + 1,
         "the limit of processor time"},
        {RLIMIT_FSIZE, s->file_max != 0, s->file_max, s->file_max,
         "the limit of files' size"},
        {RLIMIT_NOFILE, s->files_max != 0, s->files_max, s->files_max,
         "the limit of descriptors"},
    };
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const int rc =
            limits[i].on ? limit(limits[i].what, limits[i].soft, limits[i].hard)
                         : 0;
        if (rc != 0) {
            return because(why, size, rc == EPERM ? GR_EDENIED : GR_EIO,
                           limits[i].name, rc);
        }
    }
    return 0;
}

/* ---- forbidden calls ---------------------------------------------------- */

/* What a user's code is likely to try. */
static const struct {
    int number;
    const char *name;
} names[] = {
    {SYS_openat, "openat"},
    {SYS_openat2, "openat2"},
    {SYS_socket, "socket"},
    {SYS_socketpair, "socketpair"},
    {SYS_connect, "connect"},
    {SYS_bind, "bind"},
    {SYS_listen, "listen"},
    {SYS_accept, "accept"},
    {SYS_accept4, "accept4"},
    {SYS_clone, "clone"},
    {SYS_execve, "execve"},
    {SYS_execveat, "execveat"},
    {SYS_kill, "kill"},
    {SYS_tkill, "tkill"},
    {SYS_tgkill, "tgkill"},
    {SYS_ptrace, "ptrace"},
    {SYS_process_vm_readv, "process_vm_readv"},
    {SYS_process_vm_writev, "process_vm_writev"},
    {SYS_pidfd_open, "pidfd_open"},
    {SYS_unlinkat, "unlinkat"},
    {SYS_mkdirat, "mkdirat"},
    {SYS_renameat2, "renameat2"},
    {SYS_readlinkat, "readlinkat"},
    {SYS_faccessat, "faccessat"},
    {SYS_getdents64, "getdents64"},
    {SYS_chdir, "chdir"},
    {SYS_setuid, "setuid"},
    {SYS_setsid, "setsid"},
    {SYS_memfd_create, "memfd_create"},
    {SYS_bpf, "bpf"},
    {SYS_io_uring_setup, "io_uring_setup"},
    {SYS_wait4, "wait4"},
    {SYS_waitid, "waitid"},
#ifdef __x86_64__
    {SYS_open, "open"},
    {SYS_creat, "creat"},
    {SYS_fork, "fork"},
    {SYS_vfork, "vfork"},
    {SYS_stat, "stat"},
    {SYS_lstat, "lstat"},
    {SYS_access, "access"},
    {SYS_readlink, "readlink"},
    {SYS_unlink, "unlink"},
    {SYS_mkdir, "mkdir"},
    {SYS_rename, "rename"},
#endif
};

const char *gri_sandbox_call_name(int number)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    return "call";
}

/* Says which, and dies of it. In a signal handler, and within what the filter
 * allows: write, poll and the clock. */
static void on_forbidden(int number, siginfo_t *info, void *context)
{
    char text[128];
    gri_line line = {.at = text, .max = sizeof text};
    (void)context;
    gri_line_put(&line, "seccomp: ");
    gri_line_put(&line, gri_sandbox_call_name(info->si_syscall));
    gri_line_put(&line, " (");
    gri_line_number(&line, (unsigned)info->si_syscall, 10);
    gri_line_put(&line, ") is not allowed in this process");
    gri_line_write(&line, STDERR_FILENO);
    /* The default disposition is back (SA_RESETHAND), and the signal blocked
     * until this returns. */
    (void)raise(number);
}

static int catch_forbidden(void)
{
    struct sigaction action = {.sa_sigaction = on_forbidden,
                               .sa_flags =
                                   SA_SIGINFO | (int)SA_RESETHAND | SA_ONSTACK};
    (void)sigfillset(&action.sa_mask);
    return sigaction(SIGSYS, &action, NULL) == 0 ? 0 : errno;
}

/* ---- entering ----------------------------------------------------------- */

static bool makes_sense(const gri_sandbox *s)
{
    return s->filter <= 1 && s->hidden <= 1 && s->zero[0] == 0 &&
           s->zero[1] == 0 && s->cpu_max_s < RLIM_INFINITY - 1 &&
           (s->files_max == 0 || s->files_max >= GRI_SANDBOX_FILES_MIN);
}

gri_sandbox gri_sandbox_of(const gr_limits *limits)
{
    return (gri_sandbox){
        .memory_max = limits->address_space_max,
        .cpu_max_s = limits->cpu_max_s,
        .file_max = limits->file_size_max,
        .files_max = limits->files_max,
        .filter = limits->seccomp,
    };
}

bool gri_sandbox_prepare(void)
{
    return limit(RLIMIT_CORE, 0, 0) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

int gri_sandbox_enter(const gri_sandbox *sandbox, char *why, size_t size)
{
    if (!makes_sense(sandbox)) {
        return because(why, size, GR_EINVAL, "its limits make no sense", 0);
    }
    GR_TRY(limit_all(sandbox, why, size));
    if (sandbox->hidden != 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return because(why, size, GR_EIO, "not dumpable", errno);
    }
    if (sandbox->filter == 0) {
        return 0;
    }
    int rc = catch_forbidden();
    if (rc != 0) {
        return because(why, size, GR_EIO, "a handler for SIGSYS", rc);
    }
    rc = -gri_filter_install();
    if (rc != 0) {
        return because(why, size,
                       rc == ENOSYS || rc == EINVAL ? GR_ENOTSUP : GR_EIO,
                       "the list of system calls", rc);
    }
    return 0;
}
