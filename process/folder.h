/*
 * process/folder.h - a fresh folder of one's own for a socket, and what earlier
 * programs left of theirs.
 */
#ifndef GRI_PROCESS_FOLDER_H
#define GRI_PROCESS_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* The socket's name in its folder. */
#define GRI_FOLDER_SOCKET "node"

enum {
    GRI_FOLDER_MAX = 100
}; /* bytes of path, so that a socket in it has at
      most the 107 of struct sockaddr_un */

typedef struct gri_folder {
    int lock; /* the folder itself, open and locked: somebody lives here */
    char path[GRI_FOLDER_MAX + 1];
} gri_folder;

/*
 * Makes a folder of mode 0700 below $XDG_RUNTIME_DIR, or below /tmp where that
 * is not set, too long or not writable. First removes folders of this user that
 * nobody lives in any more: those of programs that were killed.
 * Errors: GR_EIO (no such folder can be made, no descriptor).
 * Owns:   *folder ends with gri_folder_fini, which removes it.
 */
int gri_folder_init(gri_folder *folder);
/* The same below `base` only; for tests. */
int gri_folder_init_in(gri_folder *folder, const char *base);
void gri_folder_fini(gri_folder *folder);

#endif /* GRI_PROCESS_FOLDER_H */
