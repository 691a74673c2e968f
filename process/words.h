/*
 * process/words.h - the last words of a process actor that faults: signal,
 * address and backtrace, from its signal handler to the report at its parent.
 *
 * Both have the same executable and libraries, at other addresses: so an
 * address travels as an object and the place in it.
 */
#ifndef GRI_PROCESS_WORDS_H
#define GRI_PROCESS_WORDS_H

#include "base/fault.h"
#include "process/wire.h"

/* Writes one FAULTED, if the socket has room for all of it. In a signal
 * handler: no lock, no memory, no waiting. */
void gri_words_send(int control, const gri_fault *fault);

/* The fault of a FAULTED whose head and body are good, at addresses of this
 * process. What stands in no code here has the address NULL. The caller's, to
 * be freed. NULL: no memory. In ordinary code: the loader's lock is taken. */
gri_fault *gri_words_read(const uint8_t *body);

#endif /* GRI_PROCESS_WORDS_H */
