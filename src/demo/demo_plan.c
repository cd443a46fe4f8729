/* The plan of the demonstration city: counties from the boundaries, plants drawn into them. */
#include "demo/demo.h"
#include "base/rand.h"
#include "base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

extern const char demo_boundaries_begin[], demo_boundaries_end[];

struct lt_slice demo_boundaries(void)
{
    return (struct lt_slice){demo_boundaries_begin, (size_t)(demo_boundaries_end - demo_boundaries_begin)};
}

static const struct {
    const char *zh, *en;
    unsigned weight; /* share of plants, in percent */
} industry_names[SIM_INDUSTRIES] = {
    {"热电", "Thermal Power", 5},
    {"钢铁", "Steel", 3},
    {"焦化", "Coking", 3},
    {"水泥", "Cement", 8},
    {"玻璃", "Glass", 4},
    {"铝业", "Aluminium", 7},
    {"耐火材料", "Refractory", 16},
    {"陶瓷", "Ceramics", 5},
    {"建材", "Brick", 9},
    {"铸造", "Casting", 12},
    {"石灰", "Lime", 4},
    {"化工", "Chemical", 8},
    {"涂装", "Coating", 7},
    {"环保能源", "Waste to Energy", 3},
    {"供热", "Heating", 6},
};

static const struct {
    const char *zh, *en;
} words[] = {{"晨光", "Chenguang"}, {"远山", "Yuanshan"}, {"长河", "Changhe"},  {"丰泽", "Fengze"},
             {"恒岳", "Hengyue"},   {"金穗", "Jinsui"},   {"瑞林", "Ruilin"},   {"东临", "Donglin"},
             {"嘉禾", "Jiahe"},     {"宏图", "Hongtu"},   {"银杏", "Yinxing"},  {"青峰", "Qingfeng"},
             {"伏牛", "Funiu"},     {"洛滨", "Luobin"},   {"万安", "Wanan"},    {"鼎新", "Dingxin"},
             {"凌云", "Lingyun"},   {"永固", "Yonggu"},   {"天工", "Tiangong"}, {"中原", "Zhongyuan"},
             {"明珠", "Mingzhu"},   {"赤霞", "Chixia"},   {"白云", "Baiyun"},   {"北邙", "Beimang"}};
enum { WORDS = sizeof words / sizeof words[0] };

/* Counties with more industry get more plants. By order of the boundaries. */
static const unsigned county_weight[14] = {3, 4, 3, 9, 16, 13, 8, 14, 6, 4, 6, 9, 4, 13};

static bool inside(const struct demo_ring *r, double x, double y)
{
    bool in = false;
    for (size_t i = 0, j = r->n - 1; i < r->n; j = i++)
        if ((r->p[i][1] > y) != (r->p[j][1] > y) &&
            x < (r->p[j][0] - r->p[i][0]) * (y - r->p[i][1]) / (r->p[j][1] - r->p[i][1]) + r->p[i][0])
            in = !in;
    return in;
}

static bool load_county(struct demo_county *c, json_t *feature)
{
    json_t *p = json_object_get(feature, "properties"), *g = json_object_get(feature, "geometry");
    json_t *ring = json_array_get(json_object_get(g, "coordinates"), 0), *center = json_object_get(p, "center");
    snprintf(c->code, sizeof c->code, "%06d", (int)json_integer_value(json_object_get(p, "adcode")));
    lt_text_copy(c->name, sizeof c->name, json_string_value(json_object_get(p, "name")));
    lt_text_copy(c->name_en, sizeof c->name_en, json_string_value(json_object_get(p, "name_en")));
    c->lon = json_number_value(json_array_get(center, 0));
    c->lat = json_number_value(json_array_get(center, 1));
    c->ring.n = json_array_size(ring);
    c->ring.p = calloc(c->ring.n ? c->ring.n : 1, sizeof *c->ring.p);
    for (size_t i = 0; c->ring.p && i < c->ring.n; i++) {
        json_t *point = json_array_get(ring, i);
        c->ring.p[i][0] = json_number_value(json_array_get(point, 0));
        c->ring.p[i][1] = json_number_value(json_array_get(point, 1));
    }
    return c->ring.p && c->ring.n > 3;
}

static unsigned pick(struct lt_rand *r, unsigned total, unsigned (*weight)(unsigned i))
{
    unsigned x = (unsigned)lt_rand_below(r, total), i = 0;
    while (x >= weight(i))
        x -= weight(i++);
    return i;
}

static unsigned weight_of_county(unsigned i)
{
    return county_weight[i];
}

static unsigned weight_of_industry(unsigned i)
{
    return industry_names[i].weight;
}

/* A point of the county, towards its middle, so that plants stand in the settled part. */
static void place(struct lt_rand *r, const struct demo_county *c, double *lon, double *lat)
{
    double box[4] = {1e9, 1e9, -1e9, -1e9};
    for (size_t i = 0; i < c->ring.n; i++) {
        box[0] = c->ring.p[i][0] < box[0] ? c->ring.p[i][0] : box[0];
        box[1] = c->ring.p[i][1] < box[1] ? c->ring.p[i][1] : box[1];
        box[2] = c->ring.p[i][0] > box[2] ? c->ring.p[i][0] : box[2];
        box[3] = c->ring.p[i][1] > box[3] ? c->ring.p[i][1] : box[3];
    }
    for (int tries = 0; tries < 200; tries++) {
        double x = box[0] + (box[2] - box[0]) * lt_rand_unit(r), y = box[1] + (box[3] - box[1]) * lt_rand_unit(r);
        x += (c->lon - x) * 0.35;
        y += (c->lat - y) * 0.35;
        if (inside(&c->ring, x, y)) {
            *lon = x;
            *lat = y;
            return;
        }
    }
    *lon = c->lon;
    *lat = c->lat;
}

static void make_plant(struct demo_plan *p, struct lt_rand *r, size_t i)
{
    static const char *const grades[] = {"A", "B", "B", "C", "C", "C", "D", "none"};
    struct demo_plant *t = &p->plant[i];
    t->county = pick(r, 112, weight_of_county);
    t->industry = (enum sim_industry)pick(r, 100, weight_of_industry);
    const struct demo_county *c = &p->county[t->county];
    unsigned w = (unsigned)lt_rand_below(r, WORDS), number = (unsigned)(i / WORDS);
    char serial[16] = "";
    if (number)
        snprintf(serial, sizeof serial, "%u", number + 1);
    size_t short_n = strlen(c->name) > 6 ? 6 : strlen(c->name) - 3; /* two characters, without 区 or 县 */
    snprintf(t->name, sizeof t->name, "%.*s%s%s%s有限公司", (int)short_n, c->name, words[w].zh, serial,
             industry_names[t->industry].zh);
    snprintf(t->name_en, sizeof t->name_en, "%.*s %s%s %s Co., Ltd.", (int)strcspn(c->name_en, " "), c->name_en,
             words[w].en, serial, industry_names[t->industry].en);
    /* the form of a unified social credit code; the organisation part starts with DEMO and belongs to nobody */
    snprintf(t->code, sizeof t->code, "91%sDEMO%05uX", c->code, (unsigned)(i % 100000));
    snprintf(t->address, sizeof t->address, "%s演示产业园 %u 号", c->name, (unsigned)lt_rand_below(r, 180) + 1);
    place(r, c, &t->lon, &t->lat);
    t->grade = grades[lt_rand_below(r, sizeof grades / sizeof grades[0])];
    t->protected_ = t->industry == SIM_HEATING || t->industry == SIM_WASTE_INCINERATION;
    unsigned most = t->industry <= SIM_CEMENT ? 5 : 3;
    t->outlets = 1 + (unsigned)lt_rand_below(r, most);
}

struct demo_plan *demo_plan_create(uint64_t seed, unsigned outlets)
{
    struct demo_plan *p = calloc(1, sizeof *p);
    struct lt_slice text = demo_boundaries();
    json_t *root = json_loadb(text.p, text.n, 0, NULL), *features = json_object_get(root, "features");
    if (p)
        *p = (struct demo_plan){
            .seed = seed, .county = calloc(14, sizeof *p->county), .plant = calloc(outlets, sizeof *p->plant)};
    bool ok = p && p->county && p->plant && json_array_size(features) == 14;
    for (size_t i = 0; ok && i < 14; i++, p->counties++)
        ok = load_county(&p->county[i], json_array_get(features, i));
    json_decref(root);
    struct lt_rand r;
    lt_rand_init(&r, seed ^ UINT64_C(0xC17E));
    while (ok && p->outlets < outlets) {
        struct demo_plant *t = &p->plant[p->plants];
        make_plant(p, &r, p->plants);
        if (t->outlets > outlets - p->outlets)
            t->outlets = outlets - p->outlets;
        t->first_outlet = p->outlets;
        p->outlets += t->outlets;
        p->plants++;
    }
    if (!ok)
        demo_plan_destroy(&p);
    return p;
}

void demo_plan_destroy(struct demo_plan **p)
{
    if (!*p)
        return;
    for (size_t i = 0; (*p)->county && i < 14; i++)
        free((*p)->county[i].ring.p);
    free((*p)->county);
    free((*p)->plant);
    free(*p);
    *p = NULL;
}

void demo_device(const struct demo_plan *plan, unsigned outlet, enum sim_industry industry, int tz_min,
                 struct sim_device *ret)
{
    sim_device_init(ret, outlet, plan->seed, industry);
    ret->tz_min = tz_min;
}

struct sim_device *demo_devices(const struct demo_info *info, int tz_min, size_t *ret_n)
{
    struct demo_plan *p = demo_plan_create(info->seed, info->outlets);
    struct sim_device *d = p ? calloc(p->outlets + DEMO_AIR_LIVE, sizeof *d) : NULL;
    for (size_t i = 0; d && i < p->plants; i++)
        for (unsigned o = 0; o < p->plant[i].outlets; o++)
            demo_device(p, p->plant[i].first_outlet + o, p->plant[i].industry, tz_min,
                        &d[p->plant[i].first_outlet + o]);
    for (size_t i = 0; d && i < demo_air_stations(p); i++) {
        struct demo_air_station s;
        demo_air_station(p, i, tz_min, &s);
        if (s.live < 0)
            continue;
        struct sim_device *a = &d[p->outlets + (unsigned)s.live];
        sim_air_device_init(a, (unsigned)s.live, p->seed, &s.place);
        a->tz_min = tz_min;
    }
    *ret_n = d ? p->outlets + DEMO_AIR_LIVE : 0;
    demo_plan_destroy(&p);
    return d;
}
