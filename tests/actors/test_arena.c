/* tests/actors/test_arena.c - an actor's private memory. */
#include <stdalign.h>

#include "tests/support/stage.h"

enum { CAP = 10000 };

static int take_some(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)p, (void)msg;
    size_t used = 0;
    for (size_t size = 0; size < 100; size += 7) {
        unsigned char *at = gr_alloc(self, size);
        CHECK(at != NULL);
        CHECK((uintptr_t)at % alignof(max_align_t) == 0);
        for (size_t i = 0; i < size; i++) {
            CHECK(at[i] == 0);
        }
        memset(at, 0xff, size); /* the next must not overlap */
        used += size;
    }
    CHECK(used < CAP);
    return 0;
}

static int take_all(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    size_t n = 0;
    CHECK(gr_alloc(self, CAP + 1) == NULL);
    CHECK(gr_alloc(self, SIZE_MAX) == NULL);
    CHECK(gr_alloc(self, SIZE_MAX - 8) == NULL);
    while (gr_alloc(self, 16) != NULL) {
        n += 16;
    }
    CHECK(n <= CAP && n > CAP / 2);
    CHECK(gr_alloc(self, 1) == NULL);
    CHECK(gr_str_copy(self, (gr_str){"x", 1}).ptr == NULL);
    stage_note(p->on, "all");
    return 0;
}

static void scene_arena(stage *s)
{
    gr_behavior small = puppet_behavior;
    small.arena_max = CAP;
    for (unsigned i = 0; i < 20; i++) {
        gr_pid a = stage_puppet_with(s, s->self, 'a', &small, NULL, take_some);
        stage_do(s, a, take_all);
        stage_expect(s, "+a all");
        stage_do(s, a, i % 2 == 0 ? puppet_fail : puppet_leave);
        stage_expect(s, i % 2 == 0 ? "-a:error" : "-a:normal");
    }
}

static void test_memory_is_zeroed_aligned_and_capped(void **state)
{
    (void)state;
    stage_each_seed(scene_arena, NULL);
}

static void test_memory_without_a_cap_does_not_wrap(void **state)
{
    (void)state;
    stage s;
    stage_start(&s, 1, &(gr_system_opts){.arena_max = SIZE_MAX});
    CHECK(gr_alloc(s.self, SIZE_MAX) == NULL);
    CHECK(gr_alloc(s.self, SIZE_MAX - 15) == NULL);
    CHECK(gr_alloc(s.self, SIZE_MAX / 2) == NULL);
    CHECK(gr_alloc(s.self, 100) != NULL);
    stage_end(&s);
}

static int take_system_limit(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    CHECK(gr_alloc(self, 4096) != NULL);
    CHECK(gr_alloc(self, 1) == NULL);
    stage_note(p->on, "4096");
    return 0;
}

static void scene_system_cap(stage *s)
{
    stage_do(s, stage_puppet(s, 'a'), take_system_limit);
    stage_expect(s, "+a 4096");
    CHECK(gr_alloc(s->self, 4096) != NULL); /* threads have one, too */
    CHECK(gr_alloc(s->self, 1) == NULL);
}

static void test_the_cap_of_the_system(void **state)
{
    (void)state;
    stage_each_seed(scene_system_cap, &(gr_system_opts){.arena_max = 4096});
}

static int copy_text(gr_actor *self, puppet *p, const gr_msg *msg)
{
    gr_str text;
    CHECK(gr_match(msg, "text", &text));
    gr_str copy = gr_str_copy(self, text);
    CHECK(copy.ptr != NULL && copy.ptr != text.ptr);
    CHECK(copy.len == text.len && copy.ptr[copy.len] == '\0');
    CHECK(gr_str_copy(self, (gr_str){NULL, 0}).ptr != NULL);
    stage_note(p->on, "%s", copy.ptr);
    return 0;
}

static int be_copier(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = copy_text;
    return 0;
}

static void scene_copy(stage *s)
{
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, be_copier);
    gr_tell(s->self, a, "text", "copied");
    stage_settle(s);
    stage_expect(s, "+a copied");
}

static void test_str_copy(void **state)
{
    (void)state;
    stage_each_seed(scene_copy, NULL);
}

static int keep_too_much(gr_actor *self, puppet *p, const gr_msg *msg)
{
    const gr_msg *kept = gr_keep(self, msg);
    stage_note(p->on, kept != NULL ? "kept" : "full");
    p->kept = kept != NULL ? kept : p->kept;
    return 0;
}

static int release_last(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)msg;
    gr_release(self, p->kept);
    return 0;
}

static int be_keeper(gr_actor *self, puppet *p, const gr_msg *msg)
{
    (void)self, (void)msg;
    p->hear = keep_too_much;
    return 0;
}

static void scene_kept_is_capped(stage *s)
{
    static const char body[400];
    gr_pid a = stage_puppet(s, 'a');
    stage_do(s, a, be_keeper);
    for (unsigned i = 0; i < 3; i++) {
        gr_tell(s->self, a, "big", gr_bin(body, sizeof body));
        stage_settle(s);
    }
    stage_expect(s, "+a kept kept full");
    stage_do(s, a, release_last);
    gr_tell(s->self, a, "big", gr_bin(body, sizeof body));
    stage_settle(s);
    stage_expect(s, "kept");
}

static void test_kept_messages_count_as_memory(void **state)
{
    (void)state;
    stage_each_seed(scene_kept_is_capped, &(gr_system_opts){.arena_max = 1100});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_zeroed_aligned_and_capped),
        cmocka_unit_test(test_memory_without_a_cap_does_not_wrap),
        cmocka_unit_test(test_the_cap_of_the_system),
        cmocka_unit_test(test_str_copy),
        cmocka_unit_test(test_kept_messages_count_as_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
