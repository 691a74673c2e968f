/*
 * wordcount/payload.h - chunks as bytes, for nodes that do not share the file
 * system.
 *
 * A segment's bytes are sent from the start of its first own word to the end of
 * its last, so that whoever counts them needs to know nothing of the file. What
 * does not fit into a message, which takes a word of megabytes, is counted
 * here.
 */
#ifndef WORDCOUNT_PAYLOAD_H
#define WORDCOUNT_PAYLOAD_H

#include "chunks.h"
#include "partial.h"
#include "scan.h"
#include "walk.h"

/* Bytes of one message. */
#define WC_PAYLOAD_MAX ((size_t)2 << 20)

typedef struct wc_payload {
    wc_buffer text;      /* what wc_payload_read read */
    wc_scan scan;        /* for what is counted here */
    uint64_t bytes_here; /* counted here */
    wc_problem_fn *problem;
    void *problem_arg;
} wc_payload;

/* Keeps table, which gets what is counted here, and problem_arg. Ends with
 * wc_payload_fini. Errors: GR_ENOMEM. */
int wc_payload_init(wc_payload *payload, wc_table *table,
                    wc_problem_fn *problem, void *problem_arg);
void wc_payload_fini(wc_payload *payload);

/*
 * Reads the chunk into payload->text. Segments that cannot be read, or that
 * were counted here, are taken out of the chunk, so that it may be read again
 * later without doing that twice; chunk->bytes says what is left of it.
 * Errors: GR_ENOMEM, and those of the table.
 */
int wc_payload_read(wc_payload *payload, wc_chunk *chunk);

#endif /* WORDCOUNT_PAYLOAD_H */
