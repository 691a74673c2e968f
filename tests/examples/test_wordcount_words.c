/*
 * Goal:   wordcount finds and counts the words of any bytes: letters, numbers,
 *         table, scanner and partial counts, at edges that text seldom has.
 * Method: a plain counter, which looks at one byte after the other and compares
 *         with every word it has seen, is the reference. Every cut of a text
 *         into segments must give what the whole text gives.
 */
#include "tests/examples/wordcount_reference.h"

#include "examples/wordcount/error.h"
#include "examples/wordcount/partial.h"
#include "examples/wordcount/report.h"
#include "examples/wordcount/scan.h"
#include "examples/wordcount/table.h"
#include "examples/wordcount/varint.h"
#include "examples/wordcount/walk.h"

/* The table holds exactly the words seen. */
static void assert_same(const wc_table *table, const seen *s)
{
    wc_cursor cursor = {0};
    wc_word word;
    size_t n = 0;
    assert_int_equal(table->error, 0);
    while (wc_table_next(table, &cursor, &word)) {
        size_t i = 0;
        while (i < s->n &&
               (s->words[i].len != word.len ||
                !equal_ignoring_case(s->words[i].text, word.text, word.len))) {
            i++;
        }
        assert_true(i < s->n);
        assert_int_equal(word.count, s->words[i].count);
        for (size_t k = 0; k < word.len; k++) {
            assert_in_range(word.text[k], 'a', 'z');
        }
        n++;
    }
    assert_int_equal(n, s->n);
    assert_int_equal(wc_table_words(table), s->n);
}

/* ---- letters ------------------------------------------------------------- */

static void masks_have_a_bit_for_each_letter(void **state)
{
    (void)state;
    uint8_t bytes[WC_BLOCK + 256];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }

    for (size_t at = 0; at + WC_BLOCK <= sizeof(bytes); at++) {
        uint64_t want = 0;
        for (size_t i = 0; i < WC_BLOCK; i++) {
            want |= (uint64_t)plain_letter(bytes[at + i]) << i;
        }
        assert_true(wc_letters64(bytes + at) == want);
        assert_true(wc_letters64_plain(bytes + at) == want);
        assert_true(wc_letters16(bytes + at) == (want & 0xffff));
        assert_true(wc_letters16_plain(bytes + at) == (want & 0xffff));
    }
    for (unsigned c = 0; c < 256; c++) {
        assert_int_equal(wc_is_letter((uint8_t)c), plain_letter((uint8_t)c));
    }
}

/* ---- varint -------------------------------------------------------------- */

static void numbers_survive_writing_and_reading(void **state)
{
    (void)state;
    const uint64_t numbers[] = {
        0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint8_t bytes[WC_VARINT_MAX];
        const uint8_t *end = wc_varint_put(bytes, numbers[i]);
        const uint8_t *at = bytes;
        uint64_t back = 0;
        assert_true(wc_varint_get(&at, end, &back));
        assert_true(back == numbers[i]);
        assert_ptr_equal(at, end);
        at = bytes;
        assert_false(wc_varint_get(&at, end - 1, &back));
    }
    const uint8_t large[] = {0xff, 0xff, 0xff, 0xff, 0xff,
                             0xff, 0xff, 0xff, 0xff, 0x02};
    const uint8_t *at = large;
    uint64_t back;
    assert_false(wc_varint_get(&at, large + sizeof(large), &back));
}

/* ---- table --------------------------------------------------------------- */

static void table_counts_words_of_every_length(void **state)
{
    (void)state;
    enum { LONGEST = 300, ROUNDS = 3 };
    uint8_t letters[LONGEST];
    wc_table table;
    assert_int_equal(wc_table_init(&table, 0), 0);
    for (size_t i = 0; i < LONGEST; i++) {
        letters[i] = (uint8_t)(i % 2 == 0 ? 'Q' : 'q');
    }

    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t len = 1; len <= LONGEST; len++) {
            wc_table_add(&table, letters, len, len);
        }
    }

    assert_int_equal(wc_table_words(&table), LONGEST);
    wc_cursor cursor = {0};
    wc_word word;
    while (wc_table_next(&table, &cursor, &word)) {
        assert_int_equal(word.count, ROUNDS * word.len);
        for (size_t i = 0; i < word.len; i++) {
            assert_int_equal(word.text[i], 'q');
        }
    }
    wc_table_fini(&table);
}

static void table_grows_and_forgets(void **state)
{
    (void)state;
    enum { WORDS = 50000 };
    wc_table table;
    assert_int_equal(wc_table_init(&table, 0), 0);
    for (unsigned round = 1; round <= 2; round++) {
        for (unsigned i = 0; i < WORDS; i++) {
            uint8_t word[25];
            const size_t len = i % 2 == 0 ? 8 : sizeof(word);
            for (size_t k = 0; k < len; k++) {
                word[k] = (uint8_t)('a' + (i >> (k % 8 * 4) & 15));
            }
            wc_table_add(&table, word, len, 1);
        }
        assert_int_equal(wc_table_words(&table), WORDS);
        assert_int_equal(wc_report_total(&table), WORDS);
        wc_table_clear(&table);
        assert_int_equal(wc_table_words(&table), 0);
        assert_int_equal(wc_report_total(&table), 0);
    }
    wc_table_fini(&table);
}

static void table_names_the_limit_of_distinct_words(void **state)
{
    (void)state;
    wc_table table;
    assert_int_equal(wc_table_init(&table, 2), 0);

    wc_table_add(&table, (const uint8_t *)"one", 3, 1);
    wc_table_add(&table, (const uint8_t *)"awordofmorethansixteen", 22, 1);
    wc_table_add(&table, (const uint8_t *)"one", 3, 1);
    assert_int_equal(table.error, 0);

    wc_table_add(&table, (const uint8_t *)"three", 5, 1);
    assert_int_equal(table.error, WC_EWORDS);
    assert_int_equal(wc_table_words(&table), 2);
    wc_table_clear(&table);
    wc_table_add(&table, (const uint8_t *)"anotherwordofmorethansixteen", 28,
                 1);
    assert_int_equal(table.error, 0);
    wc_table_fini(&table);
}

/* ---- scanner ------------------------------------------------------------- */

/* Counts the file in segments of `cut` bytes, and compares. */
static void assert_any_cut_counts(const char *name, size_t n, size_t cut,
                                  const seen *want)
{
    wc_table table;
    wc_scan scan;
    assert_int_equal(wc_table_init(&table, 0), 0);
    assert_int_equal(wc_scan_init(&scan, &table), 0);
    const int fd = wc_open(path_of(name), O_RDONLY);
    assert_true(fd >= 0);
    for (size_t at = 0; at < n || at == 0; at += cut) {
        uint64_t got = 0;
        int os_error = 0;
        const size_t rest = n - at;
        /* The last one as the walk gives it, of exactly what is left. */
        const size_t len = rest < cut ? rest : cut;
        assert_int_equal(wc_scan_file(&scan, fd, at, len, &got, &os_error), 0);
        assert_int_equal(got, len);
    }
    close(fd);
    assert_same(&table, want);
    wc_scan_fini(&scan);
    wc_table_fini(&table);
}

static void any_cut_of_a_file_counts_the_same(void **state)
{
    (void)state;
    enum { SIZE = 3000 };
    static const size_t word_max[] = {1, 9, 40, 700};
    for (unsigned i = 0; i < 4; i++) {
        static seen want;
        uint8_t *text = random_text(SIZE, i, word_max[i]);
        memset(&want, 0, sizeof(want));
        see_text(&want, text, SIZE);
        write_file("cuts", text, SIZE);
        for (size_t cut = 1; cut < 130; cut++) {
            assert_any_cut_counts("cuts", SIZE, cut, &want);
        }
        assert_any_cut_counts("cuts", SIZE, SIZE - 1, &want);
        assert_any_cut_counts("cuts", SIZE, SIZE, &want);
        assert_any_cut_counts("cuts", SIZE, (size_t)2 * SIZE, &want);
        free(text);
    }
}

static void bytes_count_as_a_file_does(void **state)
{
    (void)state;
    enum { SIZE = 400000 }; /* more than a buffer */
    static seen want;
    uint8_t *text = random_text(SIZE, 7, 30);
    wc_table table;
    wc_scan scan;
    memset(&want, 0, sizeof(want));
    see_text(&want, text, SIZE);
    assert_int_equal(wc_table_init(&table, 0), 0);
    assert_int_equal(wc_scan_init(&scan, &table), 0);

    assert_int_equal(wc_scan_bytes(&scan, text, SIZE), 0);

    assert_same(&table, &want);
    write_file("large", text, SIZE);
    assert_any_cut_counts("large", SIZE, SIZE, &want);
    assert_any_cut_counts("large", SIZE, 65537, &want);
    wc_scan_fini(&scan);
    wc_table_fini(&table);
    free(text);
}

/* Overwrites what is there, without a zero byte. */
static void put(uint8_t *at, const char *text)
{
    for (; *text != '\0'; text++) {
        *at++ = (uint8_t)*text;
    }
}

static void words_may_be_longer_than_any_buffer(void **state)
{
    (void)state;
    enum { SIZE = 1000000, BEFORE = 100, AFTER = 100 };
    uint8_t *text = malloc(SIZE);
    static seen want;
    assert_non_null(text);
    memset(text, 'x', SIZE);
    put(text, "one two ");
    put(text + BEFORE, "Three four\n");
    put(text + SIZE - AFTER, "\1five");
    text[SIZE - AFTER + 40] = '-';
    memset(&want, 0, sizeof(want));
    see_text(&want, text, SIZE);
    write_file("giant", text, SIZE);

    assert_any_cut_counts("giant", SIZE, SIZE, &want);
    assert_any_cut_counts("giant", SIZE, 300000, &want);
    assert_any_cut_counts("giant", SIZE, 4096, &want);
    free(text);
}

static void a_segment_to_the_end_reads_what_no_size_tells(void **state)
{
    (void)state;
    wc_table table;
    wc_scan scan;
    uint64_t got = 0;
    int os_error = 0;
    assert_int_equal(wc_table_init(&table, 0), 0);
    assert_int_equal(wc_scan_init(&scan, &table), 0);
    const int fd = wc_open("/proc/self/status", O_RDONLY);
    assert_true(fd >= 0);

    assert_int_equal(wc_scan_file(&scan, fd, 0, WC_TO_END, &got, &os_error), 0);

    assert_true(got > 0);
    assert_true(wc_table_words(&table) > 10);
    close(fd);
    wc_scan_fini(&scan);
    wc_table_fini(&table);
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    wc_table table;
    wc_scan scan;
    uint64_t got = 0;
    int os_error = 0;
    assert_int_equal(wc_table_init(&table, 0), 0);
    assert_int_equal(wc_scan_init(&scan, &table), 0);
    const int fd = wc_open(folder, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);

    assert_int_equal(wc_scan_file(&scan, fd, 0, 10, &got, &os_error), GR_EIO);

    assert_int_equal(os_error, EISDIR);
    close(fd);
    wc_scan_fini(&scan);
    wc_table_fini(&table);
}

/* ---- partial counts ------------------------------------------------------ */

static void fill(wc_table *table)
{
    uint8_t *text = random_text(20000, 3, 60);
    wc_scan scan;
    assert_int_equal(wc_scan_init(&scan, table), 0);
    assert_int_equal(wc_scan_bytes(&scan, text, 20000), 0);
    wc_table_add(table, (const uint8_t *)"often", 5, UINT64_C(1) << 60);
    wc_scan_fini(&scan);
    free(text);
}

static void partial_counts_survive_the_journey(void **state)
{
    (void)state;
    wc_table from, to;
    wc_buffer buffer = {0};
    wc_buffer rest = {0};
    wc_cursor cursor = {0};
    wc_word word;
    assert_int_equal(wc_table_init(&from, 0), 0);
    assert_int_equal(wc_table_init(&to, 0), 0);
    fill(&from);

    int more = 1;
    unsigned pieces = 0;
    while (more > 0) {
        buffer.size = 0;
        more = wc_partial_write(&from, &cursor, 100, &buffer);
        assert_true(more >= 0);
        pieces++;
        /* Each is whole words ... */
        assert_int_equal(
            wc_partial_merge(&to, &rest, buffer.bytes, buffer.size), 0);
        assert_int_equal(rest.size, 0);
        /* ... and may be cut anywhere. */
        for (size_t i = 0; i < buffer.size; i++) {
            assert_int_equal(wc_partial_merge(&to, &rest, buffer.bytes + i, 1),
                             0);
        }
        assert_int_equal(rest.size, 0);
    }
    assert_true(pieces > 2);
    wc_buffer_fini(&rest);
    cursor = (wc_cursor){0};

    assert_int_equal(wc_table_words(&to), wc_table_words(&from));
    assert_true(wc_report_total(&to) == 2 * wc_report_total(&from));
    while (wc_table_next(&from, &cursor, &word)) {
        wc_table_add(&to, word.text, word.len, 0 - 2 * word.count);
    }
    assert_int_equal(wc_table_words(&to), wc_table_words(&from));
    cursor = (wc_cursor){0};
    while (wc_table_next(&to, &cursor, &word)) {
        assert_int_equal(word.count, 0);
    }
    wc_buffer_fini(&buffer);
    wc_table_fini(&from);
    wc_table_fini(&to);
}

/* A copy on the heap, so that a sanitizer sees a byte read beyond its end. */
static int merge_copy(const uint8_t *bytes, size_t n)
{
    wc_table table;
    uint8_t *copy = malloc(n + (n == 0));
    assert_non_null(copy);
    assert_int_equal(wc_table_init(&table, 0), 0);
    memcpy(copy, bytes, n);
    wc_buffer rest = {0};
    int rc = wc_partial_merge(&table, &rest, copy, n);
    if (rc == 0 && rest.size > 0) {
        rc = GR_EFORMAT;
    }
    wc_buffer_fini(&rest);
    wc_table_fini(&table);
    free(copy);
    return rc;
}

static void broken_partial_counts_are_refused(void **state)
{
    (void)state;
    static const uint8_t none[64] = {0};
    static const uint8_t no_letter[] = "\x03"
                                       "a1b\x01";
    static const uint8_t no_count[] = "\x01"
                                      "a\x00";
    uint8_t endless[11];
    uint8_t full[40];
    memset(endless, 0xff, sizeof(endless));
    /* Two words: the first takes the quick way, the second has the fault. */
    put(full, "\x02"
              "ab\x01");
    memset(full + 4, 'c', sizeof(full) - 4);
    full[4] = 34;
    full[39] = 1;

    assert_int_equal(merge_copy(none, sizeof(none)), GR_EFORMAT);
    assert_int_equal(merge_copy(no_letter, 5), GR_EFORMAT);
    assert_int_equal(merge_copy(no_count, 3), GR_EFORMAT);
    assert_int_equal(merge_copy(endless, sizeof(endless)), GR_EFORMAT);
    assert_int_equal(merge_copy(full, sizeof(full)), 0);
    for (size_t n = 1; n < sizeof(full); n++) {
        assert_int_equal(merge_copy(full, n), n == 4 ? 0 : GR_EFORMAT);
    }
    uint64_t seed = 5;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t noise[64];
        for (size_t k = 0; k < sizeof(noise); k++) {
            noise[k] = (uint8_t)next_random(&seed);
        }
        const int rc = merge_copy(noise, next_random(&seed) % 65);
        assert_true(rc == 0 || rc == GR_EFORMAT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_have_a_bit_for_each_letter),
        cmocka_unit_test(numbers_survive_writing_and_reading),
        cmocka_unit_test(table_counts_words_of_every_length),
        cmocka_unit_test(table_grows_and_forgets),
        cmocka_unit_test(table_names_the_limit_of_distinct_words),
        cmocka_unit_test(any_cut_of_a_file_counts_the_same),
        cmocka_unit_test(bytes_count_as_a_file_does),
        cmocka_unit_test(words_may_be_longer_than_any_buffer),
        cmocka_unit_test(a_segment_to_the_end_reads_what_no_size_tells),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
        cmocka_unit_test(partial_counts_survive_the_journey),
        cmocka_unit_test(broken_partial_counts_are_refused),
    };
    return cmocka_run_group_tests_name("examples/wordcount_words", tests,
                                       make_folder, remove_folder);
}
