/*
 * process/folder.c - a fresh folder for a socket.
 *
 * Whoever made a folder holds a lock on it for as long as its process lives
 * (flock: the kernel drops it with the last descriptor). So a folder that can
 * be locked is nobody's, and the next program of this user removes it. Between
 * a maker's mkdtemp and its flock such a sweeper may come first: then the maker
 * finds its folder gone, or locked, and makes another.
 */
#include "process/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <greenroom/error.h>

#define PREFIX   ".greenroom-nodes-"
#define TEMPLATE PREFIX "XXXXXX"

/* Another sweeper would have to come at the wrong moment each time. */
enum { TRIES = 16 };

/* Opens and locks a folder that is ours; -1 if somebody lives in it. */
static int lock_folder(int base, const char *name)
{
    struct stat status;
    const int fd =
        openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, &status) != 0 || status.st_uid != geteuid() ||
        flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Somebody else's folder may have such a name. Ours is for its owner alone, and
 * holds a socket or nothing. */
static bool is_ours(int fd)
{
    struct stat folder;
    struct stat node;
    return fstat(fd, &folder) == 0 && (folder.st_mode & 07777) == 0700 &&
           (fstatat(fd, GRI_FOLDER_SOCKET, &node, AT_SYMLINK_NOFOLLOW) != 0 ||
            S_ISSOCK(node.st_mode));
}

/* Removes what the dead have left; nothing of it is worth an error. */
static void sweep(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return;
    }
    /* readdir is safe here: nobody else reads this stream. */
    for (struct dirent *e; (e = readdir(folder)) != NULL;) { /* NOLINT */
        if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0 ||
            strlen(e->d_name) != strlen(TEMPLATE)) {
            continue;
        }
        const int fd = lock_folder(dirfd(folder), e->d_name);
        if (fd >= 0 && is_ours(fd)) {
            (void)unlinkat(fd, GRI_FOLDER_SOCKET, 0);
            (void)unlinkat(dirfd(folder), e->d_name, AT_REMOVEDIR);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    (void)closedir(folder);
}

/* Makes one folder and locks it: GR_EAGAIN if a sweeper was quicker. */
static int try_make(gri_folder *folder, const char *base)
{
    struct stat by_path;
    struct stat by_lock;
    const int n =
        snprintf(folder->path, sizeof(folder->path), "%s/%s", base, TEMPLATE);
    if (n < 0 || (size_t)n >= sizeof(folder->path) ||
        mkdtemp(folder->path) == NULL) {
        return GR_EIO;
    }
    folder->lock = lock_folder(AT_FDCWD, folder->path);
    if (folder->lock < 0) {
        (void)rmdir(folder->path);
        return GR_EAGAIN;
    }
    if (stat(folder->path, &by_path) != 0 ||
        fstat(folder->lock, &by_lock) != 0 ||
        by_path.st_ino != by_lock.st_ino) {
        (void)close(folder->lock);
        return GR_EAGAIN;
    }
    return 0;
}

int gri_folder_init_in(gri_folder *folder, const char *base)
{
    sweep(base);
    int rc = GR_EAGAIN;
    for (int i = 0; i < TRIES && rc == GR_EAGAIN; i++) {
        rc = try_make(folder, base);
    }
    return rc == GR_EAGAIN ? GR_EIO : rc;
}

int gri_folder_init(gri_folder *folder)
{
    /* Races only with a program that changes its environment meanwhile. */
    const char *base = getenv("XDG_RUNTIME_DIR"); /* NOLINT */
    if (base != NULL && base[0] == '/' &&
        gri_folder_init_in(folder, base) == 0) {
        return 0;
    }
    return gri_folder_init_in(folder, "/tmp");
}

void gri_folder_fini(gri_folder *folder)
{
    /* The transport has removed the socket already, or will find it gone. */
    (void)unlinkat(folder->lock, GRI_FOLDER_SOCKET, 0);
    (void)rmdir(folder->path);
    (void)close(folder->lock);
}
