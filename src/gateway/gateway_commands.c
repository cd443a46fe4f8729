/* The last commands people sent down, by number. Loops write their progress here, the API reads it. */
#include "gateway/gateway_priv.h"

void gw_commands_init(struct gw_commands *t)
{
    pthread_mutex_init(&t->lock, NULL);
}

void gw_commands_fini(struct gw_commands *t)
{
    pthread_mutex_destroy(&t->lock);
}

enum lt_err gw_commands_add(struct gw_commands *t, struct gateway_command *c, struct lt_error *err)
{
    bool busy = false;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < GATEWAY_COMMANDS && !busy; i++)
        busy = t->c[i].id && t->c[i].step <= GATEWAY_CMD_ACCEPTED && strcmp(t->c[i].mn, c->mn) == 0;
    if (!busy) {
        c->id = ++t->last;
        t->c[c->id % GATEWAY_COMMANDS] = *c;
    }
    pthread_mutex_unlock(&t->lock);
    return busy ? lt_fail(err, LT_E_BUSY, "device", c->mn, NULL, NULL) : LT_OK;
}

void gw_commands_update(struct gw_commands *t, const struct gateway_command *c)
{
    pthread_mutex_lock(&t->lock);
    struct gateway_command *kept = &t->c[c->id % GATEWAY_COMMANDS];
    if (kept->id == c->id)
        *kept = *c;
    pthread_mutex_unlock(&t->lock);
}

bool gw_commands_get(struct gw_commands *t, uint64_t id, struct gateway_command *ret)
{
    pthread_mutex_lock(&t->lock);
    const struct gateway_command *kept = &t->c[id % GATEWAY_COMMANDS];
    bool ok = id != 0 && kept->id == id;
    if (ok)
        *ret = *kept;
    pthread_mutex_unlock(&t->lock);
    return ok;
}
