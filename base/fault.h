/* base/fault.h - what is known of a fault in the moment that it happens. */
#ifndef GRI_BASE_FAULT_H
#define GRI_BASE_FAULT_H

#include <stdbool.h>

enum {
    GRI_FRAMES_MAX = 64 /* return addresses that are kept */
};

/* Written in a signal handler: addresses only, symbols are found later. */
typedef struct gri_fault {
    int signal;    /* 0: there was none */
    int code;      /* siginfo_t.si_code */
    void *address; /* that could not be used; NULL also where it is not known */
    bool has_address; /* it is known */
    bool stack_overflow;
    bool assertion; /* the abort is a failed assert()'s */
    void *pc;
    unsigned n; /* frames, the innermost first */
    /* The first is pc, the others where each call returns to: the call itself
     * is before that. */
    void *frames[GRI_FRAMES_MAX];
} gri_fault;

#endif /* GRI_BASE_FAULT_H */
