/* command.h: reading command lines, for tr_sim_main and for troupe-sim. */
#ifndef TRI_COMMAND_H
#define TRI_COMMAND_H

#include <troupe/time.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Whether argv[*at] is this option: "--name value" or "--name=value". The value is NULL where there is none, and *at is
 * at the last word that belongs to the option. */
static inline bool tri_command_is(char **argv, int *at, const char *name, const char **value)
{
    const char *word = argv[*at];
    size_t length = strlen(name);
    if (strncmp(word, name, length) != 0 || (word[length] && word[length] != '='))
        return false;
    *value = word[length] ? word + length + 1 : argv[*at + 1];
    if (!word[length] && *value)
        ++*at;
    return true;
}

/* The number that the text begins with, from 0 to max; NULL, or what follows it. */
static inline const char *tri_command_digits(const char *text, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    if (!text || *text < '0' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9'; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (value > (max - digit) / 10)
            return NULL;
        value = 10 * value + digit;
    }
    *number = value;
    return text;
}

/* The text is nothing but a number from min to max. */
static inline bool tri_command_number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    const char *rest = tri_command_digits(text, max, number);
    return rest && !*rest && *number >= min;
}

/* A time above 0: "250us", "40ms" or "5s". */
static inline bool tri_command_time(const char *text, int64_t *ns)
{
    uint64_t number = 0;
    const char *unit = tri_command_digits(text, UINT64_C(1000000000), &number);
    if (!unit)
        return false;
    *ns = (int64_t)number *
        (strcmp(unit, "us") == 0          ? TR_US(1)
                : strcmp(unit, "ms") == 0 ? TR_MS(1)
                : strcmp(unit, "s") == 0  ? TR_SECONDS(1)
                                          : 0);
    return *ns > 0;
}

/* What a program is called in what it says: without its folder, and without ".exe". */
static inline const char *tri_command_name(const char *path, char *name, size_t size)
{
    const char *last = path ? path : "";
    for (const char *at = last; *at; at++)
        if ((*at == '/' || *at == '\\') && at[1])
            last = at + 1;
    size_t length = strlen(last);
    if (length > 4 && strcmp(last + length - 4, ".exe") == 0)
        length -= 4;
    length = length < size ? length : size - 1;
    memcpy(name, last, length);
    name[length] = 0;
    return name;
}

#endif
