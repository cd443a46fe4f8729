/* Looking things up in the declarations. */
#include "base/text.h"
#include "record/record_priv.h"

#include <assert.h>

const struct record_kind *record_kind_find(struct lt_slice name)
{
    for (size_t i = 0; i < record_kind_count(); i++)
        if (lt_slice_is(name, record_kind_at(i)->name))
            return record_kind_at(i);
    return NULL;
}

const struct record_field *record_field_find(const struct record_kind *k, struct lt_slice name)
{
    for (size_t i = 0; i < k->n; i++)
        if (lt_slice_is(name, k->fields[i].name))
            return &k->fields[i];
    return NULL;
}

const char *record_type_name(enum record_type t)
{
    static const char *const names[] = {"text", "int", "fix", "bool", "time", "date", "enum", "ref", "json"};
    return (unsigned)t < sizeof names / sizeof names[0] ? names[t] : "text";
}

const char *record_label(const char *en, const char *zh, enum lt_lang lang)
{
    return lang == LT_EN ? en : zh;
}

const char *record_choice_label(const struct record_field *f, struct lt_slice value, enum lt_lang lang)
{
    for (const struct record_choice *c = f->choices; c && c->value; c++)
        if (lt_slice_is(value, c->value))
            return record_label(c->en, c->zh, lang);
    return NULL;
}

bool record_is_text(enum record_type t)
{
    return t == RECORD_TEXT || t == RECORD_ENUM || t == RECORD_JSON;
}

const struct record_value *record_value(const struct record_row *r, const char *field)
{
    const struct record_field *f = record_field_find(r->kind, lt_slice_of(field));
    assert(f); /* a name that is not declared is a fault of the program */
    return &r->v[f - r->kind->fields];
}

int64_t record_i64(const struct record_row *r, const char *field, int64_t if_null)
{
    const struct record_value *v = record_value(r, field);
    return v->null ? if_null : v->i;
}

struct lt_slice record_text(const struct record_row *r, const char *field)
{
    const struct record_value *v = record_value(r, field);
    return v->null ? LT_LIT("") : v->s;
}

void record_row_fini(struct record_row *r)
{
    lt_buf_fini(&r->mem);
}

void record_fault(struct record_faults *f, const struct lt_error *err)
{
    if (f->n < RECORD_FAULTS_MAX)
        f->list[f->n++] = *err;
    else
        f->more = true;
}
