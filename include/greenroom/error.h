/* greenroom/error.h - every error code of the library, in one list. */
#ifndef GREENROOM_ERROR_H
#define GREENROOM_ERROR_H

#include <greenroom/base.h>

GR_BEGIN_DECLS

/*
 * Functions that can fail return 0 (or a non-negative result), or one of these.
 * On an error outputs are untouched and nothing is half done. Programs may use
 * codes of their own below GR_EUSER, in handlers and in gr_reply_error.
 */
typedef enum gr_err {
    GR_OK = 0,
    GR_EFAIL = -1,      /* it failed, and the log says why */
    GR_EINVAL = -2,     /* an argument, or the moment of the call, is wrong */
    GR_ENOMEM = -3,     /* the system gave no memory */
    GR_EAGAIN = -4,     /* the receiver's mailbox, or a queue, is full */
    GR_ENOPROC = -5,    /* the actor is dead, or died before it answered */
    GR_ETIMEOUT = -6,   /* the deadline passed */
    GR_EEXIST = -7,     /* the name is taken */
    GR_ENOENT = -8,     /* there is nothing by that name */
    GR_ELIMIT = -9,     /* a stated limit is reached */
    GR_ESTOPPED = -10,  /* the actor, or the system, is told to stop */
    GR_ETOOBIG = -11,   /* the message is over the system's message_max */
    GR_EREPLY = -12,    /* the answer does not match what was expected */
    GR_ENOREPLY = -13,  /* the handler returned without an answer */
    GR_EFORMAT = -14,   /* bytes that are not what they should be */
    GR_EDENIED = -15,   /* the peer has no right to this, or proved nothing */
    GR_EVERSION = -16,  /* the peer speaks another version */
    GR_ENOCONN = -17,   /* the node cannot be reached, or was lost */
    GR_EADDRESS = -18,  /* the address cannot be understood or listened on */
    GR_EIO = -19,       /* the operating system reported an error */
    GR_ENOTSUP = -20,   /* not possible for this kind of actor or node */
    GR_EDEADLOCK = -21, /* it would wait for who waits for it */
    GR_EINSECURE = -22, /* it would be open to a network, without TLS */
    GR_EEXPIRED = -23,  /* a certificate's time is over, or has not come */
    GR_EUSER = -1000    /* programs' own codes are this and below */
} gr_err;

/* The code's name, such as "GR_EAGAIN"; "GR_EUSER" and below by number class.
 * Never NULL. Threads: any. */
GR_API const char *gr_errname(int err);
/* A sentence fit for a person. Never NULL. Threads: any. */
GR_API const char *gr_strerror(int err);

GR_END_DECLS

#endif /* GREENROOM_ERROR_H */
