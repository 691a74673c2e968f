/* tests/base/test_recorder.c - the flight recorder: what is read is what was
 * written, of whole images and of broken ones. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <greenroom/greenroom.h>

#include "base/recorder.h"
#include "base/rng.h"

enum { WORKERS = 2, TEXT_MAX = 1 << 20, SLOT_SIZE = 128 };

static char text[TEXT_MAX];
static char said[512];

static void remember(void *arg, gr_log_level level, const char *line)
{
    (void)arg, (void)level;
    (void)snprintf(said, sizeof said, "%s", line);
}

static const gri_log test_log = {remember, NULL, GR_LOG_DEBUG};

static int start(gri_recorder *r, const char *path, uint64_t node)
{
    const gri_recorder_opts opts = {
        .path = path,
        .workers = WORKERS,
        .node = node,
        .now_ns = 5000000000,
        .task_at = 0x10000,
        .slot_size = SLOT_SIZE,
    };
    return gri_recorder_init(r, &opts, &test_log);
}

/* Prints into `text`. */
static int print_last(const void *image, size_t size, unsigned last)
{
    const int fd = memfd_create("text", MFD_CLOEXEC);
    assert_true(fd >= 0);
    const int rc = gri_recorder_print(image, size, last, true, fd);
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    assert_true(n >= 0 && (size_t)n < sizeof text - 1);
    text[n] = '\0';
    (void)close(fd);
    return rc;
}

static int print(const void *image, size_t size)
{
    return print_last(image, size, GRI_REC_EVENTS);
}

static void expect(const char *line)
{
    if (strstr(text, line) == NULL) {
        fail_msg("no <%s> in:\n%s", line, text);
    }
}

static unsigned count(const char *word)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++) {
        n++;
    }
    return n;
}

static const void *task(uint32_t slot)
{
    return (const void *)(uintptr_t)(0x10000 + slot * SLOT_SIZE);
}

static uint64_t id_of(uint32_t run, uint32_t slot)
{
    return (uint64_t)run << 32 | slot;
}

/* ---- what is written can be read -------------------------------------------
 */

static void test_all_that_is_noted(void **state)
{
    (void)state;
    gri_recorder r;
    static const int counter; /* any address */
    assert_int_equal(start(&r, NULL, UINT64_C(0xabcdef0123456789)), 0);
    const uint32_t name = gri_record_name(&r, &counter, "counter\n\xff");
    assert_true(name > 0);
    assert_int_equal(gri_record_name(&r, &counter, "counter"), name);
    const uint32_t slot = (7u << GRI_REC_SLOTS_BITS) + 5;
    gri_record_slot(&r, 3, slot, name);
    for (uint64_t i = 1; i <= 1000; i++) {
        gri_record_turn(&r.tracks[0].turns, i, task(i < 998 ? slot : 9));
    }
    gri_rec_set(&r.tracks[1].turns.asleep_ns, 6500000000);
    const int64_t at = 5000000000;
    gri_rec_put(&r.tracks[0], GRI_EVENT_SPAWN, at + 1000000, id_of(3, slot),
                name, id_of(1, 2));
    gri_rec_put(&r.tracks[0], GRI_EVENT_CRASH, at + 2000000, id_of(3, slot),
                GR_EXIT_ERROR, (uint64_t)GR_ENOMEM);
    gri_rec_put(&r.tracks[0], GRI_EVENT_END, at + 3000000, id_of(3, slot),
                GR_EXIT_SIGNAL, SIGSEGV);
    gri_rec_put(&r.tracks[1], GRI_EVENT_TRAP, at - 4000000, id_of(1, 2), SIGFPE,
                0);
    gri_record_other(&r, GRI_EVENT_DROP, at, id_of(3, slot), 16, 0);
    gri_record_other(&r, GRI_EVENT_TURN_LONG, at, id_of(5, slot), 7000, 0);
    gri_record_other(&r, GRI_EVENT_SPARE, at, 1, 0, 0);
    gri_record_other(&r, GRI_EVENT_STOP, at, 0, 0, 0);

    assert_int_equal(print(r.head, r.size), 0);
    expect("flight recorder of base.recorder, process ");
    expect(", node abcdef0123456789, started 20");
    expect("it runs, or was killed\n");
    expect("worker 0: 1000 turns, awake\n");
    expect("    last turns, the newest first: slot 9 x3, counter?? "
           "<28677.3@abcdef01> x253\n");
    expect("    +0.001 spawn counter?? <28677.3@abcdef01> by "
           "<2.1@abcdef01>\n"
           "    +0.002 crash counter?? <28677.3@abcdef01> error GR_ENOMEM\n"
           "    +0.003 end counter?? <28677.3@abcdef01> signal 11\n");
    expect("worker 1: 0 turns, asleep since +1.500\n"
           "    -0.004 trap <2.1@abcdef01> signal 8 (SIGFPE)\n");
    expect("other threads:\n"
           "    +0.000 dropped of counter?? <28677.3@abcdef01>, so far 16\n"
           "    +0.000 long turn of <28677.5@abcdef01> 7 us\n"
           "    +0.000 spare worker in place of worker 1\n"
           "    +0.000 stop \n");
    gri_recorder_state(&r, GRI_REC_STOPPED);
    assert_int_equal(print(r.head, r.size), 0);
    expect("stopped in order\n");
    gri_recorder_fini(&r);
}

static void test_rings_keep_the_last(void **state)
{
    (void)state;
    gri_recorder r;
    assert_int_equal(start(&r, NULL, 1), 0);
    for (unsigned i = 1; i <= 3 * GRI_REC_EVENTS; i++) {
        gri_rec_put(&r.tracks[0], GRI_EVENT_DEAD_LETTER, 0, 1, i, 0);
        gri_rec_put(&r.tracks[0], GRI_EVENT_END, 0, i, 0, 0);
    }
    assert_int_equal(print(r.head, r.size), 0);
    assert_int_equal(count("dead letter to"), GRI_REC_EVENTS - 1);
    assert_int_equal(count(" end <"), GRI_REC_LIVES - 1);
    expect(", so far 1536\n");
    expect(", so far 1026\n");
    assert_null(strstr(text, ", so far 1025\n"));
    expect(" end <1536.0@00000000> normal\n");
    assert_int_equal(print_last(r.head, r.size, 2), 0);
    assert_int_equal(count("dead letter to"), 2);
    assert_int_equal(count(" end <"), 2);
    gri_recorder_fini(&r);
}

static void test_names_have_an_end(void **state)
{
    (void)state;
    gri_recorder r;
    static const char behaviors[10 * GRI_REC_NAMES];
    assert_int_equal(start(&r, NULL, 1), 0);
    unsigned known = 0;
    for (size_t i = 0; i < sizeof behaviors; i++) {
        const uint32_t n = gri_record_name(&r, &behaviors[i],
                                           "one of many, "
                                           "with a name that is longer than "
                                           "the room there is for a name");
        assert_true(n <= GRI_REC_NAMES);
        assert_int_equal(gri_record_name(&r, &behaviors[i], "x"), n);
        known += n != 0;
    }
    assert_true(known > GRI_REC_NAMES / 2 && known <= GRI_REC_NAMES);
    assert_int_equal(r.names[0].name[GRI_REC_NAME_MAX - 1], '\0');
    gri_recorder_fini(&r);
}

static void test_an_abort_is_noted(void **state)
{
    (void)state;
    gri_recorder r;
    assert_int_equal(start(&r, NULL, UINT64_C(1) << 32), 0);
    gri_fault fault = {.signal = SIGBUS, .code = -6, .n = 1000};
    fault.address = (void *)(uintptr_t)0xbad;
    fault.pc = (void *)(uintptr_t)0x1234;
    fault.frames[1] = fault.pc;
    const int fd = memfd_create("abort", MFD_CLOEXEC);
    assert_true(fd >= 0);
    gri_recorder_abort(&r, &fault, id_of(9, 4));
    gri_recorder_last_words(&r, fd);
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    (void)close(fd);
    expect("aborted by signal 7 (SIGBUS), code -6, address 0xbad, at 0x1234, "
           "in <4.9@00000001>\nworker 0: "); /* the rest was told before */
    assert_int_equal(print(r.head, r.size), 0);
    expect("aborted by signal 7 (SIGBUS), code -6, address 0xbad, at 0x1234, "
           "in <4.9@00000001>\n    #0 0x0\n    #1 0x1234\n");
    expect("    #63 0x0\nworker 0: ");
    gri_recorder_fini(&r);
}

static void test_the_report_of_an_abort_is_kept(void **state)
{
    (void)state;
    gri_recorder r;
    assert_int_equal(start(&r, NULL, UINT64_C(1) << 32), 0);
    gri_fault fault = {.signal = SIGBUS, .n = 2};
    const gri_fault other = {.signal = SIGSEGV};
    gri_recorder_abort(&r, &other, 0);
    gri_recorder_say(&r, &other, "earlier\n", 8);
    gri_recorder_abort(&r, &fault, id_of(9, 4));
    gri_recorder_say(&r, &fault, "one\n", 4);
    gri_recorder_say(&r, &other, "later\n", 6);
    gri_recorder_say(&r, &fault, "t\033o\n", 4);
    assert_int_equal(print(r.head, r.size), 0);
    expect(", in <4.9@00000001>\none\nt?o\nworker 0: ");
    assert_int_equal(count("#0"), 0);

    /* Only whole lines, and no more than there is room for. */
    static const char line[100] = "\n";
    for (unsigned i = 0; i < 100; i++) {
        gri_recorder_say(&r, &fault, line, sizeof line);
    }
    assert_int_equal(r.told_bytes, 8 + (GRI_REC_REPORT_MAX - 9) / 100 * 100);
    /* And of a damaged image no more than that. */
    memset(r.head->report, 'Q', sizeof r.head->report);
    assert_int_equal(print(r.head, r.size), 0);
    assert_int_equal(count("Q"), GRI_REC_REPORT_MAX);
    gri_recorder_fini(&r);
}

static void test_times_as_dates(void **state)
{
    (void)state;
    gri_recorder r;
    assert_int_equal(start(&r, NULL, 1), 0);
    static const struct {
        uint64_t utc;
        const char *date;
    } dates[] = {
        {0, "started 1970-01-01 00:00:00 UTC"},
        {951782399, "started 2000-02-28 23:59:59 UTC"},
        {951782400, "started 2000-02-29 00:00:00 UTC"},
        {1798761599, "started 2026-12-31 23:59:59 UTC"},
        {UINT64_C(253402300799), "started 9999-12-31 23:59:59 UTC"},
        {UINT64_MAX, "started never"},
    };
    for (unsigned i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        r.head->started_utc = dates[i].utc;
        assert_int_equal(print(r.head, r.size), 0);
        expect(dates[i].date);
    }
    gri_recorder_fini(&r);
}

/* ---- what is broken ---------------------------------------------------------
 */

/* A whole image in memory of its own, so that a byte read beyond it is seen. */
static unsigned char *copy_of(const gri_recorder *r, size_t size)
{
    unsigned char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, r->head, size);
    return copy;
}

static void fill(gri_recorder *r)
{
    static const int b;
    assert_int_equal(start(r, NULL, 77), 0);
    for (unsigned t = 0; t < WORKERS + 1; t++) {
        for (unsigned i = 1; i < 600; i++) {
            gri_rec_put(&r->tracks[t], GRI_EVENT_SPAWN, i, i,
                        gri_record_name(r, &b, "b"), i);
            gri_rec_put(&r->tracks[t], (gri_event)(16 + i % 9), i, i, i, i);
            gri_record_turn(&r->tracks[t].turns, i, task(i));
        }
    }
}

static void test_cut_off(void **state)
{
    (void)state;
    gri_recorder r;
    fill(&r);
    const size_t sizes[] = {0,
                            7,
                            GRI_REC_HEAD_SIZE - 1,
                            GRI_REC_HEAD_SIZE,
                            GRI_REC_HEAD_SIZE + 100,
                            r.size - sizeof(gri_track) - 1,
                            r.size - sizeof(gri_track),
                            r.size - 1};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *copy = copy_of(&r, sizes[i]);
        const int rc = print(copy, sizes[i]);
        assert_int_equal(rc, sizes[i] < GRI_REC_HEAD_SIZE ? GR_EFORMAT : 0);
        if (rc == 0) {
            expect("the rest is missing\n");
        }
        free(copy);
    }
    assert_int_equal(print((char *)r.head + 1, r.size - 1), GR_EINVAL);
    gri_recorder_fini(&r);
}

static void test_another_version(void **state)
{
    (void)state;
    gri_recorder r;
    fill(&r);
    r.head->version++;
    assert_int_equal(print(r.head, r.size), GR_EVERSION);
    r.head->version--;
    r.head->byte_order = 0x04030201;
    assert_int_equal(print(r.head, r.size), GR_EVERSION);
    r.head->byte_order = GRI_REC_BYTE_ORDER;
    uint64_t *const numbers[] = {&r.head->names_at, &r.head->slots_at,
                                 &r.head->tracks_at};
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const uint64_t good = *numbers[i];
        *numbers[i] = UINT64_MAX - 7;
        assert_int_equal(print(r.head, r.size), GR_EFORMAT);
        *numbers[i] = good;
    }
    r.head->slot_size = 0;
    assert_int_equal(print(r.head, r.size), GR_EFORMAT);
    r.head->slot_size = 1;
    r.head->tracks = UINT32_MAX;
    assert_int_equal(print(r.head, r.size), GR_EFORMAT);
    r.head->tracks = GR_WORKERS_MAX + 1;
    assert_int_equal(print(r.head, r.size), 0);
    expect("the rest is missing\n");
    gri_recorder_fini(&r);
}

static bool is_plain(const char *s)
{
    for (; *s != '\0'; s++) {
        if ((*s < ' ' || *s > '~') && *s != '\n') {
            return false;
        }
    }
    return true;
}

/* Whatever the bytes are: it ends, reads nothing beyond them, and writes no
 * control characters. */
static void test_garbage(void **state)
{
    (void)state;
    gri_recorder r;
    gri_rng rng = {1};
    fill(&r);
    for (unsigned round = 0; round < 200; round++) {
        unsigned char *copy = copy_of(&r, r.size);
        const uint64_t keep = round % 4 == 0 ? 0 : GRI_REC_HEAD_SIZE;
        const unsigned times = 1u << gri_rng_below(&rng, 16);
        for (unsigned i = 0; i < times; i++) {
            const size_t at =
                keep + gri_rng_below(&rng, (uint32_t)(r.size - keep));
            copy[at] = (unsigned char)gri_rng_next(&rng);
        }
        (void)print(copy, r.size - (size_t)gri_rng_below(&rng, 512) * 8);
        assert_true(is_plain(text));
        free(copy);
    }
    /* And all of it, behind a head that is as it should be. */
    unsigned char *copy = copy_of(&r, r.size);
    for (size_t i = GRI_REC_HEAD_SIZE; i < r.size; i++) {
        copy[i] = (unsigned char)gri_rng_next(&rng);
    }
    assert_int_equal(print(copy, r.size), 0);
    assert_true(is_plain(text));
    memset(copy + GRI_REC_HEAD_SIZE, 0xff, r.size - GRI_REC_HEAD_SIZE);
    assert_int_equal(print(copy, r.size), 0);
    free(copy);
    gri_recorder_fini(&r);
}

static void test_nowhere_to_write(void **state)
{
    (void)state;
    gri_recorder r;
    fill(&r);
    const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(gri_recorder_print(r.head, r.size, 10, true, fd), GR_EIO);
    (void)close(fd);
    assert_int_equal(gri_recorder_print(r.head, r.size, 10, true, -1), GR_EIO);
    gri_recorder_fini(&r);
}

/* ---- who reads while another writes -----------------------------------------
 */

static _Atomic(bool) enough;

static void *write_on(void *arg)
{
    gri_recorder *r = arg;
    /* relaxed: it only ends the loop. */
    for (uint64_t i = 1; !atomic_load_explicit(&enough, memory_order_relaxed);
         i++) {
        const uint32_t n = (uint32_t)i;
        /* Each event says the same twice. */
        gri_rec_put(&r->tracks[0], GRI_EVENT_DEAD_LETTER, 0, n, n, n);
        gri_record_turn(&r->tracks[0].turns, i, task(n));
    }
    return NULL;
}

/* The image is read while it changes: it has many events that are gone before
 * they are read, and each that is shown is one that was written. */
static void test_events_are_whole(void **state)
{
    (void)state;
    gri_recorder r;
    pthread_t writer;
    assert_int_equal(start(&r, NULL, 1), 0);
    atomic_init(&enough, false);
    assert_int_equal(pthread_create(&writer, NULL, write_on, &r), 0);
    unsigned long long shown = 0;
    for (unsigned i = 0; i < 500 || shown == 0; i++) {
        assert_int_equal(print(r.head, r.size), 0);
        unsigned long long before = 0;
        for (const char *at = text;
             (at = strstr(at, "dead letter to <")) != NULL; shown++) {
            static const char between[] = ".0@00000000>, so far ";
            char *end = NULL;
            at += strlen("dead letter to <");
            const unsigned long long a = strtoull(at, &end, 10);
            assert_memory_equal(end, between, strlen(between));
            const unsigned long long b =
                strtoull(end + strlen(between), &end, 10);
            assert_true(a == b);
            assert_true(b > before); /* none that came in another's place */
            before = b;
        }
    }
    atomic_store_explicit(&enough, true, memory_order_relaxed); /* as above */
    assert_int_equal(pthread_join(writer, NULL), 0);
    gri_recorder_fini(&r);
}

/* ---- files ------------------------------------------------------------------
 */

static char folder[] = "/tmp/greenroom-recorder-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[2][256];
    static unsigned which;
    char *to = path[which++ % 2];
    (void)snprintf(to, sizeof path[0], "%s/%s", folder, name);
    return to;
}

static bool exists(const char *name)
{
    return access(in_folder(name), F_OK) == 0;
}

static void test_a_file_is_kept_once(void **state)
{
    (void)state;
    gri_recorder r;
    char name[64];
    struct stat about;
    assert_int_equal(start(&r, in_folder("f%%-%p"), 1), 0);
    (void)snprintf(name, sizeof name, "f%%-%ld", (long)getpid());
    assert_int_equal(stat(in_folder(name), &about), 0);
    assert_int_equal(about.st_mode & 07777, S_IRUSR | S_IWUSR);
    assert_int_equal(about.st_size, r.size);
    gri_recorder_fini(&r);

    /* A second one puts the first aside; a third, while that lives, takes
     * another name. */
    gri_recorder other;
    assert_int_equal(start(&r, in_folder("g"), UINT64_C(1) << 32), 0);
    gri_recorder_fini(&r);
    assert_int_equal(start(&r, in_folder("g"), UINT64_C(2) << 32), 0);
    assert_true(exists("g") && exists("g.1"));
    assert_int_equal(start(&other, in_folder("g"), UINT64_C(3) << 32), 0);
    (void)snprintf(name, sizeof name, "g.%ld.00000003", (long)getpid());
    assert_true(exists(name));
    assert_non_null(strstr(said, name));
    (void)snprintf(name, sizeof name, "g.%ld.00000002", (long)getpid());
    assert_false(exists(name));
    gri_recorder_fini(&other);
    gri_recorder_fini(&r);
}

static void test_no_file(void **state)
{
    (void)state;
    gri_recorder r;
    assert_int_equal(start(&r, in_folder("no/such/folder"), 1), GR_EIO);
    assert_non_null(strstr(said, "no flight recorder at "));
    assert_non_null(strstr(said, ": No such file or directory"));
    char path[5000];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(start(&r, path, 1), GR_EINVAL);
    /* What is no file of ours is left where it is. */
    assert_int_equal(mkdir(in_folder("dir"), 0700), 0);
    assert_int_equal(start(&r, in_folder("dir"), 1), 0);
    gri_recorder_fini(&r);
    assert_true(exists("dir"));
    assert_int_equal(symlink("/etc/passwd", in_folder("link")), 0);
    assert_int_equal(start(&r, in_folder("link"), 2), 0);
    gri_recorder_fini(&r);
    struct stat about;
    assert_int_equal(lstat(in_folder("link"), &about), 0);
    assert_true(S_ISLNK(about.st_mode));
}

/* A disk without room is an error at the start, and no SIGBUS later. */
static void test_no_room(void **state)
{
    (void)state;
    gri_recorder r;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {4096, 4096};
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &none);
        exit(start(&r, in_folder("full"), 1) == GR_EIO && !exists("full") ? 0
                                                                          : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    char command[256];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_is_noted),
        cmocka_unit_test(test_rings_keep_the_last),
        cmocka_unit_test(test_names_have_an_end),
        cmocka_unit_test(test_an_abort_is_noted),
        cmocka_unit_test(test_the_report_of_an_abort_is_kept),
        cmocka_unit_test(test_times_as_dates),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_another_version),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_nowhere_to_write),
        cmocka_unit_test(test_events_are_whole),
        cmocka_unit_test(test_a_file_is_kept_once),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
