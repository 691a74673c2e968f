/*
 * Goal:   wordcount finds every file once, cuts files into chunks without loss,
 *         prints in the right order, and reads its command line.
 * Method: trees of files made in a folder of the test's own, with names, links,
 *         sizes and depths that real ones seldom have.
 */
#include "tests/examples/wordcount_reference.h"

#include "examples/wordcount/chunks.h"
#include "examples/wordcount/error.h"
#include "examples/wordcount/options.h"
#include "examples/wordcount/report.h"
#include "examples/wordcount/scan.h"
#include "examples/wordcount/segment.h"
#include "examples/wordcount/table.h"
#include "examples/wordcount/walk.h"

/* ---- walk ---------------------------------------------------------------- */

typedef struct found {
    size_t files;
    uint64_t bytes;
    unsigned problems;
    char last_problem[PATH_MAX];
    char last_why[128];
} found;

static void note_problem(void *arg, const char *path, const char *why)
{
    found *f = arg;
    f->problems++;
    (void)snprintf(f->last_problem, sizeof(f->last_problem), "%s", path);
    (void)snprintf(f->last_why, sizeof(f->last_why), "%s", why);
}

static found walk_path(const char *path, bool no_sizes)
{
    found f = {0};
    char *paths[1];
    wc_walk *walk;
    wc_file file;
    int rc;
    paths[0] = strdup(path);
    assert_non_null(paths[0]);
    assert_int_equal(wc_walk_new(&(wc_walk_opts){.paths = paths,
                                                 .paths_n = 1,
                                                 .no_sizes = no_sizes,
                                                 .problem = note_problem,
                                                 .problem_arg = &f},
                                 &walk),
                     0);
    while ((rc = wc_walk_next(walk, &file)) == 1) {
        f.files++;
        f.bytes += file.size;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(wc_walk_next(walk, &file), 0);
    wc_walk_free(walk);
    free(paths[0]);
    return f;
}

static void walk_finds_regular_files_and_follows_no_link_below(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("tree"), 0777), 0);
    assert_int_equal(mkdir(path_of("tree/sub"), 0777), 0);
    assert_int_equal(mkdir(path_of("tree/empty"), 0777), 0);
    write_file("tree/a", "12345", 5);
    write_file("tree/sub/-b\n b", "123", 3);
    write_file("tree/sub/.hidden", "1", 1);
    assert_int_equal(symlink("a", path_of("tree/link")), 0);
    assert_int_equal(symlink("..", path_of("tree/sub/up")), 0);
    assert_int_equal(symlink("tree", path_of("to_tree")), 0);
    assert_int_equal(symlink("tree/a", path_of("to_file")), 0);
    assert_int_equal(mkfifo(path_of("tree/fifo"), 0666), 0);

    const found whole = walk_path(path_of("tree"), false);
    const found linked = walk_path(path_of("to_tree"), true);
    const found slash = walk_path(path_of("tree//"), false);
    const found one = walk_path(path_of("to_file"), false);

    assert_int_equal(whole.files, 3);
    assert_int_equal(whole.bytes, 9);
    assert_int_equal(linked.files, 3);
    assert_int_equal(slash.files, 3);
    assert_int_equal(one.files, 1);
    assert_int_equal(one.bytes, 5);
    assert_int_equal(whole.problems + linked.problems + one.problems, 0);
}

static void walk_names_what_it_cannot_read(void **state)
{
    (void)state;
    assert_int_equal(symlink("nowhere", path_of("dangling")), 0);
    assert_int_equal(mkfifo(path_of("pipe"), 0666), 0);

    const found missing = walk_path(path_of("missing"), false);
    const found dangling = walk_path(path_of("dangling"), false);
    const found special = walk_path(path_of("pipe"), false);

    assert_int_equal(missing.problems, 1);
    assert_string_equal(missing.last_problem, path_of("missing"));
    assert_string_equal(missing.last_why, "No such file or directory");
    assert_int_equal(dangling.problems, 1);
    assert_int_equal(special.problems, 1);
    assert_int_equal(missing.files + dangling.files + special.files, 0);
}

static void walk_goes_deeper_than_a_path_may_be_long(void **state)
{
    (void)state;
    enum { DEPTH = 60, NAME = 200 }; /* 12 KB of path, three PATH_MAX */
    char name[NAME + 1];
    memset(name, 'd', NAME);
    name[NAME] = '\0';
    assert_int_equal(mkdir(path_of("deep"), 0777), 0);
    int at = open(path_of("deep"), O_DIRECTORY | O_RDONLY);
    for (unsigned i = 0; i < DEPTH; i++) {
        assert_true(at >= 0);
        /* Before and behind the way down, in whatever order it is read. */
        const char *const files[] = {"a", "z"};
        for (unsigned k = 0; k < 2; k++) {
            const int fd = openat(at, files[k], O_CREAT | O_WRONLY, 0666);
            assert_int_equal(write(fd, "word", 4), 4);
            close(fd);
        }
        assert_int_equal(mkdirat(at, name, 0777), 0);
        const int next = openat(at, name, O_DIRECTORY | O_RDONLY);
        close(at);
        at = next;
    }
    close(at);

    const found sized = walk_path(path_of("deep"), false);
    const found plain = walk_path(path_of("deep"), true);

    assert_int_equal(sized.files, 2 * DEPTH);
    assert_int_equal(sized.bytes, 4 * sized.files);
    assert_int_equal(sized.problems, 0);
    assert_int_equal(plain.files, 2 * DEPTH);
    assert_int_equal(plain.problems, 0);
}

/* ---- chunks -------------------------------------------------------------- */

typedef struct cut {
    size_t chunks, segments;
    uint64_t words, largest;
} cut;

/* Counts one segment. Of a file whose size is not known only the first
 * `beginning` bytes: the rest is given back, as a counter does. */
static void count_segment(wc_scan *scan, wc_chunks *chunks, wc_segment *seg,
                          uint64_t beginning)
{
    uint64_t got;
    int os_error;
    struct stat st;
    const int fd = wc_open(seg->path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    const uint64_t size = (uint64_t)st.st_size;
    if (seg->len == WC_TO_END && size > beginning) {
        seg->len = beginning;
        const wc_segment rest = {seg->path, beginning, size - beginning};
        assert_int_equal(wc_chunks_add(chunks, &rest), 0);
    }
    assert_int_equal(
        wc_scan_file(scan, fd, seg->offset, seg->len, &got, &os_error), 0);
    close(fd);
}

/* Cuts all that the walk finds into chunks, and counts each. */
static cut count_chunks(wc_walk *walk, wc_chunks_opts opts, uint64_t beginning)
{
    cut c = {0};
    wc_chunks chunks;
    wc_chunk chunk;
    wc_table table;
    wc_scan scan;
    int rc;
    assert_int_equal(wc_table_init(&table, 0), 0);
    assert_int_equal(wc_scan_init(&scan, &table), 0);
    opts.walk = walk;
    opts.workers = 2;
    wc_chunks_init(&chunks, &opts);
    assert_false(wc_chunks_are_out(&chunks));
    while ((rc = wc_chunks_next(&chunks, &chunk)) == 1) {
        const uint8_t *at = chunk.segments.bytes;
        const uint8_t *end = at + chunk.segments.size;
        c.chunks++;
        c.largest = chunk.bytes > c.largest ? chunk.bytes : c.largest;
        wc_buffer path = {0};
        while (at < end) {
            wc_segment seg;
            assert_int_equal(wc_segment_get(&at, end, &path, &seg), 0);
            count_segment(&scan, &chunks, &seg, beginning);
            c.segments++;
        }
        wc_buffer_fini(&path);
        wc_chunk_free(&chunk);
    }
    assert_int_equal(rc, 0);
    assert_true(wc_chunks_are_out(&chunks));
    assert_int_equal(chunks.ahead_cost, 0);
    assert_int_equal(chunks.ahead_files, 0);
    c.words = wc_report_total(&table);
    wc_chunks_fini(&chunks);
    wc_scan_fini(&scan);
    wc_table_fini(&table);
    return c;
}

/* chunk_size 0: guided. beginning 0: sizes are known. */
static cut cut_tree(const char *path, uint64_t chunk_size, uint64_t beginning)
{
    found f = {0};
    char *paths[1];
    wc_walk *walk;
    paths[0] = strdup(path);
    assert_non_null(paths[0]);
    assert_int_equal(wc_walk_new(&(wc_walk_opts){.paths = paths,
                                                 .paths_n = 1,
                                                 .no_sizes = beginning > 0,
                                                 .problem = note_problem,
                                                 .problem_arg = &f},
                                 &walk),
                     0);
    const wc_chunks_opts opts = {.no_sizes = beginning > 0,
                                 .chunk_size = chunk_size};
    const cut c =
        count_chunks(walk, opts, beginning > 0 ? beginning : WC_TO_END);
    assert_int_equal(f.problems, 0);
    wc_walk_free(walk);
    free(paths[0]);
    return c;
}

static void chunks_cover_every_file_once(void **state)
{
    (void)state;
    enum { FILES = 300, LARGE = 3000000 };
    static seen want;
    uint64_t words = 0;
    uint8_t *text = random_text(LARGE, 11, 12);
    assert_int_equal(mkdir(path_of("many"), 0777), 0);
    for (unsigned i = 0; i < FILES; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "many/file%u", i);
        write_file(name, text, i); /* the first one is empty */
        memset(&want, 0, sizeof(want));
        see_text(&want, text, i);
        for (size_t k = 0; k < want.n; k++) {
            words += want.words[k].count;
        }
    }

    const cut guided = cut_tree(path_of("many"), 0, 0);
    const cut tiny = cut_tree(path_of("many"), 100, 0);
    const cut unknown = cut_tree(path_of("many"), 0, 200);

    assert_int_equal(guided.words, words);
    assert_int_equal(guided.segments, FILES);
    assert_true(guided.chunks < 20);
    assert_int_equal(tiny.words, words);
    assert_int_equal(unknown.words, words);
    assert_int_equal(unknown.segments, FILES + FILES - 201);
    assert_true(tiny.chunks >= FILES);
    assert_true(tiny.largest <= 100);

    write_file("many/large", text, LARGE);
    const cut larger = cut_tree(path_of("many"), 0, 0);
    const cut one = cut_tree(path_of("many/large"), 1 << 20, 0);
    const cut given_back = cut_tree(path_of("many/large"), 0, 1000);
    const cut exact = cut_tree(path_of("many/large"), LARGE, 0);
    assert_true(larger.segments > FILES + 1);
    assert_true(larger.words - words == one.words);
    assert_int_equal(one.chunks, 3);
    assert_true(given_back.segments > 2);
    assert_true(given_back.words == one.words);
    assert_int_equal(exact.chunks, 1);
    assert_true(exact.words == one.words);
    free(text);
}

static void segments_come_back_as_they_were(void **state)
{
    (void)state;
    static const wc_segment all[] = {
        {"tree/a/first", 0, WC_TO_END},
        {"tree/a/second", 1, 0},
        {"tree/a/second", UINT64_MAX, UINT64_MAX - 1},
        {"tree", 5, 7},
        {"tree/a/first/below", 0, WC_TO_END},
        {"other", 128, 1 << 20},
    };
    const size_t n = sizeof(all) / sizeof(all[0]);
    wc_buffer list = {0};
    wc_buffer last = {0};
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(wc_segment_put(&list, &last, &all[i]), 0);
    }
    const uint8_t *at = list.bytes;
    const uint8_t *end = at + list.size;
    last.size = 0;
    for (size_t i = 0; i < n; i++) {
        wc_segment seg;
        assert_int_equal(wc_segment_get(&at, end, &last, &seg), 0);
        assert_string_equal(seg.path, all[i].path);
        assert_true(seg.offset == all[i].offset && seg.len == all[i].len);
    }
    assert_ptr_equal(at, end);
    wc_buffer_fini(&list);
    wc_buffer_fini(&last);
}

static void broken_segments_are_refused(void **state)
{
    (void)state;
    static const uint8_t good[] = "\x00\x01p\x05\x08";
    static const uint8_t not_before[] = "\x01\x01p\x05\x08";
    static const uint8_t no_path[] = "\x00\x00\x05\x08";
    wc_buffer last = {0};
    wc_segment seg;
    const uint8_t *at;

    for (size_t n = 0; n < 5; n++) {
        at = good;
        assert_int_equal(wc_segment_get(&at, good + n, &last, &seg),
                         GR_EFORMAT);
        assert_ptr_equal(at, good);
    }
    at = not_before;
    assert_int_equal(wc_segment_get(&at, not_before + 5, &last, &seg),
                     GR_EFORMAT);
    at = no_path;
    assert_int_equal(wc_segment_get(&at, no_path + 4, &last, &seg), GR_EFORMAT);
    at = good;
    assert_int_equal(wc_segment_get(&at, good + 5, &last, &seg), 0);
    assert_string_equal(seg.path, "p");
    assert_int_equal(seg.offset, 5);
    assert_int_equal(seg.len, 7);
    wc_buffer_fini(&last);
}

/* ---- report -------------------------------------------------------------- */

/* What the report prints, as a string that the caller frees. */
static char *printed(const wc_table *table, const wc_report_opts *opts)
{
    int os_error = 0;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(wc_report(table, opts, fileno(file), &os_error), 0);
    const off_t size = lseek(fileno(file), 0, SEEK_END);
    assert_true(size >= 0);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(pread(fileno(file), text, (size_t)size, 0), size);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void report_sorts_by_count_and_then_by_word(void **state)
{
    (void)state;
    static const char *const words[] = {
        "b",
        "abcdefghijklmnop",
        "abcdefghijklmnopq",
        "abcdefghijklmnopb",
        "abcdefghijklmnopbb",
        "ab",
        "a",
        "zz",
    };
    wc_table table;
    assert_int_equal(wc_table_init(&table, 0), 0);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        wc_table_add(&table, (const uint8_t *)words[i], strlen(words[i]), 2);
    }
    wc_table_add(&table, (const uint8_t *)"zz", 2, 10000000000);

    char *all = printed(&table, &(wc_report_opts){0});
    char *first_two = printed(&table, &(wc_report_opts){.top = 2});
    char *as_json = printed(
        &table,
        &(wc_report_opts){
            .top = 1, .json = true, .files = 3, .bytes = 99, .failed = 1});

    assert_string_equal(all, "10000000002 zz\n"
                             "2 a\n"
                             "2 ab\n"
                             "2 abcdefghijklmnop\n"
                             "2 abcdefghijklmnopb\n"
                             "2 abcdefghijklmnopbb\n"
                             "2 abcdefghijklmnopq\n"
                             "2 b\n");
    assert_string_equal(first_two, "10000000002 zz\n2 a\n");
    assert_string_equal(as_json,
                        "{\"files\":3,\"bytes\":99,\"failed\":1,"
                        "\"words\":10000000016,\"distinct\":8,\"top\":[\n"
                        "{\"word\":\"zz\",\"count\":10000000002}\n]}\n");
    free(all);
    free(first_two);
    free(as_json);
    wc_table_fini(&table);
}

static void report_sorts_many(void **state)
{
    (void)state;
    enum { WORDS = 30000 };
    wc_table table;
    uint64_t seed = 1;
    assert_int_equal(wc_table_init(&table, 0), 0);
    for (unsigned i = 0; i < WORDS; i++) {
        uint8_t word[20];
        const size_t len = 1 + next_random(&seed) % sizeof(word);
        for (size_t k = 0; k < len; k++) {
            word[k] = (uint8_t)('a' + next_random(&seed) % 3);
        }
        wc_table_add(&table, word, len, 1);
    }
    /* Around the largest count that a key of the sort can hold, with words in
     * the other order than their counts. */
    uint64_t sum = WORDS;
    for (uint8_t i = 0; i < 20; i++) {
        const uint8_t word[] = {'z', (uint8_t)('a' + i)};
        const uint64_t count = (1 << 24) - 10 + i;
        wc_table_add(&table, word, sizeof(word), count);
        sum += count;
    }

    char *all = printed(&table, &(wc_report_opts){0});

    uint64_t last_count = UINT64_MAX, total = 0;
    char last[32] = "";
    size_t lines = 0;
    char *rest = NULL;
    for (char *line = strtok_r(all, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest), lines++) {
        char *word;
        const uint64_t count = strtoull(line, &word, 10);
        word++;
        assert_true(count < last_count ||
                    (count == last_count && strcmp(last, word) < 0));
        last_count = count;
        (void)snprintf(last, sizeof(last), "%s", word);
        total += count;
    }
    assert_int_equal(lines, wc_table_words(&table));
    assert_true(total == sum);
    free(all);
    wc_table_fini(&table);
}

static void report_says_what_cannot_be_written(void **state)
{
    (void)state;
    wc_table table;
    int os_error = 0;
    assert_int_equal(wc_table_init(&table, 0), 0);
    wc_table_add(&table, (const uint8_t *)"word", 4, 1);
    const int fd = open("/dev/full", O_WRONLY);
    assert_true(fd >= 0);

    assert_int_equal(wc_report(&table, &(wc_report_opts){0}, fd, &os_error),
                     GR_EIO);

    assert_int_equal(os_error, ENOSPC);
    close(fd);
    wc_table_fini(&table);
}

/* ---- options ------------------------------------------------------------- */

enum { ARGS_MAX = 16 };

static wc_next parse(const char *line, wc_options *out)
{
    /* getopt keeps pointers into it. */
    static char words[256];
    static char *argv[ARGS_MAX];
    int argc = 0;
    (void)snprintf(words, sizeof(words), "wordcount %s", line);
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest)) {
        assert_true(argc + 1 < ARGS_MAX);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return wc_options_parse(argc, argv, false, out);
}

static void options_are_read(void **state)
{
    (void)state;
    wc_options o;

    assert_int_equal(parse("a b", &o), WC_RUN);
    assert_int_equal(o.nodes, WC_NODES_DEFAULT);
    assert_int_equal(o.top, WC_TOP_DEFAULT);
    assert_int_equal(o.paths_n, 2);
    assert_string_equal(o.paths[1], "b");
    assert_false(o.json || o.bytes || o.kill_node);

    assert_int_equal(parse("--nodes 3 --workers=2 --crash-every 7 --kill-node "
                           "--all x --chunk 64k -- --top",
                           &o),
                     WC_RUN);
    assert_int_equal(o.nodes, 3);
    assert_int_equal(o.workers, 2);
    assert_int_equal(o.crash_every, 7);
    assert_true(o.kill_node);
    assert_int_equal(o.top, 0);
    assert_int_equal(o.chunk_size, 65536);
    assert_int_equal(o.paths_n, 2);
    assert_string_equal(o.paths[1], "--top");

    assert_int_equal(
        parse("--top 5 --json --bytes --words-max 9 --nodes 0 x", &o), WC_RUN);
    assert_int_equal(o.top, 5);
    assert_true(o.json && o.bytes);
    assert_int_equal(o.words_max, 9);
    assert_int_equal(o.nodes, 0);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "--all",
        "--nodes x a",
        "--nodes -1 a",
        "--nodes 65 a",
        "--nodes 1K a",
        "--workers 0 a",
        "--top 0 a",
        "--top",
        "--top 1x a",
        "--crash-every 0 a",
        "--chunk 0 a",
        "--chunk 5T a",
        "--chunk 5KK a",
        "--chunk 99999999999999999999 a",
        "--chunk 99999999999999999G a",
        "--unknown a",
        "-x a",
        "--kill-node --nodes 0 a",
        "--bytes --chunk 2M a",
    };
    wc_options o = {.nodes = 77};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(parse(wrong[i], &o), WC_EXIT_USAGE_ERROR);
    }
    assert_int_equal(o.nodes, 77);
    assert_int_equal(parse("--help", &o), WC_EXIT_OK);
    assert_int_equal(parse("--version", &o), WC_EXIT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walk_finds_regular_files_and_follows_no_link_below),
        cmocka_unit_test(walk_names_what_it_cannot_read),
        cmocka_unit_test(walk_goes_deeper_than_a_path_may_be_long),
        cmocka_unit_test(chunks_cover_every_file_once),
        cmocka_unit_test(segments_come_back_as_they_were),
        cmocka_unit_test(broken_segments_are_refused),
        cmocka_unit_test(report_sorts_by_count_and_then_by_word),
        cmocka_unit_test(report_sorts_many),
        cmocka_unit_test(report_says_what_cannot_be_written),
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(wrong_options_are_refused),
    };
    return cmocka_run_group_tests_name("examples/wordcount_files", tests,
                                       make_folder, remove_folder);
}
