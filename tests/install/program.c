#include <stdio.h>
#include <troupe/troupe.h>

static int hello(tr_self *self, void *state, const void *arg)
{
    (void)state, (void)arg;
    printf("hello from %s\n", tr_name(self));
    return TR_STOP;
}

static int nothing(tr_self *self, void *state, const tr_msg *m)
{
    (void)self, (void)state, (void)m;
    return TR_CONTINUE;
}

static const tr_actor greeter = { TR_SPEC, .name = "greeter", .start = hello, .receive = nothing };

int main(void)
{
    return tr_run(&(tr_options){ .actor = &greeter }) ? 1 : 0;
}
