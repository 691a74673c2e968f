/*
 * greenroom/detail/jobs.h - gr_ask_job, gr_call_job and gr_job_return over the
 * functions of job.h, which documents them and includes this. In C as macros,
 * in C++17 and later as variadic templates.
 */
#ifndef GREENROOM_DETAIL_JOBS_H
#define GREENROOM_DETAIL_JOBS_H

#include <greenroom/job.h>

#ifndef __cplusplus

#define gr_ask_job(self, kind, timeout_ms, ...)                                \
    gr_ask_jobv(self, kind, timeout_ms, GRI_JOB(__VA_ARGS__))
#define gr_call_job(self, kind, timeout_ms, ...)                               \
    gr_call_jobv(self, kind, timeout_ms, GRI_JOB(__VA_ARGS__))
#define gr_job_return(job, ...) gr_job_returnv(job, GRI_TAGGED(__VA_ARGS__))

/* The continuation or the pattern, and the values as an array and its length.
 */
#define GRI_JOB(...)    GRI_CAT(GRI_JOB_, GRI_1_OR_2(__VA_ARGS__))(__VA_ARGS__)
#define GRI_JOB_1(then) then, NULL, 0
#define GRI_JOB_2(then, ...)                                                   \
    then, (const gr_value[]){GRI_MAP(GRI_VALUE, __VA_ARGS__)},                 \
        GRI_COUNT(__VA_ARGS__)

#else /* __cplusplus */

template <class... A>
[[nodiscard]] GRI_TEMPLATE int
gr_ask_job(gr_actor *self, const gr_job_kind *kind, std::int64_t timeout_ms,
           gr_continuation then, const A &...a)
{
    if constexpr (sizeof...(A) == 0) {
        return gr_ask_jobv(self, kind, timeout_ms, then, nullptr, 0);
    } else {
        const gr_value v[] = {gri_val(a)...};
        return gr_ask_jobv(self, kind, timeout_ms, then, v, sizeof...(A));
    }
}

template <class... A>
[[nodiscard]] GRI_TEMPLATE int
gr_call_job(gr_actor *self, const gr_job_kind *kind, std::int64_t timeout_ms,
            gr_pattern expect, const A &...a)
{
    if constexpr (sizeof...(A) == 0) {
        return gr_call_jobv(self, kind, timeout_ms, expect, nullptr, 0);
    } else {
        const gr_value v[] = {gri_val(a)...};
        return gr_call_jobv(self, kind, timeout_ms, expect, v, sizeof...(A));
    }
}

template <class... E, class... A>
[[nodiscard]] GRI_TEMPLATE int
gr_call_job(gr_actor *self, const gr_job_kind *kind, std::int64_t timeout_ms,
            const gri_expected<E...> &expect, const A &...a)
{
    return gr_call_job(self, kind, timeout_ms, expect.fill(), a...);
}

template <class T, class... A>
[[nodiscard]] GRI_TEMPLATE int gr_job_return(gr_job *job, const T &tag,
                                             const A &...a)
{
    const gr_value v[] = {gri_tag(tag), gri_val(a)...};
    return gr_job_returnv(job, v, 1 + sizeof...(A));
}

#endif /* __cplusplus */

#endif /* GREENROOM_DETAIL_JOBS_H */
