/* LOLWUT: a spindle full of yarn, spun anew at each call, and the version. Main thread only. */
#include "commands/commands.h"
#include "commands/handlers.h"

#include "base/random.h"

#include <math.h>
#include <stdio.h>

enum { CANVAS_WIDTH = 66, CANVAS_HEIGHT = 21, YARN_TURNS_MIN = 3, YARN_TURNS_SPREAD = 5 };

/* Half the height of the wound yarn at a column: thick in the middle. */
static double yarn_radius(int column)
{
    double from_middle = 2.0 * column / (CANVAS_WIDTH - 1) - 1;
    return (CANVAS_HEIGHT / 2 - 1) * pow(cos(from_middle * M_PI / 2), 0.7);
}

/* What shows at a point: a thread of the winding that faces us, the shaft, or nothing. */
static char yarn_at(int column, int row, double turns, double phase)
{
    static const char shades[] = ".:-=+*#%@";
    double radius = yarn_radius(column);
    double height = row - CANVAS_HEIGHT / 2;
    if (fabs(height) > radius || radius < 0.5)
        return row == CANVAS_HEIGHT / 2 ? '=' : ' ';
    double around = asin(height / radius);
    double thread = sin(turns * 2 * M_PI * column / CANVAS_WIDTH + around * 2 + phase);
    double light = cos(around) * (0.6 + 0.4 * thread);
    int shade = (int)(light * (int)(sizeof(shades) - 1));
    if (shade < 0)
        shade = 0;
    return shades[shade < (int)sizeof(shades) - 1 ? shade : (int)sizeof(shades) - 2];
}

static void draw_spindle(struct random_state *random, struct buffer *text)
{
    double turns = (double)(YARN_TURNS_MIN + random_below(random, YARN_TURNS_SPREAD));
    double phase = (double)random_below(random, 1000) / 1000 * 2 * M_PI;
    for (int row = 0; row < CANVAS_HEIGHT; row++) {
        char *line = buffer_reserve(text, CANVAS_WIDTH + 1);
        for (int column = 0; column < CANVAS_WIDTH; column++)
            line[column] = yarn_at(column, row, turns, phase);
        line[CANVAS_WIDTH] = '\n';
        text->length += CANVAS_WIDTH + 1;
    }
}

/* LOLWUT [VERSION version [number ...]]: Redis draws something else for each version; we spin the same yarn,
 * but what is no number is refused. */
static bool read_numbers(struct call *call)
{
    if (call->argc < 3 || !call_argument_is(call, 1, "version"))
        return true;
    for (int i = 2; i < call->argc; i++) {
        int64_t number;
        if (!call_int64(call, i, &number, NULL))
            return false;
    }
    return true;
}

void cmd_lolwut(struct call *call)
{
    static const char version[] = "\nSpindle " SPINDLE_VERSION ". Redis ver. 7.0.15\n";
    if (!read_numbers(call))
        return;
    struct buffer text = {0};
    draw_spindle(&call->keyspace->random, &text);
    buffer_append(&text, version, sizeof(version) - 1);
    reply_verbatim(call->reply, "txt", text.data, text.length);
    buffer_free(&text);
}
