// Arbitrary bytes from the wire, in pieces of any size, to the reader of WebSocket frames: the
// first byte chooses the role, the second the size of the pieces. Whatever the pieces, the frames
// are the same, and every message keeps the limit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "grid/transport/frame_reader.h"

namespace grid::fuzz {
namespace {

using internal::FrameReader;

constexpr size_t kMaxMessage = 1000;

std::vector<std::string> Read(bool from_client, BytesView bytes, size_t piece) {
  FrameReader reader(from_client, kMaxMessage);
  std::vector<std::string> read;
  while (!bytes.empty()) {
    const MutableBytes room = reader.Room();
    const size_t size = std::min({piece, bytes.size(), room.size()});
    std::memcpy(room.data(), bytes.data(), size);
    bytes = bytes.subspan(size);
    reader.Commit(size);
    for (;;) {
      const FrameReader::Frame frame = reader.Next();
      if (frame.kind == FrameReader::Kind::kNone) break;
      if (frame.kind == FrameReader::Kind::kMessage && frame.payload.size() > kMaxMessage) {
        std::abort();
      }
      if (frame.kind == FrameReader::Kind::kBad && frame.why.empty()) std::abort();
      read.push_back(static_cast<char>(frame.kind) + std::string(AsText(frame.payload)));
    }
  }
  return read;
}

}  // namespace
}  // namespace grid::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const bool from_client = (data[0] & 1) != 0;
  const grid::BytesView bytes(data + 2, size - 2);
  const size_t piece = size_t{1} + data[1];
  if (grid::fuzz::Read(from_client, bytes, piece) !=
      grid::fuzz::Read(from_client, bytes, std::max<size_t>(bytes.size(), 1))) {
    std::abort();
  }
  return 0;
}
