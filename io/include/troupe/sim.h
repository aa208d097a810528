/*
 * <troupe/sim.h>: running whole programs in a simulation.
 *
 * tr_sim_run runs the actors of one or several hosts, as they are, on one thread, in virtual time and on a simulated
 * network. Every choice (which actor is next, how many messages it handles, when a segment arrives, what fails) is drawn
 * from one seed: the same seed leads to the same run, on every machine and with every compiler. So what goes wrong once
 * can be looked at as often as one likes.
 *
 *     static const tr_sim_host hosts[] = {
 *         { .name = "server", .actor = &server_actor },
 *         { .name = "client", .actor = &client_actor, .arg = &orders },
 *         { 0 }
 *     };
 *
 *     for (uint64_t seed = 1; seed <= 1000; seed++) {
 *         tr_sim_result result;
 *         if (tr_sim_run(seed, &(tr_sim_options){ .faults = tr_sim_rough }, hosts, &result))
 *             printf("seed %" PRIu64 ": %s\n", seed, result.what);
 *     }
 *
 * docs/simulation.md is a guide, and <troupe/check.h> has what a program says about itself. What only the real world has
 * is refused by name: foreign threads (tr_post), descriptors of the system, signals. Blocking jobs (tr_block) run on the
 * simulation's thread, after a drawn delay.
 *
 * tr_run runs a program as it is, as one host with nobody else on its network, when its port is "sim" (TROUPE_PORT=sim);
 * the seed is that of its options, or tr_sim_seed's. It ends when nothing will ever happen again.
 *
 * A process runs one simulation at a time, and no other system meanwhile.
 */
#ifndef TROUPE_SIM_H
#define TROUPE_SIM_H

#include <troupe/actor.h>
#include <troupe/check.h>
#include <troupe/supervisor.h>
#include <troupe/time.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

TR_BEGIN_C_

/* A host: a system with a root actor, an address and a name. A list of hosts ends with one that has no name. */
typedef struct tr_sim_host {
    const char *name;
    const char *address;   /* "10.0.0.1", or of IPv6 "fd00::1"; NULL: 10.0.0.1 for the first host, 10.0.0.2 … */
    const tr_actor *actor; /* the root: this, with `arg` (arg_size bytes, copied) … */
    const void *arg;
    const tr_supervisor *supervisor; /* … or this */
    unsigned workers;                /* simulated ones, 1 to 16; 0: 2 */
    unsigned descriptors;            /* that it can have open; 0: any number */
} tr_sim_host;

/* ---- faults ------------------------------------------------------------------------------------------------------ */

/* X(name, where): the kinds of faults. */
#define TR_SIM_FAULTS(X) \
    X(listen_error, "a socket cannot be opened or bound: TR_EMFILE, TR_ENOBUFS, TR_EADDRINUSE …") \
    X(accept_error, "an accept fails: TR_EMFILE, TR_ENOBUFS, TR_ENOMEM, TR_ECONNABORTED …") \
    X(connect_error, "a connect fails: TR_ECONNREFUSED, TR_ENETUNREACH, TR_ETIMEDOUT …") \
    X(handshake, "what is said to connect is lost, and said again after 1, 2, 4 … seconds") \
    X(receive_error, "a receive fails: TR_ECONNRESET, TR_ETIMEDOUT, TR_ENOBUFS …") \
    X(send_error, "a send fails: TR_EPIPE, TR_ECONNRESET, TR_ENOBUFS …") \
    X(short_read, "a receive brings less than there is") \
    X(short_write, "a send takes less than there is room for") \
    X(again, "a receive or a send would have to wait, although it need not, and is tried again") \
    X(late, "an operation completes later than it could, up to 50 ms") \
    X(late_cancel, "a cancel takes its time, and the operation may still succeed") \
    X(reset, "a connection is reset, when something is sent") \
    X(half_open, "a connection is dead from then on, and nobody says so, when something is sent") \
    X(partition, "two hosts lose each other for up to 10 s, or one the other, when something is sent") \
    X(host_crash, "a host crashes between two turns, and starts again after up to 10 s; none of tr_sim_rough") \
    X(out_of_memory, "a request for memory fails") \
    X(mailbox_full, "a send finds the mailbox full") \
    X(crash, "a handler fails with TR_ECRASHED; never a root's or a transport's") \
    X(slow, "a handler takes up to 200 ms") \
    X(clock_jump, "the clock jumps ahead, by up to a minute, between two turns") \
    X(stall, "a worker does nothing for up to 20 ms")

/* How often, in a million occasions. */
typedef struct tr_sim_faults {
#define TR_SIM_FAULT_FIELD_(name, where) uint32_t name;
    TR_SIM_FAULTS(TR_SIM_FAULT_FIELD_)
#undef TR_SIM_FAULT_FIELD_
} tr_sim_faults;

/* A fair share of everything but host_crash: what a first test may begin with. */
extern const tr_sim_faults tr_sim_rough;

/* Sets the rate of one kind by its name, or of "all": 0, or TR_EINVAL for an unknown name or a rate above 1,000,000, which
 * is logged with the name. Any thread. */
int tr_sim_fault(tr_sim_faults *faults, const char *name, uint64_t rate);

/* ---- scripts ----------------------------------------------------------------------------------------------------- */

/* In place of a peer on the network: what is expected of a socket, step by step, and how it completes. A script ends with a
 * step without an operation.
 *
 *     static const tr_sim_step steps[] = {
 *         { .operation = "connect" },
 *         { "send", .bytes = "GET\n", .result = 2 },              takes two bytes of it
 *         { "send", .bytes = "T\n" },
 *         { "receive", .bytes = "hello", .after_ns = TR_MS(5) },
 *         { "receive", .result = TR_ECONNRESET },
 *         { .operation = "close" },
 *         { 0 }
 *     };
 *
 *     connect    the attempt succeeds, or fails with `result`
 *     accept     a connection that follows the script `accepted` comes in, or accepting fails with `result`
 *     receive    `bytes` come; or the end of the stream (none); or the error `result`
 *     send       these bytes are sent: all are taken, or `result` of them, or it fails with `result`
 *     shutdown   no more is sent
 *     close      the descriptor is closed, in order; "reset": with a reset. (Lingering is part of the close: what it throws
 *                away are "receive" steps before it, and then the peer ends)
 *
 * Scripts go with `buggify` set to TR_SIM_NEVER, lest the library sends in smaller pieces than it usually does.
 *
 * A receive, accept or send that comes too early waits for its step; a receive and an accept, which are always in flight,
 * also when there is none any more. What comes and has no step (a connect, a send, a shutdown, a close, or a receive after
 * the end), and what sends something else, ends the run: the result names the script, the step, what was expected, and what
 * came. So do a step that was never reached, and a script that was never followed. */
typedef struct tr_sim_step {
    const char *operation;
    const char *bytes;
    size_t length; /* of bytes; 0: up to its zero */
    int result;
    int64_t after_ns; /* completes so long after it could */
    bool never;       /* does not complete (but can be canceled); it need not come */
    const struct tr_sim_step *accepted;
} tr_sim_step;

/* Who connects to `address`, or listens there, follows the steps. A list of them ends with one without an address. */
typedef struct tr_sim_script {
    const char *address;
    const tr_sim_step *steps;
} tr_sim_script;

/* A descriptor for tr_tcp_adopt, whose other end is the script: instead of one of the system. In a handler; outside of a
 * simulation TR_ENOTSUP. */
int tr_sim_descriptor(tr_self *self, const tr_sim_step *steps);

/* ---- running ----------------------------------------------------------------------------------------------------- */

typedef struct tr_sim_options {
    tr_sim_faults faults;
    int64_t run_ns;      /* the hosts are stopped after so much virtual time; 0: when all roots have ended, or nothing will
                          * ever happen again */
    int64_t heal_ns;     /* no faults from then on, and every partition heals; 0: faults until the end */
    bool roots_may_fail; /* it is no failure when a root ends by itself with an error */
    int64_t settle_ns;   /* liveness: so long after the healing all roots must have ended by themselves; 0: they need not */
    int64_t latency_min_ns, latency_max_ns; /* of a segment between two hosts; both 0: 50 us to 5 ms */
    uint64_t bandwidth; /* bytes a second, of a connection between two hosts, in each direction; 0: any number */
    int64_t skew_ns;    /* the clocks of two hosts (tr_now) differ by up to so much */
    uint32_t buggify;   /* of a million simulated runs, in so many a TR_BUGGIFY may fire at all; 0: 250,000; TR_SIM_NEVER */
    uint64_t fail_memory;    /* the Nth request for memory fails, once; 0: none does */
    uint64_t fail_operation; /* the Nth operation of a port fails with `operation_error`, once; 0: none does */
    int operation_error;
    uint64_t steps;               /* the most steps; 0: ten million. A program that goes on without time going on ends so */
    const tr_sim_script *scripts; /* NULL: none */
    const char *trace; /* a file that gets a line for each message handled and each fault, "-" is standard output; NULL:
                          * TROUPE_SIM_TRACE from the environment */
} tr_sim_options;

#define TR_SIM_NEVER UINT32_MAX

typedef struct tr_sim_result {
    int error;      /* 0: nothing went wrong, see tr_sim_run */
    char what[500]; /* what did, and the seed */
    uint64_t seed;
    uint64_t hash; /* of all that was handled, when, by whom and from whom, and of all bytes of connections */
    uint64_t turns, messages, operations, requests; /* operations of ports, requests for memory */
    int64_t virtual_ns;
    bool quiet;          /* it ended because nothing would ever have happened again */
    tr_sim_faults fired; /* how often each did */
} tr_sim_result;

/* Runs the hosts under a seed: 0, or what went wrong, which is also in the result (may be NULL):
 *
 *     TR_EFAULT    something that TR_ALWAYS says is not so, or a promise of Troupe's own is broken: one runner for each
 *                  actor, the order of messages, the grammar of transports, the bytes of a stream, a connection that
 *                  forgets what it was asked for, one end for each operation, nothing left
 *     TR_EPROTO    a script was not followed
 *     TR_EDEADLK   nothing will ever happen again, and somebody waits for the answer to an ask: who, and for whom; or a
 *                  connection is to send and its peer does not read, or has bytes to read and no window left
 *     TR_ETIMEDOUT not all ended in time after the healing (settle_ns), or a host could not be shut down
 *     TR_ELIMIT    the most steps were made
 *     TR_EINVAL    no host, a host without a root, a bad address or rate …, see the text
 *     TR_EBUSY     the process has a system, or another simulation
 *     others       the reason with which a root ended by itself (roots_may_fail: that is no failure)
 *
 * Not from a handler. */
int tr_sim_run(uint64_t seed, const tr_sim_options *options, const tr_sim_host *hosts, tr_sim_result *result);

/* TROUPE_SEED from the environment, or a seed that is drawn. */
uint64_t tr_sim_seed(void);

/* The main of a program that is one simulation: runs one seed (--seed, or tr_sim_seed), prints one line about it, and
 * answers what main is to return: 0, 1 when it has failed, 2 when the command line is wrong, which is said on standard
 * error.
 *
 *     int main(int argc, char **argv)
 *     {
 *         return tr_sim_main(argc, argv, &options, hosts);
 *     }
 *
 *     ./bank                                       a seed that is drawn
 *     ./bank --seed 146 --trace t                  one seed, and a line in the file t for each message handled
 *     ./bank --fault reset=500 --fault late=0      with other rates than those of the options
 *     ./bank --seed 146 --twice                    one seed two times: is the program the same?
 *     ./bank --help                                all there is
 *     troupe-sim ./bank --seeds 1000 --jobs 2      many seeds, in processes of their own
 *
 * A program with arguments of its own takes them off argv first. Global variables that the actors use must be set by the
 * actors, for a process may run one seed after the other. */
int tr_sim_main(int argc, char **argv, const tr_sim_options *options, const tr_sim_host *hosts);

/* ---- exploring --------------------------------------------------------------------------------------------------- */

/* Not one order of events by seed, but many orders on purpose, for small casts: every turn handles one message, and whose
 * turn it is, of all the actors that could have one, is tried in every way. Only the order of turns varies: no time passes
 * while anybody could run, so what races with a timer or the network does not vary. */
enum tr_sim_exploring {
    TR_SIM_EVERY, /* depth first: every order there is, the first `choices` choices of each run */
    TR_SIM_PCT,   /* actors have priorities that are drawn, and `choices` - 1 times in a run, at a moment that is drawn, the
                   * one that would run is put last (probabilistic concurrency testing, Burckhardt and others 2010): finds
                   * what needs `choices` turns in a certain order with a known probability in each run */
};

typedef struct tr_sim_explore_options {
    enum tr_sim_exploring how;
    uint64_t runs;        /* the most; 0: 100,000 */
    unsigned choices;     /* 0: TR_SIM_EVERY: 1,000; TR_SIM_PCT: 3 */
    uint64_t seed;        /* of priorities, and of all that is drawn otherwise */
    const char *schedule; /* runs this one alone: as in tr_sim_explored; NULL: none */
    tr_sim_options sim;   /* for each run */
} tr_sim_explore_options;

typedef struct tr_sim_explored {
    int error;            /* of the run that failed; 0: none did */
    uint64_t runs;        /* how many orders were run, the failed one included */
    bool all;             /* these are all there are (TR_SIM_EVERY) */
    unsigned longest;     /* the most choices that a run had */
    tr_sim_result result; /* of the run that failed, or of the last */
    char schedule[2000];  /* its choices, "0 1 1 0 …", for tr_sim_explore_options; cut where it does not fit */
} tr_sim_explored;

/* Runs the hosts in many orders until one fails: 0, or why, as tr_sim_run answers. Each host has one worker. */
int tr_sim_explore(const tr_sim_explore_options *options, const tr_sim_host *hosts, tr_sim_explored *explored);

/* ---- from within ------------------------------------------------------------------------------------------------- */

/* In a handler of a simulated actor; elsewhere they do nothing. Two hosts, by name, lose each other, and find each other
 * again. With tr_sim_cut_one_way only what `from` sends is lost on its way to `to`. */
void tr_sim_cut(tr_self *self, const char *host, const char *other);
void tr_sim_cut_one_way(tr_self *self, const char *from, const char *to);
void tr_sim_heal(tr_self *self, const char *host, const char *other);

/* The same. The host crashes when the handler has returned: without a word to anybody it is gone from the network, and what
 * it has in memory is lost; each of its actors ends as if it were killed. So much later it starts again (TR_FOREVER: never),
 * from its root on, and then those who still send to its old connections see a reset. */
void tr_sim_crash(tr_self *self, const char *host, int64_t again_ns);

/* Instead of a thread of the program's: calls function(arg) so much later, outside of any actor, where it may do what such a
 * thread may (tr_post). In a handler; outside of a simulation TR_ENOTSUP. What has not been called when the host ends is
 * not. */
int tr_sim_thread(tr_self *self, int64_t delay_ns, void (*function)(void *arg), void *arg);

/* The name of the host; NULL outside of a simulation. */
const char *tr_sim_host_name(tr_self *self);

TR_END_C_

#endif
