/*
 * For cppcheck only, in the place of the public header of this name: cppcheck
 * 2.10 cannot parse the _Generic macros there, and gives up on a function or a
 * file that uses them. To it they are functions of any arguments.
 */
#ifndef GREENROOM_DETAIL_VALUES_C_H
#define GREENROOM_DETAIL_VALUES_C_H

#include <greenroom/detail/values.h>

bool gr_match();
bool gr_unpack();
gr_out gr_opt();
gr_out gr_is();
gr_pattern gr_expect();
gr_value gr_list();
gr_value gr_map();
gr_values gr_args();
gr_value GRI_VALUE();

#endif /* GREENROOM_DETAIL_VALUES_C_H */
