/* base/text.c - see text.h. */
#include "base/text.h"

#include <elf.h>
#include <link.h>
#include <string.h>

/* ---- objects ------------------------------------------------------------ */

typedef struct search {
    uintptr_t at;
    gri_object *out;
} search;

static bool covers(const struct dl_phdr_info *info, const ElfW(Phdr) * segment,
                   uintptr_t at)
{
    return segment->p_type == PT_LOAD &&
           at - (info->dlpi_addr + segment->p_vaddr) < segment->p_memsz;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
    const search *s = arg;
    (void)size;
    bool found = false;
    for (unsigned i = 0; i < info->dlpi_phnum && !found; i++) {
        found = covers(info, &info->dlpi_phdr[i], s->at);
    }
    if (!found) {
        return 0;
    }
    s->out->name = info->dlpi_name;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) == 0) {
            continue;
        }
        if (s->out->n == GRI_OBJECT_SPANS) {
            return -1;
        }
        const uintptr_t from = info->dlpi_addr + segment->p_vaddr;
        s->out->spans[s->out->n++] = (gri_span){from, from + segment->p_memsz};
    }
    return 1;
}

bool gri_object_of(uintptr_t at, gri_object *out)
{
    search s = {at, out};
    *out = (gri_object){.n = 0};
    return dl_iterate_phdr(look_at, &s) == 1;
}

static int has_name(struct dl_phdr_info *info, size_t size, void *arg)
{
    const char *file = strrchr(info->dlpi_name, '/');
    (void)size;
    return file != NULL && strcmp(file + 1, arg) == 0;
}

bool gri_is_loaded(const char *name)
{
    /* const is a promise to the caller. */
    return dl_iterate_phdr(has_name, (void *)(uintptr_t)name) != 0;
}

/* ---- functions ---------------------------------------------------------- */

/* libgcc's, which has no header for it. The last of the bases is where the
 * function begins. */
enum { FUNCTION = 2, BASES };
/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
extern const uint8_t *_Unwind_Find_FDE(void *pc, void *bases[BASES]);

/*
 * An entry of the unwind tables: its length, the distance back to what it has
 * in common with others, where its function begins, how long that is, and what
 * happens to the stack pointer, instruction by instruction. The addresses' form
 * may vary, but in what compilers and assemblers write for C on Linux.
 */
enum {
    COMMON_AT = 4,        /* the distance, counted from here */
    LENGTH_AT = 12,       /* of the function */
    EXTRA_AT = 16,        /* a length, then bytes that C does not use */
    COMMON_TEXT_AT = 9,   /* in what is common: what else stands there */
    FORM_PC_SDATA4 = 0x1b /* relative to itself, in four bytes */
};

static uint32_t word_at(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* Whether the addresses have the usual form. */
static bool is_usual(const uint8_t *entry)
{
    const uint8_t *common = entry + COMMON_AT - word_at(entry + COMMON_AT);
    const uint8_t *p = common + COMMON_TEXT_AT;
    if (memcmp(p, "zR", 3) != 0) {
        return false;
    }
    p += 3;
    /* Two factors, a register and the length of the rest: a byte each, unless
     * their highest bit says more. */
    for (unsigned i = 0; i < 4; i++) {
        while ((*p++ & 0x80) != 0) {
        }
    }
    return *p == FORM_PC_SDATA4;
}

bool gri_function_of(uintptr_t at, gri_span *out, bool *is_bare)
{
    void *bases[BASES];
    const uint8_t *entry = _Unwind_Find_FDE((void *)at, bases);
    if (entry == NULL || !is_usual(entry)) {
        return false;
    }
    out->from = (uintptr_t)bases[FUNCTION];
    out->to = out->from + word_at(entry + LENGTH_AT);
    if (is_bare != NULL) {
        const uint8_t *end = entry + COMMON_AT + word_at(entry);
        *is_bare = true;
        for (const uint8_t *p = entry + EXTRA_AT; p < end; p++) {
            *is_bare = *is_bare && *p == 0; /* 0: no operation */
        }
    }
    return true;
}

/* ---- calls -------------------------------------------------------------- */

static uintptr_t pointer_at(uintptr_t at)
{
    uintptr_t x;
    memcpy(&x, (const void *)at, sizeof x);
    return x;
}

#if defined(__x86_64__)

/* To `next`, the end of the instruction, its last four bytes are added. */
static uintptr_t relative_to(uintptr_t next)
{
    return next + (uintptr_t)(int32_t)word_at((const uint8_t *)next - 4);
}

uintptr_t gri_call_target(uintptr_t back, gri_span text)
{
    enum { CALL = 0xe8, INDIRECT = 0xff, CALL_SLOT = 0x15, JUMP_SLOT = 0x25 };
    static const uint8_t mark[] = {0xf3, 0x0f, 0x1e, 0xfa}; /* of an entry */
    const uint8_t *p = (const uint8_t *)back;
    if (p[-6] == INDIRECT && p[-5] == CALL_SLOT) {
        return pointer_at(relative_to(back));
    }
    if (p[-5] != CALL || !gri_span_has(text, relative_to(back))) {
        return 0;
    }
    const uint8_t *stub = (const uint8_t *)relative_to(back);
    stub += memcmp(stub, mark, sizeof mark) == 0 ? sizeof mark : 0;
    stub += *stub == 0xf2 ? 1 : 0; /* a prefix that says nothing any more */
    return stub[0] == INDIRECT && stub[1] == JUMP_SLOT
               ? pointer_at(relative_to((uintptr_t)stub + 6))
               : relative_to(back);
}

#elif defined(__aarch64__)

/* `bits` of them, from bit `at` on, with their sign. */
static int64_t field(uint32_t word, unsigned at, unsigned bits)
{
    return (int64_t)((uint64_t)word << (64 - at - bits)) >> (64 - bits);
}

uintptr_t gri_call_target(uintptr_t back, gri_span text)
{
    enum { MARK = 0xd503245f }; /* of an entry */
    const uint32_t call = word_at((const uint8_t *)back - 4);
    const uintptr_t to = back - 4 + (uintptr_t)(field(call, 0, 26) * 4);
    if (call >> 26 != 0x25 || !gri_span_has(text, to)) {
        return 0; /* not bl */
    }
    uintptr_t stub = to;
    stub += word_at((const uint8_t *)stub) == (uint32_t)MARK ? 4 : 0;
    const uint32_t page = word_at((const uint8_t *)stub);
    const uint32_t load = word_at((const uint8_t *)stub + 4);
    if ((page & 0x9f00001f) != 0x90000010 ||
        (load & 0xffc003ff) != 0xf9400211) {
        return to; /* not adrp x16 and ldr x17, [x16] */
    }
    const int64_t pages = field(page, 5, 19) * 4 + (page >> 29 & 3);
    return pointer_at((stub & ~(uintptr_t)0xfff) + (uintptr_t)(pages * 4096) +
                      (load >> 10 & 0xfff) * 8);
}

#endif
