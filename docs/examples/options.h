/* options.h: the command line of the examples, and how they say what is wrong. */
#ifndef EXAMPLE_OPTIONS_H
#define EXAMPLE_OPTIONS_H

#include <troupe/troupe.h>

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct options {
    unsigned workers; /* 0: as many as there are cores */
    const char *addresses[2];
};

/* What the runtime reports (a port in use, for instance) looks like what the program itself says. */
static inline void options_log(void *program, const tr_log_record *record)
{
    fprintf(stderr, "%s: %s\n", (const char *)program, record->text);
}

/* A mistake on the command line has been named: ends the program with 2. */
static inline _Noreturn void options_hint(const char *program)
{
    fprintf(stderr, "Try '%s --help'.\n", program);
    exit(2);
}

static inline _Noreturn void options_fail(const char *program, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s: ", program);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    options_hint(program);
}

/* The program's name without its folder, also for getopt. */
static inline char *options_program(char **argv)
{
    char *slash = strrchr(argv[0], '/');
    if (slash)
        argv[0] = slash + 1;
    return argv[0];
}

/* The number that an option was given, from 1 to max. */
static inline unsigned options_number(const char *program, const char *option, const char *text, unsigned max)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || number < 1 || number > max)
        options_fail(program, "%s %s: give a number from 1 to %u", option, text, max);
    return (unsigned)number;
}

/* Whether the text is one address, or with `list` something to listen on: "127.0.0.1:80,[::1]:80" or "*:80". */
static inline bool options_is_address(const char *text, bool list)
{
    char one[TR_ADDRESS_TEXT];
    tr_address address;
    size_t length = list ? strcspn(text, ",") : strlen(text);
    bool any = list && text[0] == '*';
    int written = snprintf(one, sizeof one, "%s%.*s", any ? "0.0.0.0" : "", (int)(length - any), text + any);
    if (written >= (int)sizeof one || tr_address_parse(one, &address))
        return false;
    return text[length] == 0 || options_is_address(text + length + 1, true);
}

/* Reads the command line: `usage` is what --help prints, `count` the number of addresses: the one to listen on, and
 * then perhaps the one to connect to. */
static inline struct options options_read(int argc, char **argv, const char *usage, int count)
{
    static const struct option known[] = { { "workers", required_argument, NULL, 'w' },
        { "help", no_argument, NULL, 'h' }, { 0 } };
    struct options options = { 0 };
    char *program = options_program(argv);

    tr_log_to(options_log, program);
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 'w') {
            options.workers = options_number(program, "--workers", optarg, 1000);
        } else if (option == 'h') {
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        } else {
            options_hint(program); /* getopt_long has said what is wrong */
        }
    }
    if (argc - optind < count)
        options_fail(program, argc == optind ? "an address is missing" : "the address of the target is missing");
    if (argc - optind > count)
        options_fail(program, "'%s' is one argument too many", argv[optind + count]);
    for (int i = 0; i < count; i++) {
        options.addresses[i] = argv[optind + i];
        if (!options_is_address(options.addresses[i], i == 0))
            options_fail(program, "'%s' is not an address: write it as 127.0.0.1:7000 or [::1]:7000", argv[optind + i]);
        if (i > 0 && strcmp(strrchr(options.addresses[i], ':'), ":0") == 0)
            options_fail(program, "nobody can be reached at port 0 of '%s'", argv[optind + i]);
    }
    return options;
}

#endif
