/*
 * greenroom/detail/verbs_cxx.h - the verbs of verbs.h as variadic templates,
 * for C++17 and later.
 */
#ifndef GREENROOM_DETAIL_VERBS_CXX_H
#define GREENROOM_DETAIL_VERBS_CXX_H

#include <greenroom/detail/verbs.h>

#ifdef __cplusplus

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int gr_send(gr_actor *self, gr_pid to, const T &tag,
                                       const A &...a)
{
    if constexpr (sizeof...(A) == 0) {
        return gri_send_1(self, to, gri_tag(tag));
    } else if constexpr (sizeof...(A) == 1) {
        return gri_send_2(self, to, gri_tag(tag), gri_val(a)...);
    } else if constexpr (sizeof...(A) == 2) {
        return gri_send_3(self, to, gri_tag(tag), gri_val(a)...);
    } else if constexpr (sizeof...(A) == 3) {
        return gri_send_4(self, to, gri_tag(tag), gri_val(a)...);
    } else {
        const gr_value v[] = {gri_tag(tag), gri_val(a)...};
        return gr_sendv(self, to, v, 1 + sizeof...(A));
    }
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int gr_send_urgent(gr_actor *self, gr_pid to,
                                              const T &tag, const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_send_urgentv(self, to, v, 1 + sizeof...(A));
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int gr_send_wait(gr_actor *self, gr_pid to,
                                            std::int64_t timeout_ms,
                                            const T &tag, const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_send_waitv(self, to, timeout_ms, v, 1 + sizeof...(A));
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int gr_send_sure(gr_actor *self, gr_pid to,
                                            std::int64_t timeout_ms,
                                            const T &tag, const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_send_surev(self, to, timeout_ms, v, 1 + sizeof...(A));
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int
gr_send_then(gr_actor *self, gr_pid to, std::int64_t timeout_ms,
             gr_continuation then, const T &tag, const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_send_thenv(self, to, timeout_ms, then, v, 1 + sizeof...(A));
}

template <class T, class... A>
GRI_TEMPLATE void gr_tell(gr_actor *self, gr_pid to, const T &tag,
                          const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    gr_tellv(self, to, v, 1 + sizeof...(A));
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int gr_reply(gr_actor *self, const gr_msg *msg,
                                        const T &tag, const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_replyv(self, msg, v, 1 + sizeof...(A));
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int
gr_ask(gr_actor *self, gr_pid to, std::int64_t timeout_ms, gr_continuation then,
       const T &tag, const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_askv(self, to, timeout_ms, then, v, 1 + sizeof...(A));
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int
gr_call(gr_actor *self, gr_pid to, std::int64_t timeout_ms, gr_pattern expect,
        const T &tag, const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_callv(self, to, timeout_ms, expect, v, 1 + sizeof...(A));
}

template <class... E, class T, class... A>
[[nodiscard]] GRI_TEMPLATE int
gr_call(gr_actor *self, gr_pid to, std::int64_t timeout_ms,
        const gri_expected<E...> &expect, const T &tag, const A &...a)
{
    return gr_call(self, to, timeout_ms, expect.fill(), tag, a...);
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int gr_after(gr_actor *self, std::int64_t ms,
                                        gr_timer *out, const T &tag,
                                        const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_afterv(self, ms, out, v, 1 + sizeof...(A));
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int gr_after_us(gr_actor *self, std::int64_t us,
                                           gr_timer *out, const T &tag,
                                           const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_after_usv(self, us, out, v, 1 + sizeof...(A));
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int gr_every(gr_actor *self, std::int64_t ms,
                                        gr_timer *out, const T &tag,
                                        const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_everyv(self, ms, out, v, 1 + sizeof...(A));
}

#endif /* __cplusplus */

#endif /* GREENROOM_DETAIL_VERBS_CXX_H */
