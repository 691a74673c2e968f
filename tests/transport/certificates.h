/*
 * tests/transport/certificates.h - certificates that live as long as a test
 * program: made by openssl's command line in a folder of their own, of an
 * authority that nobody else has.
 */
#ifndef TESTS_TRANSPORT_CERTIFICATES_H
#define TESTS_TRANSPORT_CERTIFICATES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static char certificates[64]; /* the folder; "": none */

static inline void in_folder(const char *command)
{
    char line[1024];
    int n =
        snprintf(line, sizeof line, "cd %s && umask 077 && { %s; } >log 2>&1",
                 certificates, command);
    assert_true(n > 0 && (size_t)n < sizeof line);
    if (system(line) != 0) { /* NOLINT(cert-env33-c): a test's own text */
        fail_msg("failed: %s (is openssl installed?)", line);
    }
}

/* NAME.key and NAME.pem: an authority, signed by itself. */
static inline void make_authority(const char *name)
{
    char line[512];
    (void)snprintf(line, sizeof line,
                   "openssl req -x509 -newkey ec -pkeyopt "
                   "ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=%s "
                   "-keyout %s.key -out %s.pem",
                   name, name, name);
    in_folder(line);
}

/* FILE.key and FILE.pem: for a node of that name, and for what `others` says
 * ("DNS:localhost,IP:127.0.0.1"), signed by that authority. */
static inline void make_certificate_of(const char *file, const char *name,
                                       const char *others,
                                       const char *authority)
{
    char line[900];
    (void)snprintf(
        line, sizeof line,
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        "-subj /CN=%s -keyout %s.key -out %s.req && "
        "echo 'subjectAltName=%s' >%s.ext && "
        "openssl x509 -req -in %s.req -CA %s.pem -CAkey %s.key -CAcreateserial "
        "-days 2 -extfile %s.ext -out %s.pem",
        name, file, file, others, file, file, authority, authority, file, file);
    in_folder(line);
}

/* The same for a node of that name, and (to_host) for localhost. */
static inline void make_certificate(const char *file, const char *name,
                                    bool to_host, const char *authority)
{
    char others[160];
    (void)snprintf(others, sizeof others, "DNS:%s%s", name,
                   to_host ? ",DNS:localhost" : "");
    make_certificate_of(file, name, others, authority);
}

/* The same, but good from one moment to another ("20200101000000Z"). */
static inline void make_certificate_for(const char *file, const char *name,
                                        const char *authority, const char *from,
                                        const char *until)
{
    char line[1000];
    in_folder("printf '%s\\n' '[ca]' 'default_ca=it' '[it]' 'database=index' "
              "'new_certs_dir=.' 'default_md=sha256' 'policy=any' "
              "'serial=serial' 'unique_subject=no' '[any]' "
              "'commonName=supplied' >ca.conf; test -e index || "
              "{ : >index; echo 01 >serial; }");
    (void)snprintf(
        line, sizeof line,
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
        "-subj /CN=%s -keyout %s.key -out %s.req && "
        "openssl ca -batch -notext -config ca.conf -cert %s.pem -keyfile "
        "%s.key -in %s.req -out %s.pem -startdate %s -enddate %s",
        name, file, file, authority, authority, file, file, from, until);
    in_folder(line);
}

/* For cmocka: a folder with the authorities ours and theirs; node and alice,
 * signed by ours; mallory, who has a certificate for alice, but of theirs. */
static inline int make_certificates(void **state)
{
    (void)state;
    (void)snprintf(certificates, sizeof certificates, "/tmp/gr-certs-XXXXXX");
    if (mkdtemp(certificates) == NULL) {
        return -1;
    }
    make_authority("ours");
    make_authority("theirs");
    make_certificate("node", "node", true, "ours");
    make_certificate("alice", "alice", false, "ours");
    make_certificate("mallory", "alice", false, "theirs");
    return 0;
}

static inline int remove_certificates(void **state)
{
    char line[128];
    (void)state;
    (void)snprintf(line, sizeof line, "rm -r %s", certificates);
    return system(line); /* NOLINT(cert-env33-c): a test's own text */
}

/* The paths of one node's files. */
typedef struct papers {
    char certificate[96], key[96], authority[96];
} papers;

static inline papers papers_of(const char *file, const char *authority)
{
    papers p;
    (void)snprintf(p.certificate, sizeof p.certificate, "%s/%s.pem",
                   certificates, file);
    (void)snprintf(p.key, sizeof p.key, "%s/%s.key", certificates, file);
    (void)snprintf(p.authority, sizeof p.authority, "%s/%s.pem", certificates,
                   authority);
    return p;
}

#endif /* TESTS_TRANSPORT_CERTIFICATES_H */
