/* transport/socket.h - sockets of the operating system, by the addresses of
 * nodes: tcp://1.2.3.4:5, tcp://[::1]:5, the same of tls+tcp (where "name@" may
 * stand before the host), and ipc:///path. None of it blocks. */
#ifndef GRI_TRANSPORT_SOCKET_H
#define GRI_TRANSPORT_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { GRI_SOCKET_ADDRESS_MAX = 300 }; /* bytes, with the ending zero */

typedef struct gri_socket_name {
    struct sockaddr_storage sa;
    socklen_t size;
} gri_socket_name;

/* Can it be parsed: has it a number for its host, or none? (Names of hosts are
 * for NNG, which can look them up without blocking.) */
bool gri_socket_is_numeric(const char *address);
/* Errors: GR_EADDRESS. to_listen: a host "*" is any of this machine's. */
int gri_socket_parse(const char *address, bool to_listen, gri_socket_name *out);

/* Return a descriptor. Errors: GR_EIO (none left), GR_ENOMEM. */
int gri_socket_open(const gri_socket_name *name);
/* Listens, and writes the address, with its real port, to buf. Of ipc: only the
 * owner may connect; a socket that nobody listens on is replaced. Errors also:
 * GR_EADDRESS (in use, no such folder, no right). */
int gri_socket_listen(const gri_socket_name *name, const char *address,
                      char buf[GRI_SOCKET_ADDRESS_MAX]);
/* Takes away what listening has put into the file system. */
void gri_socket_forget(const gri_socket_name *name);

/* Begins to connect; the descriptor can be written to when that is over.
 * Errors: GR_ENOCONN, GR_EDENIED, GR_EADDRESS, GR_ENOMEM, GR_EIO. */
int gri_socket_connect(int fd, const gri_socket_name *name);
/* It is: 0, or why it failed, as above. */
int gri_socket_connected(int fd);
/* No waiting for more bytes before what is there is sent. */
void gri_socket_tune(int fd);
/* Returns the descriptor of a timer that is not set, or GR_EIO. */
int gri_socket_timer(void);
/* It can be read, once more, after ms. */
void gri_socket_set_timer(int fd, int64_t ms);

#endif /* GRI_TRANSPORT_SOCKET_H */
