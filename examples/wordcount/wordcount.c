/*
 * wordcount - counts the words of files with supervised actors in several
 * processes, and is right whatever crashes meanwhile.
 *
 * This file is the program's entry; README.md says who does what.
 */
#include <greenroom/greenroom.h>

#include <malloc.h>
#include <sched.h>
#include <stdio.h>

#include "coordinator.h"
#include "counter.h"
#include "nodes.h"
#include "options.h"

#define LARGE_BLOCK (128 << 10) /* bytes; such blocks are the system's own */
#define ARENAS      2           /* where threads take their other blocks */
#define TOP_PAD     4096        /* bytes that a heap grows by beyond its need */
#define TOP_MAX     (128 << 10) /* bytes free at its end; more goes back */

/* The processors that this process may use. */
static unsigned processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return 1;
    }
    const int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

/* A counter for each processor, divided among the nodes. */
static unsigned default_workers(unsigned nodes)
{
    const unsigned n = nodes > 0 ? nodes : 1;
    const unsigned workers = (processors() + n - 1) / n;
    return workers < WC_WORKERS_MAX ? workers : WC_WORKERS_MAX;
}

/* The exit status after --help and --version. */
static int flush_stdout(void)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return 0;
    }
    (void)fprintf(stderr, "wordcount: cannot write to standard output\n");
    return WC_EXIT_FAILED;
}

static int app(gr_actor *self, int argc, char **argv)
{
    wc_options options;
    node_flags flags;
    if (!node_flags_take(&argc, argv, &flags)) {
        return WC_EXIT_USAGE;
    }
    switch (wc_options_parse(argc, argv, node_flags_any(&flags), &options)) {
    case WC_EXIT_OK:
        return flush_stdout();
    case WC_EXIT_USAGE_ERROR:
        return WC_EXIT_USAGE;
    case WC_RUN:
        break;
    }
    if (options.serves) {
        return wc_serve(self, &flags);
    }
    if (options.workers == 0) {
        options.workers = default_workers(options.nodes);
    }
    return wc_coordinate(self, &options, &flags);
}

/* With the message's head and what malloc adds. */
_Static_assert(WC_PART_MAX + 1024 < LARGE_BLOCK, "memory of parts is reused");

/*
 * Counts travel in messages whose memory is used again for the next ones. What
 * is larger goes back at once, so does what is free at the end, and two arenas
 * leave fewer holes than one for each thread: memory is the same after ten
 * times the text. 0 would mean that it is not as told, which is no reason to
 * stop.
 */
static void keep_memory_flat(void)
{
    /* No other thread runs yet. NOLINTBEGIN(concurrency-mt-unsafe) */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    (void)mallopt(M_ARENA_MAX, ARENAS);
    (void)mallopt(M_TOP_PAD, TOP_PAD);
    (void)mallopt(M_TRIM_THRESHOLD, TOP_MAX);
    /* NOLINTEND(concurrency-mt-unsafe) */
}

int main(int argc, char **argv)
{
    static const gr_behavior *const spawnable[] = {&wc_team, NULL};
    const gr_main_opts opts = {
        .app = app,
        .spawnable = spawnable,
        /* Crashes are reported by the program itself, where they matter. */
        /* What counters send is kept until it is merged: the counts of a chunk,
         * which --words-max bounds. */
        /* Who starts nodes by hand wants to know why one is refused. */
        .system = {.log_level =
                       node_flags_any_in(argv) ? GR_LOG_WARN : GR_LOG_ERROR,
                   .arena_max = SIZE_MAX},
    };
    keep_memory_flat();
    return gr_main_with(argc, argv, &opts);
}
