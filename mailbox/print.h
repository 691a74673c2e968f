/* mailbox/print.h - text from programs and peers, for lines that go to people.
 */
#ifndef GRI_MAILBOX_PRINT_H
#define GRI_MAILBOX_PRINT_H

#include <stddef.h>

#include <greenroom/message.h>

/* Copies n bytes of text to buf, up to size bytes with the ending zero: control
 * characters, and what is no valid UTF-8, are escaped, and what is too long
 * ends in dots. Returns buf; size is not 0. */
const char *gri_escape(char *buf, size_t size, const char *s, size_t n);

/* gr_msg_print for a signal handler: numbers with a point have six digits
 * behind it, or are their bits. */
size_t gri_msg_print_rough(const gr_msg *msg, char *buf, size_t size);

#endif /* GRI_MAILBOX_PRINT_H */
