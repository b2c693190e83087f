// Whether bytes can be shown as the text they are, and what is shown where not.
#ifndef GRID_TOOLS_COMMON_UTF8_H_
#define GRID_TOOLS_COMMON_UTF8_H_

#include <string>
#include <string_view>

namespace grid::tools {

bool IsUtf8(std::string_view text);
// `text` where it is UTF-8, otherwise with C's escapes.
std::string Shown(std::string_view text);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_UTF8_H_
