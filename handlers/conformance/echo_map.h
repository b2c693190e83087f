// The conformance service's typed handler: the map with an entry "added" more; a nil map counts as
// empty.
#ifndef GRID_HANDLERS_CONFORMANCE_ECHO_MAP_H_
#define GRID_HANDLERS_CONFORMANCE_ECHO_MAP_H_

#include <optional>

#include "handlers/single_handler.h"
#include "serialization/messagepack.h"

namespace grid {

inline constexpr SingleHandler<std::optional<StringMap>, StringMap> kEchoMap{HandlerId{79}};

}  // namespace grid

#endif  // GRID_HANDLERS_CONFORMANCE_ECHO_MAP_H_
