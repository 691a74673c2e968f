/*
 * process/divert.h - a process that the library started does not run the
 * program's own main: here it leaves it.
 *
 * The program's binary is started again for its launcher and for all that the
 * launcher starts. The first argument, a marker, says what for; the environment
 * variable GRI_STARTED_BY holds the starter's process id. Both are needed:
 *   - A main that never comes here would run a second time. So a program that
 *     has not been here starts no launcher (gri_diverts).
 *   - A main that comes here with other arguments than its own would do the
 *     same, and start launchers in turn. The variable gives it away.
 *   - A process asks the kernel to be killed with its starter. If that died
 *     before, getppid is not the variable's any more.
 */
#ifndef GRI_PROCESS_DIVERT_H
#define GRI_PROCESS_DIVERT_H

#include <stdbool.h>

#define GRI_STARTED_BY "GREENROOM_STARTED_BY"

/*
 * To be called before main does anything else. Returns in the program itself,
 * and in a process whose marker is another's to act on (a child node's); there
 * the tie to the starter's life has been made. Does not return in a launcher,
 * nor where somebody used its marker by hand, or hid it: those end with a line
 * and status 2.
 * Threads: the main thread, before there are others.
 */
void gri_divert(int argc, char **argv);

/* True once gri_divert has returned in this process. Threads: any. */
bool gri_diverts(void);

/* True if argv[1] is that marker. */
bool gri_marker_is(int argc, char **argv, const char *marker);

/*
 * Opens /dev/null in place of those of descriptors 0 to 2 that are closed: else
 * the next descriptor of anybody would be one of them, and get what is meant
 * for a person. False: said so, as far as there is somebody to hear it.
 */
bool gri_fill_descriptors(const char *program);

#endif /* GRI_PROCESS_DIVERT_H */
