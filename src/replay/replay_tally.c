/* What a private engine finds, kept as the alarm unit would keep it: raising and ending by key with the same rules for
 * repeats, so that the result can be laid beside the recorded one. */
#include "replay/replay_priv.h"

#include <stdlib.h>

bool tally_init(struct tally *t)
{
    *t = (struct tally){.n_slots = 4096, .text = LT_BUF_INIT((size_t)1 << 30)};
    t->slot = calloc(t->n_slots, sizeof *t->slot);
    t->head = calloc(t->n_slots, sizeof *t->head);
    return t->slot && t->head;
}

void tally_fini(struct tally *t)
{
    free(t->alarm);
    free(t->slot);
    free(t->head);
    free(t->verdict);
    free(t->late);
    lt_buf_fini(&t->text);
    *t = (struct tally){0};
}

static uint64_t group_hash(unsigned rule, unsigned object, int64_t object_id, struct lt_slice factor)
{
    uint64_t h = ((uint64_t)object_id << 8 ^ rule << 4 ^ object) * UINT64_C(0x9E3779B97F4A7C15);
    for (size_t i = 0; i < factor.n; i++)
        h = (h ^ (unsigned char)factor.p[i]) * UINT64_C(0x100000001B3);
    return h ^ h >> 29;
}

static uint64_t key_hash(uint64_t group, int64_t period_ms)
{
    uint64_t h = (group ^ (uint64_t)period_ms) * UINT64_C(0xD6E8FEB86659FD93);
    return h ^ h >> 32;
}

static bool same_group(const struct tally_alarm *a, unsigned rule, unsigned object, int64_t object_id,
                       struct lt_slice factor)
{
    return a->rule == rule && a->object == object && a->object_id == object_id && lt_slice_is(factor, a->factor);
}

static size_t find_slot(const struct tally *t, uint64_t group, unsigned rule, unsigned object, int64_t object_id,
                        struct lt_slice factor, int64_t period_ms)
{
    size_t i = key_hash(group, period_ms) & (t->n_slots - 1);
    for (; t->slot[i]; i = (i + 1) & (t->n_slots - 1)) {
        const struct tally_alarm *a = &t->alarm[t->slot[i] - 1];
        if (a->period_ms == period_ms && same_group(a, rule, object, object_id, factor))
            break;
    }
    return i;
}

const struct tally_alarm *tally_find(const struct tally *t, unsigned rule, unsigned object, int64_t object_id,
                                     struct lt_slice factor, int64_t period_ms)
{
    size_t i = find_slot(t, group_hash(rule, object, object_id, factor), rule, object, object_id, factor, period_ms);
    return t->slot[i] ? &t->alarm[t->slot[i] - 1] : NULL;
}

/* The head of the list of active ones of a group; its members prove whose it is, an empty list is anybody's. */
static size_t head_slot(const struct tally *t, uint64_t group, unsigned rule, unsigned object, int64_t object_id,
                        struct lt_slice factor)
{
    size_t i = group & (t->n_slots - 1);
    while (t->head[i] && !same_group(&t->alarm[t->head[i] - 1], rule, object, object_id, factor))
        i = (i + 1) & (t->n_slots - 1);
    return i;
}

static uint64_t group_of(const struct tally_alarm *a)
{
    return group_hash(a->rule, a->object, a->object_id, lt_slice_of(a->factor));
}

static bool rehash(struct tally *t)
{
    size_t n = t->n_slots * 2;
    uint32_t *slot = calloc(n, sizeof *slot), *head = calloc(n, sizeof *head);
    if (!slot || !head) {
        free(slot);
        free(head);
        return false;
    }
    uint32_t *old = t->head;
    size_t n_old = t->n_slots;
    free(t->slot);
    t->slot = slot;
    t->head = head;
    t->n_slots = n;
    for (size_t i = 0; i < t->n_alarm; i++) {
        const struct tally_alarm *a = &t->alarm[i];
        size_t at = key_hash(group_of(a), a->period_ms) & (n - 1);
        while (slot[at])
            at = (at + 1) & (n - 1);
        slot[at] = (uint32_t)(i + 1);
    }
    for (size_t i = 0; i < n_old; i++)
        if (old[i]) {
            const struct tally_alarm *a = &t->alarm[old[i] - 1];
            head[head_slot(t, group_of(a), a->rule, a->object, a->object_id, lt_slice_of(a->factor))] = old[i];
        }
    free(old);
    return true;
}

/* Into the list of active ones, if it is not there: ended ones are taken out when the list is walked. */
static void make_active(struct tally *t, uint32_t index)
{
    struct tally_alarm *a = &t->alarm[index];
    size_t h = head_slot(t, group_of(a), a->rule, a->object, a->object_id, lt_slice_of(a->factor));
    a->active = true;
    for (uint32_t i = t->head[h]; i; i = t->alarm[i - 1].next_active)
        if (i == index + 1)
            return;
    a->next_active = t->head[h];
    t->head[h] = index + 1;
}

static void raise_new(struct tally *t, const struct engine_effect *e, size_t slot)
{
    if (t->n_alarm >= REPLAY_ALARMS_MAX || !lt_grow(&t->alarm, t->n_alarm, &t->cap_alarm, sizeof *t->alarm)) {
        t->failed = true;
        return;
    }
    struct tally_alarm *a = &t->alarm[t->n_alarm];
    *a = (struct tally_alarm){.rule = (uint8_t)e->rule,
                              .object = (uint8_t)e->object,
                              .object_id = e->object_id,
                              .device = e->device,
                              .period_ms = e->period_ms,
                              .period_len_ms = e->period_len_ms,
                              .first_ms = e->first_ms,
                              .last_ms = e->last_ms,
                              .created_ms = e->at_ms,
                              .count = e->count > 0 ? e->count : 1,
                              .value = e->value,
                              .limit = e->limit,
                              .rule_version = e->rule_version,
                              .occurrence = e->seq};
    lt_text_copy_slice(a->factor, sizeof a->factor, e->factor);
    t->slot[slot] = (uint32_t)(t->n_alarm + 1);
    t->n_alarm++;
    make_active(t, (uint32_t)(t->n_alarm - 1));
    if (t->n_alarm * 2 > t->n_slots)
        t->failed |= !rehash(t);
}

/* As alarm_raise() does with a key it knows. */
static void raise_again(struct tally *t, struct tally_alarm *a, const struct engine_effect *e)
{
    int64_t count = e->count > 0             ? (e->count > a->count ? e->count : a->count)
                    : e->seq > a->occurrence ? a->count + 1
                                             : a->count;
    bool again = !a->active && e->last_ms > a->ended_ms;
    bool revised = e->value != LT_FIX_NONE && e->value != a->value && e->last_ms >= a->last_ms;
    if ((!a->active && !again) || (count == a->count && e->last_ms <= a->last_ms && !again && !revised))
        return;
    a->last_ms = e->last_ms > a->last_ms ? e->last_ms : a->last_ms;
    a->count = count;
    a->value = e->value != LT_FIX_NONE ? e->value : a->value;
    a->limit = e->limit != LT_FIX_NONE ? e->limit : a->limit;
    a->occurrence = e->seq > a->occurrence ? e->seq : a->occurrence;
    if (again) {
        a->ended_ms = 0;
        make_active(t, (uint32_t)(a - t->alarm));
    }
}

static void end(struct tally_alarm *a, const struct engine_effect *e)
{
    if (a->active && e->last_ms >= a->last_ms) {
        a->active = false;
        a->ended_ms = e->last_ms;
    }
}

static void end_all(struct tally *t, const struct engine_effect *e)
{
    size_t h = head_slot(t, group_hash(e->rule, e->object, e->object_id, e->factor), e->rule, e->object, e->object_id,
                         e->factor);
    uint32_t kept = 0, last = 0, next;
    for (uint32_t i = t->head[h]; i; i = next) {
        struct tally_alarm *a = &t->alarm[i - 1];
        next = a->next_active;
        end(a, e);
        if (!a->active && (next || kept)) { /* the last one stays as a mark of whose list this is */
            a->next_active = 0;
            continue;
        }
        if (last)
            t->alarm[last - 1].next_active = i;
        else
            kept = i;
        a->next_active = 0;
        last = i;
    }
    t->head[h] = t->head[h] ? kept : 0;
}

static void add_verdict(struct tally *t, const struct engine_effect *e)
{
    if (e->seq <= t->verdicts_from)
        return;
    if (!lt_grow(&t->verdict, t->n_verdict, &t->cap_verdict, sizeof *t->verdict)) {
        t->failed = true;
        return;
    }
    struct tally_verdict *v = &t->verdict[t->n_verdict++];
    *v = (struct tally_verdict){.rule = (uint8_t)e->rule,
                                .object = (uint8_t)e->object,
                                .object_id = e->object_id,
                                .device = e->device,
                                .period_ms = e->period_ms,
                                .at_ms = e->at_ms,
                                .rule_version = e->rule_version,
                                .seq = e->seq,
                                .outcome = e->outcome,
                                .text_at = t->text.n,
                                .text_n = e->text.n};
    lt_text_copy_slice(v->factor, sizeof v->factor, e->factor);
    lt_buf_add(&t->text, e->text.p, e->text.n);
    lt_buf_addc(&t->text, 0);
    t->failed |= t->text.failed;
}

static void note_late(struct tally *t, const struct engine_effect *e)
{
    if (e->period_ms >= e->at_ms - REPLAY_LATE_DAYS * LT_DAY_MS)
        return;
    size_t n = t->n_late;
    if (n && t->late[n - 1].device == e->device && t->late[n - 1].period_ms == e->period_ms)
        return;
    if (!lt_grow(&t->late, n, &t->cap_late, sizeof *t->late)) {
        t->failed = true;
        return;
    }
    t->late[n].device = e->device;
    t->late[n].period_ms = e->period_ms;
    t->n_late++;
}

bool tally_late(const struct tally *t, int64_t device, int64_t from_ms, int64_t to_ms)
{
    for (size_t i = 0; i < t->n_late; i++)
        if (t->late[i].device == device && t->late[i].period_ms >= from_ms && t->late[i].period_ms < to_ms)
            return true;
    return false;
}

void tally_effect(void *user, const struct engine_effect *e)
{
    struct tally *t = user;
    t->now_ms = e->at_ms;
    if (e->kind == ENGINE_VERDICT) {
        add_verdict(t, e);
        return;
    }
    if (e->kind == ENGINE_VERSION) {
        note_late(t, e);
        return;
    }
    if (e->kind == ENGINE_END_ALL) {
        end_all(t, e);
        return;
    }
    size_t i = find_slot(t, group_hash(e->rule, e->object, e->object_id, e->factor), e->rule, e->object, e->object_id,
                         e->factor, e->period_ms);
    if (e->kind == ENGINE_END) {
        if (t->slot[i])
            end(&t->alarm[t->slot[i] - 1], e);
    } else if (t->slot[i]) {
        raise_again(t, &t->alarm[t->slot[i] - 1], e);
    } else {
        raise_new(t, e, i);
    }
}
