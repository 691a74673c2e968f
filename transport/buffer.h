/* transport/buffer.h - bytes in a row that grow at the end. */
#ifndef GRI_TRANSPORT_BUFFER_H
#define GRI_TRANSPORT_BUFFER_H

#include <stddef.h>
#include <stdint.h>

typedef struct gri_buffer {
    uint8_t *data; /* NULL while cap is 0 */
    size_t len, cap;
} gri_buffer; /* all zero is an empty one */

void gri_buffer_fini(gri_buffer *b);
/* Makes room for n bytes behind len. Capacities are powers of two from
 * GRI_BUFFER_MIN on. Returns 0, or GR_ENOMEM: unchanged. */
int gri_buffer_reserve(gri_buffer *b, size_t n);
/* Appends n bytes, for which there must be room. */
void gri_buffer_put(gri_buffer *b, const void *p, size_t n);
/* Takes n bytes away in front. */
void gri_buffer_drop(gri_buffer *b, size_t n);
/* Gives memory beyond cap back, if the buffer is empty. */
void gri_buffer_shrink(gri_buffer *b, size_t cap);

enum { GRI_BUFFER_MIN = 4096 }; /* bytes: a page */

#endif /* GRI_TRANSPORT_BUFFER_H */
