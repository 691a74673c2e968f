/* transport/file.h - files that decide whom a node believes. */
#ifndef GRI_TRANSPORT_FILE_H
#define GRI_TRANSPORT_FILE_H

#include <stddef.h>
#include <stdint.h>

typedef enum gri_privacy {
    GRI_FILE_SECRET, /* nobody but its owner may read or write it */
    GRI_FILE_PUBLIC  /* nobody but its owner may write it */
} gri_privacy;

/*
 * Reads at most size bytes of a plain file that belongs to us or to root.
 * Returns their number. Errors: GR_EDENIED (it is another kind of file, others
 * own it or may do what they must not, we may not read it), GR_ENOENT, GR_EIO.
 * Never waits.
 */
int64_t gri_file_read(const char *file, gri_privacy privacy, uint8_t *buf,
                      size_t size);

#endif /* GRI_TRANSPORT_FILE_H */
