#include "mailbox/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *(*tri_who)(char *actor, size_t size);
char tri_panic_where[64];
bool tri_panicked;

void tri_panic(const char *format, ...)
{
    char actor[128] = "", what[1024], report[1536];
    const char *type = tri_who ? tri_who(actor, sizeof actor) : NULL;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (*actor)
        snprintf(report, sizeof report, "troupe: %s; in actor %s%s%.256s%s%s\n", what, actor, type ? ", handling " : "",
            type ? type : "", *tri_panic_where ? "; " : "", tri_panic_where);
    else
        snprintf(report, sizeof report, "troupe: %s%s%s\n", what, *tri_panic_where ? "; " : "", tri_panic_where);
    fputs(report, stderr); /* at once, so that it stays in one piece: standard error has no buffer */
    fflush(stderr);
    tri_panicked = true;
    abort();
}
