/* greenroom/greenroom.h - actors, messages, supervisors, nodes: all but
 * greenroom/msgpack.h, which needs msgpack-c's headers. */
#ifndef GREENROOM_GREENROOM_H
#define GREENROOM_GREENROOM_H

#include <greenroom/actor.h>
#include <greenroom/base.h>
#include <greenroom/crash.h>
#include <greenroom/error.h>
#include <greenroom/group.h>
#include <greenroom/job.h>
#include <greenroom/message.h>
#include <greenroom/node.h>
#include <greenroom/recorder.h>
#include <greenroom/sim.h>
#include <greenroom/supervisor.h>
#include <greenroom/system.h>

#endif /* GREENROOM_GREENROOM_H */
