// The checksums and hashes of the protocol: xxh3_64, its low half as a message checksum.
#ifndef GRID_SERIALIZATION_CHECKSUM_H_
#define GRID_SERIALIZATION_CHECKSUM_H_

#include <cstdint>

#include "serialization/bytes.h"

namespace grid {

// xxh3 of 64 bits with seed 0.
uint64_t Xxh3(BytesView bytes);

// Low 32 bits of Xxh3: what the CRC trailer holds, little endian.
inline uint32_t MessageChecksum(BytesView bytes) { return static_cast<uint32_t>(Xxh3(bytes)); }

}  // namespace grid

#endif  // GRID_SERIALIZATION_CHECKSUM_H_
