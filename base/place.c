/* base/place.c - see place.h. */
#include "base/place.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>

static const char *behind_folders(const char *path)
{
    const char *name = path;
    for (const char *p = path; *p != '\0'; p++) {
        if (*p == '/') {
            name = p + 1;
        }
    }
    return name;
}

bool gri_place_of(uintptr_t at, gri_place *out)
{
    struct dl_find_object found;
    if (_dl_find_object((void *)at, &found) != 0) {
        return false;
    }
    const struct link_map *map = found.dlfo_link_map;
    /* The loader has no name for the executable. */
    out->object = map->l_name == NULL || map->l_name[0] == '\0'
                      ? program_invocation_short_name
                      : behind_folders(map->l_name);
    out->offset = at - map->l_addr;
    return true;
}
