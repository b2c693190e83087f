#include "tools/common/utf8.h"

#include <cstddef>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace grid::tools {

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80                   ? 1
                          : lead >= 0xc2 && lead < 0xe0 ? 2
                          : lead >= 0xe0 && lead < 0xf0 ? 3
                          : lead >= 0xf0 && lead < 0xf5 ? 4
                                                        : 0;
    if (length == 0 || text.size() - i < length) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

std::string Shown(std::string_view text) {
  return IsUtf8(text) ? std::string(text)
                      : absl::CHexEscape(absl::string_view(text.data(), text.size()));
}

}  // namespace grid::tools
