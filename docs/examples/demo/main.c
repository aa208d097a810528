/*
 * demo: a chat and an echo service under a supervisor, half a thousand TCP clients that drive them and verify every
 * byte, and a director that kills parts of the services meanwhile. See demo.h for who is who.
 */
#include "../options.h"
#include "display.h"
#include "limits.h"

enum { ROUNDS_EACH = 200 }; /* with 500 clients 100,000 together */

static const char usage[] =
    "usage: demo [--connections N] [--seconds N] [--workers N] [--serve]\n"
    "\n"
    "Shows Troupe at work: starts a chat and an echo service on loopback, drives them with TCP clients\n"
    "that verify every byte, and kills parts of the services meanwhile. Ends with 0 if nothing was\n"
    "lost.\n"
    "\n"
    "  --connections N   clients, each with a connection; 500\n"
    "  --seconds N       for how long, or longer, until there were 200 round trips for each client; 8\n"
    "  --workers N       threads that run actors; as many as there are cores\n"
    "  --serve           leaves the services running afterwards, for nc\n"
    "  --help            this text\n"
    "\n"
    "TROUPE_PORT in the environment chooses the completion port: uring or epoll; iocp on Windows.\n";

/* The runtime says once which port it has chosen, and how many workers. Other than that only errors are shown: that
 * actors are killed is no news here. TROUPE_LOG=warning or more shows all. */
static void watch_log(void *arg, const tr_log_record *record)
{
    struct demo *demo = arg;
    const char *wish = getenv("TROUPE_LOG");
    if (record->level == TR_LOG_INFO)
        sscanf(record->text, "port %15[^,], %u workers", demo->port, &demo->workers);
    if (record->level == TR_LOG_ERROR || (wish && strcmp(wish, "error") != 0))
        fprintf(stderr, "demo: %s%s%s\n", record->actor, *record->actor ? ": " : "", record->text);
}

int main(int argc, char **argv)
{
    static const struct option known[] = { { "connections", required_argument, NULL, OPTION_CONNECTIONS },
        { "seconds", required_argument, NULL, OPTION_SECONDS }, { "workers", required_argument, NULL, OPTION_WORKERS },
        { "serve", no_argument, NULL, OPTION_SERVE }, { "help", no_argument, NULL, OPTION_HELP }, { 0 } };
    struct demo demo = { .connections = 500, .seconds = 8 }, *arg = &demo;
    const char *program = options_program(argv);
    unsigned workers = 0;

    for (int option; (option = options_next(program, argc, argv, known)) != -1;) {
        switch (option) {
        case OPTION_CONNECTIONS:
            demo.connections = options_number(program, "--connections", optarg, CONNECTIONS_MAX);
            break;
        case OPTION_SECONDS: demo.seconds = options_number(program, "--seconds", optarg, 86400); break;
        case OPTION_WORKERS: workers = options_number(program, "--workers", optarg, 1000); break;
        case OPTION_SERVE: demo.serve = true; break;
        default: fputs(usage, stdout); return EXIT_SUCCESS;
        }
    }
    if (optind < argc)
        options_fail(program, "'%s' is one argument too many", argv[optind]);
    allow_descriptors(program, demo.connections);
    demo.rounds = (uint64_t)demo.connections * ROUNDS_EACH;
    pattern_init();
    tr_log_level(TR_LOG_INFO);
    tr_log_to(watch_log, &demo);
    int error = tr_run(&(tr_options){ .actor = &director_actor, .arg = &arg, .workers = workers, .signals = true });
    if (!error && !demo.concluded)
        display_interrupted();
    return !error && demo.verified ? EXIT_SUCCESS : EXIT_FAILURE;
}
