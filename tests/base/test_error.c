/*
 * Goal:   every error code has a name and a sentence of its own, and no number
 *         has none.
 * Method: each code by its name, then all numbers around them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* needs the headers above */

#include <greenroom/error.h>

#define CODE(code)                                                             \
    {                                                                          \
        code, #code                                                            \
    }
static const struct {
    int code;
    const char *name;
} codes[] = {
    CODE(GR_OK),        CODE(GR_EFAIL),     CODE(GR_EINVAL),
    CODE(GR_ENOMEM),    CODE(GR_EAGAIN),    CODE(GR_ENOPROC),
    CODE(GR_ETIMEOUT),  CODE(GR_EEXIST),    CODE(GR_ENOENT),
    CODE(GR_ELIMIT),    CODE(GR_ESTOPPED),  CODE(GR_ETOOBIG),
    CODE(GR_EREPLY),    CODE(GR_ENOREPLY),  CODE(GR_EFORMAT),
    CODE(GR_EDENIED),   CODE(GR_EVERSION),  CODE(GR_ENOCONN),
    CODE(GR_EADDRESS),  CODE(GR_EIO),       CODE(GR_ENOTSUP),
    CODE(GR_EDEADLOCK), CODE(GR_EINSECURE), CODE(GR_EEXPIRED),
    CODE(GR_EUSER),
};
enum { CODES = sizeof codes / sizeof codes[0] };

static void each_code_is_named_as_in_the_header(void **state)
{
    (void)state;
    for (int i = 0; i < CODES; i++) {
        assert_string_equal(gr_errname(codes[i].code), codes[i].name);
    }
}

static void each_code_has_its_own_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < CODES; i++) {
        assert_true(strlen(gr_strerror(codes[i].code)) > 5);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(gr_strerror(codes[i].code),
                                    gr_strerror(codes[k].code));
        }
    }
}

static void programs_codes_are_said_to_be_theirs(void **state)
{
    (void)state;
    assert_string_equal(gr_errname(GR_EUSER - 1), "GR_EUSER");
    assert_string_equal(gr_errname(INT32_MIN), "GR_EUSER");
}

/* Also the other way round: a code that is added to the header and not to the
 * list shows here. */
static void only_what_is_no_code_is_unknown(void **state)
{
    (void)state;
    for (int code = -999; code < 10; code++) {
        bool known = code <= 0 && code >= GR_EEXPIRED;
        assert_int_equal(strcmp(gr_errname(code), "GR_E?") != 0, known);
        assert_int_equal(strcmp(gr_strerror(code), "an unknown error") != 0,
                         known);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_is_named_as_in_the_header),
        cmocka_unit_test(each_code_has_its_own_sentence),
        cmocka_unit_test(programs_codes_are_said_to_be_theirs),
        cmocka_unit_test(only_what_is_no_code_is_unknown),
    };
    return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
