/*
 * actors/seal.h - numbers that a system knows again when they come back to it
 * in a message: addresses, which it must not believe anybody else.
 *
 * A seal is a keyed hash. The key is drawn at the start of the system, from the
 * kernel, and is never in a message: whoever has seen sealed numbers can send
 * these again, but can seal no other. The process of an actor has a system of
 * its own, and so another key.
 */
#ifndef GRI_ACTORS_SEAL_H
#define GRI_ACTORS_SEAL_H

#include <greenroom/system.h>

enum { GRI_SEAL_KEY_BYTES = 16 };

typedef struct gri_seal_key {
    uint8_t bytes[GRI_SEAL_KEY_BYTES];
} gri_seal_key;

/* Draws a key; it can neither fail nor be guessed. */
void gri_seal_init(gri_seal_key *key);

/* The seal of a number, the same for as long as the system lives. Any thread.
 */
uint64_t gri_seal(const gr_system *sys, uint64_t number);

/* Whether it is the system in the process of an actor (hosted.h). All messages
 * there come from another process or go to it, so what one such system seals no
 * other would believe, and it must believe no other. */
bool gri_is_hosted(const gr_system *sys);

#endif /* GRI_ACTORS_SEAL_H */
