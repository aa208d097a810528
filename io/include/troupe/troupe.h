/* <troupe/troupe.h>: all of Troupe. Start with <troupe/actor.h> and <troupe/message.h>. */
#ifndef TROUPE_TROUPE_H
#define TROUPE_TROUPE_H

#include <troupe/actor.h>
#include <troupe/address.h>
#include <troupe/ask.h>
#include <troupe/block.h>
#include <troupe/buf.h>
#include <troupe/check.h>
#include <troupe/dead_letter.h>
#include <troupe/error.h>
#include <troupe/format.h>
#include <troupe/log.h>
#include <troupe/message.h>
#include <troupe/monitor.h>
#include <troupe/name.h>
#include <troupe/post.h>
#include <troupe/probe.h>
#include <troupe/ref.h>
#include <troupe/run.h>
#include <troupe/sim.h>
#include <troupe/stats.h>
#include <troupe/supervisor.h>
#include <troupe/system.h>
#include <troupe/tcp.h>
#include <troupe/time.h>
#include <troupe/timer.h>

#endif
