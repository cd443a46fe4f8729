/* A VFS for tests: passes everything on to the system's, and makes the n-th write, sync, truncate or open fail. Test
 * code only. */
#ifndef LT_JOURNAL_FAULT_VFS_H
#define LT_JOURNAL_FAULT_VFS_H
#include <stdbool.h>

enum fault_kind { FAULT_FULL, FAULT_IOERR, FAULT_SYNC_LIES, FAULT_KINDS };
/* FULL: SQLITE_FULL, nothing is written. IOERR: SQLITE_IOERR_…, nothing is done. SYNC_LIES: only syncs count; the
 * write-back is done, yet an error is reported (the batch may be there after all). */

void fault_vfs_install(void); /* becomes the default VFS; once per process */
/* Lets `after` counted calls pass, then `times` of them fail. */
void fault_vfs_arm(enum fault_kind kind, int after, int times);
void fault_vfs_disarm(void);
bool fault_vfs_fired(void);
#endif
