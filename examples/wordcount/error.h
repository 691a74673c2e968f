/* wordcount/error.h - this program's own error codes, beside the library's. */
#ifndef WORDCOUNT_ERROR_H
#define WORDCOUNT_ERROR_H

#include <greenroom/error.h>

enum {
    WC_EWORDS = GR_EUSER - 1, /* more distinct words than --words-max allows */
    WC_ECRASH = GR_EUSER - 2, /* a crash that --crash-every asked for */
    WC_EFAILED = GR_EUSER - 3 /* the run failed, and standard error says why */
};

#endif /* WORDCOUNT_ERROR_H */
