/* Tests of the configuration: defaults, files, faults with file and line. */
#include "main/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static enum lt_err load(const char *text, struct config *c, struct lt_error *err)
{
    char path[] = "/tmp/lantian-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    enum lt_err e = config_load(c, path, err);
    unlink(path);
    return e;
}

static void a_file_is_laid_over_the_defaults(void **state)
{
    static struct config c;
    struct lt_error err;
    config_defaults(&c);
    assert_string_equal(c.enroll, "closed");
    assert_int_equal(load("# a post\nenroll = \"open\"\nmax_conns = 500\ncity_name = \"临汾市\"\n", &c, &err), LT_OK);
    assert_string_equal(c.enroll, "open");
    assert_int_equal(c.max_conns, 500);
    assert_string_equal(c.city_name, "临汾市");
    assert_int_equal(c.keep_rejects, 1000);
}

static void faults_name_file_and_line(void **state)
{
    static struct config c;
    struct lt_error err;
    char text[700];
    config_defaults(&c);
    assert_int_equal(load("max_conns = 500\nnonsense = 1\n", &c, &err), LT_E_CONF);
    assert_string_equal(err.arg[1], "2");
    lt_error_text(&err, LT_EN, text, sizeof text);
    assert_non_null(strstr(text, "nonsense"));
    assert_int_equal(load("max_conns = many\n", &c, &err), LT_E_CONF);
    assert_int_equal(load("max_conns = 5\n", &c, &err), LT_E_FIELD_RANGE);
    assert_int_equal(load("max_pending = 0\n", &c, &err), LT_E_FIELD_RANGE); /* would mean the default, not none */
    assert_int_equal(load("keep_rejects = 0\n", &c, &err), LT_E_FIELD_RANGE);
    assert_int_equal(load("enroll = \"maybe\"\n", &c, &err), LT_E_FIELD_CHOICE);
    assert_int_equal(load("http = \"nonsense\"\n", &c, &err), LT_E_FIELD_FORMAT);
    assert_int_equal(load("hj212 = \"0.0.0.0\"\n", &c, &err), LT_E_FIELD_FORMAT);
    assert_int_equal(load("first_connect = \"maybe\"\n", &c, &err), LT_E_FIELD_CHOICE);
    assert_int_equal(load("tls_cert = \"a.pem\"\n", &c, &err), LT_E_FIELD_REQUIRED);
    assert_int_equal(c.max_conns, 18000); /* untouched */
    assert_int_equal(config_load(&c, "/nonexistent/lantian.conf", &err), LT_E_IO);
}

static void what_is_printed_can_be_read(void **state)
{
    static struct config c, again;
    struct lt_error err;
    char path[] = "/tmp/lantian-config-XXXXXX";
    config_defaults(&c);
    c.max_rate = 77;
    FILE *f = fdopen(mkstemp(path), "w");
    assert_non_null(f);
    config_print(&c, f);
    fclose(f);
    config_defaults(&again);
    assert_int_equal(config_load(&again, path, &err), LT_OK);
    unlink(path);
    assert_memory_equal(&c, &again, sizeof c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_file_is_laid_over_the_defaults),
                                       cmocka_unit_test(faults_name_file_and_line),
                                       cmocka_unit_test(what_is_printed_can_be_read)};
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
