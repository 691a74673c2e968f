/*
 * Goal:   a packet between program and launcher is taken as it was sent, or
 *         refused; nothing that is cut, bent or too long gets through, and no
 *         descriptor is lost on the way.
 * Method: packets through a pair of sockets; then each byte of a good request
 *         bent in every bit, and each length cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the headers above */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/launcher_wire.h"

static gri_request *make(int control)
{
    char a[] = "name";
    char b[] = "";
    char c[] = "three";
    char *argv[] = {a, b, c, NULL};
    gri_request *r = NULL;
    assert_int_equal(
        gri_request_new(
            &(gri_launch){.path = "/bin/x", .argv = argv, .control = control},
            &r),
        0);
    r->id = 7;
    return r;
}

static void a_request_says_what_was_asked(void **state)
{
    gri_request_buffer b;
    const char *path = NULL;
    char *argv[GRI_LAUNCH_WORDS_MAX + 1];
    (void)state;
    gri_request *r = make(5);
    memcpy(&b, r, gri_request_size(r));
    assert_true(gri_request_ok(&b, gri_request_size(r)));
    gri_request_words(&b.request, &path, argv);
    assert_string_equal(path, "/bin/x");
    assert_string_equal(argv[0], "name");
    assert_string_equal(argv[1], "");
    assert_string_equal(argv[2], "three");
    assert_null(argv[3]);
    assert_int_equal(b.request.has_control, 1);
    free(r);
}

static void what_is_too_long_is_refused(void **state)
{
    static char text[GRI_LAUNCH_TEXT_MAX];
    char word[] = "x";
    char *argv[GRI_LAUNCH_WORDS_MAX + 2] = {text, NULL};
    gri_launch launch = {.path = "/x", .argv = argv, .control = -1};
    gri_request *r = NULL;
    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    assert_int_equal(gri_request_new(&launch, &r), GR_ETOOBIG);
    text[sizeof(text) - 4] = '\0'; /* and "/x" with its end: just so */
    assert_int_equal(gri_request_new(&launch, &r), 0);
    assert_int_equal(r->text_size, GRI_LAUNCH_TEXT_MAX);
    r->id = 1;
    gri_request_buffer b;
    memcpy(&b, r, gri_request_size(r));
    assert_true(gri_request_ok(&b, gri_request_size(r)));
    free(r);
    for (int i = 0; i < GRI_LAUNCH_WORDS_MAX; i++) {
        argv[i] = word;
    }
    argv[GRI_LAUNCH_WORDS_MAX] = NULL;
    assert_int_equal(gri_request_new(&launch, &r), GR_ETOOBIG);
    argv[GRI_LAUNCH_WORDS_MAX - 1] = NULL;
    assert_int_equal(gri_request_new(&launch, &r), 0);
    free(r);
}

static void cut_requests_are_refused(void **state)
{
    gri_request_buffer b;
    (void)state;
    gri_request *r = make(-1);
    memcpy(&b, r, gri_request_size(r));
    for (size_t n = 0; n < gri_request_size(r); n++) {
        assert_false(gri_request_ok(&b, n));
    }
    assert_false(gri_request_ok(&b, gri_request_size(r) + 1));
    free(r);
}

/* Whatever passes can be started without looking outside of the packet. */
static void bent_requests_stay_inside(void **state)
{
    gri_request_buffer b;
    (void)state;
    gri_request *r = make(-1);
    const size_t n = gri_request_size(r);
    for (size_t at = 0; at < n; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            const char *path = NULL;
            char *argv[GRI_LAUNCH_WORDS_MAX + 1];
            memset(&b, 'x', sizeof(b));
            memcpy(&b, r, n);
            b.bytes[at] = (char)(b.bytes[at] ^ (1 << bit));
            if (!gri_request_ok(&b, n) || b.request.kind != GRI_REQUEST_START) {
                continue;
            }
            gri_request_words(&b.request, &path, argv);
            const char *last = path;
            for (int i = 0; argv[i] != NULL; i++) {
                assert_true(i < GRI_LAUNCH_WORDS_MAX);
                assert_ptr_equal(argv[i], last + strlen(last) + 1);
                last = argv[i];
            }
            assert_ptr_equal(last + strlen(last) + 1, b.bytes + n);
        }
    }
    free(r);
}

static void a_kill_has_no_words(void **state)
{
    gri_request_buffer b = {.request = {.kind = GRI_REQUEST_KILL, .id = 3}};
    const size_t n = gri_request_size(&b.request);
    (void)state;
    assert_true(gri_request_ok(&b, n));
    b.request.id = 0;
    assert_false(gri_request_ok(&b, n));
    b.request.id = 3;
    b.request.has_control = 1;
    assert_false(gri_request_ok(&b, n));
    b.request.has_control = 0;
    b.request.words = 1;
    assert_false(gri_request_ok(&b, n));
    b.request.words = 0;
    b.request.kind = 3;
    assert_false(gri_request_ok(&b, n));
}

/* ---- packets ------------------------------------------------------------ */

static void pair(int ends[2])
{
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static int lowest_free(void)
{
    const int fd = dup(STDERR_FILENO);
    assert_true(fd >= 0);
    (void)close(fd);
    return fd;
}

static void a_descriptor_travels_along(void **state)
{
    int ends[2];
    int pipe_ends[2];
    char text[8] = "";
    int fd = -1;
    (void)state;
    pair(ends);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);

    assert_int_equal(gri_packet_receive(ends[1], text, sizeof(text), &fd),
                     GR_EAGAIN);
    assert_int_equal(gri_packet_send(ends[0], "abc", 3, pipe_ends[1]), 0);
    assert_int_equal(gri_packet_send(ends[0], "de", 2, -1), 0);
    assert_int_equal(gri_packet_receive(ends[1], text, sizeof(text), &fd), 3);
    assert_memory_equal(text, "abc", 3);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(pipe_ends[0], text, 1), 1);
    (void)close(fd);
    assert_int_equal(gri_packet_receive(ends[1], text, sizeof(text), &fd), 2);
    assert_int_equal(fd, -1);
    (void)close(ends[0]);
    assert_int_equal(gri_packet_receive(ends[1], text, sizeof(text), &fd),
                     GR_ENOCONN);
    assert_int_equal(gri_packet_send(ends[1], "x", 1, -1), GR_ENOCONN);
    (void)close(ends[1]);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
}

static void a_packet_that_is_too_long_is_refused(void **state)
{
    int ends[2];
    char text[4];
    int fd = -1;
    (void)state;
    const int free_before = lowest_free();
    pair(ends);
    assert_int_equal(gri_packet_send(ends[0], "12345", 5, STDERR_FILENO), 0);
    assert_int_equal(gri_packet_receive(ends[1], text, sizeof(text), &fd),
                     GR_EFORMAT);
    assert_int_equal(fd, -1);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(lowest_free(), free_before); /* its descriptor, too */
}

static void several_descriptors_are_refused(void **state)
{
    int ends[2];
    char text[4] = "x";
    int fd = -1;
    const int fds[2] = {STDERR_FILENO, STDERR_FILENO};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(fds))];
    } control = {0};
    struct iovec part = {.iov_base = text, .iov_len = 1};
    struct msghdr header = {.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control.bytes)};
    (void)state;
    const int free_before = lowest_free();
    pair(ends);
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fds));
    memcpy(CMSG_DATA(c), fds, sizeof(fds));
    assert_int_equal(sendmsg(ends[0], &header, 0), 1);
    assert_int_equal(gri_packet_receive(ends[1], text, sizeof(text), &fd),
                     GR_EFORMAT);
    assert_int_equal(fd, -1);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(lowest_free(), free_before);
}

static void a_full_socket_says_so(void **state)
{
    int ends[2];
    int rc;
    unsigned sent = 0;
    char text[64];
    int fd = -1;
    (void)state;
    pair(ends);
    while ((rc = gri_packet_send(ends[0], "0123456789", 10, -1)) == 0) {
        sent++;
    }
    assert_int_equal(rc, GR_EAGAIN);
    for (unsigned i = 0; i < sent; i++) {
        assert_int_equal(gri_packet_receive(ends[1], text, sizeof(text), &fd),
                         10);
    }
    assert_int_equal(gri_packet_receive(ends[1], text, sizeof(text), &fd),
                     GR_EAGAIN);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_says_what_was_asked),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(cut_requests_are_refused),
        cmocka_unit_test(bent_requests_stay_inside),
        cmocka_unit_test(a_kill_has_no_words),
        cmocka_unit_test(a_descriptor_travels_along),
        cmocka_unit_test(a_packet_that_is_too_long_is_refused),
        cmocka_unit_test(several_descriptors_are_refused),
        cmocka_unit_test(a_full_socket_says_so),
    };
    return cmocka_run_group_tests_name("process/launcher_wire", tests, NULL,
                                       NULL);
}
