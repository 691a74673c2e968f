/* transport/address.c - the form of addresses, and which kind of link each is
 * for. */
#include <string.h>

#include <greenroom/error.h>

#include "transport/handshake.h"
#include "transport/link.h"
#include "transport/socket.h"
#include "transport/tls_nng.h"

enum {
    PATH_MAX_BYTES = 107, /* sockaddr_un.sun_path, less the zero byte */
    HOST_MAX_BYTES = 255, /* the domain name system's */
    PLACE_MAX_BYTES = 63  /* of a name that only this process knows */
};

typedef enum form { HOST_AND_PORT, TLS, PATH, PLACE } form;

/* The one place that knows the schemes. */
static const struct scheme {
    const char *name;
    form form;
    const gri_link_ops *ops;
} schemes[] = {
    {"tcp://", HOST_AND_PORT, &gri_link_nng},
    {"tls+tcp://", TLS, &gri_link_nng},
    {"ipc://", PATH, &gri_link_socket},
    {"local://", PLACE, &gri_link_local},
    {"sim://", PLACE, &gri_link_sim},
};

/* NULL: none. *rest is what stands behind it. */
static const struct scheme *find_scheme(const char *address, const char **rest)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i].name);
        if (address != NULL && strncmp(address, schemes[i].name, n) == 0) {
            *rest = address + n;
            return &schemes[i];
        }
    }
    return NULL;
}

const gri_link_ops *gri_link_ops_for(const char *address)
{
    const char *rest;
    const struct scheme *scheme = find_scheme(address, &rest);
    if (scheme == NULL) {
        return NULL;
    }
    /* NNG looks up the names of hosts. */
    return scheme->ops == &gri_link_nng && gri_socket_is_numeric(address)
               ? &gri_link_socket
               : scheme->ops;
}

bool gri_address_tells_names(const char *address)
{
    return gri_link_ops_for(address) != &gri_link_nng ||
           gri_tls_nng_tells_names();
}

static bool port_ok(const char *p, bool zero_ok)
{
    unsigned port = 0;
    size_t digits = 0;
    for (; p[digits] >= '0' && p[digits] <= '9' && digits < 6; digits++) {
        port = port * 10 + (unsigned)(p[digits] - '0');
    }
    return digits > 0 && p[digits] == '\0' && port <= 65535 &&
           (port > 0 || zero_ok);
}

/* host:port, with a node's name and '@' before it if name_ok. */
static bool host_and_port_ok(const char *place, bool to_listen, bool name_ok)
{
    const char *host = place;
    const char *at = name_ok ? strchr(place, '@') : NULL;
    if (at != NULL) {
        if (!gri_node_name_ok(place, (size_t)(at - place))) {
            return false;
        }
        host = at + 1;
    }
    const char *colon = strrchr(host, ':');
    return colon != NULL && colon != host && strpbrk(place, "/?# ") == NULL &&
           strchr(host, '@') == NULL && colon - host <= HOST_MAX_BYTES &&
           port_ok(colon + 1, to_listen);
}

static bool path_ok(const char *path)
{
    size_t n = strlen(path);
    /* Absolute: a child process may have another working directory. */
    return path[0] == '/' && n > 1 && n <= PATH_MAX_BYTES;
}

static bool place_ok(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return n > 0 && n <= PLACE_MAX_BYTES && name[n] == '\0';
}

int gri_address_check(const char *address, bool to_listen)
{
    const char *rest;
    const struct scheme *scheme = find_scheme(address, &rest);
    bool ok = false;
    if (scheme == NULL) {
        return GR_EADDRESS;
    }
    switch (scheme->form) {
    case HOST_AND_PORT:
        ok = host_and_port_ok(rest, to_listen, false);
        break;
    case TLS:
        ok = host_and_port_ok(rest, to_listen, !to_listen);
        break;
    case PATH:
        ok = path_ok(rest);
        break;
    case PLACE:
        ok = place_ok(rest);
        break;
    }
    return ok ? 0 : GR_EADDRESS;
}
