/* transport/discovery.c - see discovery.h. */
#include "transport/discovery.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is found ------------------------------------------------------- */

void gri_found_fini(gr_found *found)
{
    for (uint32_t i = 0; i < found->count; i++) {
        free(found->list[i]);
    }
    free(found->list);
    found->list = NULL;
    found->count = found->room = 0;
}

static bool has(const gr_found *found, const char *address)
{
    for (uint32_t i = 0; i < found->count; i++) {
        if (strcmp(found->list[i], address) == 0) {
            return true;
        }
    }
    return false;
}

static int add(gr_found *found, const char *address)
{
    if (found->count == found->room) {
        const uint32_t room = found->room == 0 ? 16 : found->room * 2;
        char **list = realloc(found->list, room * sizeof *list);
        if (list == NULL) {
            return GR_ENOMEM;
        }
        found->list = list;
        found->room = room;
    }
    char *copy = strdup(address);
    if (copy == NULL) {
        return GR_ENOMEM;
    }
    found->list[found->count++] = copy;
    return 0;
}

int gr_found_add(gr_found *found, const char *address)
{
    GR_TRY(gri_address_check(address, false));
    if (strlen(address) >= GRI_ADDRESS_MAX) {
        return GR_EADDRESS;
    }
    if (found->count == GR_FOUND_MAX) {
        return GR_ELIMIT;
    }
    return add(found, address);
}

int gr_found_fail(gr_found *found, int rc, const char *text)
{
    strncpy(found->text, text, sizeof found->text - 1);
    found->text[sizeof found->text - 1] = '\0';
    return rc;
}

/* ---- the list of hunts --------------------------------------------------- */

static void free_hunt(gri_hunt *h)
{
    if (h->d.end != NULL) {
        h->d.end(h->d.arg);
    }
    gri_found_fini(&h->kept);
    free(h);
}

static void enlist(gri_net *net, gri_hunt *h)
{
    (void)pthread_mutex_lock(&net->lock);
    h->id = net->hunts != NULL ? net->hunts->id + 1 : 1;
    h->next = net->hunts;
    net->hunts = h;
    (void)pthread_mutex_unlock(&net->lock);
}

static void delist(gri_net *net, const gri_hunt *h)
{
    (void)pthread_mutex_lock(&net->lock);
    gri_hunt **at = &net->hunts;
    while (*at != h) {
        at = &(*at)->next;
    }
    *at = h->next;
    (void)pthread_mutex_unlock(&net->lock);
}

static gri_hunt *find(gri_net *net, uint64_t id)
{
    (void)pthread_mutex_lock(&net->lock);
    gri_hunt *h = net->hunts;
    while (h != NULL && h->id != id) {
        h = h->next;
    }
    (void)pthread_mutex_unlock(&net->lock);
    return h;
}

void gri_hunts_fini(gri_net *net)
{
    while (net->hunts != NULL) {
        gri_hunt *h = net->hunts;
        net->hunts = h->next;
        free_hunt(h);
    }
}

/* ---- its actor ----------------------------------------------------------- */

typedef struct hunter {
    gri_hunt *hunt;
} hunter;

static void forget(const gri_hunt *h, const char *address)
{
    /* GR_ENOENT: the program has forgotten it itself. */
    (void)gri_places_forget(&h->net->places, address);
}

/* gr_on_exit: however it ends. */
static void on_end(void *arg)
{
    gri_hunt *h = arg;
    for (uint32_t i = 0; i < h->kept.count; i++) {
        forget(h, h->kept.list[i]);
    }
    delist(h->net, h);
    free_hunt(h);
}

/* What was not found any more is forgotten. */
static void forget_others(gri_hunt *h, const gr_found *found)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < h->kept.count; i++) {
        char *address = h->kept.list[i];
        if (has(found, address)) {
            h->kept.list[n++] = address;
        } else {
            forget(h, address);
            free(address);
        }
    }
    h->kept.count = n;
}

/* Returns the first error. */
static int keep_all(gri_hunt *h, gr_found *found)
{
    int worst = 0;
    for (uint32_t i = 0; i < found->count; i++) {
        const char *address = found->list[i];
        if (has(&h->kept, address)) {
            continue;
        }
        int rc = add(&h->kept, address);
        if (rc == 0) {
            rc = gri_net_keep(h->net, address);
            if (rc < 0) {
                free(h->kept.list[--h->kept.count]);
            }
        }
        if (rc < 0 && worst == 0) {
            worst = rc;
            (void)gr_found_fail(found, rc, address);
        }
    }
    return worst;
}

/* Once for each error. */
static void tell(gri_hunt *h, int rc, const char *text)
{
    if (rc < 0 && (rc != h->rc || strcmp(text, h->kept.text) != 0)) {
        gri_log_write(h->net->log, GR_LOG_WARN, "node %s: %s: %s%s%s",
                      h->net->self.name, h->d.name, text,
                      text[0] != '\0' ? ": " : "", gr_strerror(rc));
    }
    h->rc = rc;
    memcpy(h->kept.text, text, sizeof h->kept.text);
}

/* A number that two lists hardly share (FNV-1a): what is found is most often
 * what was found before. */
static uint64_t mark_of(const gr_found *found)
{
    uint64_t mark = UINT64_C(0xcbf29ce484222325);
    for (uint32_t i = 0; i < found->count; i++) {
        const char *p = found->list[i];
        do {
            mark = (mark ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
        } while (*p++ != '\0');
    }
    return mark;
}

static void look(gri_hunt *h)
{
    gr_found found = {.list = NULL};
    int rc = h->d.look(h->d.arg, &found);
    const uint64_t mark = mark_of(&found);
    if (rc == 0 && (mark != h->mark || h->rc < 0)) {
        rc = keep_all(h, &found); /* first, so that nothing is lost between */
        forget_others(h, &found);
        h->mark = mark;
    }
    if (rc <= 0) {
        tell(h, rc, found.text);
    }
    gri_found_fini(&found);
}

/* Also where one look is enough, if it has failed. */
static int look_again(gr_actor *self, const gri_hunt *h)
{
    int64_t ms = h->d.interval_ms;
    if (ms == 0) {
        if (h->rc == 0) {
            return 0;
        }
        ms = GR_DISCOVERY_MS_DEFAULT;
    }
    return gr_after(self, ms, NULL, "look");
}

static int hunt_init(gr_actor *self, void *state, const gr_msg *args)
{
    hunter *me = state;
    gri_net *net = gri_route_net_of(gr_system_of(self), &gri_net_route);
    uint64_t id;
    if (net == NULL || !gr_unpack(args, &id)) {
        return GR_EINVAL;
    }
    me->hunt = find(net, id);
    if (me->hunt == NULL) {
        return GR_EINVAL;
    }
    const int rc = gr_on_exit(self, on_end, me->hunt);
    if (rc < 0) {
        on_end(me->hunt);
        return rc;
    }
    look(me->hunt);
    return look_again(self, me->hunt);
}

static int hunt_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    hunter *me = state;
    if (gr_match(msg, "look")) {
        look(me->hunt);
        return look_again(self, me->hunt);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior hunting = {.name = "gr.discovery",
                                    .state_size = sizeof(hunter),
                                    .init = hunt_init,
                                    .receive = hunt_receive};

int gr_node_discover(gr_actor *self, const gr_discovery *d, gr_pid *out)
{
    gri_net *net = gri_route_net_of(gr_system_of(self), &gri_net_route);
    if (net == NULL || d == NULL || d->name == NULL || d->look == NULL ||
        d->interval_ms < 0) {
        return GR_EINVAL;
    }
    gri_hunt *h = calloc(1, sizeof *h);
    if (h == NULL) {
        return GR_ENOMEM;
    }
    h->net = net;
    h->d = *d;
    enlist(net, h);
    const int rc =
        gr_spawn(self, &hunting, &(gr_spawn_opts){.args = gr_args(h->id)}, out);
    if (rc < 0) {
        delist(net, h);
        free(h);
    }
    return rc;
}
