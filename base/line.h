/*
 * base/line.h - a line of text, piece by piece, also in a signal handler: no
 * memory, no lock, nothing of stdio. What has no room is left out.
 */
#ifndef GRI_BASE_LINE_H
#define GRI_BASE_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct gri_line {
    char *at; /* without an ending zero */
    size_t n, max;
} gri_line;

/* One that is to be a string (gri_line_text), in a buffer of size bytes. */
static inline gri_line gri_line_in(char *buf, size_t size)
{
    return (gri_line){.at = buf, .max = size - 1};
}

void gri_line_bytes(gri_line *line, const char *text, size_t n);
/* Inline: the length of a constant is one. */
static inline void gri_line_put(gri_line *line, const char *text)
{
    gri_line_bytes(line, text, strlen(text));
}
/* base: 2 to 16. */
void gri_line_number(gri_line *line, uint64_t value, unsigned base);
/* The same with at least so many digits, up to 64. */
void gri_line_digits(gri_line *line, uint64_t value, unsigned base,
                     unsigned least);
/* As hexadecimal, with 0x. */
void gri_line_hex(gri_line *line, uint64_t value);
/* Up to a zero, and at most n bytes, which may be anybody's: what is not plain
 * ASCII is shown as \x and two digits. */
void gri_line_name(gri_line *line, const char *text, size_t n);
/* Where code stands: object and offset, else the address. */
void gri_line_code(gri_line *line, uintptr_t at);
/* Of gri_line_in's. */
const char *gri_line_text(gri_line *line);
/* Ends the line, if need be over its last character. */
void gri_line_end(gri_line *line);
/* The same, and writes it, as last words (write.h). There is nobody to tell of
 * an error. */
void gri_line_write(gri_line *line, int fd);

#endif /* GRI_BASE_LINE_H */
