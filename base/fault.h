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
    void *pc;
    bool stack_overflow;
    unsigned n; /* frames, the innermost first */
    void *frames[GRI_FRAMES_MAX];
} gri_fault;

#endif /* GRI_BASE_FAULT_H */
