/* transport/trust.c - see trust.h. */
#include "transport/trust.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "transport/link.h"
#include "transport/secret.h"
#include "transport/tls.h"

/* ---- rights -------------------------------------------------------------- */

static size_t count_of(const void *const *list)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL) {
        n++;
    }
    return n;
}

static void free_rights(gri_rights *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; r->names != NULL && r->names[i] != NULL; i++) {
        free(r->names[i]);
    }
    free(r->names);
    free(r->spawnable);
    free(r);
}

static int copy_names(gri_rights *r, const char *const *names)
{
    if (names == NULL) {
        return 0;
    }
    size_t n = count_of((const void *const *)names);
    r->names = calloc(n + 1, sizeof *r->names);
    if (r->names == NULL) {
        return GR_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        r->names[i] = strdup(names[i]);
        if (r->names[i] == NULL) {
            return GR_ENOMEM;
        }
    }
    return 0;
}

static bool is_listed(const gr_behavior *const *list, const gr_behavior *b)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        if (list[i] == b) {
            return true;
        }
    }
    return false;
}

static int copy_spawnable(gri_rights *r, const gr_behavior *const *list,
                          const gr_behavior *const *all)
{
    size_t n = count_of((const void *const *)list);
    if (n == 0) {
        return 0;
    }
    r->spawnable = calloc(n + 1, sizeof(const gr_behavior *));
    if (r->spawnable == NULL) {
        return GR_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_listed(all, list[i])) {
            return GR_EINVAL;
        }
        r->spawnable[i] = list[i];
    }
    return 0;
}

static uint32_t limit_of(uint32_t max)
{
    return max == 0 ? UINT32_MAX : max;
}

/* *out is NULL for all rights. */
static int copy_rights(gri_rights **out, const gr_peer_rights *from,
                       const gr_behavior *const *all)
{
    if (from == NULL) {
        *out = NULL;
        return 0;
    }
    gri_rights *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return GR_ENOMEM;
    }
    r->may_link = from->may_link;
    r->may_monitor = from->may_monitor;
    r->may_stop = from->may_stop;
    r->monitors_max = limit_of(from->monitors_max);
    r->links_max = limit_of(from->links_max);
    r->asks_max = limit_of(from->asks_max);
    r->spawned_max = limit_of(from->spawned_max);
    r->names_max = limit_of(from->names_max);
    int rc = copy_names(r, from->names);
    if (rc == 0) {
        rc = copy_spawnable(r, from->spawnable, all);
    }
    if (rc < 0) {
        free_rights(r);
        return rc;
    }
    *out = r;
    return 0;
}

bool gri_rights_reach(const gri_rights *rights, gr_str name)
{
    if (rights == NULL || rights->names == NULL) {
        return true;
    }
    for (size_t i = 0; rights->names[i] != NULL; i++) {
        const char *pattern = rights->names[i];
        size_t n = strlen(pattern);
        bool open = n > 0 && pattern[n - 1] == '*';
        n -= open ? 1 : 0;
        if ((open ? name.len >= n : name.len == n) &&
            memcmp(name.ptr, pattern, n) == 0) {
            return true;
        }
    }
    return false;
}

bool gri_rights_spawn(const gri_rights *rights, const gr_behavior *behavior)
{
    return rights == NULL || is_listed(rights->spawnable, behavior);
}

/* ---- who ----------------------------------------------------------------- */

static bool has_secret(const char *file, gr_bytes secret)
{
    return file != NULL || (secret.ptr != NULL && secret.len > 0);
}

/* How many names are listed, and whether any of them has a secret. */
static int count_known(const gr_node_opts *opts, size_t *out, bool *secrets)
{
    size_t n = 0;
    while (opts->peers != NULL && opts->peers[n].name != NULL) {
        const gr_peer_opts *p = &opts->peers[n];
        *secrets = *secrets || has_secret(p->secret_file, p->secret);
        if (++n > GR_PEERS_LISTED_MAX) {
            return GR_EINVAL;
        }
    }
    *out = n;
    return 0;
}

/* The name is checked, and not there yet. */
static int check_name(const gri_trust *trust, const gr_node_opts *opts,
                      const char *name)
{
    if (!gri_node_name_ok(name, strnlen(name, GR_NODE_NAME_MAX + 1)) ||
        strcmp(name, opts->name) == 0) {
        return GR_EINVAL;
    }
    for (size_t i = 0; i < trust->count; i++) {
        if (strcmp(trust->known[i].name, name) == 0) {
            return GR_EINVAL;
        }
    }
    return 0;
}

/* May a name be known by its certificate? If it could not be seen, whoever
 * knows the common secret could take that name, and with it what is allowed to
 * it. */
static int check_certified(const gri_trust *trust, const gr_node_opts *opts)
{
    bool common = has_secret(opts->secret_file, opts->secret);
    if (!gri_tls_wanted(opts) || (!common && !trust->no_secret)) {
        return GR_EINVAL;
    }
    return opts->listen != NULL && !gri_address_tells_names(opts->listen)
               ? GR_ENOTSUP
               : 0;
}

const char *gri_trust_certified_name(const gr_node_opts *opts)
{
    const gr_peer_opts *p = opts->peers;
    while (p != NULL && p->name != NULL &&
           has_secret(p->secret_file, p->secret)) {
        p++;
    }
    return p == NULL ? NULL : p->name;
}

static int add_known(gri_trust *trust, const gr_node_opts *opts,
                     const gr_peer_opts *peer)
{
    gri_known *k = &trust->known[trust->count];
    GR_TRY(check_name(trust, opts, peer->name));
    if (has_secret(peer->secret_file, peer->secret)) {
        GR_TRY(gri_secret_key(k->key, peer->secret_file, peer->secret));
    } else {
        GR_TRY(check_certified(trust, opts));
        memcpy(k->key, trust->key, sizeof k->key);
        k->by_certificate = true;
    }
    GR_TRY(copy_rights(&k->rights, peer->rights, opts->spawnable));
    memcpy(k->name, peer->name, strlen(peer->name));
    trust->count++;
    return 0;
}

int gri_trust_init(gri_trust *trust, const gr_node_opts *opts)
{
    size_t n = 0;
    *trust = (gri_trust){.count = 0};
    bool secrets = false;
    GR_TRY(count_known(opts, &n, &secrets));
    if (has_secret(opts->secret_file, opts->secret)) {
        GR_TRY(gri_secret_key(trust->key, opts->secret_file, opts->secret));
    } else if (secrets) {
        /* Nobody knows it, so nobody can prove it; and who tries cannot tell
         * that there is none. */
        randombytes_buf(trust->key, sizeof trust->key);
    } else if (gri_tls_wanted(opts)) {
        trust->no_secret = true; /* the key stays zero: it proves nothing */
    } else {
        return GR_EINVAL;
    }
    int rc = 0;
    if (n > 0) {
        trust->known = calloc(n, sizeof *trust->known);
        if (trust->known == NULL) {
            gri_trust_fini(trust);
            return GR_ENOMEM;
        }
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = add_known(trust, opts, &opts->peers[i]);
    }
    if (rc == 0) {
        rc = copy_rights(&trust->rights, opts->rights, opts->spawnable);
    }
    if (rc < 0) {
        gri_trust_fini(trust);
    }
    return rc;
}

void gri_trust_fini(gri_trust *trust)
{
    for (size_t i = 0; trust->known != NULL && i < trust->count; i++) {
        free_rights(trust->known[i].rights);
        sodium_memzero(trust->known[i].key, GRI_KEY_BYTES);
    }
    free(trust->known);
    free_rights(trust->rights);
    sodium_memzero(trust, sizeof *trust);
}

void gri_trust_key(const void *arg, const char *name,
                   uint8_t key[GRI_KEY_BYTES])
{
    const gri_trust *trust = arg;
    char padded[GR_NODE_NAME_MAX + 1] = "";
    memcpy(padded, name, strnlen(name, GR_NODE_NAME_MAX));
    memcpy(key, trust->key, GRI_KEY_BYTES);
    /* All of them, each whole, and no branch: a stranger who measures learns
     * nothing of which names are listed. */
    for (size_t i = 0; i < trust->count; i++) {
        const gri_known *k = &trust->known[i];
        int other = sodium_memcmp(k->name, padded, sizeof padded);
        uint8_t take = (uint8_t) ~(unsigned)other; /* 0: -1; all ones: 0 */
        for (size_t b = 0; b < GRI_KEY_BYTES; b++) {
            key[b] = (uint8_t)((key[b] & ~take) | (k->key[b] & take));
        }
    }
}

static const gri_known *find(const gri_trust *trust, const char *name)
{
    for (size_t i = 0; i < trust->count; i++) {
        if (strcmp(trust->known[i].name, name) == 0) {
            return &trust->known[i];
        }
    }
    return NULL;
}

gri_rights *gri_trust_rights(const gri_trust *trust, const char *name)
{
    const gri_known *k = find(trust, name);
    return k != NULL ? k->rights : trust->rights;
}

bool gri_trust_by_certificate(const gri_trust *trust, const char *name)
{
    const gri_known *k = find(trust, name);
    return k != NULL && k->by_certificate;
}
