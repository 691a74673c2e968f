/*
 * wordcount/walk.c - a stack of folders instead of recursion.
 *
 * The path of the entry at hand is one growing buffer; each level knows how
 * much of it is its own. A level is an open folder, or, when too many are open,
 * the names that were left in it. Then its entries are reached by their path.
 */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define OPEN_MAX_LEVELS 32u /* open folders: far below any limit of files */

typedef struct level {
    DIR *dir;          /* NULL: names holds what is left of it */
    char *names;       /* a type byte, the name, a zero byte; and so on */
    size_t names_size; /* bytes used */
    size_t names_at;
    size_t path_len; /* of the folder's path, its last '/' included */
} level;

struct wc_walk {
    wc_walk_opts opts;
    size_t path_next; /* of opts.paths */
    level *levels;
    size_t depth, depth_room;
    size_t first_open; /* the levels before it are names only */
    char *path;
    size_t path_room;
};

const char *wc_why(int os_error)
{
    const char *text = strerrordesc_np(os_error);
    return text != NULL ? text : "unknown error";
}

/* Opens the first part of a long path that the system can take; *rest is what
 * follows. -1 with errno when a single name is too long. */
static int open_part(int base, const char **rest)
{
    char part[PATH_MAX];
    size_t len = PATH_MAX - 1;
    while (len > 0 && (*rest)[len - 1] != '/') {
        len--;
    }
    if (len == 0) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(part, *rest, len);
    part[len] = '\0';
    *rest += len;
    while (**rest == '/') {
        (*rest)++;
    }
    return openat(base, part, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int wc_open(const char *path, int flags)
{
    int base = AT_FDCWD;
    while (strlen(path) >= PATH_MAX) {
        const int next = open_part(base, &path);
        const int os_error = errno;
        if (base != AT_FDCWD) {
            close(base);
        }
        if (next < 0) {
            errno = os_error;
            return -1;
        }
        base = next;
    }
    const int fd = openat(base, *path == '\0' && base != AT_FDCWD ? "." : path,
                          flags | O_CLOEXEC);
    if (base != AT_FDCWD) {
        const int os_error = errno;
        close(base);
        errno = os_error;
    }
    return fd;
}

int wc_walk_new(const wc_walk_opts *opts, wc_walk **out)
{
    wc_walk *walk = calloc(1, sizeof(*walk));
    if (walk == NULL) {
        return GR_ENOMEM;
    }
    walk->opts = *opts;
    *out = walk;
    return 0;
}

static void close_level(level *top)
{
    if (top->dir != NULL) {
        closedir(top->dir);
    }
    free(top->names);
}

void wc_walk_free(wc_walk *walk)
{
    if (walk == NULL) {
        return;
    }
    while (walk->depth > 0) {
        close_level(&walk->levels[--walk->depth]);
    }
    free(walk->levels);
    free(walk->path);
    free(walk);
}

static void problem(const wc_walk *walk, const char *path, int os_error)
{
    walk->opts.problem(walk->opts.problem_arg, path, wc_why(os_error));
}

/* Makes the path its first `keep` bytes and then the name. */
static int set_path(wc_walk *walk, size_t keep, const char *name)
{
    const size_t len = strlen(name);
    /* Room for a '/' and the zero byte. */
    if (len > SIZE_MAX / 2 - keep - 2) {
        return GR_ENOMEM;
    }
    if (keep + len + 2 > walk->path_room) {
        const size_t room = 2 * (keep + len + 2);
        char *path = realloc(walk->path, room);
        if (path == NULL) {
            return GR_ENOMEM;
        }
        walk->path = path;
        walk->path_room = room;
    }
    memcpy(walk->path + keep, name, len + 1);
    return 0;
}

static bool is_dot(const char *name)
{
    return name[0] == '.' &&
           (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* The next entry of an open folder, or NULL; an error ends the folder. */
static const struct dirent *read_entry(wc_walk *walk, level *from)
{
    const struct dirent *entry;
    do {
        errno = 0;
        /* Each walk has its own DIR. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        entry = readdir(from->dir);
    } while (entry != NULL && is_dot(entry->d_name));
    if (entry == NULL && errno != 0) {
        const int os_error = errno;
        walk->path[from->path_len] = '\0';
        problem(walk, walk->path, os_error);
    }
    return entry;
}

static int append_name(level *to, size_t *room, const struct dirent *entry)
{
    const size_t len = strlen(entry->d_name) + 2;
    if (*room - to->names_size < len) {
        const size_t more = 2 * *room + len;
        char *names = realloc(to->names, more);
        if (names == NULL) {
            return GR_ENOMEM;
        }
        to->names = names;
        *room = more;
    }
    to->names[to->names_size] = (char)entry->d_type;
    memcpy(to->names + to->names_size + 1, entry->d_name, len - 1);
    to->names_size += len;
    return 0;
}

/* Turns the topmost folder that is still open into a list of names. The path
 * buffer holds a deeper path, which must survive a message about this one. */
static int close_first_open(wc_walk *walk)
{
    level *from = &walk->levels[walk->first_open];
    const struct dirent *entry;
    size_t room = 0;
    const char cut = walk->path[from->path_len];
    while ((entry = read_entry(walk, from)) != NULL) {
        const int rc = append_name(from, &room, entry);
        if (rc < 0) {
            return rc;
        }
    }
    walk->path[from->path_len] = cut;
    closedir(from->dir);
    from->dir = NULL;
    walk->first_open++;
    return 0;
}

/* Enters the folder that the path names, opened as fd, which is taken. */
static int push_level(wc_walk *walk, int fd)
{
    if (walk->depth == walk->depth_room) {
        const size_t room = 2 * walk->depth_room + 16;
        level *levels = realloc(walk->levels, room * sizeof(*levels));
        if (levels == NULL) {
            close(fd);
            return GR_ENOMEM;
        }
        walk->levels = levels;
        walk->depth_room = room;
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        problem(walk, walk->path, errno);
        close(fd);
        return 0;
    }
    size_t len = strlen(walk->path);
    if (len == 0 || walk->path[len - 1] != '/') {
        walk->path[len++] = '/'; /* set_path left room for it */
        walk->path[len] = '\0';
    }
    walk->levels[walk->depth++] = (level){.dir = dir, .path_len = len};
    if (walk->depth - walk->first_open > OPEN_MAX_LEVELS) {
        return close_first_open(walk);
    }
    return 0;
}

static void pop_level(wc_walk *walk)
{
    close_level(&walk->levels[--walk->depth]);
    if (walk->first_open > walk->depth) {
        walk->first_open = walk->depth;
    }
}

/* Takes the next entry of a level and makes the path its path. False at the
 * folder's end, which ends the level, and with *rc on errors. */
static bool next_entry(wc_walk *walk, level *from, unsigned char *type, int *rc)
{
    const char *name;
    if (from->dir != NULL) {
        const struct dirent *entry = read_entry(walk, from);
        if (entry == NULL) {
            pop_level(walk);
            return false;
        }
        *type = entry->d_type;
        name = entry->d_name;
    } else {
        if (from->names_at == from->names_size) {
            pop_level(walk);
            return false;
        }
        *type = (unsigned char)from->names[from->names_at];
        name = from->names + from->names_at + 1;
        from->names_at += strlen(name) + 2;
    }
    *rc = set_path(walk, from->path_len, name);
    return *rc == 0;
}

/* Like fstatat without following links, for an entry of the level. */
static int stat_entry(const wc_walk *walk, const level *from, struct stat *st)
{
    if (from->dir != NULL) {
        return fstatat(dirfd(from->dir), walk->path + from->path_len, st,
                       AT_SYMLINK_NOFOLLOW);
    }
    const int fd = wc_open(walk->path, O_PATH | O_NOFOLLOW);
    if (fd < 0) {
        return -1;
    }
    const int rc = fstat(fd, st);
    const int os_error = errno;
    close(fd);
    errno = os_error;
    return rc;
}

static int enter(wc_walk *walk, const level *from)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const int fd =
        from->dir != NULL
            ? openat(dirfd(from->dir), walk->path + from->path_len, flags)
            : wc_open(walk->path, flags);
    if (fd < 0) {
        problem(walk, walk->path, errno);
        return 0;
    }
    return push_level(walk, fd);
}

/* Looks at one entry of the deepest folder. 1: it is a file. */
static int step(wc_walk *walk, wc_file *out)
{
    level *from = &walk->levels[walk->depth - 1];
    unsigned char type = DT_UNKNOWN;
    struct stat st = {0};
    int rc = 0;
    if (!next_entry(walk, from, &type, &rc)) {
        return rc;
    }
    if (type == DT_UNKNOWN || (type == DT_REG && !walk->opts.no_sizes)) {
        if (stat_entry(walk, from, &st) != 0) {
            problem(walk, walk->path, errno);
            return 0;
        }
        type = (unsigned char)IFTODT(st.st_mode);
    }
    if (type == DT_DIR) {
        return enter(walk, from);
    }
    *out = (wc_file){.path = walk->path, .size = (uint64_t)st.st_size};
    return type == DT_REG;
}

/* Looks at one of the paths that were asked for; a link is followed. */
static int begin(wc_walk *walk, wc_file *out)
{
    struct stat st;
    const int rc = set_path(walk, 0, walk->opts.paths[walk->path_next++]);
    if (rc < 0) {
        return rc;
    }
    const int fd = wc_open(walk->path, O_PATH);
    if (fd < 0 || fstat(fd, &st) != 0) {
        problem(walk, walk->path, errno);
        if (fd >= 0) {
            close(fd);
        }
        return 0;
    }
    close(fd);
    if (S_ISREG(st.st_mode)) {
        *out = (wc_file){.path = walk->path, .size = (uint64_t)st.st_size};
        return 1;
    }
    if (!S_ISDIR(st.st_mode)) {
        walk->opts.problem(walk->opts.problem_arg, walk->path,
                           "neither a regular file nor a folder");
        return 0;
    }
    const int dir = wc_open(walk->path, O_RDONLY | O_DIRECTORY);
    if (dir < 0) {
        problem(walk, walk->path, errno);
        return 0;
    }
    return push_level(walk, dir);
}

int wc_walk_next(wc_walk *walk, wc_file *out)
{
    for (;;) {
        int rc;
        if (walk->depth > 0) {
            rc = step(walk, out);
        } else if (walk->path_next < walk->opts.paths_n) {
            rc = begin(walk, out);
        } else {
            return 0;
        }
        if (rc != 0) {
            return rc;
        }
    }
}
