/*
 * chat/lines.h - standard input as messages.
 *
 * A thread of its own reads it, as reading blocks, and is an actor while it
 * does: it asks its owner ["line", text] for each line, and reads on when that
 * is answered with ["next"]; so the owner sets the pace. At the end it sends
 * ["end"].
 */
#ifndef CHAT_LINES_H
#define CHAT_LINES_H

#include <pthread.h>
#include <semaphore.h>

#include <greenroom/greenroom.h>

#define LINES_MAX 2000u /* bytes of a line; a longer one comes in pieces */

typedef struct lines {
    gr_system *sys;
    gr_pid owner;
    gr_pid reader; /* nobody: it could not start */
    pthread_t thread;
    sem_t started;
    int stop[2]; /* a pipe that is closed to end the wait for input */
    char buffer[LINES_MAX];
    size_t len;
} lines;

/* Keeps *l, which ends with lines_stop. Errors: GR_EIO, GR_EFAIL (no thread, or
 * no room for its actor). */
int lines_start(gr_actor *self, lines *l);
void lines_stop(gr_actor *self, lines *l);

#endif /* CHAT_LINES_H */
