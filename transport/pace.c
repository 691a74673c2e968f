/* transport/pace.c - see pace.h. */
#include "transport/pace.h"

bool gri_pace_beat(gri_pace *pace, size_t queued, size_t soft)
{
    const bool above = queued > soft;
    const bool was = pace->slow;
    gri_pace_sent(pace, queued, soft);
    pace->slow = pace->stands && (was || above);
    pace->stands = pace->slow || above;
    return pace->slow != was;
}
