/*
 * greenroom/msgpack.h - messages of any shape by msgpack-c itself: as its trees
 * of objects, and by its packer.
 *
 * The one header that needs msgpack-c's (msgpack.h, the C library), and so not
 * a part of greenroom.h. gr_match and gr_send are faster and allocate nothing;
 * this is for shapes that are not known beforehand, and for code that speaks
 * msgpack-c's types already.
 *
 * Threads: the actor that owns `self` only, except where another is named.
 */
#ifndef GREENROOM_MSGPACK_H
#define GREENROOM_MSGPACK_H

#include <msgpack.h>

#include <greenroom/actor.h>

GR_BEGIN_DECLS

/* ---- reading ------------------------------------------------------------ */

/* Values in all the trees that one handler makes; lists and maps count, too. A
 * value takes 24 bytes, and msgpack-c may leave as much unused. */
#define GR_TREE_MAX (1u << 20)

/*
 * The whole message as a tree: an array, its tag first.
 *
 * Owns:   the tree is the runtime's. It lives until the handler returns (or
 *         init, or terminate), in a thread actor until its next gr_receive,
 *         gr_call or gr_sleep; all trees made until then live together. Texts
 *         and bytes in it point into the message.
 * Errors: GR_ELIMIT (GR_TREE_MAX), GR_ENOMEM.
 */
GR_API GR_MUST_CHECK int gr_msg_tree(gr_actor *self, const gr_msg *msg,
                                     msgpack_object *out);
/* The same for one value, which may be bytes that nobody has checked. It points
 * into them. Errors: GR_EFORMAT, GR_ELIMIT (GR_DEPTH_MAX, GR_TREE_MAX),
 * GR_ENOMEM. */
GR_API GR_MUST_CHECK int gr_any_tree(gr_actor *self, gr_any any,
                                     msgpack_object *out);
/* Whether the object is a pid; nil is GR_NOBODY. Threads: any. */
GR_API GR_MUST_CHECK bool gr_object_pid(const msgpack_object *object,
                                        gr_pid *out);

/* ---- sending ------------------------------------------------------------ */

/* A tree as a value for gr_send, gr_reply ... (not for gr_is, nor for the
 * arguments of a supervisor's child): gr_send(self, to, "config",
 * gr_object(&tree)). Borrowed with all that is in it, and copied by the send. A
 * tree that is too deep, or a circle, is GR_ELIMIT there. */
static inline gr_value gr_object(const msgpack_object *object)
{
    gr_value v = gri_v(GR_KIND_OBJECT, 0);
    v.as.p = object;
    return v;
}

/*
 * Begins a message that msgpack-c's packer writes: makes *pk a packer, to be
 * used with msgpack_pack_array and all the others, and then ended by one of the
 * functions below. What is packed must be one array, its tag first: a string or
 * an integer. One message at a time; who neither ends nor cancels it leaves it
 * to be dropped when the handler returns, in a thread actor when it next waits.
 *
 * Owns:    the bytes are the runtime's. After that moment pk packs nothing.
 * Errors:  GR_EINVAL (one is begun already), GR_ENOMEM, GR_ETOOBIG.
 */
GR_API GR_MUST_CHECK int gr_pack_begin(gr_actor *self, msgpack_packer *pk);
/* Packs a pid, by this or any other packer. Returns what the packer does: 0 if
 * it could. */
GR_API int gr_pack_pid(gr_actor *self, msgpack_packer *pk, gr_pid pid);
/* Drops what was begun, if anything was. */
GR_API void gr_pack_cancel(gr_actor *self, msgpack_packer *pk);

/*
 * These end the packing, whatever they return: as gr_send, gr_reply, gr_ask and
 * gr_call do. An error of a msgpack_pack function, which need not be looked at,
 * is the error here.
 *
 * Errors:  theirs, and GR_EINVAL (nothing is begun, or it is not one whole
 *          array with a tag), GR_ETOOBIG, GR_ELIMIT (nested deeper than
 *          GR_DEPTH_MAX), GR_ENOMEM.
 */
GR_API GR_MUST_CHECK int gr_pack_send(gr_actor *self, gr_pid to,
                                      msgpack_packer *pk);
/* Errors: as gr_pack_send. */
GR_API GR_MUST_CHECK int gr_pack_reply(gr_actor *self, const gr_msg *msg,
                                       msgpack_packer *pk);
/* Errors: as gr_pack_send. */
GR_API GR_MUST_CHECK int gr_pack_ask(gr_actor *self, gr_pid to,
                                     int64_t timeout_ms, gr_continuation then,
                                     msgpack_packer *pk);
/* Errors: as gr_pack_send. */
GR_API GR_MUST_CHECK int gr_pack_call(gr_actor *self, gr_pid to,
                                      int64_t timeout_ms, gr_pattern expect,
                                      msgpack_packer *pk);

GR_END_DECLS

#endif /* GREENROOM_MSGPACK_H */
