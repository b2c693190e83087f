#include "grid/transport/frame.h"

#include <cstring>

namespace grid::internal {
namespace {

uint64_t LoadBig(const uint8_t* p, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | p[i];
  return value;
}

void StoreBig(uint64_t value, int bytes, uint8_t* p) {
  for (int i = bytes; i-- > 0; value >>= 8) p[i] = static_cast<uint8_t>(value);
}

}  // namespace

bool ReadFrameHeader(BytesView bytes, FrameHeader* header) {
  if (bytes.size() < 2) return false;
  const uint8_t* p = bytes.data();
  header->fin = (p[0] & 0x80) != 0;
  header->reserved = static_cast<uint8_t>(p[0] >> 4 & 7);
  header->opcode = static_cast<Opcode>(p[0] & 15);
  header->masked = (p[1] & 0x80) != 0;
  const int short_length = p[1] & 0x7f;
  const int length_bytes = short_length == 127 ? 8 : short_length == 126 ? 2 : 0;
  header->header_size = 2 + static_cast<size_t>(length_bytes) + (header->masked ? 4 : 0);
  if (bytes.size() < header->header_size) return false;
  p += 2;
  header->length = static_cast<uint64_t>(short_length);
  header->minimal = true;
  if (length_bytes != 0) {
    header->length = LoadBig(p, length_bytes);
    p += length_bytes;
    header->minimal = length_bytes == 2 ? header->length > 125
                                        : header->length > 0xffff && header->length >> 63 == 0;
  }
  if (header->masked) std::memcpy(header->key.data(), p, header->key.size());
  return true;
}

size_t WriteFrameHeader(const FrameHeader& header, uint8_t* out) {
  uint8_t* p = out;
  *p++ = static_cast<uint8_t>((header.fin ? 0x80 : 0) | static_cast<uint8_t>(header.opcode));
  const uint8_t mask = header.masked ? 0x80 : 0;
  if (header.length <= 125) {
    *p++ = static_cast<uint8_t>(mask | header.length);
  } else {
    const int length_bytes = header.length <= 0xffff ? 2 : 8;
    *p++ = static_cast<uint8_t>(mask | (length_bytes == 2 ? 126 : 127));
    StoreBig(header.length, length_bytes, p);
    p += length_bytes;
  }
  if (header.masked) {
    std::memcpy(p, header.key.data(), header.key.size());
    p += header.key.size();
  }
  return static_cast<size_t>(p - out);
}

void ApplyMask(MaskingKey key, MutableBytes payload) {
  // Wide enough for every vector unit; the compilers cut it to what the machine has.
  using Block = uint32_t __attribute__((vector_size(64)));
  uint32_t word;
  std::memcpy(&word, key.data(), sizeof(word));
  const Block mask = word - Block{};

  uint8_t* p = payload.data();
  size_t left = payload.size();
  for (; left >= sizeof(Block); left -= sizeof(Block), p += sizeof(Block)) {
    Block block;
    std::memcpy(&block, p, sizeof(block));
    block ^= mask;
    std::memcpy(p, &block, sizeof(block));
  }
  for (size_t i = 0; i < left; ++i) p[i] ^= key[i & 3];
}

}  // namespace grid::internal
