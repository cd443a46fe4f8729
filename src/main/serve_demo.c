/* The devices of the demonstration city, in a thread of their own, over real TCP to the post they live beside. */
#include "base/clock.h"
#include "base/log.h"
#include "demo/demo.h"
#include "gateway/gateway.h"
#include "main/opt.h"
#include "main/serve.h"
#include "sim/sim_client.h"
#include "sql/sql.h"

#include <stdio.h>
#include <stdlib.h>

static void *devices(void *user)
{
    struct serve *s = user;
    struct demo_info info;
    struct lt_error err;
    struct sim_report rep;
    char address[64], host[64];
    unsigned port;
    size_t n = 0;
    gateway_address(s->gateway, address);
    enum lt_err e = demo_read(s->cfg.data, &info, &err);
    struct sim_device *d = e == LT_OK ? demo_devices(&info, (int)s->cfg.tz_min, &n) : NULL;
    if (d && opt_host_port(address, host, sizeof host, &port)) {
        int64_t now = lt_wall_ms();
        struct sim_client_config cfg = {.host = host,
                                        .port = port,
                                        .devices = d,
                                        .n = (unsigned)n,
                                        .city = true,
                                        .window = 8,
                                        .stop = &s->sim_stop,
                                        .drain_ms = 2000,
                                        .history_from_ms =
                                            s->sim_from_ms > now - LT_DAY_MS ? s->sim_from_ms : now - LT_DAY_MS};
        e = sim_client_run(&cfg, &rep, &err);
    }
    if (e != LT_OK) {
        char text[512];
        lt_error_text(&err, LT_EN, text, sizeof text);
        lt_log(LT_ERROR, "demo.devices", "error=\"%s\"", text);
    }
    free(d);
    return NULL;
}

enum lt_err serve_demo_start(struct serve *s, struct lt_error *err)
{
    /* Real devices send what they kept while the post was away, a day of it at most: from the last data it has. */
    enum lt_err e =
        sql_get_i64(s->db, "SELECT coalesce(max(last_data_at_ms), 0) FROM device_state", NULL, &s->sim_from_ms, err);
    if (e != LT_OK)
        return e;
    atomic_store(&s->sim_stop, false);
    if (pthread_create(&s->sim_thread, NULL, devices, s) != 0)
        return lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    s->sim_started = true;
    return LT_OK;
}

void serve_demo_stop(struct serve *s)
{
    if (!s->sim_started)
        return;
    atomic_store(&s->sim_stop, true);
    pthread_join(s->sim_thread, NULL);
    s->sim_started = false;
}

void serve_demo_print(const struct serve *s)
{
    size_t n;
    const struct demo_account *a = demo_accounts(&n);
    printf("演示城市：企业、人员、数据与事件均为虚构。Demonstration city: every plant, person, value and event is "
           "invented.\n"
           "accounts 账号 (password 密码 %s):",
           DEMO_PASSWORD);
    for (size_t i = 0; i < n; i++)
        printf(" %s", a[i].login);
    putchar('\n');
}
