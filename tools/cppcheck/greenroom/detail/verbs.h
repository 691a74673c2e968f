/* For cppcheck only: see values_c.h beside it. */
#ifndef GREENROOM_DETAIL_VERBS_H
#define GREENROOM_DETAIL_VERBS_H

#include <greenroom/actor.h>

int gr_send();
void gr_tell();
int gr_reply();
int gr_ask();
int gr_call();
int gr_after();
int gr_every();

#endif /* GREENROOM_DETAIL_VERBS_H */
