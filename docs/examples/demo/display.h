/* display.h: what the demo shows: a line while it works, and a table in the end. */
#ifndef DEMO_DISPLAY_H
#define DEMO_DISPLAY_H

#include "score.h"

/* Whether the line of progress is written over itself, on a terminal; and whether that knows more than ASCII. */
bool display_is_live(void);
bool display_speaks_utf8(void);

/* 1234567 as 1,234,567. */
enum { DISPLAY_TEXT = 32 };
const char *display_number(char text[DISPLAY_TEXT], uint64_t n);

void display_opening(const struct demo *demo);
void display_progress(const struct score *score);

/* How to use what is still running. */
void display_serving(const char *echo_address, const char *chat_address);

/* The end of a run that was stopped before its time. */
void display_interrupted(void);

/* table.c */
void display_result(const struct demo *demo, const struct score *score);

#endif
