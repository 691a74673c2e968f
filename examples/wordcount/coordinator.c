/*
 * wordcount/coordinator.c - hands out chunks, merges counts, and survives the
 * loss of any counter or node.
 *
 * Counters pull: each has at most two chunks, so what is under way is bounded
 * by their number. The counts of a chunk are merged when the last of their
 * messages is there, and at that moment the chunk is done: before it, all is
 * forgotten if the counter is lost, and the chunk is handed out again. That,
 * and that a monitor's message comes behind everything its actor sent, is why
 * the answer is exact.
 */
#include "coordinator.h"

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "nodes.h"
#include "report.h"
#include "run.h"
#include "survey.h"
#include "varint.h"

/* Files that are looked at between two messages. */
#define LOOK_FILES 64u
/* A chunk that so many counters died of, without being asked to, kills the
 * next one, too. */
#define FAILURES_MAX 100u
/* When no counter has asked for work so long after the start, none will: a
 * child that is not up after 30 s is killed and started again, twice. */
#define PATIENCE_MS 75000
/* How long to wait when the way to a counter is full. */
#define RETRY_MS           2
#define CHUNK_MAX_OF_BYTES ((uint64_t)512 << 10)

/* ---- problems ----------------------------------------------------------- */

static void file_problem(void *arg, const char *path, const char *why)
{
    wc_run *r = arg;
    r->summary.failed++;
    wc_progress_path(&r->progress, path, why);
}

/* Says what ended the run, once. Returns what wc_coordinate returns. */
static int give_up(wc_run *r, int rc)
{
    if (rc == WC_EWORDS) {
        wc_progress_problem(&r->progress,
                            "more than %zu distinct words (--words-max)",
                            r->options->words_max);
    } else if (rc == GR_ESTOPPED) {
        return rc;                 /* gr_main knows why */
    } else if (rc != WC_EFAILED) { /* whoever returned that has said why */
        wc_progress_problem(&r->progress, "%s", gr_strerror(rc));
    }
    return WC_EXIT_FAILED;
}

/* ---- handing out -------------------------------------------------------- */

/* In mid-run: half of all is counted; or nothing will come later. */
static bool is_time_to_kill(const wc_run *r)
{
    return r->options->kill_node && !r->killed &&
           (wc_plan_all_out(&r->plan) ||
            (r->surveyed && 2 * r->summary.bytes >= r->total));
}

static int send_work(wc_run *r, const wc_counter *counter, wc_work *work)
{
    if (!r->options->bytes) {
        return gr_send(
            r->self, counter->pid, "count", work->id, gr_bool(work->crash),
            gr_bin(work->chunk.segments.bytes, work->chunk.segments.size));
    }
    GR_TRY(wc_payload_read(&r->payload, &work->chunk));
    return gr_send(r->self, counter->pid, "bytes", work->id,
                   gr_bool(work->crash),
                   gr_bin(r->payload.text.bytes, r->payload.text.size));
}

/* Gives a counter a chunk, if there is one. */
static int serve(wc_run *r, wc_counter *counter)
{
    wc_work *work;
    int rc = wc_plan_take(&r->plan, &work);
    if (rc <= 0) {
        return rc;
    }
    rc = send_work(r, counter, work);
    if (rc < 0) {
        wc_plan_untake(&r->plan, work);
    }
    if (rc == GR_ENOCONN) {
        return 0; /* its monitor's message is on the way */
    }
    if (rc == GR_EAGAIN) {
        if (r->retrying) {
            return 0;
        }
        r->retrying = true;
        return gr_after(r->self, RETRY_MS, NULL, "again");
    }
    GR_TRY(rc);
    counter->works[counter->works_n++] = work;
    return is_time_to_kill(r) ? wc_nodes_kill(r, counter) : 0;
}

static int serve_all(wc_run *r)
{
    /* Those that wait come first. */
    for (unsigned n = 0; n < WC_WORKS_MAX; n++) {
        for (size_t i = 0; i < r->crew.counters_n; i++) {
            if (r->crew.counters[i].works_n == n) {
                GR_TRY(serve(r, &r->crew.counters[i]));
            }
        }
    }
    return 0;
}

/* ---- counters ----------------------------------------------------------- */

static int on_ready(wc_run *r, gr_pid pid)
{
    wc_counter *counter = wc_crew_find(&r->crew, pid);
    if (counter == NULL) {
        counter = wc_crew_add(&r->crew, pid);
        if (counter == NULL) {
            return GR_ENOMEM;
        }
        GR_TRY(gr_monitor(r->self, pid, &counter->monitor));
        if (counter->node != NULL &&
            ++counter->node->counters > r->options->workers) {
            r->summary.restarts++;
            wc_progress_event(&r->progress, "%s: a counter was restarted",
                              counter->node->name);
        }
        r->met = true;
    }
    /* One ahead comes later: others may be about to ask for their first. */
    return counter->works_n == 0 ? serve(r, counter) : 0;
}

/* The counter of this message, if it counts this chunk. A counter whose node
 * was lost may have sent one before it knew: its chunk is another's now. */
static wc_counter *counter_with(wc_run *r, const gr_msg *msg, uint64_t id)
{
    wc_counter *counter = wc_crew_find(&r->crew, gr_sender(msg));
    return counter != NULL && counter->works_n > 0 &&
                   counter->works[0]->id == id
               ? counter
               : NULL;
}

static int on_part(wc_run *r, const gr_msg *msg, uint64_t id, gr_bytes counts)
{
    wc_counter *counter = counter_with(r, msg, id);
    if (counter == NULL) {
        return 0;
    }
    const gr_msg *kept = gr_keep(r->self, msg);
    if (kept == NULL) {
        return GR_ENOMEM;
    }
    const int rc = wc_counter_add_part(counter, kept, counts);
    if (rc < 0) {
        gr_release(r->self, kept);
    }
    return rc;
}

static void drop_parts(wc_run *r, wc_counter *counter)
{
    for (size_t i = 0; i < counter->parts_n; i++) {
        gr_release(r->self, counter->parts[i].msg);
    }
    counter->parts_n = 0;
}

/* Names the files that a counter could not read. */
static void name_problems(wc_run *r, gr_bytes problems, uint64_t failed)
{
    const uint8_t *at = problems.ptr;
    const uint8_t *end = at + problems.len;
    uint64_t os_error;
    uint64_t named = 0;
    while (wc_varint_get(&at, end, &os_error) &&
           memchr(at, '\0', (size_t)(end - at)) != NULL) {
        file_problem(r, (const char *)at, wc_why((int)os_error));
        at += strlen((const char *)at) + 1;
        named++;
    }
    if (failed > named) {
        r->summary.failed += failed - named;
        wc_progress_problem(&r->progress,
                            "%" PRIu64 " more files could not be read",
                            failed - named);
    }
}

typedef struct result {
    uint64_t id, bytes, files, failed;
    gr_bytes counts, problems, rests;
} result;

/* The rests of large files are work for all. */
static int take_rests(wc_run *r, gr_bytes rests)
{
    const uint8_t *at = rests.ptr;
    const uint8_t *end = at + rests.len;
    wc_buffer path = {0};
    wc_segment rest;
    int rc = 0;
    while (at < end && rc >= 0) {
        rc = wc_segment_get(&at, end, &path, &rest);
        rc = rc < 0 ? rc : wc_chunks_add(&r->chunks, &rest);
    }
    wc_buffer_fini(&path);
    return rc;
}

/* Adds all that the counter sent of its chunk, and lets go of it. */
static int merge(wc_run *r, wc_counter *counter, gr_bytes last)
{
    wc_buffer rest = {0};
    int rc = 0;
    for (size_t i = 0; i < counter->parts_n && rc == 0; i++) {
        const gr_bytes counts = counter->parts[i].counts;
        rc = wc_partial_merge(&r->table, &rest, counts.ptr, counts.len);
    }
    drop_parts(r, counter);
    if (rc == 0) {
        rc = wc_partial_merge(&r->table, &rest, last.ptr, last.len);
    }
    if (rc == 0 && rest.size > 0) {
        rc = GR_EFORMAT;
    }
    wc_buffer_fini(&rest);
    return rc;
}

static int on_done(wc_run *r, const gr_msg *msg, const result *done)
{
    wc_counter *counter = counter_with(r, msg, done->id);
    if (counter == NULL) {
        return on_ready(r, gr_sender(msg));
    }
    wc_work *work = counter->works[0];
    counter->works[0] = counter->works[1];
    counter->works_n--;
    /* What came as bytes has others between its files. */
    r->summary.bytes += r->options->bytes ? work->chunk.bytes : done->bytes;
    wc_chunks_learn(&r->chunks, done->files, done->bytes);
    wc_plan_done(&r->plan, work);
    GR_TRY(take_rests(r, done->rests));
    name_problems(r, done->problems, done->failed);
    /* It goes on while this actor merges, and so do those that wait. */
    GR_TRY(serve_all(r));
    return merge(r, counter, done->counts);
}

/* A chunk comes back from a counter that is gone. */
static int take_back(wc_run *r, wc_work *work, const gr_exit_reason *why)
{
    if (why->kind == GR_EXIT_ERROR && why->code == WC_EWORDS) {
        wc_plan_return(&r->plan, work);
        return WC_EWORDS; /* of this chunk alone: too many of all */
    }
    const bool asked = why->kind == GR_EXIT_ERROR && why->code == WC_ECRASH;
    if (asked) {
        work->crash = false;
    } else {
        work->failures++;
    }
    if (work->failures >= FAILURES_MAX) {
        wc_progress_problem(
            &r->progress,
            "%u counters died of chunk %" PRIu64 ", the last by: %s %s %s",
            work->failures, work->id, gr_exit_kind_name(why->kind),
            why->code < 0 ? gr_errname(why->code) : "", why->text);
        wc_plan_return(&r->plan, work);
        return WC_EFAILED;
    }
    wc_plan_return(&r->plan, work);
    return 0;
}

static int on_counter_down(wc_run *r, wc_counter *counter,
                           const gr_exit_reason *why)
{
    const unsigned works_n = counter->works_n;
    wc_work *works[WC_WORKS_MAX];
    memcpy(works, counter->works, sizeof(works));
    const char *node = counter->node != NULL ? counter->node->name : "lost";
    if (why->kind != GR_EXIT_NOCONNECTION) {
        r->summary.crashes++;
        wc_progress_event(
            &r->progress, "%s: a counter crashed (%s)", node,
            why->code == WC_ECRASH ? "as asked" : gr_exit_kind_name(why->kind));
    }
    drop_parts(r, counter);
    wc_crew_remove(&r->crew, counter);
    if (works_n > 1) {
        wc_plan_untake(&r->plan, works[1]); /* it had nothing of that */
    }
    if (works_n > 0) {
        GR_TRY(take_back(r, works[0], why));
    }
    return serve_all(r);
}

/* ---- nodes -------------------------------------------------------------- */

static int on_down(wc_run *r, gr_ref ref, gr_pid pid, const gr_exit_reason *why)
{
    if (wc_nodes_is_team(r, ref)) {
        return wc_nodes_team_down(r, ref, why);
    }
    wc_counter *counter = wc_crew_find(&r->crew, pid);
    return counter != NULL ? on_counter_down(r, counter, why) : 0;
}

static int on_exit_of(wc_run *r, const gr_exit_reason *why)
{
    wc_progress_problem(&r->progress, "the child nodes failed: %s %s %s",
                        gr_exit_kind_name(why->kind),
                        why->code < 0 ? gr_errname(why->code) : "", why->text);
    return WC_EFAILED;
}

/* ---- the run ------------------------------------------------------------ */

static void draw(wc_run *r)
{
    wc_progress_draw(&r->progress, gr_now_ms(r->self), r->summary.bytes,
                     r->total, r->surveyed);
}

static int on_timer(wc_run *r, const gr_msg *msg)
{
    if (gr_match(msg, "draw")) {
        draw(r);
        return 0;
    }
    if (gr_match(msg, "kill")) {
        const bool any = r->crew.counters_n > 0;
        return r->killed ? 0 : wc_nodes_kill(r, any ? r->crew.counters : NULL);
    }
    if (gr_match(msg, "teams")) {
        return wc_nodes_spawn_teams(r);
    }
    if (gr_match(msg, "again")) {
        r->retrying = false;
        return serve_all(r);
    }
    if (gr_match(msg, "patience")) {
        if (r->met) {
            return 0;
        }
        wc_progress_problem(&r->progress, "no counter has started within %d s",
                            PATIENCE_MS / 1000);
        return WC_EFAILED;
    }
    return gr_unhandled(r->self, msg);
}

static int handle(wc_run *r, const gr_msg *msg)
{
    result done;
    gr_exit_reason why;
    gr_bytes counts;
    gr_node node;
    gr_str name;
    gr_pid pid;
    gr_ref ref;
    uint64_t id;
    bool up;
    int reason;
    if (gr_match(msg, "ready")) {
        return on_ready(r, gr_sender(msg));
    }
    if (gr_match(msg, "part", &id, &counts)) {
        return on_part(r, msg, id, counts);
    }
    if (gr_match(msg, "done", &done.id, &done.counts, &done.bytes, &done.files,
                 &done.failed, &done.problems, &done.rests)) {
        return on_done(r, msg, &done);
    }
    if (gr_match(msg, "survey", &r->total)) {
        r->surveyed = true;
        return 0;
    }
    if (gr_match_down(msg, &ref, &pid, &why)) {
        return on_down(r, ref, pid, &why);
    }
    if (gr_match_node(msg, &up, &node, &name, &reason)) {
        return wc_nodes_changed(r, up, node, name, reason);
    }
    if (gr_match_slow_node(msg, NULL, NULL, NULL, NULL)) {
        return 0; /* its share is what it takes */
    }
    if (gr_match_exit(msg, &pid, &why)) {
        return on_exit_of(r, &why);
    }
    if (gr_match_stop(msg, NULL)) {
        return GR_ESTOPPED;
    }
    return on_timer(r, msg);
}

/* All is counted; and the node that was to be killed is back. */
static bool is_over(const wc_run *r)
{
    if (!wc_plan_finished(&r->plan)) {
        return false;
    }
    return !r->options->kill_node || r->plan.made == 0 ||
           (r->killed && r->summary.nodes_lost > 0 &&
            r->summary.nodes_restarted >= r->summary.nodes_lost);
}

/* The walk goes on while the nodes start. Their threads need this processor for
 * moments only; each would wait until this one's time slice ends. */
static void let_counters_start(const wc_run *r)
{
    if (r->crew.counters_n < r->crew.nodes_n * r->options->workers) {
        (void)sched_yield(); /* never fails on Linux */
    }
}

/* Walks while no message is there, so that the walk delays nobody. */
static int count_all(wc_run *r)
{
    bool look = true;
    while (!is_over(r)) {
        const gr_msg *msg;
        int rc = gr_receive(r->self, look ? 0 : GR_FOREVER, &msg);
        if (rc == GR_ETIMEOUT) {
            rc = wc_chunks_look(&r->chunks, LOOK_FILES);
            look = rc > 0;
            let_counters_start(r);
        } else if (rc == 0) {
            rc = handle(r, msg);
            look = !r->chunks.walked;
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int report(wc_run *r)
{
    const wc_report_opts opts = {.json = r->options->json,
                                 .top = r->options->top,
                                 .files = r->summary.files,
                                 .bytes = r->summary.bytes,
                                 .failed = r->summary.failed};
    int os_error = 0;
    const int rc = wc_report(&r->table, &opts, STDOUT_FILENO, &os_error);
    if (rc == GR_EIO) {
        wc_progress_problem(&r->progress, "cannot write the answer: %s",
                            wc_why(os_error));
        return WC_EFAILED;
    }
    return rc;
}

static int prepare(wc_run *r)
{
    const wc_options *o = r->options;
    /* Only who counts, and a chunk of a given size, need sizes beforehand. */
    const bool no_sizes = !o->bytes && o->chunk_size == 0;
    GR_TRY(wc_table_init(&r->table, o->words_max));
    GR_TRY(wc_crew_init(&r->crew, o->nodes, o->by_hand));
    GR_TRY(wc_payload_init(&r->payload, &r->table, file_problem, r));
    GR_TRY(wc_walk_new(&(wc_walk_opts){.paths = o->paths,
                                       .paths_n = o->paths_n,
                                       .no_sizes = no_sizes,
                                       .problem = file_problem,
                                       .problem_arg = r},
                       &r->walk));
    const unsigned dialed = r->flags->connect_n;
    const unsigned nodes = o->nodes + dialed > 0 ? o->nodes + dialed : 1;
    wc_chunks_init(
        &r->chunks,
        &(wc_chunks_opts){.walk = r->walk,
                          .no_sizes = no_sizes,
                          .workers = nodes * o->workers,
                          .chunk_size = o->chunk_size,
                          .chunk_max = o->bytes ? CHUNK_MAX_OF_BYTES : 0});
    wc_plan_init(&r->plan, &r->chunks, o->crash_every);
    return 0;
}

/* All but the table: sorting can use the memory. Twice is once. */
static void release_work(wc_run *r)
{
    for (size_t i = 0; i < r->crew.counters_n; i++) {
        const wc_counter *counter = &r->crew.counters[i];
        for (unsigned k = 0; k < counter->works_n; k++) {
            wc_plan_return(&r->plan, counter->works[k]);
        }
    }
    wc_plan_fini(&r->plan);
    wc_chunks_fini(&r->chunks);
    wc_walk_free(r->walk);
    r->walk = NULL;
    wc_payload_fini(&r->payload);
    wc_crew_fini(&r->crew);
}

static void sum_up(wc_run *r)
{
    r->summary.chunks = r->plan.done;
    r->summary.again = r->plan.again;
    r->summary.files = r->chunks.files;
    r->summary.bytes += r->payload.bytes_here;
    r->summary.words = wc_report_total(&r->table);
    r->summary.distinct = wc_table_words(&r->table);
}

static int run_all(wc_run *r)
{
    GR_TRY(prepare(r));
    gr_trap_exit(r->self, true);
    GR_TRY(wc_nodes_start(r));
    GR_TRY(gr_after(r->self, PATIENCE_MS, NULL, "patience"));
    if (r->progress.terminal || r->options->kill_node) {
        GR_TRY(
            wc_survey_start(r->self, r->options->paths, r->options->paths_n));
    }
    if (r->progress.terminal) {
        GR_TRY(gr_every(r->self, WC_PROGRESS_MS, NULL, "draw"));
    }
    GR_TRY(count_all(r));
    sum_up(r);
    /* They end while the answer is sorted. */
    if (!gr_pid_is_nobody(r->nodes)) {
        GR_TRY(gr_stop(r->self, r->nodes));
    }
    release_work(r);
    return report(r);
}

int wc_coordinate(gr_actor *self, const wc_options *options, node_flags *flags)
{
    wc_run *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return GR_ENOMEM;
    }
    r->self = self;
    r->options = options;
    r->flags = flags;
    wc_progress_init(&r->progress, gr_now_ms(self));
    int rc = run_all(r);
    if (rc == 0) {
        r->summary.ms = gr_now_ms(self) - r->progress.start_ms;
        wc_progress_end(&r->progress, &r->summary);
        rc = r->summary.failed > 0 ? WC_EXIT_FAILED : 0;
    } else {
        rc = give_up(r, rc);
    }
    release_work(r);
    wc_table_fini(&r->table);
    free(r);
    return rc;
}
