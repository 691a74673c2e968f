/* base/error.c - names and sentences of the error codes. */
#include <greenroom/error.h>

static const struct text {
    int code;
    const char *name;
    const char *sentence;
} texts[] = {
    {GR_OK, "GR_OK", "no error"},
    {GR_EFAIL, "GR_EFAIL", "it failed, and the log says why"},
    {GR_EINVAL, "GR_EINVAL",
     "an argument, or the moment of the call, is wrong"},
    {GR_ENOMEM, "GR_ENOMEM", "out of memory"},
    {GR_EAGAIN, "GR_EAGAIN", "the receiver's mailbox is full"},
    {GR_ENOPROC, "GR_ENOPROC", "the actor is dead"},
    {GR_ETIMEOUT, "GR_ETIMEOUT", "the deadline passed"},
    {GR_EEXIST, "GR_EEXIST", "the name is taken"},
    {GR_ENOENT, "GR_ENOENT", "there is nothing by that name"},
    {GR_ELIMIT, "GR_ELIMIT", "a stated limit is reached"},
    {GR_ESTOPPED, "GR_ESTOPPED", "the actor or its system is stopping"},
    {GR_ETOOBIG, "GR_ETOOBIG", "the message is too big"},
    {GR_EREPLY, "GR_EREPLY", "the answer is not the expected one"},
    {GR_ENOREPLY, "GR_ENOREPLY", "the handler returned without an answer"},
    {GR_EFORMAT, "GR_EFORMAT", "the bytes are not what they should be"},
    {GR_EDENIED, "GR_EDENIED", "the peer is not allowed to do this"},
    {GR_EVERSION, "GR_EVERSION", "the peer speaks another version"},
    {GR_ENOCONN, "GR_ENOCONN", "the node cannot be reached"},
    {GR_EADDRESS, "GR_EADDRESS", "the address is wrong or in use"},
    {GR_EIO, "GR_EIO", "the operating system reported an error"},
    {GR_ENOTSUP, "GR_ENOTSUP", "not possible for this kind of actor or node"},
    {GR_EDEADLOCK, "GR_EDEADLOCK", "it would wait for who waits for it"},
    {GR_EINSECURE, "GR_EINSECURE", "it would be open to a network without TLS"},
    {GR_EEXPIRED, "GR_EEXPIRED",
     "a certificate's time is over, or has not come"},
};

static const struct text user = {GR_EUSER, "GR_EUSER",
                                 "an error of the program's own"};
static const struct text unknown = {0, "GR_E?", "an unknown error"};

static const struct text *find(int err)
{
    if (err <= GR_EUSER) {
        return &user;
    }
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].code == err) {
            return &texts[i];
        }
    }
    return &unknown;
}

const char *gr_errname(int err)
{
    return find(err)->name;
}

const char *gr_strerror(int err)
{
    return find(err)->sentence;
}
