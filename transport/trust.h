/*
 * transport/trust.h - whom a node believes, by which secret, and what it then
 * lets them do.
 *
 * Made once from the options, and constant from then on, but for what the agent
 * counts in gri_rights. A name that is listed has a secret of its own, or must
 * show a certificate for that name: rights attach to what is proven, and all
 * who know the common secret, or show some other certificate, are alike.
 */
#ifndef GRI_TRANSPORT_TRUST_H
#define GRI_TRANSPORT_TRUST_H

#include "transport/handshake.h"

/* What a peer may do; a copy of gr_peer_rights. */
typedef struct gri_rights {
    char **names;                  /* ends at NULL; NULL: all */
    const gr_behavior **spawnable; /* ends at NULL; NULL: none */
    bool may_link, may_monitor, may_stop;
    /* UINT32_MAX: as many as anybody */
    uint32_t monitors_max, links_max, asks_max, spawned_max, names_max;

    /* the agent's: living actors that were spawned with these rights, and those
     * of them that got a name */
    uint32_t spawned, named;
} gri_rights;

/* A name that is listed. */
typedef struct gri_known {
    /* The rest is zero bytes: all are compared. */
    char name[GR_NODE_NAME_MAX + 1];
    uint8_t key[GRI_KEY_BYTES];
    bool by_certificate; /* it has no secret of its own: this proves it */
    gri_rights *rights;  /* NULL: all */
} gri_known;

typedef struct gri_trust {
    /* For names that are not listed: of the common secret, or one that nobody
     * knows. */
    uint8_t key[GRI_KEY_BYTES];
    gri_rights *rights; /* of those; NULL: all */
    bool no_secret;     /* there is none: certificates alone decide */
    gri_known *known;
    size_t count;
} gri_trust; /* all zero is an empty one, and trusts nobody */

/*
 * Errors: GR_EINVAL (no secret and no certificate, or neither for a listed
 * name; a bad or repeated name; a list without an end within
 * GR_PEERS_LISTED_MAX; rights to spawn what the node does not let), GR_ENOTSUP
 * (names by their certificates, which whoever listens cannot see), those of
 * gri_secret_key, GR_ENOMEM. Needs sodium_init.
 */
int gri_trust_init(gri_trust *trust, const gr_node_opts *opts);
/* The first listed name that its certificate alone is to prove; NULL: none. */
const char *gri_trust_certified_name(const gr_node_opts *opts);
/* Wipes the keys. */
void gri_trust_fini(gri_trust *trust);

/* The key that a node of that name must know. gri_key_fn; arg is the trust.
 * Takes the same time whether the name is listed or not. */
void gri_trust_key(const void *arg, const char *name,
                   uint8_t key[GRI_KEY_BYTES]);
/* The rights of a node that has proven that name; NULL: all. */
gri_rights *gri_trust_rights(const gri_trust *trust, const char *name);
/* Does that name need a certificate for it? */
bool gri_trust_by_certificate(const gri_trust *trust, const char *name);

/* May a peer with these rights (NULL: all) look that name up? */
bool gri_rights_reach(const gri_rights *rights, gr_str name);
/* May it start that behaviour, which is one of the node's spawnable ones? */
bool gri_rights_spawn(const gri_rights *rights, const gr_behavior *behavior);

#endif /* GRI_TRANSPORT_TRUST_H */
