/*
 * bench/common/processors.h - on which processors a program runs.
 */
#ifndef BENCH_COMMON_PROCESSORS_H
#define BENCH_COMMON_PROCESSORS_H

#include <stdbool.h>

/* How many this process may use. With `one` it is held to one of them from now
 * on, and so is each process that it starts; before it has other threads.
 * -1: that cannot be. */
int bench_processors(bool one);

#endif /* BENCH_COMMON_PROCESSORS_H */
