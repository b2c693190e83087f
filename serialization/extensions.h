// Extensions: what two ends may speak beyond version 1 (grid/PROTOCOL.md, "Extensions"). Each end
// announces its own in the Connect exchange, and uses what both have.
#ifndef GRID_SERIALIZATION_EXTENSIONS_H_
#define GRID_SERIALIZATION_EXTENSIONS_H_

#include <cstdint>
#include <string_view>

#include "serialization/dictionary_ids.h"

namespace grid {

// By feature, its value; 0: not spoken.
struct Extensions {
  uint32_t credits = 0;     // 1: several credits at once, windows in bytes too
  uint32_t fragments = 0;   // most bytes of a fragment's payload
  uint32_t zstd = 0;        // compression level
  uint32_t meta = 0;        // 1: metadata on requests and streams
  uint32_t status = 0;      // 1: errors carry code and delivery class
  uint32_t handlers16 = 0;  // 1: handler ids above 255
  uint32_t goaway = 0;      // 1: Disconnect begins a drain
  uint32_t client = 0;      // 1: the dialer may be no member of the mesh
  // zstd. That payloads may be compressed with.
  DictionaryIds dictionaries = {};

  friend bool operator==(const Extensions&, const Extensions&) = default;
};

// A feature's name on the wire, and its place. Those with a number; the dictionaries go by the name
// below, as an array of their ids.
struct ExtensionName {
  std::string_view name;
  uint32_t Extensions::*value;
};
inline constexpr ExtensionName kExtensionNames[] = {
    {"credits", &Extensions::credits}, {"fragments", &Extensions::fragments},
    {"zstd", &Extensions::zstd},       {"meta", &Extensions::meta},
    {"status", &Extensions::status},   {"handlers16", &Extensions::handlers16},
    {"goaway", &Extensions::goaway},   {"client", &Extensions::client},
};

inline constexpr std::string_view kDictionariesName = "dictionaries";

// Smaller fragments are mostly headers: whoever announces them gets none.
inline constexpr uint32_t kMinFragmentBytes = 1024;

// What is spoken between two ends: of each feature the smaller value, and no fragments below
// kMinFragmentBytes; the dictionaries that both have, where zstd is.
Extensions Agree(const Extensions& ours, const Extensions& theirs);

}  // namespace grid

#endif  // GRID_SERIALIZATION_EXTENSIONS_H_
