/* NCCL, of which only the version is asked.
 *
 * FAKE_NCCL_VERSION   the version that it tells, 23007 (2.30.7) unless set
 * FAKE_NCCL_ANSWER    what it answers, 0 (success) unless set */
#include "host.h"

code ncclGetVersion(int *version) {
    *version = number("FAKE_NCCL_VERSION", 23007);
    return number("FAKE_NCCL_ANSWER", 0);
}
