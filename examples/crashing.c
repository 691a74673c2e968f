/*
 * crashing - what would end any other C program ends one actor here.
 *
 * A counter adds what it is sent. Beside it stands a worker that adds, too, and
 * can be told to do what C programs die of. Each time it dies, only it: its
 * supervisor hears why and starts it again, and the counter has lost nothing.
 */
#undef NDEBUG /* or release builds would leave assertions out */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <greenroom/greenroom.h>

#define FAULTS_N 9

/* So that the compiler cannot see what is about to happen. */
static volatile int zero, seven = 7;
static char *volatile nowhere;

/* Each level needs its frame until the one below returns. */
/* NOLINTNEXTLINE(misc-no-recursion): that is what it is for */
static int recurse(const volatile int *up)
{
    volatile int here[256];
    here[0] = *up + 1;
    return zero != 0 ? 0 : recurse(here) + here[0];
}

/* A page that its file ends before. */
static void read_behind_the_file(void)
{
    FILE *file = tmpfile();
    if (file == NULL) {
        return;
    }
    const volatile char *page =
        mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(file), 0);
    (void)fclose(file);
    if (page != MAP_FAILED) {
        (void)page[0];
    }
}

static void fault(const char *what)
{
    volatile int start = 0;

    if (strcmp(what, "null pointer") == 0) {
        nowhere[0] = 1;
    } else if (strcmp(what, "wild pointer") == 0) {
        *(volatile int *)0x123456789000 = 1;
    } else if (strcmp(what, "strlen of nothing") == 0) {
        zero = (int)strlen(nowhere);
    } else if (strcmp(what, "division by zero") == 0) {
        zero = seven / zero;
    } else if (strcmp(what, "file too short") == 0) {
        read_behind_the_file();
    } else if (strcmp(what, "illegal instruction") == 0) {
        __builtin_trap();
    } else if (strcmp(what, "abort") == 0) {
        abort();
    } else if (strcmp(what, "failed assert") == 0) {
        assert(zero == 1);
    } else if (strcmp(what, "endless recursion") == 0) {
        zero = recurse(&start);
    }
}

struct adder {
    int64_t sum;
};

static int adder_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    struct adder *adder = state;
    int64_t n;
    gr_str what;
    char text[64];

    if (gr_match(msg, "add", &n)) {
        adder->sum += n;
        return 0;
    }
    if (gr_match(msg, "sum")) {
        return gr_reply(self, msg, "sum", adder->sum);
    }
    if (gr_match(msg, "fault", &what) && what.len < sizeof text) {
        memcpy(text, what.ptr, what.len);
        text[what.len] = '\0';
        fault(text);
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior adder = {
    .name = "adder",
    .state_size = sizeof(struct adder),
    .receive = adder_receive,
};

/* Sends `n` to both, lets the worker die, and says what of. */
static int crash(gr_actor *self, gr_pid supervisor, gr_pid counter, int n,
                 const char *what)
{
    gr_pid worker;
    gr_ref monitor;
    const gr_msg *msg;
    gr_exit_reason why;

    GR_TRY(gr_child_pid(self, supervisor, "worker", &worker));
    GR_TRY(gr_monitor(self, worker, &monitor));
    GR_TRY(gr_send(self, counter, "add", n));
    GR_TRY(gr_send(self, worker, "add", n));
    GR_TRY(gr_send(self, worker, "fault", what));
    do {
        GR_TRY(gr_receive(self, 10000, &msg));
    } while (!gr_match_down(msg, NULL, NULL, &why));
    printf("%s: %s %s\n", what, gr_exit_kind_name(why.kind),
           why.kind == GR_EXIT_SIGNAL ? sigabbrev_np(why.code) : why.text);
    return 0;
}

static int app(gr_actor *self, int argc, char **argv)
{
    static const char *const faults[FAULTS_N] = {"null pointer",
                                                 "wild pointer",
                                                 "strlen of nothing",
                                                 "division by zero",
                                                 "file too short",
                                                 "illegal instruction",
                                                 "abort",
                                                 "failed assert",
                                                 "endless recursion"};
    const gr_child children[] = {
        {.id = "counter", .behavior = &adder},
        {.id = "worker", .behavior = &adder},
        {0},
    };
    gr_supervisor spec = {.restarts_max = FAULTS_N, .children = children};
    gr_pid supervisor, counter, worker;
    int64_t counted, worked;

    (void)argc;
    (void)argv;
    GR_TRY(gr_supervise(self, &spec, &supervisor));
    GR_TRY(gr_child_pid(self, supervisor, "counter", &counter));
    for (int i = 0; i < FAULTS_N; i++) {
        GR_TRY(crash(self, supervisor, counter, i + 1, faults[i]));
    }
    GR_TRY(gr_child_pid(self, supervisor, "worker", &worker));
    GR_TRY(gr_send(self, worker, "add", 5));
    GR_TRY(gr_call(self, counter, 1000, gr_expect("sum", &counted), "sum"));
    GR_TRY(gr_call(self, worker, 1000, gr_expect("sum", &worked), "sum"));
    printf("the counter: %d; the worker, a new one: %d\n", (int)counted,
           (int)worked);
    return 0;
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
