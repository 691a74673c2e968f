/*
 * Goal:   the process of an actor has nothing of its parent's: no descriptor
 *         but standard input, output and error and its socket, and nowhere, in
 *         its arguments, its environment or its memory, the secret by which
 *         nodes know each other, or the key that is made from it. Nor has its
 *         launcher.
 * Method: the parent is a node with a secret of this moment, listens, writes a
 *         flight recorder, and leaves descriptors open without close-on-exec.
 *         The actor lists its own descriptors; all its memory that can be read
 *         is searched from outside. That the search finds what is there is
 *         shown by the parent, and by a word that the actor was sent.
 */
#include "tests/process/actors.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "tests/support/sanitizers.h"
#include "transport/handshake.h"

enum {
    SECRET_BYTES = 32,
    HIGH = 200,          /* a descriptor far above the others */
    CHUNK = 1024 * 1024, /* of memory that is searched at once */
};

/* ---- the actor ----------------------------------------------------------- */

/* "0 1 2 3" and so on; GR_EFAIL: it does not fit. */
static int list_descriptors(char *text, size_t size)
{
    size_t at = 0;
    struct stat about;
    for (int fd = 0; fd < 4096; fd++) { /* above any that the parent has */
        if (fstat(fd, &about) != 0) {
            continue;
        }
        const int n =
            snprintf(text + at, size - at, "%s%d%s", at > 0 ? " " : "", fd,
                     S_ISSOCK(about.st_mode) ? "s" : "");
        if (n < 0 || (size_t)n >= size - at) {
            return GR_EFAIL;
        }
        at += (size_t)n;
    }
    return 0;
}

typedef struct heir {
    char word[SECRET_BYTES];
} heir;

static int heir_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    heir *h = state;
    gr_bytes word;
    if (gr_match(msg, "keep", &word) && word.len == sizeof(h->word)) {
        memcpy(h->word, word.ptr, word.len);
        return gr_reply(self, msg, "kept");
    }
    if (gr_match(msg, "list")) {
        char text[512];
        GR_TRY(list_descriptors(text, sizeof(text)));
        return gr_reply(self, msg, "listed", (const char *)text);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior heir_behavior = {
    .name = "heir",
    .state_size = sizeof(heir),
    .receive = heir_receive,
    .grade = GR_GRADE_PROCESS,
};

/* ---- the search ---------------------------------------------------------- */

/* Where needle begins in what can be read from `from` to `to`; 0: nowhere. What
 * the process does not let us read (device memory) is not what it can read as
 * memory either. */
static uint64_t find_in(int memory, uint64_t from, uint64_t to,
                        const uint8_t *needle, size_t n)
{
    static uint8_t chunk[CHUNK];
    while (from < to) {
        const uint64_t left = to - from;
        const size_t want = left < CHUNK ? (size_t)left : CHUNK;
        const ssize_t got = pread(memory, chunk, want, (off_t)from);
        if (got <= 0) {
            return 0;
        }
        const uint8_t *at = memmem(chunk, (size_t)got, needle, n);
        if (at != NULL) {
            return from + (uint64_t)(at - chunk);
        }
        if ((size_t)got == left) {
            return 0;
        }
        /* The next one begins early, for what stands across the border. */
        from += (uint64_t)got > n ? (uint64_t)got - n + 1 : (uint64_t)got;
    }
    return 0;
}

/* The same in all of a process's memory; *bytes: how much that is. Says where,
 * if it is not wanted there. */
static bool is_in_memory(int process, const uint8_t *needle, size_t n,
                         bool wanted, uint64_t *bytes)
{
    char path[64];
    char line[4096 + 128];
    bool found = false;
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", process);
    const int memory = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(memory >= 0);
    (void)snprintf(path, sizeof(path), "/proc/%d/maps", process);
    FILE *maps = fopen(path, "re");
    assert_non_null(maps);
    *bytes = 0;
    while (fgets(line, sizeof(line), maps) != NULL) {
        uint64_t from;
        uint64_t to;
        char readable;
        /* The kernel's own numbers: NOLINTNEXTLINE(cert-err34-c) */
        assert_int_equal(
            sscanf(line, "%" SCNx64 "-%" SCNx64 " %c", &from, &to, &readable),
            3);
        if (readable == 'r' && find_in(memory, from, to, needle, n) != 0) {
            found = true;
            if (!wanted) {
                print_message("process %d has it in %s", process, line);
            }
        }
        *bytes += readable == 'r' ? to - from : 0;
    }
    (void)fclose(maps);
    (void)close(memory);
    return found;
}

/* In what /proc shows of it. */
static bool is_in_file(int process, const char *file, const uint8_t *needle,
                       size_t n)
{
    static char text[1 << 18];
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", process, file);
    FILE *stream = fopen(path, "re");
    assert_non_null(stream);
    const size_t size = fread(text, 1, sizeof(text), stream);
    assert_true(size > 0 && size < sizeof(text));
    (void)fclose(stream);
    return memmem(text, size, needle, n) != NULL;
}

static void assert_knows_not(int process, const uint8_t *needle, size_t n)
{
    uint64_t bytes = 0;
    assert_false(is_in_memory(process, needle, n, false, &bytes));
    assert_true(bytes > 100000); /* it was read */
    assert_false(is_in_file(process, "cmdline", needle, n));
    assert_false(is_in_file(process, "environ", needle, n));
}

static int parent_of(int process)
{
    char path[64];
    int parent = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", process);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    /* NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers fit */
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %*c %d", &parent), 1);
    (void)fclose(file);
    return parent;
}

/* ---- the tests ----------------------------------------------------------- */

#define RECORDER "/tmp/gr-test-inherits-recorder.%p"

static int setup_recorded(void **state)
{
    static fixture f;
    const gr_system_opts opts = {
        .workers = 2, .log_level = GR_LOG_WARN, .recorder = RECORDER};
    assert_int_equal(gr_system_start(&opts, &f.sys), 0);
    assert_int_equal(gr_thread_attach(f.sys, NULL, &f.self), 0);
    assert_int_equal(gr_processes_enable(f.self), 0);
    *state = &f;
    return 0;
}

static int teardown_recorded(void **state)
{
    char path[64];
    (void)teardown(state);
    (void)snprintf(path, sizeof(path), "%.*s%d", (int)sizeof(RECORDER) - 3,
                   RECORDER, getpid());
    assert_int_equal(unlink(path), 0);
    (void)strncat(path, ".1", sizeof(path) - strlen(path) - 1);
    (void)unlink(path); /* of the test before */
    return 0;
}

static gr_pid start(gr_actor *self, int *process)
{
    const gr_pid pid = spawn_with(self, &heir_behavior, (gr_spawn_opts){0});
    gr_str listed;
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("listed", &listed), "list"), 0);
    *process = process_of(self, pid);
    return pid;
}

static void assert_own_only(gr_actor *self, gr_pid pid)
{
    char text[512];
    gr_str listed;
    assert_int_equal(
        gr_call(self, pid, LONG_MS, gr_expect("listed", &listed), "list"), 0);
    (void)snprintf(text, sizeof(text), "%.*s", GR_STR(listed));
    /* The first three may be sockets: whose they are is the parent's affair. */
    char *own = strstr(text, "3s");
    assert_non_null(own);
    assert_string_equal(own, "3s");
    unsigned blanks = 0;
    for (const char *at = text; at < own; at++) {
        blanks += *at == ' ';
    }
    assert_int_equal(blanks, 3);
}

/* What careless libraries, and the parent itself, have open. */
static void nothing_that_is_open_is_inherited(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    char marker[] = "/tmp/gr-test-inherits-XXXXXX";
    int ends[2];
    int process;
    const int low = mkstemp(marker); /* without O_CLOEXEC */
    const int high = fcntl(low, F_DUPFD, HIGH);
    assert_true(low >= 0);
    assert_true(high >= HIGH);
    /* NOLINTNEXTLINE(android-cloexec-socket): that is what is tested */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);

    const gr_pid first = start(self, &process);
    const gr_pid second = start(self, &process); /* with a first one there */
    assert_own_only(self, first);
    assert_own_only(self, second);

    (void)close(low);
    (void)close(high);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(unlink(marker), 0);
}

/* A word that each byte of is new. */
static void make_word(uint8_t word[SECRET_BYTES])
{
    assert_int_equal(getrandom(word, SECRET_BYTES, 0), SECRET_BYTES);
    word[SECRET_BYTES - 1] = 'x'; /* no newline, which would be cut off */
}

static void the_secret_is_nowhere(void **state)
{
    gr_actor *self = ((fixture *)*state)->self;
    uint8_t secret[SECRET_BYTES];
    uint8_t key[GRI_KEY_BYTES];
    uint8_t sent[SECRET_BYTES];
    uint64_t bytes;
    int process;
    if (UNDER_SANITIZER) {
        skip(); /* its shadow is larger than what can be searched */
    }
    make_word(secret);
    make_word(sent);
    const gr_bytes all = {.ptr = secret, .len = sizeof(secret)};
    gri_handshake_key(key, all);
    const gr_node_opts opts = {
        .name = "parent", .listen = "tcp://127.0.0.1:0", .secret = all};
    int before; /* its process begins before there is a secret, and after */
    const gr_pid early = start(self, &before);
    assert_int_equal(gr_node_start(self, &opts), 0);
    const gr_pid pid = start(self, &process);
    assert_int_equal(gr_call(self, pid, LONG_MS, gr_expect("kept"), "keep",
                             gr_bin(sent, sizeof(sent))),
                     0);

    /* The search finds what is there: here, and in the actor's process. */
    assert_true(is_in_memory(getpid(), secret, sizeof(secret), true, &bytes));
    assert_true(is_in_memory(getpid(), key, sizeof(key), true, &bytes));
    assert_true(is_in_memory(process, sent, sizeof(sent), true, &bytes));

    const int all_of_them[] = {process, before, parent_of(process)};
    assert_true(all_of_them[2] != getpid());
    for (unsigned i = 0; i < 3; i++) {
        assert_knows_not(all_of_them[i], secret, sizeof(secret));
        assert_knows_not(all_of_them[i], key, sizeof(key));
    }
    assert_own_only(self, pid); /* nor the node's own sockets */
    assert_own_only(self, early);
}

#define INHERITS_TEST(name)                                                    \
    cmocka_unit_test_setup_teardown(name, setup_recorded, teardown_recorded)

int main(int argc, char **argv)
{
    gr_child_main(argc, argv);
    const struct CMUnitTest tests[] = {
        INHERITS_TEST(nothing_that_is_open_is_inherited),
        INHERITS_TEST(the_secret_is_nowhere),
    };
    return cmocka_run_group_tests_name("process/actor_inherits", tests, NULL,
                                       NULL);
}
