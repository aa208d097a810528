/* log.h: the library's own lines. */
#ifndef TRI_LOG_H
#define TRI_LOG_H

#include <troupe/log.h>

#define tri_log(level, ...) tr_log(NULL, (level), __VA_ARGS__)

#endif
