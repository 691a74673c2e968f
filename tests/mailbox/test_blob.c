/*
 * Goal:   a message with blobs is, to whoever reads it, the message with plain
 *         bytes in their places; and no bytes from outside are ever taken for
 *         a blob.
 * Method: random messages, each beside its twin in which each blob is a gr_bin:
 *         packed flat, read, matched and printed they must be the same. Then
 *         every way to build one that is refused, and every way to smuggle a
 *         place in.
 */
#include <greenroom/actor.h>

#include "mailbox/blob.h"
#include "mailbox/decode.h"
#include "mailbox/trees.h"
#include "tests/mailbox/box.h"
#include "tests/support/sanitizers.h"

enum { ELEMENTS_MAX = 20, BLOBS_MAX = 4, SIZE_MAX_HERE = 70000 };

static gr_blob *new_blob(const char *bytes, size_t repeat, uint32_t size)
{
    gr_blob *blob = malloc(sizeof *blob + size);
    if (blob == NULL) {
        abort();
    }
    memset(blob, 0, sizeof *blob);
    blob->room = size;
    gri_blob_set_size(blob, size);
    for (uint32_t i = 0; i < size; i++) {
        blob->data[i] = (uint8_t)bytes[i % repeat];
    }
    return blob;
}

/* What actors/moves.c does before a push. NULL: builder.rc says why. */
static gr_msg *pack_owning(box *b, const gr_value *values, uint32_t n)
{
    gr_blob *moving = NULL;
    gr_msg *msg = gri_pack_moves(&b->builder, values, n, false);
    if (msg == NULL && b->builder.rc == GRI_MOVES) {
        msg = gri_builder_moves(&b->builder, &moving);
        msg->class_ |= GRI_CLASS_OWNS;
        for (gr_blob *blob = moving; blob != NULL; blob = blob->moving) {
            *blob->home = NULL;
        }
        gri_blobs_stay(moving);
    }
    return msg;
}

/* A message and its twin. */
typedef struct pair {
    gr_value values[ELEMENTS_MAX], plain[ELEMENTS_MAX];
    uint32_t n;
    gr_blob *blobs[BLOBS_MAX]; /* NULL once the message owns them */
    gr_bytes bytes[BLOBS_MAX];
    uint32_t count;
    gr_msg *msg, *twin;
} pair;

static uint32_t random_size(source *s)
{
    static const uint32_t sizes[] = {0, 1, 255, 256, 65535, 65536};
    return next_random(s) % 2 != 0 ? sizes[next_random(s) % 6]
                                   : (uint32_t)next_random(s) % SIZE_MAX_HERE;
}

static void make_pair(box *b, source *s, pair *p)
{
    memset(p, 0, sizeof *p);
    p->n = 1 + (uint32_t)next_random(s) % (ELEMENTS_MAX - 1);
    uint32_t sure = (uint32_t)next_random(s) % p->n;
    for (uint32_t i = 0; i < p->n; i++) {
        bool moves =
            p->count < BLOBS_MAX && (i == sure || next_random(s) % 4 == 0);
        if (!moves) {
            p->values[i] = p->plain[i] = random_value(s, 2);
            continue;
        }
        uint32_t size = random_size(s);
        gr_blob *blob = new_blob(s->bytes, sizeof s->bytes, size);
        p->blobs[p->count] = blob;
        p->bytes[p->count] = (gr_bytes){blob->data, size};
        p->values[i] = gr_move(&p->blobs[p->count]);
        p->plain[i] = gr_bin(blob->data, size);
        p->count++;
    }
    p->twin = box_pack(b, (gr_values){p->plain, p->n});
    p->msg = pack_owning(b, p->values, p->n);
    assert_non_null(p->msg);
    for (uint32_t i = 0; i < p->count; i++) {
        assert_null(p->blobs[i]);
    }
}

static void free_pair(box *b, pair *p)
{
    gri_msg_free(&b->cache, p->msg);
    gri_msg_free(&b->cache, p->twin);
}

static void each_pair(void **state, uint64_t seeds,
                      void (*check)(box *b, pair *p))
{
    static source s;
    static pair p;
    /* A sanitizer sees no more in many than in few. */
    seeds /= UNDER_SANITIZER != 0 ? 5 : 1;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        source_init(&s, seed);
        make_pair(*state, &s, &p);
        check(*state, &p);
        free_pair(*state, &p);
    }
}

/* ---- the same to whoever reads it --------------------------------------- */

static void check_flat(box *b, pair *p)
{
    size_t cost = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        cost += sizeof(gr_blob) + p->bytes[i].len;
    }
    assert_true(gri_msg_owns(p->msg));
    assert_int_equal(gri_blobs_cost(p->msg), cost);
    assert_int_equal(gri_blobs_flat_len(p->msg), p->twin->len);
    gr_msg *flat = gri_blobs_flatten(&b->cache, p->msg);
    assert_non_null(flat);
    assert_false(gri_msg_owns(flat));
    assert_int_equal(flat->len, p->twin->len);
    assert_memory_equal(gri_msg_data(flat), gri_msg_data(p->twin), flat->len);
    assert_int_equal(gri_msg_ref(flat), 0);
    gri_msg_free(&b->cache, flat);
}

static void flat_it_is_the_bytes_of_a_copy(void **state)
{
    each_pair(state, 3000, check_flat);
}

/* Two values alike, but for the length of a bin's head. */
static void check_same(gr_any one, gr_any other)
{
    gri_head x;
    gri_head y;
    const uint8_t *p = one.ptr;
    const uint8_t *q = other.ptr;
    p = gri_decode(p, p + one.len, &x);
    q = gri_decode(q, q + other.len, &y);
    assert_non_null(p);
    assert_non_null(q);
    assert_int_equal(x.type, y.type);
    assert_int_equal(x.n, y.n);
    assert_true(x.type == GRI_TYPE_BIN || x.x == y.x);
    size_t body = (size_t)((const uint8_t *)one.ptr + one.len - p);
    assert_int_equal(body, (const uint8_t *)other.ptr + other.len - q);
    assert_memory_equal(p, q, body);
    assert_int_equal(gr_validate(one.ptr, one.len, 0), 0);
}

static void check_read(box *b, pair *p)
{
    gr_reader r = gr_msg_reader(p->msg);
    gr_reader twin = gr_msg_reader(p->twin);
    uint32_t blob = 0;
    (void)b;
    for (uint32_t i = 0; i < p->n; i++) {
        gr_any one;
        gr_any other;
        gr_bytes bytes;
        gr_pid pid;
        gr_reader copy = r;
        int is_bin = gr_read_bin(&copy, &bytes);
        if (p->values[i].kind == GR_KIND_BLOB) {
            assert_int_equal(is_bin, 0);
            assert_ptr_equal(bytes.ptr, p->bytes[blob].ptr); /* no copy */
            assert_int_equal(bytes.len, p->bytes[blob].len);
            blob++;
            assert_int_equal(gr_read_nil(&r), GR_EFORMAT);
            assert_int_equal(gr_read_pid(&r, &pid), GR_EFORMAT);
        }
        assert_int_equal(gr_read_any(&r, &one), 0);
        assert_int_equal(gr_read_any(&twin, &other), 0);
        assert_true(is_bin < 0 || copy.p == r.p);
        check_same(one, other);
    }
    gr_any none;
    assert_int_equal(gr_read_any(&r, &none), GR_ENOENT);
    assert_ptr_equal(r.p, r.end);
    assert_int_equal(blob, p->count);
    assert_int_equal(gr_msg_bytes(p->msg).len, 0);
}

static void it_is_read_as_the_copy(void **state)
{
    each_pair(state, 1000, check_read);
}

static void check_match(box *b, pair *p)
{
    gr_out outs[ELEMENTS_MAX + 1];
    gr_any any[ELEMENTS_MAX];
    gr_reader twin = gr_msg_reader(p->twin);
    gr_reader rest;
    (void)b;
    for (uint32_t i = 0; i < p->n; i++) {
        outs[i] = gri_out(GR_OUT_ANY, &any[i]);
    }
    assert_true(gr_unpackv(p->msg, outs, p->n));
    for (uint32_t i = 0; i < p->n; i++) {
        gr_any other;
        assert_int_equal(gr_read_any(&twin, &other), 0);
        check_same(any[i], other);
    }
    /* The same again by value; then one that is not, one less, one more. */
    for (uint32_t i = 0; i < p->n; i++) {
        outs[i] = gri_out(GR_OUT_IS, &p->plain[i]);
    }
    outs[p->n] = gri_out(GR_OUT_BOOL, &any[0]);
    assert_true(gr_unpackv(p->msg, outs, p->n));
    assert_false(gr_unpackv(p->msg, outs, p->n - 1));
    assert_false(gr_unpackv(p->msg, outs, p->n + 1));
    outs[p->n].flags = GR_OUT_OPTIONAL;
    assert_true(gr_unpackv(p->msg, outs, p->n + 1));
    outs[p->n] = gri_out(GR_OUT_REST, &rest);
    assert_true(gr_unpackv(p->msg, outs, p->n + 1));
    assert_int_equal(rest.left, 0);
    gr_value unlike = gri_v_cstr("unlike all");
    for (uint32_t i = 0; i < p->n; i++) {
        gr_out one = outs[i];
        outs[i] = gri_out(GR_OUT_IS, &unlike);
        assert_false(gr_unpackv(p->msg, outs, p->n));
        outs[i] = one;
    }
}

static void it_matches_what_the_copy_matches(void **state)
{
    each_pair(state, 1000, check_match);
}

static void check_text(box *b, pair *p)
{
    static char one[400000];
    static char other[400000];
    (void)b;
    for (size_t size = 0; size < 300; size += 7) {
        assert_int_equal(gr_msg_print(p->msg, one, size),
                         gr_msg_print(p->twin, other, size));
        assert_true(size == 0 || strcmp(one, other) == 0);
    }
    (void)gr_msg_print(p->msg, one, sizeof one);
    (void)gr_msg_print(p->twin, other, sizeof other);
    assert_string_equal(one, other);
}

static void it_is_printed_as_the_copy(void **state)
{
    each_pair(state, 100, check_text);
}

static void check_tree(box *b, pair *p)
{
    gri_trees trees = {.values = 0};
    msgpack_object one;
    msgpack_object other;
    (void)b;
    assert_int_equal(gri_trees_add_owning(&trees, p->msg, &one), 0);
    uint32_t values = trees.values;
    gr_any twin = gr_msg_bytes(p->twin);
    assert_int_equal(gri_trees_add(&trees, twin.ptr, twin.len, &other), 0);
    assert_true(msgpack_object_equal(one, other));
    assert_int_equal(trees.values, 2 * values); /* as many in each */
    gri_trees_fini(&trees);
}

static void its_tree_is_that_of_the_copy(void **state)
{
    each_pair(state, 300, check_tree);
}

static void a_pattern_borrows_and_the_rest_is_a_reader(void **state)
{
    box *b = *state;
    gr_blob *blob = new_blob("xyz", 3, 1000);
    const void *data = blob->data;
    const gr_value values[] = {gri_v_cstr("image"), gri_v_i64(640),
                               gr_move(&blob), gri_v_cstr("end")};
    gr_msg *msg = pack_owning(b, values, 4);
    int w = 0;
    gr_bytes bytes = {NULL, 0};
    gr_str end;
    gr_reader rest;
    double number;
    assert_true(gr_match(msg, "image", &w, &bytes, &end));
    assert_int_equal(w, 640);
    assert_ptr_equal(bytes.ptr, data);
    assert_false(gr_match(msg, "image", &w, &bytes, &number));
    assert_false(gr_match(msg, "image", &w, &number, &end));
    assert_false(gr_match(msg, "other", &w, &bytes, &end));
    assert_true(gr_match(msg, "image", &rest));
    assert_int_equal(rest.left, 3);
    assert_int_equal(gr_read_any(&rest, &(gr_any){NULL, 0}), 0);
    assert_int_equal(gr_read_bin(&rest, &bytes), 0);
    assert_ptr_equal(bytes.ptr, data);
    gri_msg_free(&b->cache, msg);
}

static void what_was_taken_out_reads_as_nil(void **state)
{
    box *b = *state;
    char text[100];
    gr_blob *blob = new_blob("xyz", 3, 10);
    const gr_value values[] = {gri_v_cstr("image"), gr_move(&blob),
                               gri_v_i64(5)};
    gr_msg *msg = pack_owning(b, values, 3);
    gri_blob_walk walk = {.p = NULL};
    gr_blob *inside = gri_blob_next(msg, &walk);
    assert_non_null(inside);
    gri_blob_put(walk.place, NULL);
    assert_null(gri_blob_next(msg, &walk));
    free(inside);
    gr_bytes bytes = {"kept", 4};
    int n = 0;
    assert_false(gr_match(msg, "image", &bytes, &n));
    assert_true(gr_match(msg, "image", gr_opt(&bytes), &n));
    assert_int_equal(bytes.len, 4);
    assert_true(gr_match(msg, "image", gr_is(gr_nil()), &n));
    (void)gr_msg_print(msg, text, sizeof text);
    assert_string_equal(text, "[\"image\", nil, 5]");
    gr_reader r = gr_msg_reader(msg);
    gr_str tag;
    gr_pid pid = {1, 1};
    assert_int_equal(gr_read_str(&r, &tag), 0);
    gr_reader again = r;
    assert_int_equal(gr_read_bin(&r, &bytes), GR_EFORMAT);
    assert_int_equal(gr_read_nil(&r), 0);
    assert_int_equal(gr_read_pid(&again, &pid), 0);
    assert_true(gr_pid_is_nobody(pid));
    gr_msg *flat = gri_blobs_flatten(&b->cache, msg);
    (void)gr_msg_print(flat, text, sizeof text);
    assert_string_equal(text, "[\"image\", nil, 5]");
    gri_msg_free(&b->cache, flat);
    gri_msg_free(&b->cache, msg);
}

/* ---- what is refused ---------------------------------------------------- */

static void refused(box *b, const gr_value *values, uint32_t n, int rc)
{
    assert_null(pack_owning(b, values, n));
    assert_int_equal(b->builder.rc, rc);
}

static void where_a_blob_may_not_stand(void **state)
{
    box *b = *state;
    gr_blob *blob = new_blob("x", 1, 5000);
    gr_blob *none = NULL;
    gr_blob *same = blob;
    const gr_value move = gr_move(&blob);
    const gr_value bad = {.kind = GR_KIND_BAD};
    const gr_value pair_of_them[] = {move, move};
    const gr_value behind[] = {gri_v_cstr("x"), gr_list_of(&move, 1)};
    const gr_value in_map[] = {gri_v_cstr("x"), gr_map_of(pair_of_them, 2)};
    const gr_value twice[] = {gri_v_cstr("x"), move, gr_move(&same)};
    const gr_value empty[] = {gri_v_cstr("x"), move, gr_move(&none)};
    const gr_value nowhere[] = {gri_v_cstr("x"), move, gr_move(NULL)};
    const gr_value later[] = {gri_v_cstr("x"), move, bad};
    const gr_value good[] = {gri_v_cstr("x"), move, gri_v_i64(1)};
    uint8_t buf[100];
    refused(b, behind, 2, GR_EINVAL);
    refused(b, in_map, 2, GR_EINVAL);
    refused(b, pair_of_them, 2, GR_EINVAL);
    refused(b, twice, 3, GR_EINVAL);
    refused(b, empty, 3, GR_EINVAL);
    refused(b, nowhere, 3, GR_EINVAL);
    refused(b, later, 3, GR_ETOOBIG);
    assert_int_equal(gri_pack_value(&move, buf, sizeof buf), GR_EINVAL);
    assert_int_equal(gri_pack_value(&behind[1], buf, sizeof buf), GR_EINVAL);
    /* Who does not ask for moves gets none. */
    assert_null(gri_pack(&b->builder, good, 3, false));
    assert_int_equal(b->builder.rc, GR_EINVAL);
    assert_null(gri_pack(&b->builder, good, 3, true));
    /* After all of it the blob is as it was. */
    assert_ptr_equal(blob, same);
    gr_msg *msg = pack_owning(b, good, 3);
    assert_non_null(msg);
    assert_null(blob);
    gri_msg_free(&b->cache, msg);
}

static void the_limit_of_a_message_counts_places(void **state)
{
    box *b = *state;
    const uint32_t len_max = b->builder.len_max;
    gr_blob *blob = new_blob("x", 1, 10);
    const gr_value values[] = {gri_v_cstr("tag"), gr_move(&blob)};
    for (uint32_t max = 1; max < 5 + GRI_BLOB_PLACE; max++) {
        b->builder.len_max = max;
        refused(b, values, 2, GR_ETOOBIG);
        assert_non_null(blob);
    }
    b->builder.len_max = 5 + GRI_BLOB_PLACE;
    gr_msg *msg = pack_owning(b, values, 2);
    assert_non_null(msg);
    gri_msg_free(&b->cache, msg);
    b->builder.len_max = len_max;
}

/* The bytes of a message with a blob, as a thief would have them. */
static void no_place_comes_from_outside(void **state)
{
    box *b = *state;
    char text[100];
    gr_blob *blob = new_blob("x", 1, 10);
    const gr_value values[] = {gri_v_cstr("x"), gr_move(&blob)};
    gr_msg *msg = pack_owning(b, values, 2);
    const uint8_t *stolen = gri_msg_data(msg);
    const uint8_t *place = stolen + 3;
    assert_int_equal(*place, GRI_BLOB_MARK);
    assert_int_equal(gr_validate(stolen, msg->len, 0), GR_EFORMAT);
    assert_int_equal(gr_validate(place, GRI_BLOB_PLACE, 0), GR_EFORMAT);
    /* In a gr_any: all of it, and the place alone. */
    const gr_value any[] = {gri_v_any((gr_any){stolen, msg->len}),
                            gri_v_any((gr_any){place, GRI_BLOB_PLACE})};
    refused(b, &any[0], 1, GR_EINVAL);
    refused(b, &any[1], 1, GR_EINVAL);
    /* A reader of bytes does not follow it, nor does one of a list. */
    gr_reader r = gr_any_reader((gr_any){place, GRI_BLOB_PLACE});
    gr_bytes bytes;
    gr_any one;
    assert_int_equal(gr_read_bin(&r, &bytes), GR_EFORMAT);
    assert_int_equal(gr_read_any(&r, &one), GR_EFORMAT);
    assert_int_equal(gr_read_nil(&r), GR_EFORMAT);
    uint8_t list[1 + GRI_BLOB_PLACE] = {0x91};
    memcpy(list + 1, place, GRI_BLOB_PLACE);
    r = gr_any_reader((gr_any){list, sizeof list});
    gr_reader inner;
    assert_int_equal(gr_read_list(&r, &inner), GR_EFORMAT);
    (void)gr_any_print((gr_any){list, sizeof list}, text, sizeof text);
    assert_string_equal(text, "[<malformed>");
    /* A message without the class does not own what stands in it. */
    gr_msg *forged = box_message(b, stolen, msg->len);
    assert_false(gr_match(forged, "x", &bytes));
    (void)gr_msg_print(forged, text, sizeof text);
    assert_string_equal(text, "[\"x\", <malformed>");
    gri_msg_free(&b->cache, forged);
    gri_msg_free(&b->cache, msg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flat_it_is_the_bytes_of_a_copy),
        cmocka_unit_test(it_is_read_as_the_copy),
        cmocka_unit_test(it_matches_what_the_copy_matches),
        cmocka_unit_test(it_is_printed_as_the_copy),
        cmocka_unit_test(its_tree_is_that_of_the_copy),
        cmocka_unit_test(a_pattern_borrows_and_the_rest_is_a_reader),
        cmocka_unit_test(what_was_taken_out_reads_as_nil),
        cmocka_unit_test(where_a_blob_may_not_stand),
        cmocka_unit_test(the_limit_of_a_message_counts_places),
        cmocka_unit_test(no_place_comes_from_outside),
    };
    return cmocka_run_group_tests(tests, box_init, box_fini);
}
