// Piece: a std::string_view for abseil, whose string_view is a type of its own where abseil was
// built as C++14 (as Debian does).
//
//   absl::StrCat("host ", Piece(host))
#ifndef GRID_GRID_TRANSPORT_TEXT_H_
#define GRID_GRID_TRANSPORT_TEXT_H_

#include <string_view>

#include "absl/strings/string_view.h"

namespace grid::internal {

inline absl::string_view Piece(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace grid::internal

#endif  // GRID_GRID_TRANSPORT_TEXT_H_
