/*
 * tests/support/parts/no_descriptors.c - what the library opens for itself may
 * not be had, each counted as one of the allocations of ../no_memory.h.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#include "tests/support/no_memory.h"

/* The linker's option --wrap makes these names, so they are reserved ones:
 * NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags);
int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags);
int __real_epoll_ctl(int epoll, int verb, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int verb, int fd, struct epoll_event *event);
int __real_socketpair(int domain, int type, int protocol, int ends[2]);
int __wrap_socketpair(int domain, int type, int protocol, int ends[2]);
int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);
/* NOLINTEND(bugprone-reserved-identifier) */

static int fail_with(int error)
{
    errno = error;
    return -1;
}

int __wrap_eventfd(unsigned count, int flags)
{
    return no_memory_now() ? fail_with(EMFILE) : __real_eventfd(count, flags);
}

int __wrap_epoll_create1(int flags)
{
    return no_memory_now() ? fail_with(EMFILE) : __real_epoll_create1(flags);
}

/* Only what is added takes memory. */
int __wrap_epoll_ctl(int epoll, int verb, int fd, struct epoll_event *event)
{
    return verb == EPOLL_CTL_ADD && no_memory_now()
               ? fail_with(ENOMEM)
               : __real_epoll_ctl(epoll, verb, fd, event);
}

int __wrap_socketpair(int domain, int type, int protocol, int ends[2])
{
    return no_memory_now() ? fail_with(EMFILE)
                           : __real_socketpair(domain, type, protocol, ends);
}

int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
    return no_memory_now() ? fail_with(EMFILE) : __real_pidfd_open(pid, flags);
}
