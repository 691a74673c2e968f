/*
 * Goal:   a node with a secret of its own is believed by that alone; the common
 *         secret is for all other names, and takes nobody else's; and both
 *         sides are told what is wrong.
 * Method: the choice of keys by itself; two nodes in this process with their
 *         logs; and a client on a plain socket for what no node would do.
 */
#include "tests/transport/said.h"
#include "tests/transport/stranger.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include "transport/trust.h"

#define OWN_SECRET "the secret of this one alone"
#define BAD_SECRET "not the secret of anybody"

static said logs[2];

static int setup(void **state)
{
    said_init(&logs[0]);
    said_init(&logs[1]);
    return setup_ipc(state);
}

static int teardown(void **state)
{
    int rc = teardown_nodes(state);
    said_fini(&logs[0]);
    said_fini(&logs[1]);
    return rc;
}

/* ---- the choice of a key ------------------------------------------------- */

static bool same_key(const gri_trust *trust, const char *name,
                     const char *secret)
{
    uint8_t got[GRI_KEY_BYTES], wanted[GRI_KEY_BYTES];
    gri_trust_key(trust, name, got);
    gri_handshake_key(wanted, bytes_of(secret));
    return memcmp(got, wanted, sizeof got) == 0;
}

static void each_listed_name_has_its_own_key(void **state)
{
    (void)state;
    const gr_peer_opts peers[] = {
        {.name = "alice", .secret = bytes_of("the secret of alice")},
        {.name = "al", .secret = bytes_of("the secret of al")},
        {.name = "alices", .secret = bytes_of("the secret of alices")},
        {.name = NULL},
    };
    gri_trust t;
    const gr_node_opts opts = {
        .name = "x", .secret = bytes_of(SECRET), .peers = peers};
    assert_int_equal(gri_trust_init(&t, &opts), 0);
    assert_true(same_key(&t, "alice", "the secret of alice"));
    assert_true(same_key(&t, "al", "the secret of al"));
    assert_true(same_key(&t, "alices", "the secret of alices"));
    assert_true(same_key(&t, "a", SECRET));
    assert_true(same_key(&t, "alic", SECRET));
    assert_true(same_key(&t, "bob", SECRET));
    gri_trust_fini(&t);
}

static void without_a_common_secret_other_names_have_no_key(void **state)
{
    (void)state;
    const gr_peer_opts peers[] = {
        {.name = "alice", .secret = bytes_of("the secret of alice")},
        {.name = NULL},
    };
    static const uint8_t zero[GRI_KEY_BYTES];
    const gr_node_opts opts = {.name = "x", .peers = peers};
    uint8_t once[GRI_KEY_BYTES], again[GRI_KEY_BYTES];
    gri_trust t;
    assert_int_equal(gri_trust_init(&t, &opts), 0);
    gri_trust_key(&t, "bob", once);
    gri_trust_fini(&t);
    assert_int_equal(gri_trust_init(&t, &opts), 0);
    gri_trust_key(&t, "bob", again);
    gri_trust_fini(&t);
    assert_memory_not_equal(once, zero, sizeof once);
    assert_memory_not_equal(once, again, sizeof once);
}

static int start_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)self, (void)state, (void)msg;
    return 0;
}

static const gr_behavior one = {.name = "one", .receive = start_receive};
static const gr_behavior two = {.name = "two", .receive = start_receive};
static const gr_behavior *const only_one[] = {&one, NULL};
static const gr_behavior *const both[] = {&one, &two, NULL};

static void lists_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    const gr_bytes own = bytes_of(OWN_SECRET);
    const gr_peer_rights more = {.spawnable = both};
    const struct {
        gr_peer_opts peers[3];
        int rc;
    } rows[] = {
        {{{.name = "a"}}, GR_EINVAL}, /* no secret: all would have its rights */
        {{{.name = "a", .secret = bytes_of("too short")}}, GR_EINVAL},
        {{{.name = "a", .secret = own, .secret_file = "/dev/null"}}, GR_EINVAL},
        {{{.name = "a", .secret_file = "/no/such/file"}}, GR_ENOENT},
        {{{.name = "a", .secret = own}, {.name = "a", .secret = own}},
         GR_EINVAL},
        {{{.name = "x", .secret = own}}, GR_EINVAL}, /* itself */
        {{{.name = "", .secret = own}}, GR_EINVAL},
        {{{.name = "two\nlines", .secret = own}}, GR_EINVAL},
        {{{.name = "a", .secret = own, .rights = &more}}, GR_EINVAL},
        {{{.name = "a", .secret = own}, {.name = "b", .secret = own}}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        gri_trust t;
        const gr_node_opts opts = {.name = "x",
                                   .secret = bytes_of(SECRET),
                                   .spawnable = only_one,
                                   .peers = rows[i].peers};
        int rc = gri_trust_init(&t, &opts);
        if (rc != rows[i].rc) {
            fail_msg("row %zu: %s", i, gr_errname(rc));
        }
        if (rc == 0) {
            gri_trust_fini(&t);
        }
    }
}

static void list_has_a_limit(void **state)
{
    (void)state;
    static gr_peer_opts peers[GR_PEERS_LISTED_MAX + 2];
    static char names[GR_PEERS_LISTED_MAX + 1][8];
    gri_trust t;
    for (size_t i = 0; i <= GR_PEERS_LISTED_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "%zu", i);
        peers[i] =
            (gr_peer_opts){.name = names[i], .secret = bytes_of(OWN_SECRET)};
    }
    const gr_node_opts opts = {.name = "x", .peers = peers};
    assert_int_equal(gri_trust_init(&t, &opts), GR_EINVAL);
    peers[GR_PEERS_LISTED_MAX].name = NULL;
    assert_int_equal(gri_trust_init(&t, &opts), 0);
    gri_trust_fini(&t);
}

/* ---- two nodes ----------------------------------------------------------- */

static const gr_peer_opts knows_alice[] = {
    {.name = "alice", .secret = {OWN_SECRET, sizeof OWN_SECRET - 1}},
    {.name = NULL}};
static const gr_peer_opts knows_node[] = {
    {.name = "node", .secret = {OWN_SECRET, sizeof OWN_SECRET - 1}},
    {.name = NULL}};

/* `node`, which lists alice; and one that dials it. Returns what that gets. */
static int meet(nodes *n, const gr_node_opts *node, const gr_node_opts *other)
{
    gr_node out;
    assert_int_equal(start_as(n, 0, node, &logs[0]), 0);
    assert_int_equal(start_as(n, 1, other, &logs[1]), 0);
    return gr_node_connect(n->self[1], n->address[0], LONG_MS, &out);
}

static void listed_name_with_its_secret_is_believed(void **state)
{
    const gr_node_opts node = {
        .name = "node", .secret = bytes_of(SECRET), .peers = knows_alice};
    const gr_node_opts alice = {.name = "alice",
                                .secret = bytes_of(OWN_SECRET)};
    assert_int_equal(meet(*state, &node, &alice), 0);
}

static void dialer_may_list_whom_it_dials(void **state)
{
    const gr_node_opts node = {
        .name = "node", .secret = bytes_of(SECRET), .peers = knows_alice};
    const gr_node_opts alice = {
        .name = "alice", .secret = bytes_of(BAD_SECRET), .peers = knows_node};
    assert_int_equal(meet(*state, &node, &alice), 0);
}

static void two_may_know_nobody_but_each_other(void **state)
{
    const gr_node_opts node = {.name = "node", .peers = knows_alice};
    const gr_node_opts alice = {.name = "alice", .peers = knows_node};
    assert_int_equal(meet(*state, &node, &alice), 0);
}

static void common_secret_is_for_all_other_names(void **state)
{
    const gr_node_opts node = {
        .name = "node", .secret = bytes_of(SECRET), .peers = knows_alice};
    const gr_node_opts bob = {.name = "bob", .secret = bytes_of(SECRET)};
    assert_int_equal(meet(*state, &node, &bob), 0);
}

/* Both sides say what is wrong. */
static void assert_denied(int rc)
{
    assert_int_equal(rc, GR_EDENIED);
    said_await(&logs[0], "a stranger: the secrets differ");
    said_await(&logs[1], "refused: the secrets differ");
}

static void common_secret_takes_no_listed_name(void **state)
{
    const gr_node_opts node = {
        .name = "node", .secret = bytes_of(SECRET), .peers = knows_alice};
    const gr_node_opts fake = {.name = "alice", .secret = bytes_of(SECRET)};
    assert_denied(meet(*state, &node, &fake));
}

static void own_secret_takes_no_other_name(void **state)
{
    const gr_node_opts node = {
        .name = "node", .secret = bytes_of(SECRET), .peers = knows_alice};
    const gr_node_opts fake = {.name = "bob", .secret = bytes_of(OWN_SECRET)};
    assert_denied(meet(*state, &node, &fake));
}

static void without_a_common_secret_only_listed_names_come_in(void **state)
{
    const gr_node_opts node = {.name = "node", .peers = knows_alice};
    const gr_node_opts bob = {.name = "bob", .secret = bytes_of(SECRET)};
    assert_denied(meet(*state, &node, &bob));
}

static void listed_name_at_the_dialed_address_must_know_its_secret(void **state)
{
    const gr_node_opts fake = {.name = "node", .secret = bytes_of(SECRET)};
    const gr_node_opts alice = {
        .name = "alice", .secret = bytes_of(SECRET), .peers = knows_node};
    assert_denied(meet(*state, &fake, &alice));
}

static void secret_of_a_name_may_be_in_a_file(void **state)
{
    nodes *n = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/alice", n->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, OWN_SECRET "\n", sizeof OWN_SECRET),
                     sizeof OWN_SECRET);
    const gr_peer_opts peers[] = {{.name = "alice", .secret_file = path},
                                  {.name = NULL}};
    const gr_node_opts node = {.name = "node", .peers = peers};
    const gr_node_opts alice = {.name = "alice",
                                .secret = bytes_of(OWN_SECRET)};
    gri_trust t;
    assert_int_equal(gri_trust_init(&t, &node), GR_EDENIED);
    assert_int_equal(fchmod(fd, 0600), 0);
    close(fd);
    int rc = meet(n, &node, &alice);
    (void)unlink(path);
    assert_int_equal(rc, 0);
}

/* ---- what a stranger can tell -------------------------------------------- */

/* The frames that a stranger of that name hears, by type, and the refusal. */
static void hear_all(const char *address, const char *name, char *out,
                     size_t size)
{
    static stranger s;
    stranger_open(&s, address);
    stranger_start(&s, name, BAD_SECRET);
    gri_note note;
    const char *fault;
    size_t n, len = 0;
    gri_handshake_open(&s.hs, &note);
    stranger_note(&s, &note);
    while ((n = stranger_hear(&s)) > 0) {
        len += (size_t)snprintf(out + len, size - len, "%d:%zu ", s.in[4], n);
        if (s.in[4] == GRI_FRAME_HELLO) {
            assert_int_equal(gri_handshake_read(&s.hs, s.in, n, &note, &fault),
                             GRI_STEP_NAMED);
            gri_handshake_prove(&s.hs, &note);
            stranger_note(&s, &note);
        } else {
            len += (size_t)snprintf(out + len, size - len, "(%d) ", s.in[5]);
        }
        stranger_drop(&s, n);
    }
    stranger_close(&s);
}

static void strangers_cannot_tell_which_names_are_listed(void **state)
{
    nodes *n = *state;
    char listed[256] = "", other[256] = "";
    const gr_node_opts node = {.name = "node", .peers = knows_alice};
    assert_int_equal(start_as(n, 0, &node, &logs[0]), 0);
    hear_all(n->address[0], "alice", listed, sizeof listed);
    hear_all(n->address[0], "alicf", other, sizeof other);
    assert_string_equal(listed, other);
    assert_string_equal(strstr(listed, "4:6"), "4:6 (2) ");
}

/* ---- what the log tells -------------------------------------------------- */

/* However often others had other faults before. */
static void first_fault_of_each_cause_is_told_of(void **state)
{
    nodes *n = *state;
    static stranger s;
    char heard[256];
    const gr_node_opts node = {.name = "node", .peers = knows_alice};
    assert_int_equal(start_as(n, 0, &node, &logs[0]), 0);
    for (int i = 0; i < 2; i++) {
        hear_all(n->address[0], "alice", heard, sizeof heard);
    }
    said_await(&logs[0], "the secrets differ (2 ");
    stranger_open(&s, n->address[0]);
    stranger_say(&s, "GET / HTTP/1.1\r\n\r\n", 18);
    stranger_await_end(&s);
    stranger_close(&s);
    said_await(&logs[0], "a stranger: not the greenroom protocol (1 ");
}

#define WITH_LOGS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_listed_name_has_its_own_key),
        cmocka_unit_test(without_a_common_secret_other_names_have_no_key),
        cmocka_unit_test(lists_that_mean_nothing_are_refused),
        cmocka_unit_test(list_has_a_limit),
        WITH_LOGS(listed_name_with_its_secret_is_believed),
        WITH_LOGS(dialer_may_list_whom_it_dials),
        WITH_LOGS(two_may_know_nobody_but_each_other),
        WITH_LOGS(common_secret_is_for_all_other_names),
        WITH_LOGS(common_secret_takes_no_listed_name),
        WITH_LOGS(own_secret_takes_no_other_name),
        WITH_LOGS(without_a_common_secret_only_listed_names_come_in),
        WITH_LOGS(listed_name_at_the_dialed_address_must_know_its_secret),
        WITH_LOGS(secret_of_a_name_may_be_in_a_file),
        WITH_LOGS(strangers_cannot_tell_which_names_are_listed),
        WITH_LOGS(first_fault_of_each_cause_is_told_of),
    };
    return sodium_init() < 0 ? 1
                             : cmocka_run_group_tests_name("transport/trust",
                                                           tests, NULL, NULL);
}
