/* Exploring the orders of turns of small casts. */
#include <criterion/criterion.h>
#include <string.h>
#include <troupe/troupe.h>

/* ---- a lost update: two add one to a counter, by asking and then telling ------------------------------------------ */

TR_SIGNAL(ask_value);
TR_DEFINE(ask_value);
TR_MESSAGE(value, int n;);
TR_DEFINE(value);
TR_MESSAGE(set_value, int n;);
TR_DEFINE(set_value);
TR_SIGNAL(add_one);
TR_DEFINE(add_one);
TR_MESSAGE(adder_arg, tr_ref counter; bool careful;);

static int counter_receive(tr_self *self, void *state, const tr_msg *m)
{
    int *n = state;
    if (tr_is(ask_value, m))
        (void)tr_reply(self, value, .n = *n);
    else if (tr_is(set_value, m))
        *n = tr_body(set_value, m)->n;
    else if (tr_is(add_one, m))
        ++*n;
    return TR_CONTINUE;
}

static const tr_actor counter_actor = { TR_SPEC, .name = "counter", .receive = counter_receive, .state_size = sizeof(int) };

static int adder_start(tr_self *self, void *state, const void *arg_)
{
    const adder_arg *arg = arg_;
    *(tr_ref *)state = arg->counter;
    if (!arg->careful)
        return tr_ask(self, arg->counter, TR_SECONDS(1), ask_value).bits ? TR_CONTINUE : TR_ENOMEM;
    tr_send(self, arg->counter, add_one);
    return TR_STOP;
}

static int adder_receive(tr_self *self, void *state, const tr_msg *m)
{
    if (!tr_is(value, m))
        return TR_ECRASHED;
    tr_send(self, *(tr_ref *)state, set_value, .n = tr_body(value, m)->n + 1);
    return TR_STOP;
}

static const tr_actor adder_actor = { TR_SPEC, .name = "adder", .start = adder_start, .receive = adder_receive,
    .state_size = sizeof(tr_ref), .arg_size = sizeof(adder_arg) };

enum { ADDERS = 2 };

struct adding {
    tr_ref counter;
    int left;
};

static int adding_start(tr_self *self, void *state, const void *arg)
{
    struct adding *me = state;
    me->counter = tr_spawn(self, &counter_actor, NULL);
    for (me->left = 0; me->left < ADDERS; me->left++) {
        adder_arg adder = { me->counter, *(const bool *)arg };
        tr_monitor_set(self, tr_spawn(self, &adder_actor, &adder));
    }
    return TR_CONTINUE;
}

static int adding_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct adding *me = state;
    if (tr_is(tr_down, m) && --me->left == 0)
        tr_ask(self, me->counter, TR_SECONDS(1), ask_value);
    if (!tr_is(value, m))
        return TR_CONTINUE;
    TR_ALWAYS(tr_body(value, m)->n == ADDERS);
    return TR_STOP;
}

static const tr_actor adding_actor = { TR_SPEC, .name = "adding", .start = adding_start, .receive = adding_receive,
    .state_size = sizeof(struct adding), .arg_size = sizeof(bool) };

static const bool careless = false, careful = true;
static const tr_sim_host careless_hosts[] = { { .name = "one", .actor = &adding_actor, .arg = &careless }, { 0 } };
static const tr_sim_host careful_hosts[] = { { .name = "one", .actor = &adding_actor, .arg = &careful }, { 0 } };

Test(sim_explore, a_lost_update_is_found_depth_first_and_its_schedule_replays)
{
    tr_sim_explored explored, again;
    cr_assert_eq(tr_sim_explore(&(tr_sim_explore_options){ .how = TR_SIM_EVERY }, careless_hosts, &explored), TR_EFAULT);
    cr_assert(strstr(explored.result.what, "== ADDERS"), "%s", explored.result.what);
    cr_assert_neq(explored.schedule[0], 0);
    tr_sim_explore_options replay = { .schedule = explored.schedule };
    cr_assert_eq(tr_sim_explore(&replay, careless_hosts, &again), TR_EFAULT);
    cr_assert_eq(again.runs, 1);
    cr_assert_eq(again.result.hash, explored.result.hash);
}

Test(sim_explore, a_lost_update_is_found_by_priorities)
{
    tr_sim_explored explored;
    tr_sim_explore_options options = { .how = TR_SIM_PCT, .runs = 1000, .seed = 1 };
    cr_assert_eq(tr_sim_explore(&options, careless_hosts, &explored), TR_EFAULT);
    cr_assert_leq(explored.runs, 1000);
}

Test(sim_explore, all_orders_of_a_right_program_are_run_and_counted)
{
    tr_sim_explored explored, again;
    tr_sim_explore_options options = { .how = TR_SIM_EVERY, .runs = 1000000 };
    cr_assert_eq(tr_sim_explore(&options, careful_hosts, &explored), 0, "%s", explored.result.what);
    cr_assert(explored.all);
    cr_assert_gt(explored.runs, 10);
    tr_sim_explore(&options, careful_hosts, &again);
    cr_assert_eq(again.runs, explored.runs);
}

Test(sim_explore, a_bound_on_runs_or_choices_is_kept_and_said)
{
    tr_sim_explored explored;
    tr_sim_explore_options options = { .how = TR_SIM_EVERY, .runs = 5 };
    cr_assert_eq(tr_sim_explore(&options, careful_hosts, &explored), 0);
    cr_assert_eq(explored.runs, 5);
    cr_assert_not(explored.all);
    options = (tr_sim_explore_options){ .how = TR_SIM_EVERY, .choices = 3 };
    cr_assert_eq(tr_sim_explore(&options, careful_hosts, &explored), 0);
    cr_assert_not(explored.all);
    cr_assert_gt(explored.longest, 3);
}

/* ---- a deadlock: philosophers who take one fork after the other ------------------------------------------------------ */

TR_SIGNAL(take_fork);
TR_DEFINE(take_fork);
TR_SIGNAL(fork_taken);
TR_DEFINE(fork_taken);
TR_SIGNAL(put_fork);
TR_DEFINE(put_fork);
TR_MESSAGE(forks, tr_ref first, second;);

enum { PHILOSOPHERS = 2 };

struct fork_state {
    bool taken;
    tr_msg *waiting;
};

static int fork_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct fork_state *me = state;
    if (tr_is(take_fork, m) && me->taken) {
        me->waiting = tr_take(self, m);
    } else if (tr_is(take_fork, m)) {
        me->taken = true;
        (void)tr_reply(self, fork_taken);
    } else if (tr_is(put_fork, m)) {
        me->taken = me->waiting;
        if (me->waiting)
            (void)tr_reply_to(self, me->waiting, fork_taken);
        me->waiting = NULL;
    }
    return TR_CONTINUE;
}

static const tr_actor fork_actor = { TR_SPEC, .name = "fork", .receive = fork_receive,
    .state_size = sizeof(struct fork_state) };

struct philosopher {
    forks forks;
    int held;
};

static int philosopher_start(tr_self *self, void *state, const void *arg)
{
    struct philosopher *me = state;
    me->forks = *(const forks *)arg;
    tr_ask(self, me->forks.first, TR_FOREVER, take_fork);
    return TR_CONTINUE;
}

static int philosopher_receive(tr_self *self, void *state, const tr_msg *m)
{
    struct philosopher *me = state;
    if (!tr_is(fork_taken, m))
        return TR_ECRASHED;
    if (++me->held == 1) {
        tr_ask(self, me->forks.second, TR_FOREVER, take_fork);
        return TR_CONTINUE;
    }
    tr_send(self, me->forks.first, put_fork);
    tr_send(self, me->forks.second, put_fork);
    return TR_STOP;
}

static const tr_actor philosopher_actor = { TR_SPEC, .name = "philosopher", .start = philosopher_start,
    .receive = philosopher_receive, .state_size = sizeof(struct philosopher), .arg_size = sizeof(forks) };

static int table_start(tr_self *self, void *state, const void *arg)
{
    tr_ref all[PHILOSOPHERS];
    bool in_order = *(const bool *)arg;
    for (int i = 0; i < PHILOSOPHERS; i++)
        all[i] = tr_spawn(self, &fork_actor, NULL);
    for (int i = 0; i < PHILOSOPHERS; i++) {
        forks two = { all[i], all[(i + 1) % PHILOSOPHERS] };
        if (in_order && i == PHILOSOPHERS - 1)
            two = (forks){ two.second, two.first };
        tr_monitor_set(self, tr_spawn(self, &philosopher_actor, &two));
    }
    *(int *)state = PHILOSOPHERS;
    return TR_CONTINUE;
}

static int table_receive(tr_self *self, void *state, const tr_msg *m)
{
    (void)self;
    return tr_is(tr_down, m) && --*(int *)state == 0 ? TR_STOP : TR_CONTINUE;
}

static const tr_actor table_actor = { TR_SPEC, .name = "table", .start = table_start, .receive = table_receive,
    .state_size = sizeof(int), .arg_size = sizeof(bool) };

static const tr_sim_host greedy[] = { { .name = "table", .actor = &table_actor, .arg = &careless }, { 0 } };
static const tr_sim_host orderly[] = { { .name = "table", .actor = &table_actor, .arg = &careful }, { 0 } };

Test(sim_explore, a_deadlock_is_found_and_names_who_waits_for_whom)
{
    tr_sim_explored explored;
    for (int how = TR_SIM_EVERY; how <= TR_SIM_PCT; how++) {
        tr_sim_explore_options options = { .how = (enum tr_sim_exploring)how, .runs = 10000, .seed = 1 };
        cr_assert_eq(tr_sim_explore(&options, greedy, &explored), TR_EDEADLK, "%s", explored.result.what);
        const char *first = strstr(explored.result.what, "philosopher #");
        cr_assert(first && strstr(first, "waits for fork #"), "%s", explored.result.what);
        cr_assert(strstr(first + 1, "philosopher #"), "%s", explored.result.what);
    }
}

Test(sim_explore, in_no_order_do_philosophers_starve_who_take_forks_in_order)
{
    tr_sim_explored explored;
    tr_sim_explore_options options = { .how = TR_SIM_PCT, .runs = 2000, .seed = 1 };
    cr_assert_eq(tr_sim_explore(&options, orderly, &explored), 0, "%s", explored.result.what);
    options = (tr_sim_explore_options){ .how = TR_SIM_EVERY, .runs = 20000 };
    cr_assert_eq(tr_sim_explore(&options, orderly, &explored), 0, "%s", explored.result.what);
}

Test(sim_explore, a_bad_cast_is_refused_by_name)
{
    tr_sim_explored explored;
    static const tr_sim_host none[] = { { .name = "empty" }, { 0 } };
    tr_log_level(TR_LOG_ERROR);
    cr_assert_eq(tr_sim_explore(&(tr_sim_explore_options){ 0 }, none, &explored), TR_EINVAL);
    cr_assert(strstr(explored.result.what, "\"empty\""), "%s", explored.result.what);
}
