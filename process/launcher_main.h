/* process/launcher_main.h - the launcher, as its own process sees it. */
#ifndef GRI_PROCESS_LAUNCHER_MAIN_H
#define GRI_PROCESS_LAUNCHER_MAIN_H

/*
 * Serves the program at the other end of GRI_CONTROL_FD until that is closed,
 * or the program dies, or SIGTERM; then kills all that it started and all that
 * those left, and ends the process.
 */
_Noreturn void gri_launcher_main(void);

#endif /* GRI_PROCESS_LAUNCHER_MAIN_H */
