/* wordcount/buffer.h - bytes that grow. */
#ifndef WORDCOUNT_BUFFER_H
#define WORDCOUNT_BUFFER_H

#include <stddef.h>
#include <stdint.h>

/* All zero at first. Ends with wc_buffer_fini. */
typedef struct wc_buffer {
    uint8_t *bytes;
    size_t size, room;
} wc_buffer;

/* Makes room for n more bytes, which the caller may then write. Errors:
 * GR_ENOMEM. */
int wc_buffer_reserve(wc_buffer *buffer, size_t n);
int wc_buffer_append(wc_buffer *buffer, const void *bytes, size_t n);
void wc_buffer_fini(wc_buffer *buffer);

#endif /* WORDCOUNT_BUFFER_H */
