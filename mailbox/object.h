/*
 * mailbox/object.h - one object of msgpack-c's as a value to send. How objects
 * are laid out is msgpack-c's: only object.c and trees.c are compiled against
 * it, and programs that include greenroom/msgpack.h.
 */
#ifndef GRI_MAILBOX_OBJECT_H
#define GRI_MAILBOX_OBJECT_H

#include <msgpack.h>

#include <greenroom/message.h>

/*
 * The value that is encoded as this object is. Of an array or map as.p is its
 * first object, and len how many there are (of a map: keys and values); an ext,
 * which no value has, is a GR_KIND_OBJECT.
 * Errors: GR_EINVAL (no such type; a size, and no pointer), GR_ETOOBIG.
 */
int gri_object_value(const msgpack_object *object, gr_value *out);

#endif /* GRI_MAILBOX_OBJECT_H */
