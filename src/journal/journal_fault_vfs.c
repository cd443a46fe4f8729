/* See journal_fault_vfs.h. */
#include "journal/journal_fault_vfs.h"
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs shim_vfs;
static sqlite3_io_methods methods;
static atomic_int calls, fail_from = 1 << 30, fail_to = 1 << 30, fault_kind;
static atomic_bool fired;

void fault_vfs_arm(enum fault_kind kind, int after, int times)
{
    atomic_store(&fault_kind, (int)kind);
    atomic_store(&calls, 0);
    atomic_store(&fired, false);
    atomic_store(&fail_to, after + times);
    atomic_store(&fail_from, after);
}

void fault_vfs_disarm(void)
{
    atomic_store(&fail_from, 1 << 30);
    atomic_store(&fail_to, 1 << 30);
}

bool fault_vfs_fired(void)
{
    return atomic_load(&fired);
}

static bool fails(bool is_sync)
{
    if (atomic_load(&fault_kind) == FAULT_SYNC_LIES && !is_sync)
        return false;
    const int n = atomic_fetch_add(&calls, 1);
    const bool f = n >= atomic_load(&fail_from) && n < atomic_load(&fail_to);
    if (f)
        atomic_store(&fired, true);
    return f;
}

static int error_of(int ioerr)
{
    return atomic_load(&fault_kind) == FAULT_FULL ? SQLITE_FULL : ioerr;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct shim_file *)(void *)f)->real;
}

static int x_close(sqlite3_file *f)
{
    struct shim_file *s = (struct shim_file *)(void *)f;
    const int rc = s->real->pMethods ? s->real->pMethods->xClose(s->real) : SQLITE_OK;
    free(s->real);
    s->real = NULL;
    return rc;
}

static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    if (fails(false))
        return error_of(SQLITE_IOERR_WRITE);
    return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 n)
{
    if (fails(false))
        return error_of(SQLITE_IOERR_TRUNCATE);
    return real_of(f)->pMethods->xTruncate(real_of(f), n);
}

static int x_sync(sqlite3_file *f, int flags)
{
    if (!fails(true))
        return real_of(f)->pMethods->xSync(real_of(f), flags);
    if (atomic_load(&fault_kind) == FAULT_SYNC_LIES)
        real_of(f)->pMethods->xSync(real_of(f), flags);
    return SQLITE_IOERR_FSYNC;
}

static int x_size(sqlite3_file *f, sqlite3_int64 *n)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), n);
}

static int x_lock(sqlite3_file *f, int l)
{
    return real_of(f)->pMethods->xLock(real_of(f), l);
}

static int x_unlock(sqlite3_file *f, int l)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), l);
}

static int x_check(sqlite3_file *f, int *r)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), r);
}

static int x_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int x_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int x_device(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int x_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **p)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, p);
}

static int x_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void x_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int x_shm_unmap(sqlite3_file *f, int remove)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static int x_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct shim_file *s = (struct shim_file *)(void *)f;
    s->base.pMethods = NULL;
    if ((flags & SQLITE_OPEN_CREATE) && fails(false))
        return SQLITE_CANTOPEN;
    s->real = calloc(1, (size_t)real_vfs->szOsFile);
    if (!s->real)
        return SQLITE_NOMEM;
    const int rc = real_vfs->xOpen(real_vfs, name, s->real, flags, out);
    if (s->real->pMethods) {
        s->base.pMethods = &methods;
    } else {
        free(s->real);
        s->real = NULL;
    }
    return rc;
}

void fault_vfs_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    shim_vfs = *real_vfs;
    shim_vfs.zName = "fault";
    shim_vfs.pNext = NULL;
    shim_vfs.szOsFile = (int)sizeof(struct shim_file);
    shim_vfs.xOpen = x_open;
    methods = (sqlite3_io_methods){.iVersion = 2,
                                   .xClose = x_close,
                                   .xRead = x_read,
                                   .xWrite = x_write,
                                   .xTruncate = x_truncate,
                                   .xSync = x_sync,
                                   .xFileSize = x_size,
                                   .xLock = x_lock,
                                   .xUnlock = x_unlock,
                                   .xCheckReservedLock = x_check,
                                   .xFileControl = x_control,
                                   .xSectorSize = x_sector,
                                   .xDeviceCharacteristics = x_device,
                                   .xShmMap = x_shm_map,
                                   .xShmLock = x_shm_lock,
                                   .xShmBarrier = x_shm_barrier,
                                   .xShmUnmap = x_shm_unmap};
    sqlite3_vfs_register(&shim_vfs, 1);
}
