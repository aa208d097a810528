/*
 * <troupe/log.h>: logging.
 *
 * The library and its users log through one sink, with level, time, worker and actor. The default sink writes to
 * standard error; warnings and errors are logged unless the level is changed by tr_log_level or by the environment
 * (TROUPE_LOG=error, warning, info or debug).
 *
 * Any thread may call these functions.
 */
#ifndef TROUPE_LOG_H
#define TROUPE_LOG_H

#include <troupe/format.h>
#include <troupe/language.h>
#include <troupe/message.h>

#include <stdint.h>

TR_BEGIN_C_

enum tr_log_level { TR_LOG_ERROR, TR_LOG_WARNING, TR_LOG_INFO, TR_LOG_DEBUG };

typedef struct tr_log_record {
    enum tr_log_level level;
    int64_t wall_ns;   /* since 1970 */
    int worker;        /* -1 on a foreign thread */
    const char *actor; /* "name <ref>", "" outside of a turn */
    const char *text;  /* without a newline */
} tr_log_record;

/* What takes the lines; called by one thread at a time. It must not log and must not call into actors. */
typedef void tr_log_sink(void *arg, const tr_log_record *record);

/* Lets `sink` take the lines from now on; NULL is the default sink. */
void tr_log_to(tr_log_sink *sink, void *arg);

/* Logs lines up to this level from now on. */
void tr_log_level(enum tr_log_level level);

/* Logs a line, of which 1,000 bytes are kept. `self` may be NULL. */
void tr_log(tr_self *self, enum tr_log_level level, const char *format, ...) TR_FORMAT_(3, 4);

TR_END_C_

#endif
