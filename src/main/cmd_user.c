/* lantian user add|passwd|list: users from the command line, for the first steps and for locked-out administrators. */
#include "auth/auth.h"
#include "base/clock.h"
#include "main/cmd.h"
#include "main/opt.h"
#include "main/tell.h"

#include <stdio.h>
#include <string.h>

struct job {
    const char *data, *name, *role, *territory, *enterprise;
    struct sql_db *db;
    struct auth_ctx who;
    struct record_ctx x;
};

static enum lt_err open_db(struct job *j, struct lt_error *err)
{
    char path[4096], once[32];
    if ((size_t)snprintf(path, sizeof path, "%s/state.db", j->data) >= sizeof path)
        return lt_fail(err, LT_E_USAGE, NULL, "path too long", NULL, NULL);
    enum lt_err e = sql_open(path, false, &j->db, err);
    if (e == LT_OK)
        e = record_setup(j->db, err);
    if (e == LT_OK)
        e = auth_setup(j->db, lt_wall_ms(), once, sizeof once, err);
    if (e == LT_OK && once[0])
        printf("administrator admin made; one-time password: %s\n", once);
    j->who = auth_system("command line");
    j->x = (struct record_ctx){.db = j->db, .who = &j->who, .now_ms = lt_wall_ms(), .tz_min = LT_TZ_CHINA};
    return e;
}

/* The id of the one record whose `field` is text; 0 for no text. */
static bool take_id(void *user, const struct record_row *row)
{
    *(int64_t *)user = row->id;
    return false;
}

static enum lt_err find(const struct job *j, const char *kind, const char *field, const char *text, int64_t *ret,
                        struct lt_error *err)
{
    const struct record_kind *k = record_kind_find(lt_slice_of(kind));
    struct record_query q = {0};
    *ret = 0;
    if (!text)
        return LT_OK;
    enum lt_err e = record_query_param(&q, k, lt_slice_of(field), lt_slice_of(text), err);
    if (e == LT_OK)
        e = record_each(&j->x, k, &q, take_id, ret, err);
    if (e == LT_OK && *ret == 0)
        e = lt_fail(err, LT_E_NOT_FOUND, NULL, kind, text, NULL);
    return e;
}

static enum lt_err add(struct job *j, const char *login, struct lt_error *err)
{
    int64_t territory = 0, enterprise = 0, id = 0;
    char once[32];
    enum lt_err e = find(j, "territory", "code", j->territory, &territory, err);
    if (e == LT_OK)
        e = find(j, "enterprise", "code", j->enterprise, &enterprise, err);
    if (e == LT_OK)
        e = auth_user_add(&j->x, login, j->name ? j->name : login, j->role ? j->role : "duty", territory, enterprise,
                          &id, once, sizeof once, err);
    if (e == LT_OK)
        printf("user %s made; one-time password: %s\n", login, once);
    return e;
}

static enum lt_err passwd(struct job *j, const char *login, struct lt_error *err)
{
    int64_t id = 0;
    char once[32];
    enum lt_err e = find(j, "user", "login", login, &id, err);
    if (e == LT_OK)
        e = auth_password_reset(&j->x, id, once, sizeof once, err);
    if (e == LT_OK)
        printf("one-time password of %s: %s\n", login, once);
    return e;
}

static bool print_user(void *user, const struct record_row *r)
{
    struct lt_slice login = record_text(r, "login"), name = record_text(r, "name"), role = record_value(r, "role")->s,
                    territory = record_value(r, "territory")->s;
    printf("%.*s\t%.*s\t%.*s\t%.*s\t%s\n", (int)login.n, login.p, (int)name.n, name.p, (int)role.n, role.p,
           (int)territory.n, territory.p, record_i64(r, "disabled", 0) ? "disabled" : "");
    return true;
}

static enum lt_err list(struct job *j, struct lt_error *err)
{
    return record_each(&j->x, record_kind_find(LT_LIT("user")), NULL, print_user, NULL, err);
}

int cmd_user(int argc, char **argv)
{
    static const char synopsis[] = "user add LOGIN|passwd LOGIN|list --data DIR [--name NAME] [--role ROLE] "
                                   "[--territory CODE] [--enterprise CODE]";
    struct job j = {0};
    const struct opt opts[] = {{"--data", OPT_TEXT, &j.data, "DIR", "data directory (required)"},
                               {"--name", OPT_TEXT, &j.name, "NAME", "full name (default: the login)"},
                               {"--role", OPT_TEXT, &j.role, "ROLE", "role code (default: duty)"},
                               {"--territory", OPT_TEXT, &j.territory, "CODE", "division code of the user's territory"},
                               {"--enterprise", OPT_TEXT, &j.enterprise, "CODE", "credit code, for plants' users"}};
    const char *words[2] = {"", ""};
    size_t n = 0;
    struct lt_error err;
    int r = opt_parse(synopsis, opts, sizeof opts / sizeof opts[0], argc, argv, words, 2, &n);
    if (r)
        return r == 1 ? 0 : 2;
    bool is_list = strcmp(words[0], "list") == 0, is_add = strcmp(words[0], "add") == 0;
    if (!j.data || (!is_list && !is_add && strcmp(words[0], "passwd") != 0) || n != (is_list ? 1u : 2u)) {
        fprintf(stderr, "lantian user: wrong use: %s\n", synopsis);
        return 2;
    }
    enum lt_err e = open_db(&j, &err);
    if (e == LT_OK)
        e = is_list ? list(&j, &err) : is_add ? add(&j, words[1], &err) : passwd(&j, words[1], &err);
    sql_close(&j.db);
    return e == LT_OK ? 0 : tell_error("user", &err);
}
