/* A simulation program that does at seed 5, and at seed 9, what its first argument says. */
#include <troupe/troupe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *trouble;
static uint64_t seed; /* that is run: counted, for actors are not told */

static int start(tr_self *self, void *state, const void *arg)
{
    (void)self, (void)state, (void)arg;
    bool now = ++seed == 5 || seed == 9;
    TR_SOMETIMES(seed == 5);
    TR_SOMETIMES(seed == 1000000);
    if (strcmp(trouble, "print") == 0) {
        printf("on standard output: %d", (int)seed); /* without an end of line */
        fflush(stdout);
        fprintf(stderr, "on standard error: %d\n", (int)seed);
    }
    if (now && strcmp(trouble, "crash") == 0)
        abort();
    if (now && strcmp(trouble, "exit") == 0)
        _Exit(7);
    for (volatile int i = 0; now && strcmp(trouble, "hang") == 0; i = 1 - i)
        ;
    for (clock_t begin = clock(); seed == 5 && strcmp(trouble, "slow") == 0 && clock() - begin < CLOCKS_PER_SEC / 4;)
        ; /* long enough for seed 9 to be first */
    TR_ALWAYS(!now);
    return TR_STOP;
}

static int receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self, (void)state, (void)m;
    return TR_CONTINUE;
}

static const tr_actor root = { TR_SPEC, .name = "root", .start = start, .receive = receive };
static const tr_sim_host hosts[] = { { .name = "host", .actor = &root }, { 0 } };

int main(int argc, char **argv)
{
    uint64_t first = 1;
    trouble = argc > 1 ? argv[1] : "";
    for (int i = 2; i < argc - 1; i++)
        if (strcmp(argv[i], "--seed") == 0)
            first = strtoull(argv[i + 1], NULL, 10);
    seed = first - 1;
    if (strcmp(trouble, "nothing") == 0)
        return 0;
    return tr_sim_main(argc - 1, argv + 1, NULL, hosts);
}
