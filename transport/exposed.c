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

/* The host of an address that has one, without a node's name before it. False:
 * it has none, or one longer than any that is known here. */
static bool host_of(const char *address, char host[INET6_ADDRSTRLEN + 2])
{
    if (!begins(address, "tcp://") && !begins(address, "tls+tcp://")) {
        return false;
    }
    const char *at = strstr(address, "://") + 3;
    const char *name = strchr(at, '@');
    at = name != NULL ? name + 1 : at;
    const char *colon = strrchr(at, ':');
    if (colon == NULL || (size_t)(colon - at) >= INET6_ADDRSTRLEN + 2) {
        return false;
    }
    memcpy(host, at, (size_t)(colon - at));
    host[colon - at] = '\0';
    return true;
}

bool gri_address_is_exposed(const char *address)
{
    char host[INET6_ADDRSTRLEN + 2];
    if (begins(address, "ipc://") || begins(address, "tls+tcp://") ||
        begins(address, "local://") || begins(address, "sim://")) {
        return false;
    }
    /* What is not known here is not taken for safe. */
    return !host_of(address, host) || !is_loopback(host);
}

bool gri_address_is_like(const char *a, const char *b)
{
    char host[INET6_ADDRSTRLEN + 2];
    const size_t scheme = strcspn(a, ":");
    if (strncmp(a, b, scheme + 1) != 0) {
        return false;
    }
    const bool a_here = host_of(a, host) && is_loopback(host);
    const bool b_here = host_of(b, host) && is_loopback(host);
    return a_here == b_here;
}

bool gri_address_is_wildcard(const char *address)
{
    char host[INET6_ADDRSTRLEN + 2];
    return host_of(address, host) &&
           (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "[::]") == 0 ||
            strcmp(host, "*") == 0);
}
