/* tr_sim_main and troupe-sim, as the programs they are. */
#include "tests/docs/examples/program.h"

#define BANK EXAMPLES "/bank"

static char out[65536], err[8192];

static int run_sim(const char *arguments)
{
    return program_run("../../troupe-sim", arguments, out, sizeof out, err, sizeof err);
}

static int run_bank(const char *arguments, char *text, size_t size)
{
    return program_run("bank", arguments, text, size, err, sizeof err);
}

/* The number that follows this text in what was written. */
static unsigned long long number_after(const char *text)
{
    const char *at = strstr(out, text);
    cr_assert_not_null(at, "no '%s' in: %s", text, out);
    return strtoull(at + strlen(text), NULL, 10);
}

static void says(const char *text)
{
    cr_assert(strstr(out, text), "no '%s' in: %s%s", text, out, err);
}

static void says_not(const char *text)
{
    cr_assert(!strstr(out, text), "'%s' in: %s", text, out);
}

/* The rest of the line that begins with this. */
static const char *line_after(const char *text, char *line, size_t size)
{
    const char *at = strstr(out, text);
    cr_assert_not_null(at, "no '%s' in: %s", text, out);
    at += strlen(text);
    snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
    return line;
}

/* ---- the bank ---------------------------------------------------------------------------------------------------- */

Test(sim_driver, the_bug_of_the_bank_is_found_and_the_printed_command_shows_it_again)
{
    char arguments[200], what[600], first[2000], second[2000];
    cr_assert_eq(run_sim(BANK " --seeds 1000 --jobs 2"), 1, "%s%s", out, err);
    unsigned long long seed = number_after("seed ");
    line_after(" FAILED: ", what, sizeof what);
    cr_assert(strstr(what, "money"), "%s", what);
    line_after("again: ", arguments, sizeof arguments);
    cr_assert_eq(memcmp(arguments, BANK " ", strlen(BANK " ")), 0, "%s", arguments);
    cr_assert_eq(run_bank(arguments + strlen(BANK " "), first, sizeof first), 1);
    cr_assert(strstr(first, what), "not '%s': %s", what, first);
    snprintf(arguments, sizeof arguments, "%llu", seed);
    set_environment("TROUPE_SEED", arguments);
    cr_assert_eq(run_bank("", second, sizeof second), 1);
    cr_assert_str_eq(first, second); /* the hash included */
}

Test(sim_driver, neither_the_bank_without_faults_nor_the_fixed_one_fails)
{
    cr_assert_eq(run_sim(BANK " --fault all=0 --seeds 500"), 0, "%s%s", out, err);
    says("never: me->attempts > 1 (bank.c:");
    cr_assert_eq(run_sim(BANK " --fixed --seeds 500"), 0, "%s%s", out, err);
    says_not("never: me->attempts > 1");
    says_not("never: *seen");
    says("500 seeds, none failed");
}

Test(sim_driver, what_is_said_does_not_depend_on_the_number_of_jobs)
{
    char first[sizeof out];
    cr_assert_eq(run_sim(BANK " --jobs 1"), 1);
    *strrchr(out, ';') = 0; /* times follow */
    memcpy(first, out, sizeof out);
    cr_assert_eq(run_sim(BANK " --jobs 3"), 1);
    *strrchr(out, ';') = 0;
    cr_assert_str_eq(first, out);
}

Test(sim_driver, a_shrunk_run_has_fewer_faults_and_fails_in_the_same_way)
{
    char what[600], line[1000], text[2000];
    cr_assert_eq(run_sim(BANK " --shrink --near 60 --fault reset=10000 --fault half_open=5000"), 1, "%s%s", out, err);
    line_after(" FAILED: ", what, sizeof what);
    line_after(" messages: ", line, sizeof line);
    unsigned faults = 0;
    for (const char *at = line; (at = strstr(at, "--fault ")); at++)
        faults++;
    cr_assert(faults <= 6, "%s", line); /* all=0, and some of the nine kinds */
    cr_assert_eq(run_bank(line + strlen(BANK " "), text, sizeof text), 1, "%s: %s", line, text);
    cr_assert(strstr(text, what), "not '%s': %s", what, text);
}

static size_t read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    size_t got = fread(text, 1, size - 1, file);
    fclose(file);
    remove(path);
    text[got] = 0;
    return got;
}

Test(sim_driver, a_seed_has_one_trace_and_another_seed_has_another)
{
    static char traces[3][65536];
    cr_assert_eq(run_bank("--seed 1 --trace sim_driver.trace", out, sizeof out), 0);
    cr_assert(read_file("sim_driver.trace", traces[0], sizeof traces[0]) > 1000);
    cr_assert_eq(run_bank("--seed 2 --trace sim_driver.trace", out, sizeof out), 0);
    read_file("sim_driver.trace", traces[1], sizeof traces[1]);
    cr_assert_str_neq(traces[0], traces[1]);
    cr_assert_eq(run_sim(BANK " --seeds 1 --trace sim_driver.trace"), 0, "%s%s", out, err);
    says("trace: sim_driver.trace\n");
    read_file("sim_driver.trace", traces[2], sizeof traces[2]);
    cr_assert_str_eq(traces[0], traces[2]);
    cr_assert_eq(run_bank("--seed 1 --trace -", out, sizeof out), 0);
    cr_assert_eq(memcmp(out, traces[0], strlen(traces[0])), 0);
}

Test(sim_driver, wrong_command_lines_are_refused_by_name)
{
    static const char *const bank[][2] = {
        { "--fault nonsense=1", "--fault nonsense=1: there is no fault \"nonsense\"" },
        { "--fault reset=1000001", "the rate of the fault \"reset\" is 1000001" },
        { "--fault reset=-1", "'-1' is not a rate" },
        { "--fault reset=1x", "'1x' is not a rate" },
        { "--fault reset", "--fault reset: write it as NAME=RATE" },
        { "--fault", "--fault : write it as NAME=RATE" },
        { "--seed x", "--seed x: a seed is a number" },
        { "--seed 18446744073709551616", "a seed is a number from 0 to 18446744073709551615" },
        { "--seeds 0", "--seeds 0: give a number" },
        { "--seed 18446744073709551615 --seeds 2", "there are not so many from 18446744073709551615 on" },
        { "--for 5", "--for 5: write a time as" },
        { "--for 0s", "--for 0s: write a time as" },
        { "--trace", "--trace: a file is missing" },
        { "--seeds 2 --trace t", "--trace is for one seed, not for 2" },
        { "--nonsense", "bank: unrecognized option '--nonsense'" },
        { "more", "bank: 'more' is one argument too many" },
    };
    static const char *const sim[][2] = {
        { "", "a program is missing" },
        { "--seeds 2", "a program is missing" },
        { "--nonsense", "unrecognized option '--nonsense'" },
        { BANK " --fault nonsense=1", "troupe-sim: --fault nonsense=1: there is no fault \"nonsense\"" },
        { BANK " --fault reset=1000001", "the rate of the fault \"reset\" is 1000001" },
        { BANK " --seeds 0", "--seeds 0: give a number" },
        { BANK " --jobs x", "--jobs x: give a number" },
        { BANK " --jobs", "--jobs : give a number" },
        { BANK " --limit 0", "--limit 0: give a number" },
        { BANK " --near 0", "--near 0: give a number" },
        { BANK " --seed 3", "--first 3 --seeds 1" },
        { BANK " --for soon", "--for soon: write a time as" },
        { BANK " --nonsense", "bank: unrecognized option '--nonsense'" },
        { BANK " -- --seeds x", "bank: --seeds x: give a number" },
        { "./no-such-program", "./no-such-program cannot be started: not found" },
        { TROUBLE " nothing", "does not report: does its main call tr_sim_main?" },
    };
    for (size_t i = 0; i < sizeof bank / sizeof bank[0]; i++) {
        cr_assert_eq(run_bank(bank[i][0], out, sizeof out), 2, "bank %s", bank[i][0]);
        cr_assert(strstr(err, bank[i][1]) && !*out, "bank %s: %s%s", bank[i][0], err, out);
    }
    for (size_t i = 0; i < sizeof sim / sizeof sim[0]; i++) {
        cr_assert_eq(run_sim(sim[i][0]), 2, "troupe-sim %s: %s%s", sim[i][0], out, err);
        cr_assert(strstr(err, sim[i][1]) && !*out, "troupe-sim %s: %s%s", sim[i][0], err, out);
    }
    set_environment("TROUPE_SEED", "nonsense");
    cr_assert_eq(run_bank("", out, sizeof out), 2);
    cr_assert(strstr(err, "TROUPE_SEED=nonsense: a seed is a number"), "%s", err);
}

/* ---- programs that do worse than to fail ------------------------------------------------------------------------- */

Test(sim_driver, a_program_that_crashes_is_reported_with_its_seed)
{
    never_dump_core();
    cr_assert_eq(run_sim(TROUBLE " crash --seeds 20"), 1, "%s%s", out, err);
    cr_assert_eq(memcmp(out, "seed 5 FAILED: the program was ", 31), 0, "%s", out);
    cr_assert(strstr(out, "--seed 5\n"), "%s", out);
    cr_assert_eq(run_sim(TROUBLE " crash --seeds 20 --keep-going --jobs 1"), 1, "%s%s", out, err);
    says("seed 5 FAILED: the program was ");
    says("seed 9 FAILED: the program was ");
    says("20 seeds, 2 failed");
    cr_assert_eq(run_sim(TROUBLE " exit --seeds 20"), 1, "%s%s", out, err);
    says("seed 5 FAILED: the program ended, with exit status 7");
}

Test(sim_driver, a_program_that_hangs_is_killed_and_reported_with_its_seed)
{
    cr_assert_eq(run_sim(TROUBLE " hang --seeds 6 --limit 3"), 1, "%s%s", out, err);
    cr_assert_eq(memcmp(out, "seed 5 FAILED: it did not end within 3 s of real time", 53), 0, "%s", out);
}

Test(sim_driver, what_a_failing_program_wrote_is_shown_and_what_others_wrote_is_not)
{
    cr_assert_eq(run_sim(TROUBLE " print --seeds 20"), 1, "%s%s", out, err);
    says("seed 5 FAILED: sim_trouble.c:");
    says("    on standard output: 5");
    says("on standard error: 5\n");
    says_not(": 4");
    cr_assert_eq(err[0], 0, "%s", err);
}

Test(sim_driver, the_lowest_seed_that_fails_is_found_although_a_higher_one_fails_first)
{
    cr_assert_eq(run_sim(TROUBLE " slow --seeds 16 --jobs 2"), 1, "%s%s", out, err);
    says("seed 5 FAILED: ");
    says_not("seed 9");
    says("\n5 seeds; ");
    cr_assert_eq(run_sim(TROUBLE " slow --seeds 16 --jobs 2 --keep-going"), 1, "%s%s", out, err);
    cr_assert(strstr(out, "seed 5 FAILED: ") < strstr(out, "seed 9 FAILED: "), "%s", out);
    says("16 seeds, 2 failed; ");
}

Test(sim_driver, a_place_that_one_seed_alone_reaches_is_reached)
{
    cr_assert_eq(run_sim(TROUBLE " fail --seeds 20"), 1, "%s%s", out, err); /* by the failing one */
    says("never: seed == 1000000 (sim_trouble.c:");
    says_not("never: seed == 5 ");
    cr_assert_eq(run_sim(TROUBLE " fail --first 10 --seeds 20"), 0, "%s%s", out, err);
    says("never: seed == 5 ");
}
