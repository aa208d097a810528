/* limits.h: what the system lets the demo do; one file a system. */
#ifndef DEMO_LIMITS_H
#define DEMO_LIMITS_H

/* Both ends of each connection are in this process, and those of connections that are just being replaced. Ends the
 * program when it may not have so many. */
void allow_descriptors(const char *program, unsigned connections);

#endif
