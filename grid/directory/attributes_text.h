// Attributes as text, "tier=gold, version=1.1": in the order of their keys, as Selector and
// Placement write them.
//
// Internal to grid/directory and grid/actor. Pure functions.
#ifndef GRID_GRID_DIRECTORY_ATTRIBUTES_TEXT_H_
#define GRID_GRID_DIRECTORY_ATTRIBUTES_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "grid/directory/entry.h"
#include "grid/directory/text_cursor.h"

namespace grid::internal {

std::string AttributesText(const Attributes& attributes);
// Up to and over the ")" behind them: at least one, each once, sorted.
absl::StatusOr<Attributes> ReadAttributes(TextCursor& cursor);

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_ATTRIBUTES_TEXT_H_
