/*
 * Goal:   what a discovery finds is kept, and what it does not find any more is
 *         not, until it ends; a file is followed, and what is wrong in it is
 *         said once, with its line, and changes nothing.
 * Method: a node in simulated time that has nobody to dial; what it knows is
 *         compared with a list. Files in a folder of the test's own.
 */
#include "tests/transport/nodes.h"

typedef struct scene {
    gr_sim_net *net;
    gr_system *sys;
    gr_actor *self;
    char folder[64];
    char path[96];
} scene;

static char logged[16 * 1024];

static void note_log(void *arg, gr_log_level level, const char *line)
{
    (void)arg;
    const size_t used = strlen(logged);
    if (level <= GR_LOG_WARN && strstr(line, "is tried again") == NULL) {
        (void)snprintf(logged + used, sizeof logged - used, "%s\n", line);
    }
}

static int setup(void **state)
{
    scene *s = calloc(1, sizeof *s);
    *state = s;
    logged[0] = '\0';
    if (s == NULL || gr_sim_net_new(5, &s->net) < 0) {
        return -1;
    }
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/gr-found-XXXXXX");
    if (mkdtemp(s->folder) == NULL) {
        return -1;
    }
    (void)snprintf(s->path, sizeof s->path, "%s/nodes", s->folder);
    const gr_system_opts system = {
        .sim_net = s->net, .log = note_log, .log_level = GR_LOG_WARN};
    if (gr_system_start(&system, &s->sys) < 0 ||
        gr_thread_attach(s->sys, NULL, &s->self) < 0) {
        return -1;
    }
    return gr_node_start(
        s->self, &(gr_node_opts){.name = "n", .secret = bytes_of(SECRET)});
}

static int teardown(void **state)
{
    scene *s = *state;
    gr_thread_detach(s->self, 0);
    assert_int_equal(gr_system_stop(s->sys, LONG_MS), 0);
    gr_sim_net_free(s->net);
    (void)unlink(s->path);
    const int rc = rmdir(s->folder);
    free(s);
    return rc;
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void write_file(scene *s, const char *text, size_t n)
{
    FILE *f = fopen(s->path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_text(scene *s, const char *text)
{
    write_file(s, text, strlen(text));
}

/* What is known is this, a name of sim:// each with a space behind it, in any
 * order. */
static void assert_known(scene *s, const char *names)
{
    gr_known_node all[16];
    int wanted = 0;
    for (const char *p = names; *p != '\0'; p++) {
        wanted += *p == ' ';
    }
    const int n = gr_node_known(s->self, all, 16);
    for (int i = 0; i < n; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "%.20s ", all[i].address + 6);
        assert_non_null(strstr(names, name));
    }
    assert_int_equal(n, wanted);
}

static gr_pid discover(scene *s, const gr_discovery *d)
{
    gr_pid pid;
    assert_int_equal(gr_node_discover(s->self, d, &pid), 0);
    gr_sim_advance(s->sys, 10);
    return pid;
}

static void stop_actor(scene *s, gr_pid pid)
{
    assert_int_equal(gr_stop(s->self, pid), 0);
    gr_sim_advance(s->sys, 10);
}

static void list_is_kept_while_it_is_in_use(void **state)
{
    scene *s = *state;
    gr_discovery d;
    const char *list[] = {"sim://a", "sim://b", "sim://b", NULL};
    assert_int_equal(gr_discovery_list(list, &d), 0);
    list[0] = "sim://x"; /* it was copied */
    const gr_pid pid = discover(s, &d);
    assert_known(s, "a b ");
    assert_int_equal(gr_node_keep(s->self, "sim://b"), 0);
    stop_actor(s, pid);
    assert_known(s, "b "); /* the program's own wish stays */

    list[1] = "no address";
    assert_int_equal(gr_discovery_list(list, &d), GR_EADDRESS);
    assert_int_equal(gr_discovery_list(NULL, &d), 0);
    (void)discover(s, &d); /* ends with the system */
    assert_known(s, "b ");
}

static void file_is_followed(void **state)
{
    scene *s = *state;
    gr_discovery d;
    assert_int_equal(gr_discovery_file(s->path, 1000, &d), 0);
    write_text(s, "# nodes\n\n  sim://a\t# the first\r\nsim://b\nsim://b");
    const gr_pid pid = discover(s, &d);
    assert_known(s, "a b ");
    write_text(s, "sim://b\nsim://c#c\n");
    gr_sim_advance(s->sys, 900);
    assert_known(s, "a b "); /* not yet */
    gr_sim_advance(s->sys, 200);
    assert_known(s, "a b "); /* "c#c" is a name that no one can have */
    write_text(s, "sim://b\nsim://c #c\n");
    gr_sim_advance(s->sys, 1000);
    assert_known(s, "b c ");
    write_text(s, "");
    gr_sim_advance(s->sys, 1000);
    assert_known(s, "");
    write_text(s, "sim://d\n");
    gr_sim_advance(s->sys, 1000);
    assert_known(s, "d ");
    stop_actor(s, pid);
    assert_known(s, "");
}

static void what_is_wrong_in_a_file_is_said_once(void **state)
{
    scene *s = *state;
    gr_discovery d;
    char wanted[200];
    assert_int_equal(gr_discovery_file(s->path, 1000, &d), 0);
    (void)discover(s, &d); /* there is no file */
    gr_sim_advance(s->sys, 5000);
    (void)snprintf(wanted, sizeof wanted, "node n: file of nodes: %s: %s\n",
                   s->path, gr_strerror(GR_ENOENT));
    assert_non_null(strstr(logged, wanted));
    assert_int_equal(strlen(strchr(logged, '\n')), 1); /* one line */

    write_text(s, "sim://a\n");
    gr_sim_advance(s->sys, 1000);
    assert_known(s, "a ");
    logged[0] = '\0';
    write_text(s, "sim://b\n# fine\nsim:/c\n");
    gr_sim_advance(s->sys, 5000);
    assert_known(s, "a "); /* all or nothing */
    (void)snprintf(wanted, sizeof wanted, "%s:3: \"sim:/c\": %s\n", s->path,
                   gr_strerror(GR_EADDRESS));
    assert_non_null(strstr(logged, wanted));
    assert_int_equal(strlen(strchr(logged, '\n')), 1);

    logged[0] = '\0';
    write_text(s, "tcp://127.0.0.1:1\n"); /* of another world */
    gr_sim_advance(s->sys, 5000);
    assert_non_null(strstr(logged, "tcp://127.0.0.1:1"));
    assert_int_equal(strlen(strchr(logged, '\n')), 1);
    assert_known(s, "");

    logged[0] = '\0';
    write_file(s, "sim://\0a\n", 9);
    gr_sim_advance(s->sys, 1000);
    assert_non_null(strstr(logged, "zero byte"));
    static char large[GR_DISCOVERY_FILE_MAX + 1];
    memset(large, '\n', sizeof large);
    write_file(s, large, sizeof large);
    gr_sim_advance(s->sys, 1000);
    assert_non_null(strstr(logged, gr_strerror(GR_ELIMIT)));
    write_file(s, large, sizeof large - 1);
    gr_sim_advance(s->sys, 1000);
    write_text(s, "sim://a\n");
    gr_sim_advance(s->sys, 1000);
    assert_known(s, "a ");
}

/* One of the program's own. */
typedef struct service {
    int looks, ends, rc;
    const char *address;
} service;

static int ask_service(void *arg, gr_found *found)
{
    service *v = arg;
    v->looks++;
    if (v->rc < 0) {
        return gr_found_fail(found, v->rc, "out of order");
    }
    return v->rc > 0 ? 1 : gr_found_add(found, v->address);
}

static void end_service(void *arg)
{
    ((service *)arg)->ends++;
}

static void other_services_can_be_asked(void **state)
{
    scene *s = *state;
    service v = {.address = "sim://a"};
    gr_pid pid;
    gr_discovery d = {.look = ask_service, .end = end_service, .arg = &v};
    assert_int_equal(gr_node_discover(s->self, &d, &pid), GR_EINVAL);
    d.name = "service";
    d.interval_ms = -1;
    assert_int_equal(gr_node_discover(s->self, &d, &pid), GR_EINVAL);
    d.interval_ms = 100;
    pid = discover(s, &d);
    assert_known(s, "a ");
    v.rc = 1; /* as it was */
    gr_sim_advance(s->sys, 1000);
    assert_known(s, "a ");
    v.rc = GR_EIO;
    gr_sim_advance(s->sys, 1000);
    assert_known(s, "a ");
    assert_non_null(strstr(logged, "service: out of order"));
    v.rc = 0;
    v.address = "sim://b";
    gr_sim_advance(s->sys, 100);
    assert_known(s, "b ");
    assert_in_range(v.looks, 20, 23);
    assert_int_equal(v.ends, 0);
    assert_int_equal(gr_kill(s->self, pid), 0);
    gr_sim_advance(s->sys, 100);
    assert_known(s, ""); /* however it ends */
    assert_int_equal(v.ends, 1);

    /* Killed before it began. */
    assert_int_equal(gr_node_discover(s->self, &d, &pid), 0);
    assert_int_equal(gr_kill(s->self, pid), 0);
    gr_sim_advance(s->sys, 100);
    assert_known(s, "");
    (void)discover(s, &d);
    assert_known(s, "b ");
    stop_node(&(nodes){.sys = {s->sys}, .self = {s->self}}, 0);
    assert_int_equal(v.ends, 3); /* the other with the node */
    const gr_system_opts again = {.sim_net = s->net};
    assert_int_equal(gr_system_start(&again, &s->sys), 0);
    assert_int_equal(gr_thread_attach(s->sys, NULL, &s->self), 0);
    assert_int_equal(gr_node_discover(s->self, &d, &pid), GR_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCENE(list_is_kept_while_it_is_in_use),
        IN_SCENE(file_is_followed),
        IN_SCENE(what_is_wrong_in_a_file_is_said_once),
        IN_SCENE(other_services_can_be_asked),
    };
    return cmocka_run_group_tests_name("transport/discovery", tests, NULL,
                                       NULL);
}
