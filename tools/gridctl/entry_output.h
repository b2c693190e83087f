// How gridctl shows registrations. Attributes whose key begins with _ are never shown.
#ifndef GRID_TOOLS_GRIDCTL_ENTRY_OUTPUT_H_
#define GRID_TOOLS_GRIDCTL_ENTRY_OUTPUT_H_

#include <boost/json/array.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "grid/directory/entry.h"

namespace grid::tools {

// "shop/cart/7  exclusive  epoch 12  http://a:1", and where they are asked for "  version=1.1" and
// so on; the name takes at least `width` places.
std::string EntryLine(const Entry& entry, size_t width, bool attributes);
// The longest name.
size_t NameWidth(const std::vector<Entry>& entries);

// [{"name", "holding", "epoch", "member", "incarnation", "attributes": {...}}]; a value that is not
// UTF-8 is shown with C's escapes.
boost::json::array EntriesToJson(const std::vector<Entry>& entries);

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDCTL_ENTRY_OUTPUT_H_
