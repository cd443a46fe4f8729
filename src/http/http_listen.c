/* Addresses, listening sockets and key files. */
#include "http/http_priv.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void http_address_text(const void *sockaddr, char ret[64], bool with_port)
{
    char host[INET6_ADDRSTRLEN] = "";
    const struct sockaddr *sa = sockaddr;
    unsigned port = 0;
    bool six = sa->sa_family == AF_INET6;
    if (six) {
        const struct sockaddr_in6 *s = sockaddr;
        port = ntohs(s->sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&s->sin6_addr)) {
            inet_ntop(AF_INET, &s->sin6_addr.s6_addr[12], host, sizeof host);
            six = with_port;
        } else {
            inet_ntop(AF_INET6, &s->sin6_addr, host, sizeof host);
        }
    } else if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *s = sockaddr;
        port = ntohs(s->sin_port);
        inet_ntop(AF_INET, &s->sin_addr, host, sizeof host);
    }
    if (with_port)
        snprintf(ret, 64, six ? "[%s]:%u" : "%s:%u", host, port);
    else
        snprintf(ret, 64, "%s", host);
}

/* "127.0.0.1:80" or "[::1]:80". */
static bool parse(const char *z, struct sockaddr_storage *ret, socklen_t *ret_n)
{
    char host[64];
    int64_t port;
    const char *colon = strrchr(z, ':');
    if (!colon || !lt_text_to_i64(lt_slice_of(colon + 1), &port) || port < 0 || port > 65535)
        return false;
    struct lt_slice h = {z, (size_t)(colon - z)};
    bool six = h.n > 2 && h.p[0] == '[' && h.p[h.n - 1] == ']';
    if (six)
        h = (struct lt_slice){h.p + 1, h.n - 2};
    if (h.n >= sizeof host)
        return false;
    lt_text_copy_slice(host, sizeof host, h);
    memset(ret, 0, sizeof *ret);
    if (six) {
        struct sockaddr_in6 *s = (struct sockaddr_in6 *)ret;
        s->sin6_family = AF_INET6;
        s->sin6_port = htons((uint16_t)port);
        *ret_n = sizeof *s;
        return inet_pton(AF_INET6, host, &s->sin6_addr) == 1;
    }
    struct sockaddr_in *s = (struct sockaddr_in *)ret;
    s->sin_family = AF_INET;
    s->sin_port = htons((uint16_t)port);
    *ret_n = sizeof *s;
    return inet_pton(AF_INET, host, &s->sin_addr) == 1;
}

int http_listen(const char *listen_on, char ret_address[64], struct lt_error *err)
{
    struct sockaddr_storage sa;
    socklen_t n;
    if (!parse(listen_on, &sa, &n)) {
        lt_fail(err, LT_E_LISTEN, NULL, listen_on, "expected ADDRESS:PORT, e.g. 127.0.0.1:8080 or [::]:8080", NULL);
        return -1;
    }
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (sa.ss_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, n) != 0 || listen(fd, 1024) != 0) {
        lt_fail(err, LT_E_LISTEN, NULL, listen_on, strerror(errno), NULL);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    n = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &n) == 0)
        http_address_text(&sa, ret_address, true);
    return fd;
}

enum lt_err http_read_file(const char *path, size_t limit, char **ret, struct lt_error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lt_fail(err, LT_E_IO, NULL, path, strerror(errno), NULL);
    enum lt_err e = LT_OK;
    char *text = NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size > limit)
        e = lt_fail(err, LT_E_IO, NULL, path, "not a file of the expected size", NULL);
    else if (!(text = calloc(1, (size_t)st.st_size + 1)))
        e = lt_fail(err, LT_E_NOMEM, NULL, NULL, NULL, NULL);
    else if (read(fd, text, (size_t)st.st_size) != st.st_size)
        e = lt_fail(err, LT_E_IO, NULL, path, "cannot be read whole", NULL);
    close(fd);
    if (e)
        free(text);
    else
        *ret = text;
    return e;
}
