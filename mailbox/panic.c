#include "mailbox/panic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *(*tri_who)(char *actor, size_t size);

void tri_panic(const char *format, ...)
{
    char actor[128] = "";
    const char *type = tri_who ? tri_who(actor, sizeof actor) : NULL;
    va_list arguments;

    flockfile(stderr); /* one report stays in one piece */
    fputs("troupe: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (*actor)
        fprintf(stderr, "; in actor %s%s%s", actor, type ? ", handling " : "", type ? type : "");
    fputc('\n', stderr);
    fflush(stderr);
    abort();
}
