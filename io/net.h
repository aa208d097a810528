/* net.h: the system's types for sockets; one file a system. */
#ifndef TRI_NET_H
#define TRI_NET_H

#ifdef _WIN32
#include "io/net_windows.h"
#else
#include "io/net_posix.h"
#endif

#endif
