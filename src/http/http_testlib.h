/* A small blocking HTTP client on plain sockets for tests, so that requests can be as wrong as needed. */
#ifndef LT_HTTP_TESTLIB_H
#define LT_HTTP_TESTLIB_H
#include "base/slice.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct tc_reply {
    int status;
    size_t n;
    char text[65536]; /* head and body */
    const char *body;
};

static inline int tc_connect(const char *address)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    const char *colon = strrchr(address, ':');
    sa.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline bool tc_send(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w <= 0)
            return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

/* Reads until `until` stands in what came, the peer closes, or ms pass; returns bytes so far. */
static inline size_t tc_read(int fd, char *ret, size_t cap, const char *until, int ms)
{
    size_t n = 0;
    ret[0] = '\0';
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (n + 1 < cap && !(until && strstr(ret, until)) && poll(&p, 1, ms) > 0) {
        ssize_t r = recv(fd, ret + n, cap - 1 - n, 0);
        if (r <= 0)
            break;
        n += (size_t)r;
        ret[n] = '\0';
    }
    return n;
}

/* Sends raw bytes on a new connection and reads to its end ("Connection: close" is the caller's affair). */
static inline void tc_raw(const char *address, const char *raw, size_t n, struct tc_reply *ret)
{
    int fd = tc_connect(address);
    *ret = (struct tc_reply){.body = ""};
    if (fd < 0)
        return;
    tc_send(fd, raw, n);
    ret->n = tc_read(fd, ret->text, sizeof ret->text, NULL, 8000);
    close(fd);
    if (strncmp(ret->text, "HTTP/1.1 ", 9) == 0)
        ret->status = (int)strtol(ret->text + 9, NULL, 10);
    const char *end = strstr(ret->text, "\r\n\r\n");
    ret->body = end ? end + 4 : "";
}

/* headers: lines ending with CRLF, or "". */
static inline void tc_call(const char *address, const char *method, const char *target, const char *headers,
                           const char *body, struct tc_reply *ret)
{
    size_t cap = strlen(target) + strlen(headers) + strlen(body) + 256;
    char *raw = malloc(cap);
    int n =
        raw ? snprintf(raw, cap, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
                       method, target, headers, strlen(body), body)
            : 0;
    tc_raw(address, raw ? raw : "", n > 0 ? (size_t)n : 0, ret);
    free(raw);
}
#endif
