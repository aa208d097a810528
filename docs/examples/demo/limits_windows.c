#include "limits.h"

/* Windows sets no limit that the demo could reach. */
void allow_descriptors(const char *program, unsigned connections)
{
    (void)program, (void)connections;
}
