// Makes a program that of one configuration.
#pragma once

#include "constants.h"
#include "flow.h"
#include "unused.h"

namespace polytrace {

void simplify(Flow& flow, const Configuration& configuration, const CountParameters& parameters);

}  // namespace polytrace
