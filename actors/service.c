/* actors/service.c - see service.h. */
#include "actors/service.h"

#include "actors/account.h"
#include "actors/internal.h"

gri_service *gri_service_of(const gr_system *sys)
{
    /* acquire: pairs with gri_service_install. */
    return atomic_load_explicit(&sys->service, memory_order_acquire);
}

int gri_service_install(gr_system *sys, gri_service *service)
{
    gri_service *none = NULL;
    if (gri_is_hosted(sys)) {
        return GR_ENOTSUP;
    }
    /* release: pairs with the acquire in gri_service_of. */
    return atomic_compare_exchange_strong_explicit(
               &sys->service, &none, service, memory_order_release,
               memory_order_relaxed)
               ? 0
               : GR_EEXIST;
}

int gri_service_start(gr_actor *self, const gr_behavior *behavior, gr_pid *out)
{
    gri_spawn how = {
        .behavior = behavior,
        .service = true,
        .parent = GR_NOBODY,
        .tended = true, /* by gri_system_stop itself, as the agent */
    };
    GR_DASSERT(behavior->state_size == 0 && behavior->init == NULL &&
               behavior->arena_max == 0 && behavior->trap_exit);
    return gri_spawn_run(self->ctx, &how, out, NULL);
}

bool gri_is_service(const gr_system *sys, uint64_t id)
{
    /* relaxed: it is only compared, and was stored before its run was
     * published, without which nobody has it to compare with. */
    return id != 0 &&
           id == atomic_load_explicit(&sys->service_id, memory_order_relaxed);
}

void gri_service_is(gr_system *sys, uint64_t id)
{
    (void)pthread_mutex_lock(&sys->lock);
    /* relaxed: see gri_is_service; gri_route_install has the lock, too. */
    atomic_store_explicit(&sys->service_id, id, memory_order_relaxed);
    (void)pthread_mutex_unlock(&sys->lock);
}

uint64_t gri_service_chance(const gr_system *sys)
{
    return sys->sched.is_sim ? sys->node : gri_rng_entropy();
}

void gri_tell_part(gr_actor *self, gr_pid to, const gr_msg *msg, gr_any part)
{
    gri_ctx *ctx = self->ctx;
    gr_reader whole = gr_any_reader(part);
    gr_reader list;
    if (gr_read_list(&whole, &list) < 0 || list.left == 0) {
        return;
    }
    gr_msg *copy = gri_msg_signal(ctx->cache, GRI_MSG_USER, part.ptr, part.len);
    if (copy == NULL) {
        ctx->builder.rc = GR_ENOMEM;
        gri_bury_unsent(ctx, to, msg->from);
        return;
    }
    copy->from = msg->from;
    copy->flags |= msg->flags & GRI_MSG_NO_REPORT;
    gri_account_out(self, copy->len);
    int rc = gri_send_user(ctx, to, copy);
    if (rc < 0) { /* as gr_tell */
        GRI_TALLY(ctx, sent);
        gri_bury(ctx, to, copy,
                 rc == GR_EAGAIN ? GRI_WHY_FULL : GRI_WHY_REFUSED);
        gri_msg_free(ctx->cache, copy);
    }
}
