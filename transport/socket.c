/* transport/socket.c - see socket.h. */
#include "transport/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <greenroom/error.h>

#include "base/clock.h"

enum {
    BACKLOG = 1024, /* connections that nobody has accepted yet */
    IPC_MODE = 0600 /* only the owner may connect, before any handshake */
};

static int error_of(int number)
{
    switch (number) {
    case ENOMEM:
    case ENOBUFS:
        return GR_ENOMEM;
    case EACCES:
    case EPERM:
        return GR_EDENIED;
    case EMFILE:
    case ENFILE:
    case EAFNOSUPPORT:
        return GR_EIO;
    case ETIMEDOUT:
        return GR_ETIMEOUT;
    default:
        /* Refused, reset, no way there, no such file, a local socket whose
         * queue is full: a connection's bad luck, that may be tried again. */
        return GR_ENOCONN;
    }
}

/* ---- names --------------------------------------------------------------- */

static bool parse_path(const char *path, gri_socket_name *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&out->sa;
    const size_t n = strlen(path);
    if (n >= sizeof un->sun_path) {
        return false;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, n + 1);
    out->size = sizeof *un;
    return true;
}

/* host: without brackets. */
static bool parse_host(const char *host, uint16_t port, bool to_listen,
                       gri_socket_name *out)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&out->sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->sa;
    if (to_listen && strcmp(host, "*") == 0) {
        host = "0.0.0.0";
    }
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        out->size = sizeof *in;
        return true;
    }
    struct in6_addr six;
    if (inet_pton(AF_INET6, host, &six) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        in6->sin6_addr = six;
        out->size = sizeof *in6;
        return true;
    }
    return false;
}

static bool parse_tcp(const char *p, bool to_listen, gri_socket_name *out)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(p, ':');
    if (colon == NULL) {
        return false;
    }
    size_t n = (size_t)(colon - p);
    if (n >= 2 && p[0] == '[' && p[n - 1] == ']') {
        p++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof host) {
        return false;
    }
    memcpy(host, p, n);
    host[n] = '\0';
    const unsigned long port = strtoul(colon + 1, NULL, 10);
    return port <= UINT16_MAX &&
           parse_host(host, (uint16_t)port, to_listen, out);
}

int gri_socket_parse(const char *address, bool to_listen, gri_socket_name *out)
{
    memset(out, 0, sizeof *out);
    bool ok = false;
    if (strncmp(address, "ipc://", 6) == 0) {
        ok = parse_path(address + 6, out);
    } else if (strncmp(address, "tcp://", 6) == 0) {
        ok = parse_tcp(address + 6, to_listen, out);
    } else if (strncmp(address, "tls+tcp://", 10) == 0) {
        const char *at = strrchr(address, '@'); /* behind a node's name */
        ok = parse_tcp(at != NULL ? at + 1 : address + 10, to_listen, out);
    }
    return ok ? 0 : GR_EADDRESS;
}

bool gri_socket_is_numeric(const char *address)
{
    gri_socket_name name;
    return gri_socket_parse(address, true, &name) == 0;
}

/* ---- sockets ------------------------------------------------------------- */

int gri_socket_open(const gri_socket_name *name)
{
    const int fd = socket(name->sa.ss_family,
                          SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_of(errno);
    }
    gri_socket_tune(fd);
    return fd;
}

void gri_socket_tune(int fd)
{
    const int on = 1;
    /* Refused by what is no tcp, and nothing is lost. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int gri_socket_connect(int fd, const gri_socket_name *name)
{
    if (connect(fd, (const struct sockaddr *)&name->sa, name->size) == 0 ||
        errno == EINPROGRESS || errno == EINTR) {
        return 0;
    }
    return error_of(errno);
}

int gri_socket_connected(int fd)
{
    int number = 0;
    socklen_t size = sizeof number;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        number = errno;
    }
    return number == 0 ? 0 : error_of(number);
}

/* Does somebody listen on that path? */
static bool is_alive(const gri_socket_name *name)
{
    const int fd = gri_socket_open(name);
    bool alive = true; /* if in doubt */
    if (fd >= 0) {
        alive =
            connect(fd, (const struct sockaddr *)&name->sa, name->size) == 0 ||
            errno != ECONNREFUSED;
        (void)close(fd);
    }
    return alive;
}

static const char *path_of(const gri_socket_name *name)
{
    return name->sa.ss_family == AF_UNIX
               ? ((const struct sockaddr_un *)&name->sa)->sun_path
               : NULL;
}

static int bind_to(int fd, const gri_socket_name *name)
{
    const struct sockaddr *sa = (const struct sockaddr *)&name->sa;
    const char *path = path_of(name);
    if (path == NULL) {
        const int on = 1;
        /* What is left of a node that was killed must not keep the port. */
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        return bind(fd, sa, name->size);
    }
    /* Before it has a name: nobody else connects in between, see unix(7). */
    if (fchmod(fd, IPC_MODE) != 0) {
        return -1;
    }
    if (bind(fd, sa, name->size) == 0) {
        return 0;
    }
    struct stat st;
    if (errno == EADDRINUSE && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
        !is_alive(name) && unlink(path) == 0) {
        return bind(fd, sa, name->size);
    }
    return -1;
}

static int write_address(int fd, const char *asked,
                         char buf[GRI_SOCKET_ADDRESS_MAX])
{
    struct sockaddr_storage sa = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof sa;
    int number = 0;
    if (getsockname(fd, (struct sockaddr *)&sa, &size) != 0) {
        return GR_EIO;
    }
    if (sa.ss_family == AF_INET) {
        number = ntohs(((const struct sockaddr_in *)&sa)->sin_port);
    } else if (sa.ss_family == AF_INET6) {
        number = ntohs(((const struct sockaddr_in6 *)&sa)->sin6_port);
    }
    const char *colon = strrchr(asked, ':');
    const int n = number == 0
                      ? snprintf(buf, GRI_SOCKET_ADDRESS_MAX, "%s", asked)
                      : snprintf(buf, GRI_SOCKET_ADDRESS_MAX, "%.*s:%d",
                                 (int)(colon - asked), asked, number);
    return n < 0 || n >= GRI_SOCKET_ADDRESS_MAX ? GR_EADDRESS : 0;
}

int gri_socket_listen(const gri_socket_name *name, const char *address,
                      char buf[GRI_SOCKET_ADDRESS_MAX])
{
    const int fd = gri_socket_open(name);
    if (fd < 0) {
        return fd;
    }
    int rc =
        bind_to(fd, name) == 0 && listen(fd, BACKLOG) == 0 ? 0 : GR_EADDRESS;
    if (rc == 0) {
        rc = write_address(fd, address, buf);
        if (rc < 0) {
            gri_socket_forget(name);
        }
    }
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    return fd;
}

void gri_socket_forget(const gri_socket_name *name)
{
    const char *path = path_of(name);
    if (path != NULL) {
        (void)unlink(path);
    }
}

void gri_socket_set_timer(int fd, int64_t ms)
{
    const struct itimerspec t = {
        .it_value = {.tv_sec = (time_t)(ms / 1000),
                     .tv_nsec = (long)(ms % 1000) * (long)GRI_NS_PER_MS + 1}};
    (void)timerfd_settime(fd, 0, &t, NULL); /* fails for a bad time only */
}

int gri_socket_timer(void)
{
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return fd < 0 ? GR_EIO : fd;
}
