/* actors/seal.c - see seal.h. The hash function, SipHash-2-4, is libsodium's.
 */
#include "actors/seal.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#include <sodium.h>

#include "actors/internal.h"

_Static_assert(GRI_SEAL_KEY_BYTES == crypto_shorthash_KEYBYTES,
               "the key is SipHash's");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES,
               "a seal is what SipHash gives");

void gri_seal_init(gri_seal_key *key)
{
    const size_t size = sizeof(key->bytes);

    if (getrandom(key->bytes, size, 0) == (ssize_t)size) {
        return;
    }
    /* Only under a strange seccomp filter. The kernel has given each program as
     * many random bytes at its start; nobody is told anything of them here. */
    memcpy(key->bytes, (const void *)getauxval(AT_RANDOM), size);
}

uint64_t gri_seal(const gr_system *sys, uint64_t number)
{
    uint8_t in[sizeof(number)];
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t seal;

    memcpy(in, &number, sizeof(in));
    /* Cannot fail: it only computes. */
    (void)crypto_shorthash(hash, in, sizeof(in), sys->seal.bytes);
    memcpy(&seal, hash, sizeof(seal));
    return seal;
}

bool gri_is_hosted(const gr_system *sys)
{
    return gri_is_host(sys);
}
