/* transport/tls.c - see tls.h. */
#include "transport/tls.h"

#include <stdlib.h>
#include <string.h>

#include <nng/supplemental/tls/tls.h>

#include "transport/file.h"

static const char scheme[] = "tls+tcp://";

enum {
    SCHEME = sizeof scheme - 1,
    NAME_MAX_BYTES = 255 /* of a host */
};

/* Texts that end at a zero byte. */
struct gri_tls {
    char *certificate;
    char *key;
    char *authority;
};

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

/* ---- the files ----------------------------------------------------------- */

static void wipe(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

void gri_tls_free(gri_tls *tls)
{
    if (tls != NULL) {
        wipe(tls->certificate);
        wipe(tls->key);
        wipe(tls->authority);
        free(tls);
    }
}

static int read_text(const char *file, gri_privacy privacy, char **out)
{
    uint8_t *buf = malloc(GRI_PEM_MAX + 1);
    if (buf == NULL) {
        return GR_ENOMEM;
    }
    int64_t n = gri_file_read(file, privacy, buf, GRI_PEM_MAX + 1);
    int rc = n < 0 ? (int)n : 0;
    if (n == 0 || n > GRI_PEM_MAX || (n > 0 && memchr(buf, 0, (size_t)n))) {
        rc = GR_EFORMAT;
    }
    char *text = rc == 0 ? malloc((size_t)n + 1) : NULL;
    if (text != NULL) {
        memcpy(text, buf, (size_t)n);
        text[n] = '\0';
        *out = text;
    }
    explicit_bzero(buf, n > 0 ? (size_t)n : 0);
    free(buf);
    return rc == 0 && text == NULL ? GR_ENOMEM : rc;
}

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

/* Whether the engine can read them, one by one, to tell which it cannot. */
static int try_all(const gri_tls *tls, const gr_node_opts *opts,
                   const char **file)
{
    nng_tls_config *cfg = NULL;
    GR_TRY(config_new(NNG_TLS_MODE_SERVER, NULL, &cfg));
    *file = opts->authority_file;
    int rc = set_authority(tls, cfg);
    if (rc == 0) {
        /* A certificate alone can be an authority's. */
        *file = opts->certificate_file;
        rc = error_of(nng_tls_config_ca_chain(cfg, tls->certificate, NULL));
    }
    if (rc == 0) {
        *file = opts->key_file;
        rc = set_certificate(tls, cfg);
    }
    nng_tls_config_free(cfg);
    return rc;
}

/* NNG takes any certificate and any key. */
static int check_own(const gri_tls *tls, const gr_node_opts *opts,
                     gri_tls_fault *fault)
{
    gri_x509_fault is;
    int rc = gri_x509_check(tls->certificate, tls->key, &is);
    if (rc == GR_EEXPIRED || rc == GR_EFORMAT) {
        fault->file = is.of_key ? opts->key_file : opts->certificate_file;
        memcpy(fault->text, is.text, sizeof fault->text);
    }
    return rc;
}

static int read_all(gri_tls *tls, const gr_node_opts *opts, const char **file)
{
    *file = opts->authority_file;
    GR_TRY(read_text(*file, GRI_FILE_PUBLIC, &tls->authority));
    *file = opts->certificate_file;
    GR_TRY(read_text(*file, GRI_FILE_PUBLIC, &tls->certificate));
    *file = opts->key_file;
    GR_TRY(read_text(*file, GRI_FILE_SECRET, &tls->key));
    *file = NULL;
    return try_all(tls, opts, file);
}

int gri_tls_new(const gr_node_opts *opts, gri_tls **out, gri_tls_fault *fault)
{
    *fault = (gri_tls_fault){.file = NULL};
    if (opts->certificate_file == NULL || opts->key_file == NULL ||
        opts->authority_file == NULL) {
        return GR_EINVAL;
    }
    gri_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        return GR_ENOMEM;
    }
    int rc = read_all(tls, opts, &fault->file);
    if (rc == 0) {
        fault->file = NULL;
        rc = check_own(tls, opts, fault);
    }
    if (rc < 0) {
        gri_tls_free(tls);
        return rc;
    }
    *out = tls;
    return 0;
}

/* ---- addresses ----------------------------------------------------------- */

bool gri_tls_address(const char *address)
{
    return strncmp(address, scheme, SCHEME) == 0;
}

gr_str gri_tls_demands(const char *address)
{
    const char *at = gri_tls_address(address) ? strrchr(address, '@') : NULL;
    if (at == NULL) {
        return (gr_str){"", 0};
    }
    const char *name = address + SCHEME;
    return (gr_str){name, (uint32_t)(at - name)};
}

/* For whom the certificate must be. */
static void server_name_of(const char *address, char *buf, size_t size)
{
    gr_str name = gri_tls_demands(address);
    if (name.len == 0) {
        const char *host = address + SCHEME;
        const char *end = strrchr(host, ':');
        bool six = *host == '[';
        name.ptr = host + (six ? 1 : 0);
        name.len = (uint32_t)(end - name.ptr) - (six ? 1 : 0);
    }
    size_t n = name.len < size ? name.len : size - 1;
    memcpy(buf, name.ptr, n);
    buf[n] = '\0';
}

/* ---- streams ------------------------------------------------------------- */

int gri_tls_dialer(const gri_tls *tls, const char *address,
                   nng_stream_dialer **out)
{
    char name[NAME_MAX_BYTES + 1];
    /* NNG does not know names in its addresses. */
    char plain[SCHEME + NAME_MAX_BYTES + sizeof ":65535"];
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
    server_name_of(address, name, sizeof name);

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

int gri_tls_listener(const gri_tls *tls, const char *address,
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

bool gri_tls_tells_names(void)
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

int gri_tls_names(nng_stream *stream, const char *name)
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

bool gri_tls_tells_names(void)
{
    return false;
}

int gri_tls_names(nng_stream *stream, const char *name)
{
    (void)stream;
    (void)name;
    return GR_ENOTSUP;
}

#endif
