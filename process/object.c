/* process/object.c - see object.h. The objects are what the loader says. */
#include "process/object.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

/* Do `size` bytes at `at` stand in one of its segments? */
static bool has(const struct dl_phdr_info *info, uintptr_t at, size_t size)
{
    for (ElfW(Half) i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        const uintptr_t from = info->dlpi_addr + h->p_vaddr;
        if (h->p_type == PT_LOAD && at >= from && at - from <= h->p_memsz &&
            h->p_memsz - (at - from) >= size) {
            return true;
        }
    }
    return false;
}

typedef struct search {
    uintptr_t at;       /* what is looked for, or what was found */
    const char *object; /* likewise */
    uint64_t offset;
    bool found, no_memory;
    char *name;
} search;

static int look_for_address(struct dl_phdr_info *info, size_t size, void *arg)
{
    search *s = arg;
    (void)size;
    if (!has(info, s->at, sizeof(gr_behavior))) {
        return 0;
    }
    s->name = strdup(info->dlpi_name);
    s->no_memory = s->name == NULL;
    s->offset = s->at - info->dlpi_addr;
    s->found = true;
    return 1;
}

int gri_object_place_of(const gr_behavior *b, gri_object_place *out)
{
    search s = {.at = (uintptr_t)b};
    (void)dl_iterate_phdr(look_for_address, &s);
    if (!s.found) {
        return GR_ENOENT;
    }
    if (s.no_memory) {
        return GR_ENOMEM;
    }
    *out = (gri_object_place){s.name, s.offset};
    return 0;
}

static int look_for_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    search *s = arg;
    (void)size;
    if (strcmp(info->dlpi_name, s->object) != 0) {
        return 0;
    }
    s->at = info->dlpi_addr + s->offset;
    s->found = has(info, s->at, sizeof(gr_behavior));
    return 1;
}

/* Is that text in memory of an object? */
static int look_for_text(struct dl_phdr_info *info, size_t size, void *arg)
{
    search *s = arg;
    (void)size;
    s->found = has(info, s->at, (size_t)s->offset);
    return s->found;
}

const gr_behavior *gri_object_at(const char *object, uint64_t offset,
                                 const char *name)
{
    search s = {.object = object, .offset = offset};
    if (dl_iterate_phdr(look_for_object, &s) == 0 && object[0] != '\0' &&
        dlopen(object, RTLD_NOW | RTLD_LOCAL) != NULL) {
        (void)dl_iterate_phdr(look_for_object, &s);
    }
    if (!s.found || s.at % _Alignof(gr_behavior) != 0) {
        return NULL;
    }
    /* Whoever names it is trusted; this finds mistakes, such as another build
     * of a library. */
    const gr_behavior *b = (const gr_behavior *)s.at;
    search text = {.at = (uintptr_t)b->name, .offset = strlen(name) + 1};
    (void)dl_iterate_phdr(look_for_text, &text);
    return text.found && strcmp(b->name, name) == 0 ? b : NULL;
}
