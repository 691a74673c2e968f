/*
 * greenroom/detail/values_cxx.h - what values_c.h does with _Generic, for C++17
 * and later: overloads pick the constructor, templates take any number of
 * arguments. Lists and maps hold what they are made from, so that they may be
 * named, copied and nested.
 */
#ifndef GREENROOM_DETAIL_VALUES_CXX_H
#define GREENROOM_DETAIL_VALUES_CXX_H

#include <greenroom/detail/values.h>

#ifdef __cplusplus

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>

#define GRI_TEMPLATE inline __attribute__((always_inline))

/* For static_assert: false, but not before the template is used. */
template <class T> inline constexpr bool gri_never = false;

/* ---- from a type to a value --------------------------------------------- */

GRI_INLINE gr_value gri_val(bool x)
{
    return gri_v_bool(x);
}
GRI_INLINE gr_value gri_val(signed char x)
{
    return gri_v_i64(x);
}
GRI_INLINE gr_value gri_val(short x)
{
    return gri_v_i64(x);
}
GRI_INLINE gr_value gri_val(int x)
{
    return gri_v_i64(x);
}
GRI_INLINE gr_value gri_val(long x)
{
    return gri_v_i64(x);
}
GRI_INLINE gr_value gri_val(long long x)
{
    return gri_v_i64(x);
}
GRI_INLINE gr_value gri_val(unsigned char x)
{
    return gri_v_u64(x);
}
GRI_INLINE gr_value gri_val(unsigned short x)
{
    return gri_v_u64(x);
}
GRI_INLINE gr_value gri_val(unsigned x)
{
    return gri_v_u64(x);
}
GRI_INLINE gr_value gri_val(unsigned long x)
{
    return gri_v_u64(x);
}
GRI_INLINE gr_value gri_val(unsigned long long x)
{
    return gri_v_u64(x);
}
GRI_INLINE gr_value gri_val(float x)
{
    return gri_v_float(x);
}
GRI_INLINE gr_value gri_val(double x)
{
    return gri_v_double(x);
}
GRI_INLINE gr_value gri_val(std::nullptr_t)
{
    return gr_nil();
}
GRI_INLINE gr_value gri_val(const char *x)
{
    return gri_v_cstr(x);
}
GRI_INLINE gr_value gri_val(char *x)
{
    return gri_v_cstr(x);
}
GRI_INLINE gr_value gri_val(std::string_view x)
{
    return gr_strn(x.data(), x.size());
}
GRI_INLINE gr_value gri_val(gr_str x)
{
    return gri_v_str(x);
}
GRI_INLINE gr_value gri_val(gr_bytes x)
{
    return gri_v_bytes(x);
}
GRI_INLINE gr_value gri_val(gr_any x)
{
    return gri_v_any(x);
}
GRI_INLINE gr_value gri_val(gr_pid x)
{
    return gri_v_pid(x);
}
GRI_INLINE gr_value gri_val(gr_ref x)
{
    return gri_v_ref(x);
}
GRI_INLINE gr_value gri_val(gr_node x)
{
    return gri_v_node(x);
}
GRI_INLINE gr_value gri_val(gr_timer x)
{
    return gri_v_timer(x);
}
GRI_INLINE gr_value gri_val(gr_value x)
{
    return x;
}
/* A number or text? Cast it to int, or use gr_strn. */
gr_value gri_val(char) = delete;
gr_value gri_val(wchar_t) = delete;
gr_value gri_val(char16_t) = delete;
gr_value gri_val(char32_t) = delete;
gr_value gri_val(long double) = delete;

template <class T, std::enable_if_t<std::is_enum_v<T>, int> = 0>
GRI_TEMPLATE gr_value gri_val(T x)
{
    return gri_val(static_cast<std::underlying_type_t<T>>(x));
}

/* Without this, every pointer would be a bool. */
template <class T> GRI_TEMPLATE gr_value gri_val(T *)
{
    static_assert(gri_never<T>,
                  "a pointer cannot be sent: see gr_bin, gr_strn");
    return gr_nil();
}

template <class T> GRI_TEMPLATE gr_value gri_tag(const T &x)
{
    using D = std::decay_t<const T &>;
    static_assert((std::is_integral_v<D> && !std::is_same_v<D, bool>) ||
                      std::is_enum_v<D> || std::is_same_v<D, gr_str> ||
                      std::is_convertible_v<const T &, std::string_view>,
                  "a tag is text or an integer");
    return gri_val(x);
}

/* ---- lists, maps, arguments --------------------------------------------- */

/* What they were made from; the array of values is filled at each use, so that
 * a copy never points into the original. */
template <class... A> class gri_held
{
  public:
    explicit gri_held(const A &...a) : parts(a...)
    {
    }
    const gr_value *fill() const
    {
        std::size_t i = 0;
        std::apply([&](const A &...a) { ((items[i++] = gri_val(a)), ...); },
                   parts);
        return items;
    }
    static constexpr std::uint32_t size = sizeof...(A);

  private:
    std::tuple<A...> parts;
    mutable gr_value items[sizeof...(A) + 1]{}; /* never an empty array */
};

template <class... A> struct gri_list : gri_held<A...> {
    using gri_held<A...>::gri_held;
};
template <class... A> struct gri_map : gri_held<A...> {
    using gri_held<A...>::gri_held;
};

template <class... A> GRI_TEMPLATE gr_value gri_val(const gri_list<A...> &x)
{
    return gri_v_items(GR_KIND_LIST, x.fill(), x.size);
}

template <class... A> GRI_TEMPLATE gr_value gri_val(const gri_map<A...> &x)
{
    return gri_v_items(GR_KIND_MAP, x.fill(), x.size);
}

/* The values of a spawn's options point into it, so it must have a name:
 *   auto args = gr_args(5, "x");
 *   opts.args = args; */
template <class... A> struct gri_args : gri_held<A...> {
    using gri_held<A...>::gri_held;
    operator gr_values() const &
    {
        return gr_values{this->fill(), this->size};
    }
    operator gr_values() const && = delete;
};

/* gr_list(values...), gr_map(key, value, ...), gr_args(values...): see
 * values_c.h; here they may be empty. Text is kept as a pointer. */
template <class... A> [[nodiscard]] auto gr_list(const A &...a)
{
    return gri_list<std::decay_t<const A &>...>(a...);
}

template <class... A> [[nodiscard]] auto gr_map(const A &...a)
{
    static_assert(sizeof...(A) % 2 == 0, "gr_map takes pairs: key, value, ...");
    return gri_map<std::decay_t<const A &>...>(a...);
}

template <class... A> [[nodiscard]] auto gr_args(const A &...a)
{
    return gri_args<std::decay_t<const A &>...>(a...);
}

/* ---- from a type to an output ------------------------------------------- */

template <class T> GRI_TEMPLATE gr_out gri_to(T *p)
{
    static_assert(
        (std::is_integral_v<T> || std::is_enum_v<T>)&&!std::is_const_v<T> &&
            !std::is_same_v<T, char>,
        "cannot match into this type: see gr_match");
    if constexpr (std::is_enum_v<T>) {
        return gri_o_int(p, sizeof(T),
                         std::is_signed_v<std::underlying_type_t<T>>);
    } else if constexpr (!std::is_const_v<T>) {
        return gri_o_int(p, sizeof(T), std::is_signed_v<T>);
    } else {
        return gr_out{};
    }
}

#define GRI_TO(type, kind)                                                     \
    GRI_INLINE gr_out gri_to(type *p)                                          \
    {                                                                          \
        return gri_out(kind, p);                                               \
    }
GRI_TO(bool, GR_OUT_BOOL)
GRI_TO(float, GR_OUT_FLOAT)
GRI_TO(double, GR_OUT_DOUBLE)
GRI_TO(gr_str, GR_OUT_STR)
GRI_TO(gr_bytes, GR_OUT_BYTES)
GRI_TO(gr_any, GR_OUT_ANY)
GRI_TO(gr_pid, GR_OUT_PID)
GRI_TO(gr_ref, GR_OUT_REF)
GRI_TO(gr_node, GR_OUT_NODE)
GRI_TO(gr_timer, GR_OUT_U64)
GRI_TO(gr_reader, GR_OUT_REST)
#undef GRI_TO
GRI_INLINE gr_out gri_to(gr_out o)
{
    return o;
}

/* gr_is(value): holds the value for as long as the match needs it. */
template <class T> class gri_is
{
  public:
    explicit gri_is(const T &x) : held(x)
    {
    }
    gr_out fill() const
    {
        value = gri_val(held);
        return gri_out(GR_OUT_IS, &value);
    }

  private:
    T held;
    mutable gr_value value{};
};

template <class T> GRI_TEMPLATE gr_out gri_to(const gri_is<T> &x)
{
    return x.fill();
}

template <class T> [[nodiscard]] auto gr_is(const T &x)
{
    return gri_is<std::decay_t<const T &>>(x);
}

template <class T> GRI_TEMPLATE gr_out gr_opt(const T &x)
{
    return gri_o_optional(gri_to(x));
}

/* ---- matching ----------------------------------------------------------- */

/* See values_c.h. */
template <class T, class... O>
[[nodiscard]] GRI_TEMPLATE bool gr_match(const gr_msg *msg, const T &tag,
                                         const O &...outs)
{
    if constexpr (sizeof...(O) == 0) {
        return gri_match(msg, gri_tag(tag), nullptr, 0);
    } else {
        const gr_out list[] = {gri_to(outs)...};
        return gri_match(msg, gri_tag(tag), list, sizeof...(O));
    }
}

template <class... O>
[[nodiscard]] GRI_TEMPLATE bool gr_unpack(const gr_msg *msg, const O &...outs)
{
    const gr_out list[sizeof...(O) + 1] = {gri_to(outs)...};
    return gr_unpackv(msg, list, sizeof...(O));
}

/* What gr_expect() makes; a gr_pattern points into it, so it must have a name
 * to become one, but gr_call takes it as it is. */
template <class T, class... O> class gri_expected
{
  public:
    explicit gri_expected(const T &t, const O &...o) : tag(t), parts(o...)
    {
    }
    gr_pattern fill() const
    {
        std::size_t i = 0;
        std::apply([&](const O &...o) { ((outs[i++] = gri_to(o)), ...); },
                   parts);
        return gr_pattern{gri_tag(tag), outs, sizeof...(O)};
    }
    operator gr_pattern() const &
    {
        return fill();
    }
    operator gr_pattern() const && = delete;

  private:
    T tag;
    std::tuple<O...> parts;
    mutable gr_out outs[sizeof...(O) + 1]{};
};

template <class T, class... O>
[[nodiscard]] auto gr_expect(const T &tag, const O &...outs)
{
    return gri_expected<std::decay_t<const T &>, std::decay_t<const O &>...>(
        tag, outs...);
}

#endif /* __cplusplus */

#endif /* GREENROOM_DETAIL_VALUES_CXX_H */
