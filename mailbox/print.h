/* mailbox/print.h - text from programs and peers, for lines that go to people.
 */
#ifndef GRI_MAILBOX_PRINT_H
#define GRI_MAILBOX_PRINT_H

#include <stddef.h>

/* Copies n bytes of text to buf, up to size bytes with the ending zero: control
 * characters, and what is no valid UTF-8, are escaped, and what is too long
 * ends in dots. Returns buf; size is not 0. */
const char *gri_escape(char *buf, size_t size, const char *s, size_t n);

#endif /* GRI_MAILBOX_PRINT_H */
