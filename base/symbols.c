/*
 * base/symbols.c - see symbols.h.
 *
 * Answers stand in a table of sets, by the address's hash; in a full set a new
 * one takes the place of the oldest. So the table never grows, and a crash that
 * repeats costs a few copies: that the frames of one backtrace push each other
 * out takes more of them in one set than it has places.
 */
#include "base/symbols.h"

#include <dlfcn.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

enum {
    SETS_BITS = 8, /* of their number: 2048 answers, 350 KiB */
    SET = 8        /* answers in each */
};

/* What is used of libdw. */
typedef struct library {
    __typeof__(dwfl_begin) *begin;
    __typeof__(dwfl_end) *end;
    __typeof__(dwfl_report_begin) *report_begin;
    __typeof__(dwfl_report_end) *report_end;
    __typeof__(dwfl_linux_proc_report) *proc_report;
    __typeof__(dwfl_addrmodule) *module_of;
    __typeof__(dwfl_module_info) *info_of;
    __typeof__(dwfl_module_addrname) *name_of;
    __typeof__(dwfl_module_getsrc) *line_of;
    __typeof__(dwfl_lineinfo) *line_info;
    __typeof__(dwfl_build_id_find_debuginfo) *find_by_id;
    __typeof__(dwfl_module_nextcu) *next_unit;
    __typeof__(dwarf_haspc) *has_pc;
    __typeof__(dwarf_getsrc_die) *line_in;
    __typeof__(dwarf_linesrc) *source_of;
    __typeof__(dwarf_lineno) *number_of;
} library;

typedef struct answer {
    uintptr_t at; /* 0: none */
    gr_frame frame;
} answer;

typedef struct set {
    unsigned next; /* the oldest */
    answer of[SET];
} set;

static struct {
    /* Held for as long as libdw looks for an answer. */
    pthread_mutex_t lock;
    /* Under lock. */
    unsigned users;
    bool tried;  /* to begin: nothing has changed since that it would find */
    bool loaded; /* it stays: others may use what it brought */
    library lib;
    Dwfl *dwfl; /* NULL: there is none, or not yet */

    /* Held for a copy; who takes both takes this one last. */
    pthread_mutex_t table_lock;
    set *sets; /* under table_lock; NULL: there is none, or not yet */
} symbols = {.lock = PTHREAD_MUTEX_INITIALIZER,
             .table_lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- libdw --------------------------------------------------------------- */

/* libdwfl's own finders ask a debuginfod server, if the environment names one:
 * a crash report must not wait for a network. Thus these two. */
static int find_elf(Dwfl_Module *module, void **user, const char *name,
                    Dwarf_Addr base, char **path, Elf **elf)
{
    (void)module, (void)user, (void)base, (void)path, (void)elf;
    /* Not a device that happens to be mapped: to open one may do something. */
    struct stat about;
    if (name[0] != '/' || stat(name, &about) != 0 || !S_ISREG(about.st_mode)) {
        return -1;
    }
    return open(name, O_RDONLY | O_CLOEXEC);
}

/* A separate file, by its build id: /usr/lib/debug/.build-id. */
static int find_debuginfo(Dwfl_Module *module, void **user, const char *name,
                          Dwarf_Addr base, const char *path, const char *link,
                          GElf_Word crc, char **found)
{
    return symbols.lib.find_by_id(module, user, name, base, path, link, crc,
                                  found);
}

static const Dwfl_Callbacks callbacks = {
    .find_elf = find_elf,
    .find_debuginfo = find_debuginfo,
};

/* False: it has no such function. */
static bool take(void *handle, const char *name, void *to)
{
    void *at = dlsym(handle, name);
    memcpy(to, &at, sizeof at); /* C has no cast from it to a function */
    return at != NULL;
}

static bool load(library *lib)
{
    void *h = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
    if (h == NULL) {
        return false;
    }
    const bool whole =
        take(h, "dwfl_begin", &lib->begin) && take(h, "dwfl_end", &lib->end) &&
        take(h, "dwfl_report_begin", &lib->report_begin) &&
        take(h, "dwfl_report_end", &lib->report_end) &&
        take(h, "dwfl_linux_proc_report", &lib->proc_report) &&
        take(h, "dwfl_addrmodule", &lib->module_of) &&
        take(h, "dwfl_module_info", &lib->info_of) &&
        take(h, "dwfl_module_addrname", &lib->name_of) &&
        take(h, "dwfl_module_getsrc", &lib->line_of) &&
        take(h, "dwfl_lineinfo", &lib->line_info) &&
        take(h, "dwfl_build_id_find_debuginfo", &lib->find_by_id) &&
        take(h, "dwfl_module_nextcu", &lib->next_unit) &&
        take(h, "dwarf_haspc", &lib->has_pc) &&
        take(h, "dwarf_getsrc_die", &lib->line_in) &&
        take(h, "dwarf_linesrc", &lib->source_of) &&
        take(h, "dwarf_lineno", &lib->number_of);
    if (!whole) {
        (void)dlclose(h); /* of another version: as if it were not there */
    }
    return whole;
}

/* Reads what is mapped now. What was read of files that still are stays. */
static bool read_maps(Dwfl *dwfl)
{
    symbols.lib.report_begin(dwfl);
    const int failed = symbols.lib.proc_report(dwfl, getpid());
    return symbols.lib.report_end(dwfl, NULL, NULL) == 0 && failed == 0;
}

/* A process that is held to a list of system calls (process/filter.c) may open
 * nothing, and ends if it tries. It is refused this question, too, which no
 * kernel refuses. */
static bool may_read_files(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0UL, 0UL, 0UL, 0UL) >= 0;
}

static void begin(void)
{
    if (symbols.tried || !may_read_files()) {
        return;
    }
    symbols.tried = true;
    symbols.loaded = symbols.loaded || load(&symbols.lib);
    if (!symbols.loaded) {
        return;
    }
    Dwfl *dwfl = symbols.lib.begin(&callbacks);
    if (dwfl != NULL && !read_maps(dwfl)) {
        symbols.lib.end(dwfl);
        dwfl = NULL;
    }
    symbols.dwfl = dwfl;
}

/* What libdw has read of, and begins where. NULL: none is there. */
static Dwfl_Module *look_up(uintptr_t at, Dwarf_Addr *start, const char **file)
{
    Dwarf_Addr end = 0;
    Dwfl_Module *module = symbols.lib.module_of(symbols.dwfl, at);
    if (module != NULL) {
        *file = symbols.lib.info_of(module, NULL, start, &end, NULL, NULL, NULL,
                                    NULL);
    }
    /* It gives the one in front of a gap, too. */
    return module != NULL && at >= *start && at < end ? module : NULL;
}

/* The file that the address was loaded from. NULL: it is not known. */
static Dwfl_Module *module_of(uintptr_t at, Dwarf_Addr *start,
                              const char **file)
{
    Dwfl_Module *module = look_up(at, start, file);
    /* It may have been loaded since. Each such address comes here once. */
    return module == NULL && read_maps(symbols.dwfl) ? look_up(at, start, file)
                                                     : module;
}

/* ---- answers ------------------------------------------------------------- */

static void copy_name(char to[GR_CRASH_NAME_MAX], const char *name)
{
    const size_t n = strnlen(name, GR_CRASH_NAME_MAX - 1);
    memcpy(to, name, n);
    to[n] = '\0';
}

/* Without what the compiler hangs on to parts and copies of a function, such as
 * ".constprop.0" and ".cold". */
static void copy_function(char to[GR_CRASH_NAME_MAX], const char *name)
{
    copy_name(to, name);
    char *dot = strchr(to, '.');
    if (dot != NULL && dot != to) {
        *dot = '\0';
    }
}

/* The end of a path says more than its beginning. */
static void copy_path(char to[GR_CRASH_NAME_MAX], const char *path)
{
    const size_t n = strlen(path);
    if (n >= GR_CRASH_NAME_MAX) {
        path += n - (GR_CRASH_NAME_MAX - 1);
        const char *whole = strchr(path, '/');
        path = whole != NULL ? whole + 1 : path;
    }
    copy_name(to, path);
}

static void copy_file_name(char to[GR_CRASH_NAME_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');
    copy_name(to, slash != NULL ? slash + 1 : path);
}

/* The source's file, and the line. NULL: not known. */
static const char *source_of(Dwfl_Module *module, uintptr_t at, int *number)
{
    const library *lib = &symbols.lib;
    Dwfl_Line *line = lib->line_of(module, at);
    if (line != NULL) {
        return lib->line_info(line, NULL, number, NULL, NULL, NULL);
    }
    /* That goes by an index which not all compilers write (clang does not): we
     * look at each unit, once for each address. */
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = NULL;
    while ((unit = lib->next_unit(module, unit, &bias)) != NULL) {
        if (lib->has_pc(unit, at - bias) == 1) {
            Dwarf_Line *in = lib->line_in(unit, at - bias);
            return in != NULL && lib->number_of(in, number) == 0
                       ? lib->source_of(in, NULL, NULL)
                       : NULL;
        }
    }
    return NULL;
}

/* False: it knows nothing. */
static bool ask_libdw(uintptr_t at, gr_frame *out)
{
    const library *lib = &symbols.lib;
    Dwarf_Addr start = 0;
    const char *file = NULL;
    Dwfl_Module *module =
        symbols.dwfl != NULL ? module_of(at, &start, &file) : NULL;
    if (module == NULL) {
        return false;
    }
    copy_file_name(out->file, file != NULL ? file : "");
    out->offset = at - start;
    const char *function = lib->name_of(module, at);
    copy_function(out->function, function != NULL ? function : "");
    int number = 0;
    const char *source = source_of(module, at, &number);
    if (source != NULL && number > 0) {
        copy_path(out->file, source);
        out->line = (unsigned)number;
    }
    return true;
}

static void ask_loader(uintptr_t at, gr_frame *out)
{
    Dl_info info;
    if (dladdr((const void *)at, &info) == 0) {
        return;
    }
    out->offset = at - (uintptr_t)info.dli_fbase;
    copy_file_name(out->file, info.dli_fname != NULL ? info.dli_fname : "");
    copy_function(out->function, info.dli_sname != NULL ? info.dli_sname : "");
}

static void ask(uintptr_t at, gr_frame *out)
{
    *out = (gr_frame){.line = 0};
    if (!may_read_files() || !ask_libdw(at, out)) {
        ask_loader(at, out);
    }
}

/* ---- the table of answers ------------------------------------------------ */

/* Under table_lock. */
static set *set_of(uintptr_t at)
{
    return &symbols.sets[gri_hash_address(at, SETS_BITS)];
}

/* False: it is not there. */
static bool get(uintptr_t at, gr_frame *out)
{
    bool found = false;
    (void)pthread_mutex_lock(&symbols.table_lock);
    const set *s = symbols.sets != NULL ? set_of(at) : NULL;
    for (unsigned i = 0; s != NULL && i < SET && !found; i++) {
        if (s->of[i].at == at) {
            *out = s->of[i].frame;
            found = true;
        }
    }
    (void)pthread_mutex_unlock(&symbols.table_lock);
    return found;
}

/* It is not there yet: who puts it there holds lock, and has looked. */
static void put(uintptr_t at, const gr_frame *frame)
{
    (void)pthread_mutex_lock(&symbols.table_lock);
    if (symbols.sets == NULL) {
        symbols.sets = calloc((size_t)1 << SETS_BITS, sizeof(set));
    }
    if (symbols.sets != NULL) { /* without memory it is asked for each time */
        set *s = set_of(at);
        s->of[s->next] = (answer){.at = at, .frame = *frame};
        s->next = (s->next + 1) % SET;
    }
    (void)pthread_mutex_unlock(&symbols.table_lock);
}

/* The call may be a function's last instruction: behind it begins the next one.
 */
static uintptr_t place_of(const void *address, bool returns)
{
    return (uintptr_t)address - (returns ? 1 : 0);
}

bool gri_symbol_known(const void *address, bool returns, gr_frame *out)
{
    const bool known = get(place_of(address, returns), out);
    if (known) {
        out->address = address;
    }
    return known;
}

void gri_symbol_near(const void *address, bool returns, gr_frame *out)
{
    *out = (gr_frame){.line = 0};
    ask_loader(place_of(address, returns), out);
    out->address = address;
}

void gri_symbol_find(const void *address, bool returns, gr_frame *out)
{
    const uintptr_t at = place_of(address, returns);
    if (!get(at, out)) {
        (void)pthread_mutex_lock(&symbols.lock);
        if (!get(at, out)) { /* nor has somebody found it meanwhile */
            begin();
            ask(at, out);
            put(at, out);
        }
        (void)pthread_mutex_unlock(&symbols.lock);
    }
    out->address = address;
}

void gri_symbols_join(void)
{
    (void)pthread_mutex_lock(&symbols.lock);
    symbols.users++;
    (void)pthread_mutex_unlock(&symbols.lock);
}

void gri_symbols_leave(void)
{
    (void)pthread_mutex_lock(&symbols.lock);
    if (--symbols.users == 0) {
        if (symbols.dwfl != NULL) {
            symbols.lib.end(symbols.dwfl);
        }
        symbols.dwfl = NULL;
        symbols.tried = false;
        (void)pthread_mutex_lock(&symbols.table_lock);
        free(symbols.sets);
        symbols.sets = NULL;
        (void)pthread_mutex_unlock(&symbols.table_lock);
    }
    (void)pthread_mutex_unlock(&symbols.lock);
}
