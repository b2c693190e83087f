#include "serialization/messagepack_fields.h"

namespace grid::internal {

bool IsDefineMacro(std::string_view file) {
  return file.ends_with("/adaptor/detail/cpp11_define_map.hpp") ||
         file.ends_with("/adaptor/detail/cpp11_define_array.hpp");
}

}  // namespace grid::internal
