/*
 * base/symbols.h - what stands at an address of this process's code: function,
 * source file and line.
 *
 * libdw (elfutils) knows it. It is loaded at the first question and not linked:
 * with what it needs it would cost each process of the program, child nodes
 * too, a start that is a millisecond longer, and most never ask. Where it is
 * not installed, or /proc is not mounted, dladdr answers, which knows exported
 * functions only. Nothing is ever fetched over a network.
 *
 * The process has one set of addresses, and so one table of answers, whatever
 * systems run in it; it lives as long as the process does, and is bounded.
 *
 * Threads: any, one at a time behind a lock, as libdw asks for. The first
 * question takes some 10 ms, an address that was asked for before some 100 ns.
 * Not in a signal handler.
 */
#ifndef GRI_BASE_SYMBOLS_H
#define GRI_BASE_SYMBOLS_H

#include <stdbool.h>

#include <greenroom/crash.h>

/* Fills all of out. `returns`: the address is where a call returns to, and what
 * is meant is the call. */
void gri_symbol_find(const void *address, bool returns, gr_frame *out);

#endif /* GRI_BASE_SYMBOLS_H */
