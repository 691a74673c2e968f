/* transport/address.c - the form of addresses. */
#include <string.h>

#include <greenroom/error.h>

#include "transport/link.h"

enum {
    PATH_MAX_BYTES = 107, /* sockaddr_un.sun_path, less the zero byte */
    HOST_MAX_BYTES = 255  /* the domain name system's */
};

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

int gri_address_check(const char *address, bool to_listen)
{
    if (address == NULL) {
        return GR_EADDRESS;
    }
    if (strncmp(address, "ipc://", 6) == 0) {
        size_t n = strlen(address + 6);
        /* Absolute: a child process may have another working directory. */
        bool ok = address[6] == '/' && n > 1 && n <= PATH_MAX_BYTES;
        return ok ? 0 : GR_EADDRESS;
    }
    if (strncmp(address, "tcp://", 6) == 0) {
        const char *host = address + 6;
        const char *colon = strrchr(host, ':');
        if (colon == NULL || colon == host || strpbrk(host, "/?#@ ") != NULL ||
            colon - host > HOST_MAX_BYTES || !port_ok(colon + 1, to_listen)) {
            return GR_EADDRESS;
        }
        return 0;
    }
    return GR_EADDRESS;
}
