/*
 * greenroom/detail/verbs.h - gr_send and its kin, gr_tell, gr_reply, gr_ask,
 * gr_call, gr_after, gr_after_us and gr_every over the functions of actor.h,
 * which documents them. Included by actor.h. The first of the `...` is the tag:
 * text or an integer.
 */
#ifndef GREENROOM_DETAIL_VERBS_H
#define GREENROOM_DETAIL_VERBS_H

#include <greenroom/actor.h>

GR_BEGIN_DECLS

/* Up to four elements are written in place (values.h); all are made before the
 * message is begun, so that making one may itself send. */
GRI_INLINE GR_MUST_CHECK int gri_send_1(gr_actor *self, gr_pid to, gr_value a)
{
    if (gri_is_literal(a, GRI_WORD_TAG_MAX)) {
        return gri_send_tag(self, to.node, to.id, gri_tag_word(a),
                            gri_tag_rest(a));
    }
    gri_writer w = gri_begin(self, 1, 1 + gri_room_of(a));
    w = gri_add(self, w, a);
    return gri_commit(self, to, w.p);
}

GRI_INLINE GR_MUST_CHECK int gri_send_2(gr_actor *self, gr_pid to, gr_value a,
                                        gr_value b)
{
    if (gri_is_literal(a, GRI_WORD_TAG_MAX) &&
        (b.kind == GR_KIND_UINT || (b.kind == GR_KIND_INT && b.as.i >= 0))) {
        return gri_send_int(self, to.node, to.id, gri_tag_word(a),
                            gri_tag_rest(a), b.as.u);
    }
    gri_writer w = gri_begin(self, 2, 1 + gri_room_of(a) + gri_room_of(b));
    w = gri_add(self, w, a);
    w = gri_add(self, w, b);
    return gri_commit(self, to, w.p);
}

GRI_INLINE GR_MUST_CHECK int gri_send_3(gr_actor *self, gr_pid to, gr_value a,
                                        gr_value b, gr_value c)
{
    gri_writer w = gri_begin(
        self, 3, 1 + gri_room_of(a) + gri_room_of(b) + gri_room_of(c));
    w = gri_add(self, w, a);
    w = gri_add(self, w, b);
    w = gri_add(self, w, c);
    return gri_commit(self, to, w.p);
}

GRI_INLINE GR_MUST_CHECK int gri_send_4(gr_actor *self, gr_pid to, gr_value a,
                                        gr_value b, gr_value c, gr_value d)
{
    gri_writer w = gri_begin(self, 4,
                             1 + gri_room_of(a) + gri_room_of(b) +
                                 gri_room_of(c) + gri_room_of(d));
    w = gri_add(self, w, a);
    w = gri_add(self, w, b);
    w = gri_add(self, w, c);
    w = gri_add(self, w, d);
    return gri_commit(self, to, w.p);
}

GR_END_DECLS

#ifdef __cplusplus
#include <greenroom/detail/verbs_cxx.h>
#else

#define gr_send(self, to, ...)                                                 \
    GRI_CAT(GRI_SEND_, GRI_N(__VA_ARGS__))(self, to, __VA_ARGS__)
#define GRI_SEND_1(self, to, t) gri_send_1(self, to, GRI_TAG(t))
#define GRI_SEND_2(self, to, t, ...)                                           \
    gri_send_2(self, to, GRI_TAG(t), GRI_MAP(GRI_VALUE, __VA_ARGS__))
#define GRI_SEND_3(self, to, t, ...)                                           \
    gri_send_3(self, to, GRI_TAG(t), GRI_MAP(GRI_VALUE, __VA_ARGS__))
#define GRI_SEND_4(self, to, t, ...)                                           \
    gri_send_4(self, to, GRI_TAG(t), GRI_MAP(GRI_VALUE, __VA_ARGS__))
#define GRI_SEND_ARRAY(self, to, ...)                                          \
    gr_sendv(self, to, GRI_TAGGED(__VA_ARGS__))
#define GRI_SEND_5  GRI_SEND_ARRAY
#define GRI_SEND_6  GRI_SEND_ARRAY
#define GRI_SEND_7  GRI_SEND_ARRAY
#define GRI_SEND_8  GRI_SEND_ARRAY
#define GRI_SEND_9  GRI_SEND_ARRAY
#define GRI_SEND_10 GRI_SEND_ARRAY
#define GRI_SEND_11 GRI_SEND_ARRAY
#define GRI_SEND_12 GRI_SEND_ARRAY
#define GRI_SEND_13 GRI_SEND_ARRAY
#define GRI_SEND_14 GRI_SEND_ARRAY
#define GRI_SEND_15 GRI_SEND_ARRAY
#define GRI_SEND_16 GRI_SEND_ARRAY
#define GRI_SEND_99(self, to, ...)                                             \
    ((int)GRI_ERROR("more than 16 values: use gr_sendv"))

#define gr_send_urgent(self, to, ...)                                          \
    gr_send_urgentv(self, to, GRI_TAGGED(__VA_ARGS__))
#define gr_send_wait(self, to, timeout_ms, ...)                                \
    gr_send_waitv(self, to, timeout_ms, GRI_TAGGED(__VA_ARGS__))
#define gr_send_sure(self, to, timeout_ms, ...)                                \
    gr_send_surev(self, to, timeout_ms, GRI_TAGGED(__VA_ARGS__))
#define gr_send_then(self, to, timeout_ms, then, ...)                          \
    gr_send_thenv(self, to, timeout_ms, then, GRI_TAGGED(__VA_ARGS__))
#define gr_tell(self, to, ...)   gr_tellv(self, to, GRI_TAGGED(__VA_ARGS__))
#define gr_reply(self, msg, ...) gr_replyv(self, msg, GRI_TAGGED(__VA_ARGS__))
#define gr_ask(self, to, timeout_ms, then, ...)                                \
    gr_askv(self, to, timeout_ms, then, GRI_TAGGED(__VA_ARGS__))
#define gr_call(self, to, timeout_ms, expect, ...)                             \
    gr_callv(self, to, timeout_ms, expect, GRI_TAGGED(__VA_ARGS__))
#define gr_after(self, ms, out, ...)                                           \
    gr_afterv(self, ms, out, GRI_TAGGED(__VA_ARGS__))
#define gr_after_us(self, us, out, ...)                                        \
    gr_after_usv(self, us, out, GRI_TAGGED(__VA_ARGS__))
#define gr_every(self, ms, out, ...)                                           \
    gr_everyv(self, ms, out, GRI_TAGGED(__VA_ARGS__))

#endif /* __cplusplus */

#endif /* GREENROOM_DETAIL_VERBS_H */
