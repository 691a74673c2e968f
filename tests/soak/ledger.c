/*
 * tests/soak/ledger.c - see ledger.h. A hash table with open addressing, in
 * which the entries behind one that is closed move up.
 */
#include "tests/soak/ledger.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Runs whose reports or ends are on their way: as many as there are actors,
     * and what the monitors are behind. A power of two. */
    ENTRIES = 1 << 15,
    FULL = ENTRIES / 4 * 3,
    OVER = 1024,
    SAID_MAX = 80 /* bytes of a report's first line: why it ended */
};

typedef struct entry {
    uint64_t key; /* 0: free */
    uint32_t failures, reports;
    bool born, ended;
    char said[SAID_MAX]; /* by the last report */
} entry;

static struct {
    pthread_mutex_t lock;
    /* Under lock. */
    uint32_t used;
    uint64_t failures, reports;
    uint64_t over[OVER]; /* runs that were born, and are forgotten: the last */
    uint32_t overs;
    char why[LEDGER_WHY_MAX]; /* the first that did not fit; "": all did */
    entry at[ENTRIES];
} ledger = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The number of a run in a text "... <slot.run@node> ...". 0: there is none. */
static uint64_t key_of(const char *text)
{
    unsigned slot, run;
    const char *at = strchr(text, '<');
    /* NOLINTNEXTLINE(cert-err34-c): the library wrote it */
    if (at == NULL || sscanf(at, "<%u.%u@", &slot, &run) != 2) {
        return 0;
    }
    return ((uint64_t)slot + 1) << 32 | run;
}

static uint64_t key_of_pid(gr_pid pid)
{
    char text[GR_PID_TEXT_MAX];
    return key_of(gr_pid_text(pid, text));
}

/* Under lock. */
static void wrong(uint64_t key, const entry *e, const char *what)
{
    if (ledger.why[0] == '\0') {
        (void)snprintf(ledger.why, sizeof ledger.why,
                       "<%u.%u>: %s (%u failures, %u reports, %s): %s",
                       (unsigned)(key >> 32) - 1, (unsigned)key, what,
                       e->failures, e->reports, e->ended ? "ended" : "no end",
                       e->said);
    }
}

static uint32_t place_of(uint64_t key)
{
    return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 40) % ENTRIES;
}

/* Under lock. NULL: there is no room. */
static entry *open_entry(uint64_t key)
{
    uint32_t i = place_of(key);
    while (ledger.at[i].key != 0 && ledger.at[i].key != key) {
        i = (i + 1) % ENTRIES;
    }
    entry *e = &ledger.at[i];
    if (e->key == key) {
        return e;
    }
    if (ledger.used == FULL) {
        wrong(key, e, "no room for it");
        return NULL;
    }
    ledger.used++;
    *e = (entry){.key = key};
    return e;
}

/* Under lock. */
static bool is_over(uint64_t key)
{
    for (uint32_t i = 0; i < OVER; i++) {
        if (ledger.over[i] == key) {
            return true;
        }
    }
    return false;
}

/* Under lock. */
static void forget(const entry *e)
{
    if (e->born) {
        ledger.over[ledger.overs++ % OVER] = e->key;
    }
    uint32_t hole = (uint32_t)(e - ledger.at);
    for (uint32_t i = (hole + 1) % ENTRIES; ledger.at[i].key != 0;
         i = (i + 1) % ENTRIES) {
        /* It may stand anywhere from its own place on. */
        const uint32_t from = place_of(ledger.at[i].key);
        if ((i - from) % ENTRIES >= (i - hole) % ENTRIES) {
            ledger.at[hole] = ledger.at[i];
            hole = i;
        }
    }
    ledger.at[hole] = (entry){0};
    ledger.used--;
}

static bool is_guests(const char *said)
{
    return strstr(said, "guest ") != NULL;
}

/* said: a report's line, or NULL. */
static void enter(uint64_t key, uint32_t failures, const char *said, bool ended)
{
    const uint32_t reports = said != NULL ? 1 : 0;
    (void)pthread_mutex_lock(&ledger.lock);
    ledger.failures += failures;
    ledger.reports += reports;
    entry *e = open_entry(key);
    if (e != NULL) {
        if (ended && e->ended) {
            wrong(key, e, "it ended twice");
        }
        e->failures += failures;
        e->reports += reports;
        if (said != NULL) {
            (void)snprintf(e->said, sizeof e->said, "%s", said);
        }
        e->ended = e->ended || ended;
        if (said != NULL && is_guests(said) && is_over(key)) {
            wrong(key, e, "reported again");
        }
        if (e->ended && e->reports > e->failures) {
            wrong(key, e, "reported too often");
        }
        if (e->ended && e->failures > 0 && e->reports == e->failures) {
            forget(e);
        }
    }
    (void)pthread_mutex_unlock(&ledger.lock);
}

void ledger_init(void)
{
    memset(ledger.at, 1, sizeof ledger.at);
    memset(ledger.at, 0, sizeof ledger.at);
}

void ledger_expect(gr_pid pid)
{
    enter(key_of_pid(pid), 1, NULL, false);
}

void ledger_born(gr_pid pid)
{
    (void)pthread_mutex_lock(&ledger.lock);
    entry *e = open_entry(key_of_pid(pid));
    if (e != NULL) {
        e->born = true;
    }
    (void)pthread_mutex_unlock(&ledger.lock);
}

void ledger_report(const char *line)
{
    if (strstr(line, " ended: ") != NULL) {
        enter(key_of(line), 0, line, false);
    }
}

void ledger_end(gr_pid pid, bool expect)
{
    enter(key_of_pid(pid), expect ? 1 : 0, NULL, true);
}

uint64_t ledger_failures(void)
{
    (void)pthread_mutex_lock(&ledger.lock);
    const uint64_t n = ledger.failures;
    (void)pthread_mutex_unlock(&ledger.lock);
    return n;
}

uint64_t ledger_reports(void)
{
    (void)pthread_mutex_lock(&ledger.lock);
    const uint64_t n = ledger.reports;
    (void)pthread_mutex_unlock(&ledger.lock);
    return n;
}

/* A guest that was born, and nothing more. */
static bool runs(const entry *e)
{
    return e->born && e->failures == 0 && e->reports == 0 && !e->ended;
}

/* A guest whose init took longer than its limit, as on a busy machine: it was
 * reported but never born, so that nobody could watch it. */
static bool is_unborn(const entry *e)
{
    return !e->born && e->failures == 0 && e->reports == 1 && !e->ended &&
           is_guests(e->said) && strstr(e->said, " ended: limit") != NULL;
}

bool ledger_is_even(unsigned running, char why[LEDGER_WHY_MAX])
{
    (void)pthread_mutex_lock(&ledger.lock);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        const entry *e = &ledger.at[i];
        if (e->key == 0 || is_unborn(e)) {
            continue;
        }
        if (runs(e) && running > 0) {
            running--;
        } else {
            wrong(e->key, e, "its failures, reports and end do not match");
        }
    }
    const bool even = ledger.why[0] == '\0';
    memcpy(why, ledger.why, sizeof ledger.why);
    (void)pthread_mutex_unlock(&ledger.lock);
    return even;
}
