/* Files of proof: read whole with a limit, written whole or not at all. */
#include "proof/proof_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum lt_err proof_mkdir(const char *path, unsigned mode, struct lt_error *err)
{
    if (mkdir(path, (mode_t)mode) == 0)
        return proof_sync_parent(path, err); /* or a file in it is durable in a directory that is not */
    return errno == EEXIST ? LT_OK : lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
}

enum lt_err proof_read(const char *path, struct lt_buf *out, struct lt_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lt_fail(err, errno == ENOENT ? LT_E_NOT_FOUND : LT_E_IO, NULL, path, strerror(errno), NULL);
    struct stat st;
    enum lt_err e = fstat(fd, &st) == 0 ? LT_OK : lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    size_t size = e == LT_OK && st.st_size > 0 ? (size_t)st.st_size : 0, got = 0;
    if (e == LT_OK && (!S_ISREG(st.st_mode) || size > out->limit - out->n))
        e = lt_fail(err, LT_E_TOO_LARGE, NULL, path, "the limit", NULL);
    char *p = e == LT_OK && size ? lt_buf_reserve(out, size) : NULL;
    if (e == LT_OK && size && !p)
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    while (e == LT_OK && got < size) {
        ssize_t n = read(fd, p + got, size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            e = lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    out->n += got;
    close(fd);
    return e;
}

enum lt_err proof_sync_parent(const char *path, struct lt_error *err)
{
    char dir[PROOF_PATH];
    snprintf(dir, sizeof dir, "%.1000s", path);
    char *slash = strrchr(dir, '/');
    if (slash)
        *slash = '\0';
    int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int no = errno;
    if (fd >= 0)
        close(fd);
    return ok ? LT_OK : lt_fail(err, LT_E_IO, NULL, path, strerror(no), NULL);
}

enum lt_err proof_write(const char *path, unsigned mode, struct lt_slice bytes, struct lt_error *err)
{
    enum lt_err e = proof_write_unsynced(path, mode, bytes, err);
    return e == LT_OK ? proof_sync_parent(path, err) : e;
}

enum lt_err proof_write_unsynced(const char *path, unsigned mode, struct lt_slice bytes, struct lt_error *err)
{
    char part[PROOF_PATH];
    snprintf(part, sizeof part, "%.1000s.part", path);
    unlink(part); /* of a post that was killed: perhaps read-only, which its owner could not open for writing */
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
    bool ok = fd >= 0;
    for (size_t at = 0; ok && at < bytes.n;) {
        ssize_t n = write(fd, bytes.p + at, bytes.n - at);
        if (n < 0 && errno == EINTR)
            continue;
        ok = n > 0;
        at += ok ? (size_t)n : 0;
    }
    ok = ok && fsync(fd) == 0;
    if (fd >= 0 && close(fd) != 0)
        ok = false;
    ok = ok && rename(part, path) == 0;
    if (ok)
        return LT_OK;
    int no = errno;
    if (fd >= 0)
        unlink(part);
    return lt_fail(err, no == ENOSPC ? LT_E_DISK_FULL : LT_E_IO, NULL, path, strerror(no), NULL);
}
