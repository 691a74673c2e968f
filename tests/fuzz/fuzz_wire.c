/*
 * tests/fuzz/fuzz_wire.c - what the process of an actor can write to its proxy.
 *
 * The input is read as the proxy reads: a head, its check, as many bytes as it
 * names, their check. What passes keeps what the proxy relies on.
 */
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <greenroom/greenroom.h>

#include "process/wire.h"
#include "process/words.h"

enum { LIMIT = 65536, FAULT_MAX = 4096 /* what a socket takes at once */ };

static bool has_message(const gri_wire *w)
{
    return w->type == GRI_WIRE_SEND || w->type == GRI_WIRE_ASK ||
           w->type == GRI_WIRE_CONFIRM || w->type == GRI_WIRE_REPLY;
}

static void require_good_head(const gri_wire *w)
{
    require(w->type >= GRI_WIRE_UP && w->type <= GRI_WIRE_CONFIRM);
    require(w->len <= LIMIT);
    require(has_message(w) || w->len <= GR_NAME_MAX ||
            (w->type == GRI_WIRE_FAULTED && w->len <= FAULT_MAX));
    require(w->type != GRI_WIRE_EXITED ||
            (w->len <= GR_EXIT_TEXT_MAX && w->flags <= GR_EXIT_SIGNAL));
    require(w->type == GRI_WIRE_EXITED || w->code <= 0);
    require(w->type != GRI_WIRE_NAME || (w->flags >= 1 && w->flags <= 3));
    require(w->type != GRI_WIRE_DONE || w->flags <= 2);
}

static void require_good_body(const gri_wire *w, const uint8_t *body)
{
    if (has_message(w)) {
        require(w->len > 0 && gr_validate(body, w->len, 0) == 0);
    } else if (w->type == GRI_WIRE_FAULTED) {
        gri_fault *fault = gri_words_read(body);
        require(fault == NULL || fault->n <= GRI_FRAMES_MAX);
        free(fault);
    } else {
        require(w->len == 0 || memchr(body, 0, w->len) == NULL);
    }
    if (w->type == GRI_WIRE_EXITED) {
        const gr_exit_reason why = gri_wire_reason(w, body);
        gri_wire again = {.type = GRI_WIRE_EXITED, .id = w->id};
        require(strlen(why.text) == w->len);
        gri_wire_put_reason(&again, &why);
        require(memcmp(&again, w, sizeof(again)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gri_wire w;
    while (size >= sizeof(w)) {
        const char *fault = NULL;
        memcpy(&w, data, sizeof(w));
        data += sizeof(w);
        size -= sizeof(w);
        int rc = gri_wire_check_head(&w, LIMIT, &fault);
        require((rc == 0) == (fault == NULL));
        if (rc < 0) {
            return 0;
        }
        require_good_head(&w);
        if (w.len > size) {
            return 0;
        }
        rc = gri_wire_check_body(&w, data, &fault);
        require((rc == 0) == (fault == NULL));
        if (rc < 0) {
            return 0;
        }
        require_good_body(&w, data);
        data += w.len;
        size -= w.len;
    }
    return 0;
}
