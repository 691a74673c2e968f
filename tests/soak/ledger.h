/*
 * tests/soak/ledger.h - who died, and what was reported of it, run by run.
 *
 * Of a run three things are entered: each failure that it is about to have
 * (expected), each report of one, and its end, once, as a monitor tells it.
 * When it has ended with as many reports as failures its entry is closed, and
 * forgotten. So what is missing is an entry that stays, and so is what comes
 * twice: it opens one again.
 *
 * Threads: any.
 */
#ifndef GRI_TESTS_SOAK_LEDGER_H
#define GRI_TESTS_SOAK_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include <greenroom/greenroom.h>

enum { LEDGER_WHY_MAX = 192 };

/* Takes all its memory, so that it does not grow later. */
void ledger_init(void);
/* This run is about to fail, in one more way. */
void ledger_expect(gr_pid pid);
/* This run, a guest's, said that it has begun, and is watched from here on. */
void ledger_born(gr_pid pid);
/* A line of the log. If it is the first one of a crash report, it is entered.
 */
void ledger_report(const char *line);
/* A monitor told of its end. expect: nobody could say so before. */
void ledger_end(gr_pid pid, bool expect);
/* Entered so far. */
uint64_t ledger_failures(void);
uint64_t ledger_reports(void);
/* False: something did not fit, or an entry is open still, but of the guests
 * that run, at most so many; why names the run. */
bool ledger_is_even(unsigned running, char why[LEDGER_WHY_MAX]);

#endif /* GRI_TESTS_SOAK_LEDGER_H */
