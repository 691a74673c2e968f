/*
 * Goal:   this implementation says of each line of tests/vectors what is
 *         written there; the lines are computed elsewhere (make.py there).
 * Method: frames.txt by the reader, and by the writer, which must give the same
 *         bytes; handshakes.txt by the state machine of each side that is
 *         described, which hears what the other says, and must say the rest.
 */
#include "tests/transport/vectors.h"

#include "transport/frame.h"
#include "transport/handshake.h"
#include "transport/outbox.h"
#include "transport/trust.h"

/* ---- frames -------------------------------------------------------------- */

static const char *const type_names[] = {
    [GRI_FRAME_HEARTBEAT] = "heartbeat", [GRI_FRAME_PING] = "ping",
    [GRI_FRAME_PONG] = "pong",           [GRI_FRAME_BYE] = "bye",
    [GRI_FRAME_BYE_ACK] = "bye_ack",     [GRI_FRAME_CREDIT] = "credit",
    [GRI_FRAME_PART] = "part",           [GRI_FRAME_SLOWED] = "slowed",
    [GRI_FRAME_SEND] = "send",           [GRI_FRAME_ASK] = "ask",
    [GRI_FRAME_REPLY] = "reply",         [GRI_FRAME_STOP] = "stop",
    [GRI_FRAME_KILL] = "kill",           [GRI_FRAME_LINK] = "link",
    [GRI_FRAME_UNLINK] = "unlink",       [GRI_FRAME_EXIT] = "exit",
    [GRI_FRAME_MONITOR] = "monitor",     [GRI_FRAME_DEMONITOR] = "demonitor",
    [GRI_FRAME_DOWN] = "down",           [GRI_FRAME_SLOW] = "slow",
    [GRI_FRAME_RESUME] = "resume",       [GRI_FRAME_CONFIRM] = "confirm",
};
#define TYPES (sizeof type_names / sizeof type_names[0])

/* Takes a frame that is whole, and the messages in it, apart. */
static int read_whole(const uint8_t *p, size_t n, gri_frame *f)
{
    const char *fault = NULL;
    int rc = gri_frame_read(p, n, f, &fault);
    gri_frame rest = *f;
    while (rc == 0 && rest.more > 0) {
        rc = gri_frame_more(&rest, &fault);
        rc = rc > 0 ? 0 : rc;
    }
    assert_int_equal(rc == 0, fault == NULL);
    return rc;
}

/* What the frame uses of the other end's credit, by the outbox. */
static void assert_costs(const gri_frame *f, size_t cost)
{
    gri_outbox box = {.batch_max = GRI_BATCH_BYTES};
    gri_cargo fly = {.count = 0};
    gri_frame one = *f;
    const char *fault = NULL;
    assert_int_equal(gri_outbox_grant(&box, 4096), 0);
    do {
        const uint32_t more = one.more;
        one.more = 0;
        assert_int_equal(gri_outbox_put(&box, &one), 0);
        one.more = more;
    } while (gri_frame_more(&one, &fault) > 0);
    assert_true(gri_outbox_take(&box, &fly));
    assert_int_equal(4096 - box.credit, cost);
    gri_cargo_fini(&fly);
    gri_outbox_fini(&box);
}

static void assert_writes(const gri_frame *f, const uint8_t *p, size_t n)
{
    uint8_t head[GRI_FRAME_FIXED_MAX];
    gri_frame all = *f;
    all.len += all.more; /* the messages stand one behind the other */
    size_t head_len = gri_frame_write(head, &all);
    assert_int_equal(head_len + all.len, n);
    assert_memory_equal(head, p, head_len);
    if (all.len > 0) {
        assert_ptr_equal(all.payload, p + head_len);
    }
}

/* One "name=value" of a frame. */
static void assert_field(const char *name, const char *value, gri_frame *f)
{
    uint8_t bytes[VECTOR_BYTES];
    const char *fault = NULL;
    if (strcmp(name, "to") == 0) {
        assert_int_equal(f->to, vectors_number(value, 16));
    } else if (strcmp(name, "from") == 0) {
        assert_int_equal(f->from, vectors_number(value, 16));
    } else if (strcmp(name, "ref") == 0) {
        assert_int_equal(f->ref, vectors_number(value, 16));
    } else if (strcmp(name, "count") == 0) {
        assert_int_equal(f->count, vectors_number(value, 10));
    } else if (strcmp(name, "status") == 0) {
        assert_int_equal((uint64_t)f->status, vectors_number(value, 10));
    } else if (strcmp(name, "kind") == 0) {
        assert_int_equal(f->why.kind, vectors_number(value, 10));
    } else if (strcmp(name, "code") == 0) {
        assert_int_equal((uint64_t)f->why.code, vectors_number(value, 10));
    } else if (strcmp(name, "text") == 0) {
        size_t n = vectors_bytes(value, bytes);
        assert_int_equal(strlen(f->why.text), n);
        assert_memory_equal(f->why.text, bytes, n);
    } else if (strcmp(name, "payload") == 0 || strcmp(name, "bytes") == 0) {
        size_t n = vectors_bytes(value, bytes);
        assert_int_equal(f->len, n);
        assert_memory_equal(f->payload, bytes, n);
        if (f->more > 0) {
            assert_int_equal(gri_frame_more(f, &fault), 1);
        } else {
            f->len = 0; /* that was the last */
        }
    } else {
        fail_msg("no field that is known: %s", name);
    }
}

static void check_good(vectors *v, const uint8_t *p, size_t n)
{
    size_t need = 0;
    gri_frame f;
    assert_int_equal(gri_frame_split(p, n, GRI_FRAME_DIRECT_MAX, &need), n);
    assert_int_equal(read_whole(p, n, &f), 0);
    const char *type = vectors_word(v);
    assert_true((size_t)f.type < TYPES && type_names[f.type] != NULL);
    assert_string_equal(type, type_names[f.type]);
    assert_writes(&f, p, n);
    gri_frame rest = f;
    for (char *word; (word = vectors_word(v)) != NULL;) {
        char *value = vectors_value(word);
        if (strcmp(word, "cost") != 0) {
            assert_field(word, value, &rest);
        } else if (gri_frame_is_message(f.type)) {
            assert_costs(&f, vectors_number(value, 10));
        } else {
            /* The outbox makes PARTs by itself. */
            assert_int_equal(vectors_number(value, 10), n);
        }
    }
    assert_int_equal(rest.len, 0); /* all of it was named */
}

static void check_broken(const uint8_t *p, size_t n)
{
    size_t need = 0;
    gri_frame f;
    int64_t len = gri_frame_split(p, n, GRI_FRAME_DIRECT_MAX, &need);
    if (len >= 0) {
        assert_int_equal(len, n);
        assert_true(read_whole(p, n, &f) < 0);
    }
}

static void check_begun(vectors *v, const uint8_t *p, size_t n)
{
    size_t need = 0;
    assert_int_equal(gri_frame_split(p, n, GRI_FRAME_DIRECT_MAX, &need), 0);
    assert_int_equal(need, vectors_number(vectors_word(v), 10));
}

static void frames_are_read_and_written_as_the_vectors_say(void **state)
{
    (void)state;
    vectors v;
    unsigned good[TYPES] = {0};
    unsigned broken = 0;
    vectors_open(&v, "frames.txt");
    while (vectors_next(&v)) {
        uint8_t bytes[VECTOR_BYTES];
        const char *name = vectors_word(&v);
        size_t n = vectors_bytes(vectors_word(&v), bytes);
        const char *verdict = vectors_word(&v);
        /* Just its own length: a read past its end is found. */
        uint8_t *exact = malloc(n > 0 ? n : 1);
        assert_non_null(exact);
        memcpy(exact, bytes, n);
        print_message("%s\n", name); /* the last one is the one that failed */
        if (strcmp(verdict, "is") == 0) {
            check_good(&v, exact, n);
            good[exact[4]]++;
        } else if (strcmp(verdict, "broken") == 0) {
            check_broken(exact, n);
            broken++;
        } else {
            assert_string_equal(verdict, "needs");
            check_begun(&v, exact, n);
        }
        free(exact);
    }
    vectors_close(&v);
    for (size_t i = 0; i < TYPES; i++) {
        assert_int_equal(good[i] > 0, type_names[i] != NULL);
    }
    assert_true(broken > 100);
}

/* ---- handshakes ---------------------------------------------------------- */

/* One of the two, if it is described. */
typedef struct side {
    bool described;
    gri_identity self;
    uint8_t nonce[GRI_NONCE_BYTES];
    uint8_t secret[VECTOR_BYTES];
    size_t secret_len; /* 0: it has none */
    uint64_t parted;   /* the run to which its program has said goodbye; or 0 */
    gri_trust trust;
    gri_handshake hs;
    gri_note says; /* what it is about to say; len 0: nothing */
    char verdict[32];
} side;

enum { LISTED_MAX = 4 };

typedef struct transcript {
    char name[128];
    side dialer, listener;
    struct {
        char name[GR_NODE_NAME_MAX + 1];
        uint8_t secret[VECTOR_BYTES];
        size_t len;
    } listed[LISTED_MAX];
    size_t listed_count;
    bool began;
} transcript;

static void describe(vectors *v, side *s)
{
    uint8_t bytes[VECTOR_BYTES];
    s->described = true;
    for (char *word; (word = vectors_word(v)) != NULL;) {
        const char *value = vectors_value(word);
        if (strcmp(word, "node") == 0) {
            s->self.node = vectors_number(value, 16);
        } else if (strcmp(word, "features") == 0) {
            s->self.features = vectors_number(value, 16);
        } else if (strcmp(word, "frame_limit") == 0) {
            s->self.frame_max = (uint32_t)vectors_number(value, 10);
        } else if (strcmp(word, "silence_ms") == 0) {
            s->self.silence_ms = (uint32_t)vectors_number(value, 10);
        } else if (strcmp(word, "nonce") == 0) {
            assert_int_equal(vectors_bytes(value, bytes), GRI_NONCE_BYTES);
            memcpy(s->nonce, bytes, GRI_NONCE_BYTES);
        } else if (strcmp(word, "name") == 0) {
            size_t n = vectors_bytes(value, bytes);
            assert_in_range(n, 1, GR_NODE_NAME_MAX);
            memcpy(s->self.name, bytes, n);
            s->self.name[n] = '\0';
        } else {
            assert_string_equal(word, "secret");
            s->secret_len = vectors_bytes(value, s->secret);
        }
    }
}

static void list(vectors *v, transcript *t)
{
    uint8_t bytes[VECTOR_BYTES];
    assert_in_range(t->listed_count, 0, LISTED_MAX - 1);
    for (char *word; (word = vectors_word(v)) != NULL;) {
        const char *value = vectors_value(word);
        if (strcmp(word, "name") == 0) {
            size_t n = vectors_bytes(value, bytes);
            assert_in_range(n, 1, GR_NODE_NAME_MAX);
            memcpy(t->listed[t->listed_count].name, bytes, n);
            t->listed[t->listed_count].name[n] = '\0';
        } else {
            assert_string_equal(word, "secret");
            t->listed[t->listed_count].len =
                vectors_bytes(value, t->listed[t->listed_count].secret);
        }
    }
    t->listed_count++;
}

static void part(vectors *v, transcript *t)
{
    side *s = NULL;
    for (char *word; (word = vectors_word(v)) != NULL;) {
        const char *value = vectors_value(word);
        if (strcmp(word, "by") == 0) {
            assert_true(strcmp(value, "dialer") == 0 ||
                        strcmp(value, "listener") == 0);
            s = strcmp(value, "dialer") == 0 ? &t->dialer : &t->listener;
        } else {
            assert_string_equal(word, "node");
            assert_non_null(s);
            s->parted = vectors_number(value, 16);
        }
    }
}

/* As a node would, from its options. */
static void trust(transcript *t, side *s)
{
    gr_peer_opts peers[LISTED_MAX + 1] = {{.name = NULL}};
    gr_node_opts opts = {.name = s->self.name, .peers = peers};
    if (s->secret_len == 0) {
        s->trust = (gri_trust){.no_secret = true}; /* it has certificates */
        return;
    }
    opts.secret = (gr_bytes){s->secret, (uint32_t)s->secret_len};
    for (size_t i = 0; s == &t->listener && i < t->listed_count; i++) {
        peers[i].name = t->listed[i].name;
        peers[i].secret =
            (gr_bytes){t->listed[i].secret, (uint32_t)t->listed[i].len};
    }
    assert_int_equal(gri_trust_init(&s->trust, &opts), 0);
}

static void start(transcript *t, side *s, gri_role role)
{
    if (!s->described) {
        memcpy(s->verdict, "-", 2);
        return;
    }
    trust(t, s);
    gri_handshake_init(&s->hs, role, &s->self, s->trust.key, s->nonce);
    gri_handshake_choose(&s->hs, gri_trust_key, &s->trust);
    if (role == GRI_DIALER) {
        gri_handshake_open(&s->hs, &s->says);
    }
}

static void stop(side *s)
{
    if (s->described) {
        gri_handshake_fini(&s->hs);
        gri_trust_fini(&s->trust);
    }
}

static void say_verdict(side *s, const char *what)
{
    assert_string_equal(s->verdict, ""); /* there is one only */
    (void)snprintf(s->verdict, sizeof s->verdict, "%s", what);
}

/* Is it the end, as nobody wants this connection any more? */
static bool is_parted(const side *s)
{
    return gri_handshake_by_itself(&s->hs) && s->parted != 0 &&
           s->parted == s->hs.other.node;
}

/* It knows who is there. Nothing speaks against it but a goodbye. */
static void decide(side *s, int step)
{
    const bool dials = step == GRI_STEP_NAMED;
    if (is_parted(s)) {
        gri_handshake_refuse(
            &s->hs, dials ? GRI_REFUSE_ALREADY : GRI_REFUSE_PARTED, &s->says);
        say_verdict(s, dials ? "refuses:6" : "refuses:11");
    } else if (dials) {
        gri_handshake_prove(&s->hs, &s->says);
    } else {
        gri_handshake_welcome(&s->hs, &s->says);
        say_verdict(s, "joined");
    }
}

/* It hears a frame, and decides as a node would. */
static void hear(side *s, const uint8_t *p, size_t n)
{
    size_t need = 0;
    const char *fault = NULL;
    if (!s->described) {
        return;
    }
    assert_int_equal(s->says.len, 0); /* it had said what it was to say */
    int64_t len = gri_frame_split(p, n, GRI_HANDSHAKE_MAX, &need);
    if (len < 0) {
        say_verdict(s, "closes");
        return;
    }
    assert_int_equal(len, n);
    int rc = gri_handshake_read(&s->hs, p, n, &s->says, &fault);
    char text[32] = "";
    if (rc < 0 && p[4] == GRI_FRAME_REFUSE && s->says.len == 0 &&
        rc != GR_EFORMAT) {
        (void)snprintf(text, sizeof text, "refused:%u", p[5]);
    } else if (rc < 0 && s->says.len > 0) {
        assert_int_equal(s->says.bytes[4], GRI_FRAME_REFUSE);
        (void)snprintf(text, sizeof text, "refuses:%u", s->says.bytes[5]);
    } else if (rc < 0) {
        assert_int_equal(rc, GR_EFORMAT);
        (void)snprintf(text, sizeof text, "closes");
    } else if (rc == GRI_STEP_ALREADY) {
        (void)snprintf(text, sizeof text, "refused:6");
    } else if (rc == GRI_STEP_NAMED || rc == GRI_STEP_PROVEN) {
        decide(s, rc);
    } else if (rc == GRI_STEP_DONE) {
        (void)snprintf(text, sizeof text, "joined");
    }
    if (text[0] != '\0') {
        say_verdict(s, text);
    }
}

/* A line of what one of them says. real: by itself, if it is described. */
static void say(transcript *t, bool by_dialer, bool real, const char *word)
{
    side *from = by_dialer ? &t->dialer : &t->listener;
    side *to = by_dialer ? &t->listener : &t->dialer;
    uint8_t bytes[VECTOR_BYTES];
    size_t n = vectors_bytes(word, bytes);
    if (!t->began) {
        t->began = true;
        start(t, &t->dialer, GRI_DIALER);
        start(t, &t->listener, GRI_LISTENER);
    }
    assert_int_equal(real, from->described);
    if (real) {
        assert_int_equal(from->says.len, n);
        assert_memory_equal(from->says.bytes, bytes, n);
        from->says.len = 0;
    }
    hear(to, bytes, n);
}

/* Once it is over. A frame that is none is not given to it: then the peer's
 * end wipes all. */
static void assert_key_is_wiped(const side *s)
{
    static const uint8_t zero[GRI_KEY_BYTES];
    if (s->described && s->hs.state == GRI_EXPECTS_NOTHING) {
        assert_memory_equal(s->hs.key, zero, sizeof zero);
    } else {
        assert_true(!s->described || strcmp(s->verdict, "closes") == 0);
    }
}

static void end(vectors *v, transcript *t)
{
    for (int i = 0; i < 2; i++) {
        char *word = vectors_word(v);
        const char *value = vectors_value(word);
        side *s = i == 0 ? &t->dialer : &t->listener;
        assert_string_equal(word, i == 0 ? "dialer" : "listener");
        assert_string_equal(s->verdict, value);
        assert_int_equal(s->says.len, 0);
        assert_key_is_wiped(s);
        stop(s);
    }
}

static void handshakes_go_as_the_vectors_say(void **state)
{
    (void)state;
    static transcript t;
    vectors v;
    unsigned count = 0;
    vectors_open(&v, "handshakes.txt");
    while (vectors_next(&v)) {
        const char *what = vectors_word(&v);
        if (strcmp(what, "transcript") == 0) {
            memset(&t, 0, sizeof t);
            (void)snprintf(t.name, sizeof t.name, "%s", vectors_word(&v));
            print_message("%s\n", t.name); /* as above */
        } else if (strcmp(what, "dialer") == 0) {
            describe(&v, &t.dialer);
        } else if (strcmp(what, "listener") == 0) {
            describe(&v, &t.listener);
        } else if (strcmp(what, "listed") == 0) {
            list(&v, &t);
        } else if (strcmp(what, "parted") == 0) {
            part(&v, &t);
        } else if (strcmp(what, "end") == 0) {
            end(&v, &t);
            count++;
        } else {
            bool real = what[0] != '!';
            const char *arrow = real ? what : what + 1;
            assert_true(strcmp(arrow, ">") == 0 || strcmp(arrow, "<") == 0);
            say(&t, arrow[0] == '>', real, vectors_word(&v));
        }
    }
    vectors_close(&v);
    assert_true(count > 85);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_read_and_written_as_the_vectors_say),
        cmocka_unit_test(handshakes_go_as_the_vectors_say),
    };
    return cmocka_run_group_tests_name("transport/vectors", tests, NULL, NULL);
}
