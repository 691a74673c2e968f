/*
 * process/filter.c - the system calls that a process in a sandbox may make.
 *
 * What an actor needs to live: memory, waiting, time, its threads, and reading
 * and writing what is open already. Nothing that opens a file or a socket,
 * starts a process, or reaches into another one. A list of what is allowed, not
 * of what is not: the kernel gets new calls each year.
 *
 * A forbidden call is a trap: SIGSYS with the call's number, which can be told.
 * Who gets an error instead mostly goes on as if it were a missing file, and
 * nobody learns why. A few get an error all the same, as C libraries make those
 * calls unasked and know how to do without.
 *
 * The program for the kernel is straight: one comparison for each call.
 */
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

static const unsigned short allowed[] = {
    /* what is open */
    SYS_read,
    SYS_readv,
    SYS_pread64,
    SYS_preadv,
    SYS_preadv2,
    SYS_write,
    SYS_writev,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_pwritev2,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_recvmmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_shutdown,
    SYS_lseek,
    SYS_fstat,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ftruncate,
    SYS_close,
    SYS_dup,
    SYS_dup3,
    SYS_getsockopt,
    SYS_getsockname,
    SYS_getpeername,
    /* waiting */
    SYS_ppoll,
    SYS_pselect6,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_eventfd2,
    SYS_pipe2,
    SYS_futex,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_timer_gettime,
    SYS_timer_delete,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_setitimer,
    SYS_getitimer,
    /* memory */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_mincore,
    SYS_msync,
    SYS_membarrier,
    /* time, and who one is */
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_times,
    SYS_getrusage,
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrandom,
    SYS_getcpu,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    /* signals and threads */
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_set_robust_list,
    SYS_set_tid_address,
    SYS_rseq,
    SYS_exit,
    SYS_exit_group,
#ifdef __x86_64__ /* older ways that newer processors never had */
    SYS_poll,
    SYS_select,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_eventfd,
    SYS_pipe,
    SYS_dup2,
    SYS_time,
    SYS_alarm,
    SYS_pause,
    SYS_arch_prctl,
#endif
};

/* Answered with an error, see above. */
static const struct {
    unsigned short number;
    unsigned short error;
} refused[] = {
    /* Its flags are in memory, where they cannot be looked at: the C library
     * then uses clone. */
    {SYS_clone3, ENOSYS},
    /* stdio, before its first output: it then takes its usual buffer. */
    {SYS_newfstatat, EPERM},
    {SYS_ioctl, ENOTTY},
    /* It could be another process's. */
    {SYS_prlimit64, EPERM},
    {SYS_sched_setaffinity, EPERM},
};

enum {
    COUNT = sizeof(allowed) / sizeof(allowed[0]),
    REFUSED = sizeof(refused) / sizeof(refused[0]),
    FIXED = 48, /* instructions around them, with some to spare */
    PROGRAM_MAX = 2 * (COUNT + REFUSED) + FIXED
};

/* A thread of this process, and nothing less. */
#define THREAD_FLAGS (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)

typedef struct program {
    unsigned n;
    struct sock_filter code[PROGRAM_MAX];
} program;

static void add(program *p, unsigned code, uint32_t k, unsigned yes,
                unsigned no)
{
    p->code[p->n++] = (struct sock_filter){
        .code = (uint16_t)code, .jt = (uint8_t)yes, .jf = (uint8_t)no, .k = k};
}

static void load(program *p, size_t offset)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(program *p, uint32_t action)
{
    add(p, BPF_RET | BPF_K, action, 0, 0);
}

/* Skips `over` instructions unless what is loaded is k. */
static void unless_equal_skip(program *p, uint32_t k, unsigned over)
{
    add(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, over);
}

static void answer_call(program *p, unsigned number, uint32_t action)
{
    unless_equal_skip(p, number, 1);
    answer(p, action);
}

/* The low half of an argument: all that the kernel looks at in these. */
static size_t low_half(unsigned argument)
{
    const size_t at = offsetof(struct seccomp_data, args) +
                      argument * sizeof(((struct seccomp_data *)0)->args[0]);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? at : at + 4;
}

/* Some of fcntl: F_SETOWN and F_SETSIG could have the kernel send any signal to
 * any process of this user. */
static void add_fcntl(program *p)
{
    static const int commands[] = {F_DUPFD, F_GETFD, F_SETFD,
                                   F_GETFL, F_SETFL, F_DUPFD_CLOEXEC};
    enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };
    unless_equal_skip(p, SYS_fcntl, 2 + 2 * COMMANDS);
    load(p, low_half(1));
    for (unsigned i = 0; i < COMMANDS; i++) {
        answer_call(p, (uint32_t)commands[i], SECCOMP_RET_ALLOW);
    }
    answer(p, SECCOMP_RET_TRAP);
}

/* Those that depend on an argument. */
static void add_special(program *p, uint32_t pid)
{
    /* A signal to itself: abort, and a timer's thread. */
    unless_equal_skip(p, SYS_tgkill, 4);
    load(p, low_half(0));
    unless_equal_skip(p, pid, 1);
    answer(p, SECCOMP_RET_ALLOW);
    answer(p, SECCOMP_RET_TRAP);
    /* A thread. */
    unless_equal_skip(p, SYS_clone, 5);
    load(p, low_half(0));
    add(p, BPF_ALU | BPF_AND | BPF_K, THREAD_FLAGS, 0, 0);
    unless_equal_skip(p, THREAD_FLAGS, 1);
    answer(p, SECCOMP_RET_ALLOW);
    answer(p, SECCOMP_RET_TRAP);
    /* A thread's name, and how late it may be woken. Of the others, which C
     * libraries try, none is needed; base/symbols.c counts on the refusal. */
    unless_equal_skip(p, SYS_prctl, 6);
    load(p, low_half(0));
    answer_call(p, PR_SET_NAME, SECCOMP_RET_ALLOW);
    answer_call(p, PR_SET_TIMERSLACK, SECCOMP_RET_ALLOW);
    answer(p, SECCOMP_RET_ERRNO | EINVAL);
    add_fcntl(p);
}

static void build(program *p, uint32_t pid)
{
    load(p, offsetof(struct seccomp_data, arch));
    unless_equal_skip(p, ARCHITECTURE, 1);
    add(p, BPF_JMP | BPF_JA, 1, 0, 0);
    answer(p, SECCOMP_RET_KILL_PROCESS); /* another table of numbers */
    load(p, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < COUNT; i++) {
        answer_call(p, allowed[i], SECCOMP_RET_ALLOW);
    }
    for (unsigned i = 0; i < REFUSED; i++) {
        answer_call(p, refused[i].number,
                    SECCOMP_RET_ERRNO | (uint32_t)refused[i].error);
    }
    add_special(p, pid);
    answer(p, SECCOMP_RET_TRAP);
}

int gri_filter_install(void)
{
    program p = {.n = 0};
    build(&p, (uint32_t)getpid());
    const struct sock_fprog fprog = {.len = (unsigned short)p.n,
                                     .filter = p.code};
    /* With no_new_privs it needs no right. A positive result is the id of a
     * thread that has another list. */
    const long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                            SECCOMP_FILTER_FLAG_TSYNC, &fprog);
    if (rc > 0) {
        return -EBUSY;
    }
    return rc == 0 ? 0 : -errno;
}

#else

int gri_filter_install(void)
{
    return -ENOSYS;
}

#endif
