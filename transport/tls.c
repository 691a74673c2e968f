/* transport/tls.c - see tls.h. */
#include "transport/tls.h"

#include <stdlib.h>
#include <string.h>

#include "transport/file.h"
#include "transport/session.h"

static const char scheme[] = "tls+tcp://";

enum { SCHEME = sizeof scheme - 1 };

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
        gri_session_forget(tls);
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

/* OpenSSL takes any certificate, and any key of its kind. */
static int check_own(const gri_tls *tls, const gr_node_opts *opts,
                     gri_tls_fault *fault)
{
    gri_x509_fault is;
    const int rc = gri_x509_check(tls->ctx, &is);
    if (rc < 0 && rc != GR_ENOMEM) {
        fault->file = is.of_key ? opts->key_file : opts->certificate_file;
        memcpy(fault->text, is.text, sizeof fault->text);
    }
    return rc;
}

static int read_all(gri_tls *tls, const gr_node_opts *opts, const char **file)
{
    const char *at;
    *file = opts->authority_file;
    GR_TRY(read_text(*file, GRI_FILE_PUBLIC, &tls->authority));
    *file = opts->certificate_file;
    GR_TRY(read_text(*file, GRI_FILE_PUBLIC, &tls->certificate));
    *file = opts->key_file;
    GR_TRY(read_text(*file, GRI_FILE_SECRET, &tls->key));
    const int rc = gri_session_context(tls, &at);
    *file = at == tls->authority     ? opts->authority_file
            : at == tls->certificate ? opts->certificate_file
            : at == tls->key         ? opts->key_file
                                     : NULL;
    return rc;
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

void gri_tls_server_name(const char *address, char buf[GRI_TLS_NAME_SIZE])
{
    gr_str name = gri_tls_demands(address);
    if (name.len == 0) {
        const char *host = address + SCHEME;
        const char *end = strrchr(host, ':');
        bool six = *host == '[';
        name.ptr = host + (six ? 1 : 0);
        name.len = (uint32_t)(end - name.ptr) - (six ? 1 : 0);
    }
    size_t n = name.len < GRI_TLS_NAME_SIZE ? name.len : GRI_TLS_NAME_SIZE - 1;
    memcpy(buf, name.ptr, n);
    buf[n] = '\0';
}
