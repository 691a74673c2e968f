/*
 * bench/net/certificate.c - what TLS needs, for the time of a run: one
 * certificate that both ends show, and that both take for the authority. It is
 * made by openssl's command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/net/net.h"

static int path_of(const char *folder, const char *file,
                   char buf[NET_ADDRESS_MAX])
{
    const int n = snprintf(buf, NET_ADDRESS_MAX, "%s/%s", folder, file);
    return n > 0 && n < NET_ADDRESS_MAX ? 0 : GR_ETOOBIG;
}

/* Runs a program in silence. Returns whether it ended well. */
static bool run_quietly(char *const argv[])
{
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status = -1;
    if (posix_spawn_file_actions_init(&files) != 0) {
        return false;
    }
    int rc = posix_spawn_file_actions_addopen(&files, STDERR_FILENO,
                                              "/dev/null", O_WRONLY, 0);
    if (rc == 0) {
        rc = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    if (rc != 0) {
        return false;
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return status == 0;
}

int net_tls_make(net_tls *tls, const char *folder)
{
    GR_TRY(path_of(folder, "key.pem", tls->key));
    GR_TRY(path_of(folder, "certificate.pem", tls->certificate));
    const char *const words[] = {"openssl",
                                 "req",
                                 "-x509",
                                 "-newkey",
                                 "ec",
                                 "-pkeyopt",
                                 "ec_paramgen_curve:prime256v1",
                                 "-nodes",
                                 "-days",
                                 "2",
                                 "-subj",
                                 "/CN=far",
                                 "-addext",
                                 "subjectAltName=DNS:far,DNS:near",
                                 "-keyout",
                                 tls->key,
                                 "-out",
                                 tls->certificate,
                                 NULL};
    /* posix_spawn does not change them, but its type does not say so. */
    char *argv[sizeof words / sizeof words[0]];
    memcpy(argv, words, sizeof argv);
    return run_quietly(argv) ? 0 : GR_EIO;
}

void net_tls_remove(const net_tls *tls)
{
    (void)unlink(tls->key);
    (void)unlink(tls->certificate);
}

void net_tls_use(const net_tls *tls, gr_node_opts *opts)
{
    if (tls->key[0] != '\0') {
        opts->certificate_file = tls->certificate;
        opts->authority_file = tls->certificate;
        opts->key_file = tls->key;
    }
}
