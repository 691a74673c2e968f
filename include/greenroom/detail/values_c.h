/*
 * greenroom/detail/values_c.h - the type-directed macros of message.h in C11:
 * _Generic picks a constructor for each argument. values_cxx.h has the same
 * names for C++.
 */
#ifndef GREENROOM_DETAIL_VALUES_C_H
#define GREENROOM_DETAIL_VALUES_C_H

#include <greenroom/detail/values.h>

#ifndef __cplusplus

/* ---- counting and mapping arguments ------------------------------------- */

#define GRI_CAT(a, b)  GRI_CAT_(a, b)
#define GRI_CAT_(a, b) a##b

/* A compile error that says `text`, where an expression stands. */
#define GRI_ERROR(text)                                                        \
    ((uint32_t)sizeof(struct {                                                 \
        _Static_assert(0, text);                                               \
        int unused;                                                            \
    }))

/* clang-format off */
#define GRI_NTH(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14,   \
                _15, _16, _17, _18, _19, _20, _21, _22, _23, _24, _25, _26,    \
                _27, _28, _29, _30, _31, _32, n, ...) n
/* 1 to 16, or 99 for too many. Numbers, which no program can have defined. */
#define GRI_N(...)                                                             \
    GRI_NTH(__VA_ARGS__, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,   \
            99, 99, 99,                                                        \
            16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
/* 1, or 2 for more. */
#define GRI_1_OR_2(...)                                                        \
    GRI_NTH(__VA_ARGS__, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,       \
            2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 0)
/* clang-format on */

/* f of each argument, with commas between. */
#define GRI_MAP(f, ...)       GRI_CAT(GRI_MAP_, GRI_N(__VA_ARGS__))(f, __VA_ARGS__)
#define GRI_MAP_1(f, x)       f(x)
#define GRI_MAP_2(f, x, ...)  f(x), GRI_MAP_1(f, __VA_ARGS__)
#define GRI_MAP_3(f, x, ...)  f(x), GRI_MAP_2(f, __VA_ARGS__)
#define GRI_MAP_4(f, x, ...)  f(x), GRI_MAP_3(f, __VA_ARGS__)
#define GRI_MAP_5(f, x, ...)  f(x), GRI_MAP_4(f, __VA_ARGS__)
#define GRI_MAP_6(f, x, ...)  f(x), GRI_MAP_5(f, __VA_ARGS__)
#define GRI_MAP_7(f, x, ...)  f(x), GRI_MAP_6(f, __VA_ARGS__)
#define GRI_MAP_8(f, x, ...)  f(x), GRI_MAP_7(f, __VA_ARGS__)
#define GRI_MAP_9(f, x, ...)  f(x), GRI_MAP_8(f, __VA_ARGS__)
#define GRI_MAP_10(f, x, ...) f(x), GRI_MAP_9(f, __VA_ARGS__)
#define GRI_MAP_11(f, x, ...) f(x), GRI_MAP_10(f, __VA_ARGS__)
#define GRI_MAP_12(f, x, ...) f(x), GRI_MAP_11(f, __VA_ARGS__)
#define GRI_MAP_13(f, x, ...) f(x), GRI_MAP_12(f, __VA_ARGS__)
#define GRI_MAP_14(f, x, ...) f(x), GRI_MAP_13(f, __VA_ARGS__)
#define GRI_MAP_15(f, x, ...) f(x), GRI_MAP_14(f, __VA_ARGS__)
#define GRI_MAP_16(f, x, ...) f(x), GRI_MAP_15(f, __VA_ARGS__)
#define GRI_MAP_99(f, ...)    GRI_ERROR("more than 16 values: use an array")

/* How many, as a number. */
#define GRI_COUNT(...) GRI_CAT(GRI_COUNT_, GRI_N(__VA_ARGS__))
#define GRI_COUNT_99   0 /* GRI_MAP says that it is an error */
/* The same where it must be even. */
#define GRI_EVEN(...) GRI_CAT(GRI_EVEN_, GRI_N(__VA_ARGS__))
#define GRI_EVEN_99   0
#define GRI_ODD       GRI_ERROR("gr_map takes pairs: key, value, ...")
#define GRI_COUNT_1   1
#define GRI_COUNT_2   2
#define GRI_COUNT_3   3
#define GRI_COUNT_4   4
#define GRI_COUNT_5   5
#define GRI_COUNT_6   6
#define GRI_COUNT_7   7
#define GRI_COUNT_8   8
#define GRI_COUNT_9   9
#define GRI_COUNT_10  10
#define GRI_COUNT_11  11
#define GRI_COUNT_12  12
#define GRI_COUNT_13  13
#define GRI_COUNT_14  14
#define GRI_COUNT_15  15
#define GRI_COUNT_16  16
#define GRI_EVEN_1    GRI_ODD
#define GRI_EVEN_2    2
#define GRI_EVEN_3    GRI_ODD
#define GRI_EVEN_4    4
#define GRI_EVEN_5    GRI_ODD
#define GRI_EVEN_6    6
#define GRI_EVEN_7    GRI_ODD
#define GRI_EVEN_8    8
#define GRI_EVEN_9    GRI_ODD
#define GRI_EVEN_10   10
#define GRI_EVEN_11   GRI_ODD
#define GRI_EVEN_12   12
#define GRI_EVEN_13   GRI_ODD
#define GRI_EVEN_14   14
#define GRI_EVEN_15   GRI_ODD
#define GRI_EVEN_16   16

/* ---- from a type to a constructor --------------------------------------- */

/*
 * The ten standard integer types by their own names, so that every typedef hits
 * exactly one. Plain char is refused, as it may be meant as a number or as
 * text, and so is void *, the commonest mistake. The functions named gr_error
 * exist nowhere: the name of the function (gcc) or of its odd parameter's type
 * (clang) makes the compiler say the hint, the type and the argument.
 */
#define GRI_ERROR_FUNCTION(result, name)                                       \
    struct name {                                                              \
        int unused;                                                            \
    };                                                                         \
    result name(struct name)
GRI_ERROR_FUNCTION(gr_value,
                   gr_error__cannot_send_this_type__see_gr_bin_gr_list_gr_nil);
GRI_ERROR_FUNCTION(gr_value,
                   gr_error__plain_char__cast_it_to_int_or_use_gr_strn);
GRI_ERROR_FUNCTION(gr_value, gr_error__a_tag_is_text_or_an_integer);
GRI_ERROR_FUNCTION(gr_out, gr_error__cannot_match_into_this__see_gr_match);

/* clang-format off */
#define GRI_INTEGER_CASES                                                      \
    signed char: gri_v_i64, short: gri_v_i64, int: gri_v_i64, long: gri_v_i64, \
    long long: gri_v_i64, unsigned char: gri_v_u64, unsigned short: gri_v_u64, \
    unsigned: gri_v_u64, unsigned long: gri_v_u64,                             \
    unsigned long long: gri_v_u64
#define GRI_TEXT_CASES                                                         \
    char *: gri_v_cstr, const char *: gri_v_cstr, gr_str: gri_v_str

#define GRI_VALUE(x)                                                           \
    _Generic((x), GRI_INTEGER_CASES, GRI_TEXT_CASES, _Bool: gri_v_bool,        \
        float: gri_v_float, double: gri_v_double, gr_bytes: gri_v_bytes,       \
        gr_any: gri_v_any, gr_pid: gri_v_pid, gr_ref: gri_v_ref,               \
        gr_node: gri_v_node, gr_timer: gri_v_timer, gr_value: gri_v_self,      \
        char: gr_error__plain_char__cast_it_to_int_or_use_gr_strn,             \
        default: gr_error__cannot_send_this_type__see_gr_bin_gr_list_gr_nil)(x)

#define GRI_TAG(x)                                                             \
    _Generic((x), GRI_INTEGER_CASES, GRI_TEXT_CASES,                           \
        default: gr_error__a_tag_is_text_or_an_integer)(x)

#define GRI_OUT(x)                                                             \
    _Generic((x), _Bool *: gri_o_bool, signed char *: gri_o_schar,             \
        short *: gri_o_short, int *: gri_o_sint, long *: gri_o_long,           \
        long long *: gri_o_llong, unsigned char *: gri_o_uchar,                \
        unsigned short *: gri_o_ushort, unsigned *: gri_o_uint,                \
        unsigned long *: gri_o_ulong, unsigned long long *: gri_o_ullong,      \
        float *: gri_o_float, double *: gri_o_double, gr_str *: gri_o_str,     \
        gr_bytes *: gri_o_bytes, gr_any *: gri_o_any, gr_pid *: gri_o_pid,     \
        gr_ref *: gri_o_ref, gr_node *: gri_o_node, gr_timer *: gri_o_timer,   \
        gr_reader *: gri_o_rest, gr_out: gri_o_self,                           \
        default: gr_error__cannot_match_into_this__see_gr_match)(x)
/* clang-format on */

GRI_INLINE gr_out gri_o_schar(signed char *p)
{
    return gri_o_int(p, sizeof *p, true);
}

GRI_INLINE gr_out gri_o_short(short *p)
{
    return gri_o_int(p, sizeof *p, true);
}

GRI_INLINE gr_out gri_o_sint(int *p)
{
    return gri_o_int(p, sizeof *p, true);
}

GRI_INLINE gr_out gri_o_long(long *p)
{
    return gri_o_int(p, sizeof *p, true);
}

GRI_INLINE gr_out gri_o_llong(long long *p)
{
    return gri_o_int(p, sizeof *p, true);
}

GRI_INLINE gr_out gri_o_uchar(unsigned char *p)
{
    return gri_o_int(p, sizeof *p, false);
}

GRI_INLINE gr_out gri_o_ushort(unsigned short *p)
{
    return gri_o_int(p, sizeof *p, false);
}

GRI_INLINE gr_out gri_o_uint(unsigned *p)
{
    return gri_o_int(p, sizeof *p, false);
}

GRI_INLINE gr_out gri_o_ulong(unsigned long *p)
{
    return gri_o_int(p, sizeof *p, false);
}

GRI_INLINE gr_out gri_o_ullong(unsigned long long *p)
{
    return gri_o_int(p, sizeof *p, false);
}

GRI_INLINE gr_out gri_o_bool(bool *p)
{
    return gri_out(GR_OUT_BOOL, p);
}

GRI_INLINE gr_out gri_o_float(float *p)
{
    return gri_out(GR_OUT_FLOAT, p);
}

GRI_INLINE gr_out gri_o_double(double *p)
{
    return gri_out(GR_OUT_DOUBLE, p);
}

GRI_INLINE gr_out gri_o_str(gr_str *p)
{
    return gri_out(GR_OUT_STR, p);
}

GRI_INLINE gr_out gri_o_bytes(gr_bytes *p)
{
    return gri_out(GR_OUT_BYTES, p);
}

GRI_INLINE gr_out gri_o_any(gr_any *p)
{
    return gri_out(GR_OUT_ANY, p);
}

GRI_INLINE gr_out gri_o_pid(gr_pid *p)
{
    return gri_out(GR_OUT_PID, p);
}

GRI_INLINE gr_out gri_o_ref(gr_ref *p)
{
    return gri_out(GR_OUT_REF, p);
}

GRI_INLINE gr_out gri_o_node(gr_node *p)
{
    return gri_out(GR_OUT_NODE, p);
}

GRI_INLINE gr_out gri_o_timer(gr_timer *p)
{
    return gri_out(GR_OUT_U64, p);
}

GRI_INLINE gr_out gri_o_rest(gr_reader *p)
{
    return gri_out(GR_OUT_REST, p);
}

GRI_INLINE gr_out gri_o_self(gr_out o)
{
    return o;
}

/* ---- what programs write ------------------------------------------------ */

/* The pieces of the verbs: a tag and values, as an array and its length. */
#define GRI_TAGGED(...)                                                        \
    GRI_CAT(GRI_TAGGED_, GRI_1_OR_2(__VA_ARGS__))(__VA_ARGS__)
#define GRI_TAGGED_1(t) (const gr_value[]){GRI_TAG(t)}, 1
#define GRI_TAGGED_2(t, ...)                                                   \
    (const gr_value[]){GRI_TAG(t), GRI_MAP(GRI_VALUE, __VA_ARGS__)},           \
        1 + GRI_COUNT(__VA_ARGS__)

/* A tag, and outputs as an array and its length. */
#define GRI_WANTED(...)                                                        \
    GRI_CAT(GRI_WANTED_, GRI_1_OR_2(__VA_ARGS__))(__VA_ARGS__)
#define GRI_WANTED_1(t)      GRI_TAG(t), NULL, 0
#define GRI_WANTED_2(t, ...) GRI_TAG(t), GRI_OUTS(__VA_ARGS__)
#define GRI_OUTS(...)                                                          \
    (const gr_out[]){GRI_MAP(GRI_OUT, __VA_ARGS__)}, GRI_COUNT(__VA_ARGS__)
/*
 * gr_match(msg, tag, outputs...): whether the whole message is that tag, then
 * elements of the outputs' types, in number and range; if so, stores them.
 *
 *   &x               x: bool, an integer, float, double, gr_str, gr_bytes,
 *                    gr_any (any one value, undecoded), gr_pid, gr_ref,
 *                    gr_node, gr_timer; a gr_reader, last: the elements left
 *   gr_opt(&x)       at the end: absent leaves x as it was; anywhere: nil does
 *   gr_is(value)     an equal value
 *
 * Integers fit any integer that can hold them, and double up to 2^53; 0 and 1
 * fit bool; a float never fits an integer. See gr_matchv.
 */
#define gr_match(msg, ...) gri_match(msg, GRI_WANTED(__VA_ARGS__))

/* gr_unpack(args, outputs...): the same without a tag, from the first element
 * on: what init does with its arguments. */
#define gr_unpack(msg, ...) gr_unpackv(msg, GRI_OUTS(__VA_ARGS__))

#define gr_opt(x) gri_o_optional(GRI_OUT(x))
#define gr_is(x)  gri_out(GR_OUT_IS, (gr_value[]){GRI_VALUE(x)})

/* gr_expect(tag, outputs...): a gr_pattern, what gr_call wants as an answer. */
#define gr_expect(...) ((gr_pattern){GRI_WANTED(__VA_ARGS__)})

/* gr_list(values...), gr_map(key, value, ...): one value, nested at will. Empty
 * ones are gr_list_of(NULL, 0) and gr_map_of(NULL, 0). */
#define gr_list(...)                                                           \
    gri_v_items(GR_KIND_LIST,                                                  \
                (const gr_value[]){GRI_MAP(GRI_VALUE, __VA_ARGS__)},           \
                GRI_COUNT(__VA_ARGS__))
#define gr_map(...)                                                            \
    gri_v_items(GR_KIND_MAP,                                                   \
                (const gr_value[]){GRI_MAP(GRI_VALUE, __VA_ARGS__)},           \
                GRI_EVEN(__VA_ARGS__))

/* gr_args(values...): the arguments of a spawn. None: leave the member zero. */
#define gr_args(...)                                                           \
    ((gr_values){(const gr_value[]){GRI_MAP(GRI_VALUE, __VA_ARGS__)},          \
                 GRI_COUNT(__VA_ARGS__)})

#endif /* __cplusplus */

#endif /* GREENROOM_DETAIL_VALUES_C_H */
