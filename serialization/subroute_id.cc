#include "serialization/subroute_id.h"

#include <openssl/sha.h>

namespace grid {

SubrouteId MakeSubrouteId(std::string_view subroute, uint16_t handler) {
  static_assert(SHA256_DIGEST_LENGTH == sizeof(SubrouteId::bytes));
  SubrouteId id;
  SHA256(reinterpret_cast<const uint8_t*>(subroute.data()), subroute.size(), id.bytes.data());
  return id.ForHandler(handler);
}

}  // namespace grid
