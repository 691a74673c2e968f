/*
 * greenroom/detail/groups.h - gr_group_publish and gr_group_send over the
 * functions of group.h, which documents them and includes this. In C as macros,
 * in C++17 and later as variadic templates.
 */
#ifndef GREENROOM_DETAIL_GROUPS_H
#define GREENROOM_DETAIL_GROUPS_H

#include <greenroom/group.h>

#ifndef __cplusplus

#define gr_group_publish(self, group, scope, ...)                              \
    gr_group_publishv(self, group, scope, GRI_TAGGED(__VA_ARGS__))
#define gr_group_send(self, group, scope, choice, ...)                         \
    gr_group_sendv(self, group, scope, choice, GRI_TAGGED(__VA_ARGS__))

#else /* __cplusplus */

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int
gr_group_publish(gr_actor *self, const char *group, gr_group_scope scope,
                 const T &tag, const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_group_publishv(self, group, scope, v, 1 + sizeof...(A));
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int
gr_group_send(gr_actor *self, const char *group, gr_group_scope scope,
              gr_group_choice choice, const T &tag, const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_group_sendv(self, group, scope, choice, v, 1 + sizeof...(A));
}

#endif /* __cplusplus */

#endif /* GREENROOM_DETAIL_GROUPS_H */
