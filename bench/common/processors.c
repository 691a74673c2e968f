/*
 * bench/common/processors.c - see processors.h.
 */
#include <sched.h>

#include "bench/common/processors.h"

int bench_processors(bool one)
{
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) != 0) {
        return -1;
    }
    int n = 0;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            n++;
            if (one && n > 1) {
                CPU_CLR(cpu, &all);
            }
        }
    }
    if (!one) {
        return n;
    }
    return sched_setaffinity(0, sizeof all, &all) == 0 ? 1 : -1;
}
