/* transport/tls_nng.c - see tls_nng.h. */
#include "transport/tls_nng.h"

#include <stdlib.h>
#include <string.h>

#include <nng/supplemental/tls/tls.h>

#include <greenroom/error.h>

#include "base/memory.h"

static const char scheme[] = "tls+tcp://";

enum { SCHEME = sizeof scheme - 1 };

static int error_of(int nng_rc)
{
    switch (nng_rc) {
    case 0:
        return 0;
    case NNG_ENOMEM:
        return GR_ENOMEM;
    case NNG_ENOTSUP:
        return GR_ENOTSUP;
    default:
        /* ECRYPTO, EINVAL: the engine's names for bytes that it cannot read. */
        return GR_EFORMAT;
    }
}

/* ---- what is shown, and believed --------------------------------------- */

static int set_authority(const gri_tls *tls, nng_tls_config *cfg)
{
    static const char revoked[] = "-----BEGIN X509 CRL-----";
    const char *list =
        strstr(tls->authority, revoked) != NULL ? tls->authority : NULL;
    return error_of(nng_tls_config_ca_chain(cfg, tls->authority, list));
}

static int set_certificate(const gri_tls *tls, nng_tls_config *cfg)
{
    return error_of(
        nng_tls_config_own_cert(cfg, tls->certificate, tls->key, NULL));
}

/* Everything but the authorities and the own certificate. */
static int config_new(nng_tls_mode mode, const char *server_name,
                      nng_tls_config **out)
{
    nng_tls_config *cfg = NULL;
    GR_TRY(error_of(nng_tls_config_alloc(&cfg, mode)));
    int rc = nng_tls_config_auth_mode(cfg, NNG_TLS_AUTH_MODE_REQUIRED);
    if (rc == 0) {
        rc = nng_tls_config_version(cfg, NNG_TLS_1_2, NNG_TLS_1_2);
    }
    if (rc == 0 && server_name != NULL) {
        rc = nng_tls_config_server_name(cfg, server_name);
    }
    if (rc != 0) {
        nng_tls_config_free(cfg);
        return error_of(rc);
    }
    *out = cfg;
    return 0;
}

static int config_of(const gri_tls *tls, nng_tls_mode mode,
                     const char *server_name, nng_tls_config **out)
{
    nng_tls_config *cfg = NULL;
    GR_TRY(config_new(mode, server_name, &cfg));
    int rc = set_authority(tls, cfg);
    if (rc == 0) {
        rc = set_certificate(tls, cfg);
    }
    if (rc < 0) {
        nng_tls_config_free(cfg);
        return rc;
    }
    *out = cfg;
    return 0;
}

/* ---- streams ------------------------------------------------------------- */

int gri_tls_nng_dialer(const gri_tls *tls, const char *address,
                       nng_stream_dialer **out)
{
    char name[GRI_TLS_NAME_SIZE];
    /* NNG does not know names in its addresses. */
    char plain[SCHEME + GRI_TLS_NAME_SIZE + sizeof ":65535"];
    if (tls == NULL) {
        return GR_EINVAL;
    }
    const gr_str demanded = gri_tls_demands(address);
    const char *rest =
        address + SCHEME + demanded.len + (demanded.len > 0 ? 1 : 0);
    memcpy(plain, scheme, SCHEME);
    size_t n = strnlen(rest, sizeof plain - SCHEME - 1);
    memcpy(plain + SCHEME, rest, n);
    plain[SCHEME + n] = '\0';
    gri_tls_server_name(address, name);

    nng_tls_config *cfg = NULL;
    nng_stream_dialer *dialer = NULL;
    GR_TRY(config_of(tls, NNG_TLS_MODE_CLIENT, name, &cfg));
    int rc = nng_stream_dialer_alloc(&dialer, plain);
    if (rc == 0) {
        rc = nng_stream_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, cfg);
        if (rc != 0) {
            nng_stream_dialer_free(dialer);
        }
    }
    nng_tls_config_free(cfg); /* the dialer holds it */
    if (rc != 0) {
        return rc == NNG_ENOMEM ? GR_ENOMEM : GR_EADDRESS;
    }
    *out = dialer;
    return 0;
}

int gri_tls_nng_listener(const gri_tls *tls, const char *address,
                         nng_stream_listener **out)
{
    nng_tls_config *cfg = NULL;
    nng_stream_listener *listener = NULL;
    if (tls == NULL) {
        return GR_EINVAL;
    }
    GR_TRY(config_of(tls, NNG_TLS_MODE_SERVER, NULL, &cfg));
    int rc = nng_stream_listener_alloc(&listener, address);
    if (rc == 0) {
        rc = nng_stream_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, cfg);
        if (rc != 0) {
            nng_stream_listener_free(listener);
        }
    }
    nng_tls_config_free(cfg); /* the listener holds it */
    if (rc != 0) {
        return rc == NNG_ENOMEM ? GR_ENOMEM : GR_EADDRESS;
    }
    *out = listener;
    return 0;
}

#if defined NNG_OPT_TLS_PEER_CN && defined NNG_OPT_TLS_PEER_ALT_NAMES

bool gri_tls_nng_tells_names(void)
{
    return true;
}

static bool free_and_compare(char **list, const char *name)
{
    bool found = false;
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
        found = found || strcmp(list[i], name) == 0;
        nng_strfree(list[i]);
    }
    free(list);
    return found;
}

int gri_tls_nng_names(nng_stream *stream, const char *name)
{
    void *list = NULL;
    char *common = NULL;
    int rc = nng_stream_get_ptr(stream, NNG_OPT_TLS_PEER_ALT_NAMES, &list);
    if (rc == 0 && free_and_compare(list, name)) {
        return 1;
    }
    if (rc == 0) {
        rc = nng_stream_get_string(stream, NNG_OPT_TLS_PEER_CN, &common);
    }
    if (rc != 0) {
        return rc == NNG_ENOMEM ? GR_ENOMEM : GR_ENOTSUP;
    }
    /* All that stands behind "CN=" in the subject: if that is more than the
     * common name, it is for nobody. */
    bool same = common != NULL && strcmp(common, name) == 0;
    if (common != NULL) {
        nng_strfree(common);
    }
    return same ? 1 : 0;
}

#else

bool gri_tls_nng_tells_names(void)
{
    return false;
}

int gri_tls_nng_names(nng_stream *stream, const char *name)
{
    (void)stream;
    (void)name;
    return GR_ENOTSUP;
}

#endif
