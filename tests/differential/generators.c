/*
 * The list of generators: the build passes it as GENERATORS, from the names in meson.build.
 */

#include "differential/generators.h"

#define DECLARE(name) extern const struct generator generator_##name;
#define ENTER(name)   &generator_##name,

GENERATORS(DECLARE)

const struct generator *const generators[] = {GENERATORS(ENTER) NULL};
