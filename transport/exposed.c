/* transport/exposed.c - see exposed.h. */
#include "transport/exposed.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* As the system reads it, and only in its plain form: 127.1 or 0177.0.0.1 may
 * be read in more ways than one. */
static bool is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;
    if (strcmp(host, "localhost") == 0) {
        return true;
    }
    if (inet_pton(AF_INET, host, &four) == 1) {
        return ntohl(four.s_addr) >> 24 == 127;
    }
    size_t n = strlen(host);
    char bare[INET6_ADDRSTRLEN];
    if (n < 2 || n - 2 >= sizeof bare || host[0] != '[' || host[n - 1] != ']') {
        return false;
    }
    memcpy(bare, host + 1, n - 2);
    bare[n - 2] = '\0';
    return inet_pton(AF_INET6, bare, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool gri_address_is_exposed(const char *address)
{
    static const char tcp[] = "tcp://";
    char host[INET6_ADDRSTRLEN + 2];
    if (begins(address, "ipc://") || begins(address, "tls+tcp://") ||
        begins(address, "local://") || begins(address, "sim://")) {
        return false;
    }
    const char *at = address + sizeof tcp - 1;
    const char *colon = strrchr(address, ':');
    /* What is not known here is not taken for safe. */
    if (!begins(address, tcp) || colon == NULL || colon < at ||
        (size_t)(colon - at) >= sizeof host) {
        return true;
    }
    memcpy(host, at, (size_t)(colon - at));
    host[colon - at] = '\0';
    return !is_loopback(host);
}
