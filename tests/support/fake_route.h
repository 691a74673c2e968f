/*
 * tests/support/fake_route.h - a route that carries nothing anywhere: it writes
 * down what the core wanted to send, and answers as the test says.
 */
#ifndef TESTS_SUPPORT_FAKE_ROUTE_H
#define TESTS_SUPPORT_FAKE_ROUTE_H

#include "actors/route.h"
#include "tests/support/stage.h"

enum { FAKE_SENT_MAX = 64 };

typedef struct fake_route {
    stage *on;
    int rc;       /* what deliver answers */
    bool takes;   /* it takes the next message, as GRI_ROUTE_TOOK says: */
    gr_msg *took; /* this is it, the test's to free */
    gri_cache cache;
    struct {
        gri_msg_kind kind;
        gr_pid to, from;
        uint64_t ref;
        int64_t extra;
        bool asked;
        char text[64]; /* the payload, printed */
    } sent[FAKE_SENT_MAX];
    unsigned count;
    unsigned stopped, freed;
} fake_route;

/* Plugs it into a deterministic stage. */
void fake_route_install(fake_route *f, stage *s);
/* A pid on the node behind it. */
gr_pid fake_pid(const fake_route *f, uint64_t id);
/* A signal from there, without a payload. */
gr_msg *fake_signal(fake_route *f, gri_msg_kind kind, gr_pid from,
                    uint64_t ref);
/* A message ["far"] from there, asked if ref is not 0. */
gr_msg *fake_message(fake_route *f, gr_pid from, uint64_t ref);
/* Gives it to the core. */
void fake_arrives(fake_route *f, gr_pid to, gr_msg *msg);

#endif /* TESTS_SUPPORT_FAKE_ROUTE_H */
