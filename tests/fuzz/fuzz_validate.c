/*
 * Goal:   no bytes can make validation, reading, matching or printing crash,
 *         hang or read outside of them; and whatever passes validation can be
 *         read to its end, packed again unchanged, and is what msgpack-c takes
 *         for one value.
 * Method: each input is validated and then read in every way, whether it passed
 *         or not: what stands behind the gate must be safe without it, too.
 */
#include <stdlib.h>
#include <string.h>

#include <msgpack.h>

#include "base/assert.h"
#include "mailbox/decode.h"
#include "mailbox/message.h"
#include "mailbox/pack.h"
#include "tests/fuzz/fuzz.h"

_Static_assert(sizeof(gr_reader) >= sizeof(gr_pid), "the largest output");

enum { ENTER_MAX = 4 /* levels that the walk goes down */ };

/* How many of the functions for scalars read the value at r. */
static unsigned scalars(const gr_reader *r)
{
    gr_reader copy = *r;
    bool truth;
    int64_t i;
    uint64_t u;
    double d;
    gr_str str;
    gr_bytes bytes;
    gr_pid pid;
    unsigned read = gr_read_nil(&copy) == 0;
    copy = *r;
    read += gr_read_bool(&copy, &truth) == 0;
    copy = *r;
    read += gr_read_int(&copy, &i) == 0;
    copy = *r;
    read += gr_read_uint(&copy, &u) == 0;
    copy = *r;
    read += gr_read_double(&copy, &d) == 0;
    copy = *r;
    read += gr_read_pid(&copy, &pid) == 0;
    copy = *r;
    read += gr_read_bin(&copy, &bytes) == 0;
    copy = *r;
    read += gr_read_str(&copy, &str) == 0;
    return read;
}

/* Reads all that can be read, down to a limit; returns how many values that
 * are. NOLINTNEXTLINE(misc-no-recursion) */
static unsigned walk(gr_reader r, unsigned depth)
{
    unsigned values = 0;
    for (;;) {
        gr_reader list = r, map = r, inner = {NULL, NULL, 0, 0};
        gr_any any;
        bool entered =
            gr_read_list(&list, &inner) == 0 || gr_read_map(&map, &inner) == 0;
        unsigned read = scalars(&r);
        GR_ASSERT(!entered || read == 0);
        if (entered && depth > 0) {
            values += walk(inner, depth - 1);
        }
        if (gr_read_any(&r, &any) < 0) {
            GR_ASSERT(!entered && read == 0);
            return values;
        }
        GR_ASSERT(any.len > 0);
        values++;
    }
}

/* As a message: every output at every element, and an equal copy of it all. */
static void match_all(const gr_msg *msg)
{
    _Alignas(8) uint8_t slots[3][sizeof(gr_reader)]; /* holds any output */
    gr_value add = gri_v_cstr("add");
    for (uint32_t kind = GR_OUT_BOOL; kind <= GR_OUT_REST; kind++) {
        gr_out outs[3];
        for (int i = 0; i < 3; i++) {
            outs[i] = gri_out(i == 0 ? kind : (uint32_t)GR_OUT_ANY, slots[i]);
            outs[i].flags = i == 2 ? GR_OUT_OPTIONAL : 0;
        }
        for (uint32_t n = 0; n <= 3; n++) {
            bool whole = gr_matchv(msg, &add, outs, n);
            GR_ASSERT(gri_match(msg, gri_v_cstr("add"), outs, n) == whole);
            GR_ASSERT(!gr_unpackv(msg, outs, n) || msg->len >= n);
        }
    }
    gr_value any = gri_v_any(gr_msg_bytes(msg));
    gr_out is = gri_out(GR_OUT_IS, &any);
    GR_ASSERT(!gr_unpackv(msg, &is, 1) || msg->len > 1);
}

static void print_all(gr_any any)
{
    char text[300];
    size_t n = gr_any_print(any, text, sizeof text);
    GR_ASSERT(n < sizeof text && n == strlen(text));
    n = gr_any_print(any, text, 7);
    GR_ASSERT(n < 7 && n == strlen(text));
}

static bool reference_accepts(const uint8_t *data, size_t size)
{
    msgpack_unpacked result;
    size_t used = 0;
    msgpack_unpacked_init(&result);
    msgpack_unpack_return rc =
        msgpack_unpack_next(&result, (const char *)data, size, &used);
    msgpack_unpacked_destroy(&result);
    return rc == MSGPACK_UNPACK_SUCCESS && used == size;
}

/* What passed: whole, packed again as it is, and one value for msgpack-c. */
static void check_valid(const uint8_t *data, size_t size)
{
    gr_value any = gri_v_any((gr_any){data, (uint32_t)size});
    uint8_t *again = malloc(size);
    if (again == NULL) {
        return;
    }
    GR_ASSERT(gri_pack_value(&any, again, size) == (int64_t)size);
    GR_ASSERT(memcmp(again, data, size) == 0);
    free(again);
    GR_ASSERT(gri_skip(data, data + size) == data + size);
    GR_ASSERT(reference_accepts(data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gr_any any = {data, (uint32_t)size};
    int rc = gr_validate(data, size, 0);
    GR_ASSERT(rc == 0 || rc == GR_EFORMAT || rc == GR_ELIMIT);
    if (rc == 0) {
        check_valid(data, size);
    }
    unsigned values = walk(gr_any_reader(any), ENTER_MAX);
    GR_ASSERT(rc < 0 || values > 0);
    print_all(any);

    /* Nine bytes of room more: the inline test looks at so many, always. */
    gr_msg *msg = calloc(1, sizeof *msg + size + 9);
    if (msg == NULL) {
        return 0;
    }
    memcpy(gri_msg_payload(msg), data, size);
    msg->len = (uint32_t)size;
    if (rc == 0) {
        match_all(msg);
    }
    gr_value add = gri_v_cstr("add");
    gr_out out = gri_out(GR_OUT_ANY, &any);
    GR_ASSERT(!gr_matchv(msg, &add, &out, 1) || any.len > 0);
    free(msg);
    return 0;
}
