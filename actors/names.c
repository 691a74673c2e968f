/* actors/names.c - names of actors on this node. */
#include <stdlib.h>
#include <string.h>

#include "actors/internal.h"

struct gri_name {
    gri_name *chain; /* another of the same hash; under names_lock */
    gri_name *next;  /* of the same actor; its consumer's */
    gr_pid pid;      /* constant */
    bool shown;      /* it is found; under names_lock */
    bool stays;      /* not its run's, but its address's; constant */
    size_t len;
    char text[]; /* with a zero byte */
};

/* FNV-1a (Fowler, Noll, Vo), and the length beside it. */
static gri_key key_of(const char *text, size_t len)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    }
    return (gri_key){h, len};
}

/* Under names_lock. */
static gri_name *find(const gr_system *sys, const char *text, size_t len)
{
    gri_name *name = gri_map_get(&sys->names, key_of(text, len));
    while (name != NULL && memcmp(name->text, text, len) != 0) {
        name = name->chain;
    }
    return name;
}

int gri_name_reserve(gr_system *sys, const char *text, gr_pid pid,
                     gri_name **out)
{
    size_t len = strnlen(text, GR_NAME_MAX + 1);
    if (len == 0 || len > GR_NAME_MAX) {
        return GR_EINVAL;
    }
    gri_name *name = malloc(sizeof *name + len + 1);
    if (name == NULL) {
        return GR_ENOMEM;
    }
    *name = (gri_name){.pid = pid, .len = len};
    memcpy(name->text, text, len);
    name->text[len] = '\0';
    int rc = GR_EEXIST;
    (void)pthread_mutex_lock(&sys->names_lock);
    if (find(sys, text, len) == NULL) {
        name->chain = gri_map_get(&sys->names, key_of(text, len));
        rc = gri_map_put(&sys->names, key_of(text, len), name);
    }
    (void)pthread_mutex_unlock(&sys->names_lock);
    if (rc < 0) {
        free(name);
        return rc;
    }
    *out = name;
    return 0;
}

void gri_name_show(gr_system *sys, const char *text, gr_pid pid)
{
    (void)pthread_mutex_lock(&sys->names_lock);
    gri_name *name = find(sys, text, strlen(text));
    if (name != NULL && gr_pid_eq(name->pid, pid)) {
        name->shown = true;
    }
    (void)pthread_mutex_unlock(&sys->names_lock);
}

void gri_name_cancel(gr_system *sys, gri_name *name)
{
    gri_key key = key_of(name->text, name->len);
    (void)pthread_mutex_lock(&sys->names_lock);
    gri_name *first = gri_map_get(&sys->names, key);
    if (first == name) {
        if (name->chain == NULL) {
            (void)gri_map_remove(&sys->names, key);
        } else {
            /* Replacing a value needs no memory. */
            (void)gri_map_put(&sys->names, key, name->chain);
        }
    } else {
        while (first->chain != name) {
            first = first->chain;
        }
        first->chain = name->chain;
    }
    (void)pthread_mutex_unlock(&sys->names_lock);
    free(name);
}

void gri_name_adopt(gr_actor *self, gri_name *name)
{
    if (name != NULL) {
        gri_name_show(self->sys, name->text, name->pid);
        name->next = self->ext->names;
        self->ext->names = name;
    }
}

void gri_names_end(gr_actor *self)
{
    while (self->ext->names != NULL) {
        gri_name *name = self->ext->names;
        self->ext->names = name->next;
        gri_name_cancel(self->sys, name);
    }
}

void gri_name_stays(gri_name *name)
{
    name->stays = true;
}

gri_name *gri_names_keep(gr_actor *self)
{
    for (gri_name **at = &self->ext->names; *at != NULL; at = &(*at)->next) {
        gri_name *name = *at;
        if (name->stays) {
            *at = name->next;
            name->next = NULL;
            return name;
        }
    }
    return NULL;
}

void gri_names_fini(gr_system *sys)
{
    size_t at = 0;
    for (gri_entry *e; (e = gri_map_next(&sys->names, &at)) != NULL;) {
        gri_name *name = e->value;
        while (name != NULL) {
            gri_name *chain = name->chain;
            free(name);
            name = chain;
        }
    }
    gri_map_fini(&sys->names);
}

int gr_register(gr_actor *self, const char *name)
{
    gri_name *entry;
    if (name == NULL) {
        return GR_EINVAL;
    }
    if (gri_is_host(self->sys)) {
        return gri_hosted_name(self->sys, GRI_NAME_TAKE, name, NULL);
    }
    if (gri_ext_of(self) == NULL) {
        return GR_ENOMEM;
    }
    GR_TRY(gri_name_reserve(self->sys, name, gri_pid_of(self), &entry));
    gri_name_adopt(self, entry);
    return 0;
}

int gr_unregister(gr_actor *self, const char *name)
{
    gri_name **at = self->ext != NULL ? &self->ext->names : NULL;
    if (name == NULL) {
        return GR_ENOENT;
    }
    if (gri_is_host(self->sys)) {
        return gri_hosted_name(self->sys, GRI_NAME_GIVE, name, NULL);
    }
    for (; at != NULL && *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->text, name) == 0) {
            gri_name *entry = *at;
            *at = entry->next;
            gri_name_cancel(self->sys, entry);
            return 0;
        }
    }
    return GR_ENOENT;
}

int gr_whereis(gr_actor *self, gr_node node, const char *name, gr_pid *out)
{
    gr_system *sys = self->sys;
    if (name == NULL) {
        return GR_ENOENT;
    }
    size_t len = strlen(name);
    if (node.id != 0 && node.id != sys->node) {
        gr_value ask[] = {gr_strn("whereis", 7), gr_strn(name, len)};
        gr_out outs[] = {{GR_OUT_PID, 0, out}};
        gr_pattern expect = {gr_strn("pid", 3), outs, 1};
        return gri_agent_call(self, node, expect, ask, 2);
    }
    if (gri_is_host(sys)) {
        return gri_hosted_name(sys, GRI_NAME_FIND, name, out);
    }
    int rc = GR_ENOENT;
    (void)pthread_mutex_lock(&sys->names_lock);
    const gri_name *entry = find(sys, name, len);
    if (entry != NULL && entry->shown) {
        *out = entry->pid;
        rc = 0;
    }
    (void)pthread_mutex_unlock(&sys->names_lock);
    return rc;
}

const char *gri_name_text(const gr_actor *self)
{
    const gri_name *name = self->ext != NULL ? self->ext->names : NULL;
    return name != NULL ? name->text : "";
}

void gri_name_own(const gr_actor *self, char buf[GR_NAME_MAX + 1])
{
    const gri_name *name = self->ext != NULL ? self->ext->names : NULL;
    if (name != NULL) {
        memcpy(buf, name->text, name->len + 1);
    } else {
        buf[0] = '\0';
    }
}

const char *gri_name_of(gr_system *sys, gr_pid pid, char *buf, size_t size)
{
    const char *found = NULL;
    size_t at = 0;
    (void)pthread_mutex_lock(&sys->names_lock);
    for (gri_entry *e;
         found == NULL && (e = gri_map_next(&sys->names, &at)) != NULL;) {
        for (gri_name *n = e->value; n != NULL; n = n->chain) {
            if (gr_pid_eq(n->pid, pid) && n->len < size) {
                memcpy(buf, n->text, n->len + 1);
                found = buf;
                break;
            }
        }
    }
    (void)pthread_mutex_unlock(&sys->names_lock);
    return found;
}
