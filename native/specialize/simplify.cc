#include "simplify.h"

#include "copies.h"

namespace polytrace {

void simplify(Flow& flow, const Configuration& configuration, const CountParameters& parameters) {
  std::vector<int32_t> lowest = put_constants(flow, configuration);
  // without what is not used, more blocks have only one block before them
  remove_unused(flow, lowest, parameters);
  use_originals(flow, lowest);
  // copies of a register that was compared with 0 are now the register itself
  lowest = put_constants(flow, configuration);
  remove_unused(flow, lowest, parameters);
}

}  // namespace polytrace
