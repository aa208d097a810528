/* options.h: the command line of the examples, and how they say what is wrong. */
#ifndef EXAMPLE_OPTIONS_H
#define EXAMPLE_OPTIONS_H

#include <troupe/troupe.h>

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What getopt_long answers: there are long options only, and no letters that they could be taken for. */
enum { OPTION_HELP = 256, OPTION_WORKERS, OPTION_CONNECTIONS, OPTION_SECONDS, OPTION_SERVE };

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

/* The program's name without its folder, and without ".exe". */
static inline char *options_program(char **argv)
{
    char *name = argv[0];
    for (char *at = argv[0]; *at; at++)
        if (*at == '/' || *at == '\\')
            name = at + 1;
    size_t length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, ".exe") == 0)
        name[length - 4] = 0;
    return name;
}

/* The next option, or -1 after the last. A wrong one ends the program: what getopt_long says itself differs from system to
 * system. */
static inline int options_next(const char *program, int argc, char **argv, const struct option *known)
{
    opterr = 0;
    int option = getopt_long(argc, argv, ":", known, NULL);
    bool wrong = option == '?' || option == ':', a_letter = optopt > 0 && optopt < OPTION_HELP;
    const char *word = argv[optind - 1];
    if (wrong && a_letter)
        options_fail(program, "unrecognized option '-%c'", optopt);
    if (wrong && optopt)
        options_fail(program,
            strchr(word, '=') ? "option '%s' doesn't allow an argument" : "option '%s' requires an argument", word);
    if (wrong)
        options_fail(program, "unrecognized option '%s'", word);
    return option;
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
    static const struct option known[] = { { "workers", required_argument, NULL, OPTION_WORKERS },
        { "help", no_argument, NULL, OPTION_HELP }, { 0 } };
    struct options options = { 0 };
    char *program = options_program(argv);

    tr_log_to(options_log, program);
    for (int option; (option = options_next(program, argc, argv, known)) != -1;) {
        if (option == OPTION_WORKERS) {
            options.workers = options_number(program, "--workers", optarg, 1000);
        } else {
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
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
