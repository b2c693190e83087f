// Subroute ids: the 32 bytes that name a handler on a static subroute (grid/PROTOCOL.md).
//
// sha256 of the subroute string, with bytes 0 and 1 replaced by the handler ID, low byte first. The
// hash is computed once per Subroute handle; making the id for a handler is a copy.
#ifndef GRID_SERIALIZATION_SUBROUTE_ID_H_
#define GRID_SERIALIZATION_SUBROUTE_ID_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "serialization/bytes.h"

namespace grid {

struct SubrouteId {
  std::array<uint8_t, 32> bytes{};

  static SubrouteId FromBytes(const uint8_t* bytes) {
    SubrouteId id;
    std::memcpy(id.bytes.data(), bytes, id.bytes.size());
    return id;
  }
  // The same subroute's id for another handler.
  SubrouteId ForHandler(uint16_t handler) const {
    SubrouteId id = *this;
    id.bytes[0] = static_cast<uint8_t>(handler);
    id.bytes[1] = static_cast<uint8_t>(handler >> 8);
    return id;
  }
  friend bool operator==(const SubrouteId&, const SubrouteId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const SubrouteId& id) {
    return H::combine_contiguous(std::move(h), id.bytes.data(), id.bytes.size());
  }
};

// The id of `handler` on `subroute` (parts joined with "/"). The handler may be replaced later with
// ForHandler.
SubrouteId MakeSubrouteId(std::string_view subroute, uint16_t handler);

}  // namespace grid

#endif  // GRID_SERIALIZATION_SUBROUTE_ID_H_
