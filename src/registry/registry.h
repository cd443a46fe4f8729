/* registry: what the gateway must know of each device, as an immutable snapshot that is swapped whole.
 * Readers take the current snapshot, use it, release it; a reload builds a new one from the device records. */
#ifndef LT_REGISTRY_H
#define LT_REGISTRY_H
#include "base/err.h"
#include "base/slice.h"

struct sql_db;

enum registry_status { REGISTRY_PENDING, REGISTRY_ACTIVE, REGISTRY_DISABLED };

enum registry_upload { REGISTRY_UPLOAD_KEEP, REGISTRY_UPLOAD_ON, REGISTRY_UPLOAD_OFF };

struct registry_net { /* IPv4 is mapped to IPv6 */
    uint8_t addr[16];
    uint8_t bits;
};
struct registry_device {
    uint32_t id; /* number of the device record */
    char mn[65];
    char pw[25];     /* "" : any password is taken */
    uint8_t status;  /* enum registry_status */
    uint8_t n_allow; /* 0: from anywhere */
    struct registry_net allow[8];
    uint32_t tolerate; /* HJ212_TOL() bits */
    bool has_key;
    uint8_t sm4_key[16];
    uint16_t rtd_interval_s, min_interval_min;
    uint8_t over_time_s, resends;     /* of requests, set by command 1000; 0: as HJ 212-2017 Table 1 */
    uint8_t rtd_upload, state_upload; /* enum registry_upload */
};

#define REGISTRY_MAX 200000 /* devices; derivation: ten times what one post can hold connected */

struct registry;
struct registry_snapshot;
struct registry *registry_create(void);
void registry_destroy(struct registry **r);
/* Reads table `device`; on failure the old snapshot stays. */
enum lt_err registry_reload(struct registry *r, struct sql_db *db, struct lt_error *err) LT_MUST_CHECK;
/* Takes the devices from memory instead; MNs must be unique and not empty. On failure the old snapshot stays. */
enum lt_err registry_load_rows(struct registry *r, const struct registry_device *rows, size_t n,
                               struct lt_error *err) LT_MUST_CHECK;
const struct registry_snapshot *registry_acquire(struct registry *r);
void registry_release(struct registry *r, const struct registry_snapshot *s);
const struct registry_device *registry_find(const struct registry_snapshot *s, struct lt_slice mn);
size_t registry_count(const struct registry_snapshot *s);
uint64_t registry_version(const struct registry_snapshot *s);
/* Parses "10.1.0.0/16, 192.168.1.5" to at most 8 nets. */
bool registry_parse_allow(struct lt_slice text, struct registry_net ret[8], uint8_t *ret_n);
/* Names of tolerances, added to HJ212_TOLERATE_DEFAULT: "crc_modbus, long_mn"; "strict" takes away what stands before
 * it and the default. Empty: the default. False on an unknown name. */
bool registry_parse_tolerate(struct lt_slice text, uint32_t *ret);
/* An SM4 key: 32 hex digits, of either case. */
bool registry_parse_key(struct lt_slice text, uint8_t ret[16]);
/* addr: IPv4 is mapped to IPv6. */
bool registry_allowed(const struct registry_device *d, const uint8_t addr[16]);
#endif
