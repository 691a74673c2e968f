/*
 * bench/plain_wordcount.c - what examples/wordcount is measured against: the
 * same answer from one thread, with nothing between the files and the table.
 *
 * It shares the walk, the scanner, the table and the report with that program,
 * so what differs is what actors, messages and processes cost and what they
 * gain. It reads each file whole, in one buffer, in the order of the walk.
 *
 * Usage: plain_wordcount PATH...   prints what wordcount --all PATH... prints.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "examples/wordcount/error.h"
#include "examples/wordcount/report.h"
#include "examples/wordcount/scan.h"
#include "examples/wordcount/table.h"
#include "examples/wordcount/walk.h"

static void complain(void *arg, const char *path, const char *why)
{
    unsigned *problems = arg;
    (*problems)++;
    (void)fprintf(stderr, "plain_wordcount: %s: %s\n", path, why);
}

static int count_file(wc_scan *scan, const char *path, unsigned *problems)
{
    uint64_t read_bytes;
    int os_error;
    const int fd = wc_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        complain(problems, path, wc_why(errno));
        return 0;
    }
    const int rc = wc_scan_file(scan, fd, 0, WC_TO_END, &read_bytes, &os_error);
    close(fd);
    if (rc == GR_EIO) {
        complain(problems, path, wc_why(os_error));
        return 0;
    }
    return rc;
}

static int count_all(wc_walk *walk, wc_table *table, unsigned *problems)
{
    wc_scan scan;
    wc_file file;
    int rc = wc_scan_init(&scan, table);
    while (rc == 0 && (rc = wc_walk_next(walk, &file)) == 1) {
        rc = count_file(&scan, file.path, problems);
    }
    wc_scan_fini(&scan);
    return rc;
}

int main(int argc, char **argv)
{
    wc_table table;
    wc_walk *walk = NULL;
    unsigned problems = 0;
    int os_error = 0;
    if (argc < 2) {
        (void)fputs("usage: plain_wordcount PATH...\n", stderr);
        return 2;
    }
    int rc = wc_table_init(&table, 0);
    if (rc == 0) {
        rc = wc_walk_new(&(wc_walk_opts){.paths = argv + 1,
                                         .paths_n = (size_t)argc - 1,
                                         .no_sizes = true,
                                         .problem = complain,
                                         .problem_arg = &problems},
                         &walk);
    }
    if (rc == 0) {
        rc = count_all(walk, &table, &problems);
    }
    if (rc == 0) {
        rc = wc_report(&table, &(wc_report_opts){0}, STDOUT_FILENO, &os_error);
    }
    wc_walk_free(walk);
    wc_table_fini(&table);
    if (rc != 0) {
        (void)fprintf(stderr, "plain_wordcount: error %d %s\n", rc,
                      os_error != 0 ? wc_why(os_error) : "");
    }
    return rc != 0 || problems > 0;
}
