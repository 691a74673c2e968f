/*
 * base/write.h - all of a text to a descriptor: for anybody, and for a process
 * that is about to end. Safe in a signal handler.
 */
#ifndef GRI_BASE_WRITE_H
#define GRI_BASE_WRITE_H

#include <stdbool.h>
#include <stddef.h>

/* Waits for as long as it takes. False: an error; some may be written. */
bool gri_write(int fd, const char *text, size_t n);

/*
 * The same for the last words of a process, which must end whether somebody
 * reads them or not. The words of all its threads together wait for half a
 * second at most; then what finds no room is dropped. False: some was.
 *
 * Pipes only are sure to have room for what is written at once. Where others
 * write to the same pipe at that very moment, one of them may be quicker: then
 * this one waits for its reader.
 */
bool gri_write_last(int fd, const char *text, size_t n);
/* Binds the functions that it calls, which the loader may do at their first use
 * only: not in a handler, then. */
void gri_write_prepare(void);

#endif /* GRI_BASE_WRITE_H */
