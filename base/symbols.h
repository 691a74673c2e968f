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
 * systems run in it. It is bounded, and ends with the last of its users: what
 * is open, of the program and of its libraries, is closed then.
 *
 * Threads: any. Those who look for something new do so one at a time behind a
 * lock, as libdw asks for: the first question takes 40 ms and more, a new
 * address then some 10 us. What was asked for before takes some 100 ns, also
 * while another thread looks for something new. Not in a signal handler.
 */
#ifndef GRI_BASE_SYMBOLS_H
#define GRI_BASE_SYMBOLS_H

#include <stdbool.h>

#include <greenroom/crash.h>

/* Fills all of out. `returns`: the address is where a call returns to, and what
 * is meant is the call. */
void gri_symbol_find(const void *address, bool returns, gr_frame *out);
/* The same of an address that was asked for before. False: it was not, or is
 * forgotten; out is as it was. */
bool gri_symbol_known(const void *address, bool returns, gr_frame *out);
/* What the loader knows of it, at once: the file, the place in it, and the name
 * of a function that is exported. */
void gri_symbol_near(const void *address, bool returns, gr_frame *out);

/* A user comes, and goes. */
void gri_symbols_join(void);
void gri_symbols_leave(void);

#endif /* GRI_BASE_SYMBOLS_H */
