/* The keeper: a thread that checkpoints the WAL of the day being written, so that commits seldom pay for it, and
 * finishes days that are over. It has its own connection. The writer itself makes the last, small checkpoint after
 * the keeper's (journal.c): only then can SQLite begin the WAL anew. Failures are not fatal: the WAL keeps what is
 * not copied yet, and the next request tries again. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "journal/journal_priv.h"

#define FINISH_MAX 16 /* days waiting to be finished; more come only when the clock jumps, and are left as they are */

struct journal_keeper {
    char dir[JOURNAL_PATH_MAX];
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t wake, idle;
    bool stop, busy, rest;
    int want; /* day to checkpoint, 0 none */
    int finish[FINISH_MAX];
    size_t finish_n;
    atomic_bool caught_up;
    sqlite3 *db; /* the thread's own */
    int db_day;
};

static void drop(struct journal_keeper *k)
{
    sqlite3_close(k->db);
    k->db = NULL;
    k->db_day = 0;
}

static void checkpoint(struct journal_keeper *k, int day)
{
    if (k->db_day != day) {
        drop(k);
        char path[JOURNAL_PATH_MAX];
        journal_file_path(k->dir, day, path);
        if (sqlite3_open_v2(path, &k->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
            drop(k);
            return;
        }
        sqlite3_db_config(k->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        if (sqlite3_exec(k->db, "PRAGMA synchronous=FULL;PRAGMA cache_size=-1024", NULL, NULL, NULL) != SQLITE_OK) {
            drop(k);
            return;
        }
        k->db_day = day;
    }
    if (sqlite3_wal_checkpoint_v2(k->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
        atomic_store(&k->caught_up, true);
    else
        drop(k);
}

static void *keep(void *arg)
{
    struct journal_keeper *k = arg;
    pthread_setname_np(pthread_self(), "lt-keeper");
    pthread_mutex_lock(&k->mu);
    for (;;) {
        while (!k->stop && !k->want && !k->finish_n && !k->rest) {
            k->busy = false;
            pthread_cond_broadcast(&k->idle);
            pthread_cond_wait(&k->wake, &k->mu);
        }
        if (k->stop && !k->finish_n)
            break;
        const bool rest = k->rest;
        const int want = k->want, finish = k->finish_n ? k->finish[k->finish_n - 1] : 0;
        k->rest = false;
        k->want = 0;
        k->finish_n -= k->finish_n > 0;
        k->busy = true;
        pthread_mutex_unlock(&k->mu);
        if (rest || (finish && finish == k->db_day))
            drop(k);
        if (finish && journal_file_finish(k->dir, finish, NULL) != LT_OK) {
            /* left in WAL mode: readers cope, and journal_recompress finishes it when the day's turn comes */
        }
        if (want && !rest)
            checkpoint(k, want);
        pthread_mutex_lock(&k->mu);
    }
    pthread_mutex_unlock(&k->mu);
    drop(k);
    return NULL;
}

struct journal_keeper *journal_keeper_start(const char *dir)
{
    struct journal_keeper *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    snprintf(k->dir, sizeof k->dir, "%s", dir);
    pthread_mutex_init(&k->mu, NULL);
    pthread_cond_init(&k->wake, NULL);
    pthread_cond_init(&k->idle, NULL);
    if (pthread_create(&k->thread, NULL, keep, k) != 0) {
        free(k);
        return NULL;
    }
    return k;
}

void journal_keeper_stop(struct journal_keeper **kp)
{
    struct journal_keeper *k = *kp;
    *kp = NULL;
    if (!k)
        return;
    pthread_mutex_lock(&k->mu);
    k->stop = true;
    pthread_cond_broadcast(&k->wake);
    pthread_mutex_unlock(&k->mu);
    pthread_join(k->thread, NULL);
    pthread_mutex_destroy(&k->mu);
    pthread_cond_destroy(&k->wake);
    pthread_cond_destroy(&k->idle);
    free(k);
}

void journal_keeper_checkpoint(struct journal_keeper *k, int day)
{
    pthread_mutex_lock(&k->mu);
    if (!k->busy) { /* one at a time; while it runs a new request would only repeat it */
        k->want = day;
        pthread_cond_signal(&k->wake);
    }
    pthread_mutex_unlock(&k->mu);
}

bool journal_keeper_caught_up(struct journal_keeper *k)
{
    return atomic_load(&k->caught_up) && atomic_exchange(&k->caught_up, false);
}

void journal_keeper_finish(struct journal_keeper *k, int day)
{
    pthread_mutex_lock(&k->mu);
    if (k->finish_n < FINISH_MAX)
        k->finish[k->finish_n++] = day;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->mu);
}

void journal_keeper_rest(struct journal_keeper *k)
{
    pthread_mutex_lock(&k->mu);
    k->rest = true;
    k->busy = true;
    pthread_cond_signal(&k->wake);
    while (k->busy)
        pthread_cond_wait(&k->idle, &k->mu);
    pthread_mutex_unlock(&k->mu);
}
