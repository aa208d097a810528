/* A simulation of somebody else's. */
#include <troupe/troupe.h>

static int start(tr_self *self, void *state, const void *arg)
{
    (void)self, (void)state, (void)arg;
    TR_ALWAYS(tr_sim_host_name(self) != NULL);
    return TR_STOP;
}

static int receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self, (void)state, (void)m;
    return TR_CONTINUE;
}

static const tr_actor actor = { TR_SPEC, .name = "actor", .start = start, .receive = receive };

int main(int argc, char **argv)
{
    static const tr_sim_host hosts[] = { { .name = "host", .actor = &actor }, { 0 } };
    return tr_sim_main(argc, argv, NULL, hosts);
}
