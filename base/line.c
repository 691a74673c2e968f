/* base/line.c - see line.h. */
#include "base/line.h"

#include <stdbool.h>
#include <string.h>

#include "base/place.h"
#include "base/write.h"

enum {
    OBJECT_MAX = 64 /* bytes of an object's name: file names are rarely more */
};

static void put_char(gri_line *line, char c)
{
    if (line->n < line->max) {
        line->at[line->n++] = c;
    }
}

void gri_line_bytes(gri_line *line, const char *text, size_t n)
{
    const size_t room = line->max - line->n;
    memcpy(line->at + line->n, text, n < room ? n : room);
    line->n += n < room ? n : room;
}

/* Inline: by a base that is known a division is a shift or a product. */
static inline __attribute__((always_inline)) void
put_digits(gri_line *line, uint64_t value, unsigned base, unsigned least)
{
    char digits[64]; /* of base 2 */
    char *const end = digits + sizeof digits;
    char *p = end;
    do {
        *--p = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0 || (size_t)(end - p) < least);
    gri_line_bytes(line, p, (size_t)(end - p));
}

void gri_line_digits(gri_line *line, uint64_t value, unsigned base,
                     unsigned least)
{
    if (base == 16) {
        put_digits(line, value, 16, least);
    } else if (base == 10) {
        put_digits(line, value, 10, least);
    } else {
        put_digits(line, value, base, least);
    }
}

void gri_line_number(gri_line *line, uint64_t value, unsigned base)
{
    gri_line_digits(line, value, base, 1);
}

void gri_line_hex(gri_line *line, uint64_t value)
{
    gri_line_put(line, "0x");
    gri_line_number(line, value, 16);
}

void gri_line_name(gri_line *line, const char *text, size_t n)
{
    for (size_t i = 0; i < n && text[i] != '\0' && line->n < line->max; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c >= ' ' && c <= '~') {
            put_char(line, (char)c);
        } else {
            gri_line_put(line, c < 16 ? "\\x0" : "\\x");
            gri_line_number(line, c, 16);
        }
    }
}

void gri_line_code(gri_line *line, uintptr_t at)
{
    gri_place place;
    if (gri_place_of(at, &place)) {
        gri_line_name(line, place.object, OBJECT_MAX);
        gri_line_put(line, "+");
        gri_line_hex(line, place.offset);
    } else {
        gri_line_hex(line, at);
    }
}

const char *gri_line_text(gri_line *line)
{
    line->at[line->n] = '\0';
    return line->at;
}

void gri_line_end(gri_line *line)
{
    line->n -= line->n == line->max ? 1 : 0;
    line->at[line->n++] = '\n';
}

void gri_line_write(gri_line *line, int fd)
{
    gri_line_end(line);
    (void)gri_write_last(fd, line->at, line->n);
}
