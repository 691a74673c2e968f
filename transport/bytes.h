/* transport/bytes.h - numbers on the wire: big-endian, unaligned. */
#ifndef GRI_TRANSPORT_BYTES_H
#define GRI_TRANSPORT_BYTES_H

#include <stdint.h>

static inline uint16_t gri_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t gri_get32(const uint8_t *p)
{
    return (uint32_t)gri_get16(p) << 16 | gri_get16(p + 2);
}

static inline uint64_t gri_get64(const uint8_t *p)
{
    return (uint64_t)gri_get32(p) << 32 | gri_get32(p + 4);
}

/* Each writes x at p and returns the place behind it. */
static inline uint8_t *gri_put8(uint8_t *p, uint8_t x)
{
    p[0] = x;
    return p + 1;
}

static inline uint8_t *gri_put16(uint8_t *p, uint16_t x)
{
    p[0] = (uint8_t)(x >> 8);
    p[1] = (uint8_t)x;
    return p + 2;
}

static inline uint8_t *gri_put32(uint8_t *p, uint32_t x)
{
    return gri_put16(gri_put16(p, (uint16_t)(x >> 16)), (uint16_t)x);
}

static inline uint8_t *gri_put64(uint8_t *p, uint64_t x)
{
    return gri_put32(gri_put32(p, (uint32_t)(x >> 32)), (uint32_t)x);
}

#endif /* GRI_TRANSPORT_BYTES_H */
