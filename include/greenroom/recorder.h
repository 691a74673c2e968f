/* greenroom/recorder.h - the flight recorder: what a system did last. */
#ifndef GREENROOM_RECORDER_H
#define GREENROOM_RECORDER_H

#include <greenroom/base.h>

GR_BEGIN_DECLS

/*
 * Each worker notes its last turns, spawns, ends, crashes and other events,
 * always, in memory of its own. With gr_system_opts.recorder, or the
 * environment variable GREENROOM_RECORDER under gr_main, that memory is a file,
 * which is whole when the process was killed, and is read by the program
 * greenroom-recorder. docs/recorder.md has its format.
 */

/*
 * Writes what a system has recorded to a descriptor, as text. What happens
 * meanwhile may be in it or not. It takes no lock and no memory.
 * Errors:  GR_EIO.
 * Threads: any.
 */
GR_API GR_MUST_CHECK int gr_recorder_dump(gr_system *sys, int fd);

/*
 * The same of the bytes of a recorder's file, which may be any: cut off, from a
 * process that was killed at any moment, or no such file at all.
 * Errors:  GR_EINVAL (image is not aligned to 8 bytes), GR_EFORMAT (it is
 * none), GR_EVERSION (of another version, or another kind of machine), GR_EIO.
 * Threads: any.
 */
GR_API GR_MUST_CHECK int gr_recorder_print(const void *image, size_t size,
                                           int fd);

GR_END_DECLS

#endif /* GREENROOM_RECORDER_H */
