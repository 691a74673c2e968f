/*
 * process/object.h - where a behaviour stands: so that another process of the
 * same program finds it, although its addresses are others.
 */
#ifndef GRI_PROCESS_OBJECT_H
#define GRI_PROCESS_OBJECT_H

#include <greenroom/actor.h>

typedef struct gri_object_place {
    char *object; /* the library's path; "": the program itself; malloc */
    uint64_t offset;
} gri_object_place;

/* Errors: GR_ENOENT (in no object of the program: on a heap or a stack),
 * GR_ENOMEM. */
int gri_object_place_of(const gr_behavior *b, gri_object_place *out);

/* The behaviour at that place, which must have that name. NULL: there is none.
 * A library that is not loaded yet is. */
const gr_behavior *gri_object_at(const char *object, uint64_t offset,
                                 const char *name);

#endif /* GRI_PROCESS_OBJECT_H */
