// Fragmenter: one large message, cut into fragments as they leave (grid/PROTOCOL.md, "Fragments").
//
// Holds the payload itself: a fragment is encoded when its turn has come, so what waits is neither
// copied nor looked at before. Belongs to one lane of an OutputQueue.
//
//   Fragmenter cut(message, std::move(payload), 64 << 10, pool);
//   ExtensionBlock block;
//   while (cut.left() > 0) Encode(cut.Next(&block));
#ifndef GRID_GRID_MUX_FRAGMENTER_H_
#define GRID_GRID_MUX_FRAGMENTER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "serialization/buffer.h"
#include "serialization/buffer_pool.h"
#include "serialization/extension_block.h"
#include "serialization/message.h"

namespace grid {

class Fragmenter {
 public:
  // Of payload in one fragment, where the two ends agreed on `agreed`. Less, so that with its
  // header it fits a block of that size; of a small one that would be too large a part.
  static size_t BytesOf(uint32_t agreed) {
    constexpr size_t kRoom = 512;
    static_assert(kRoom > kMaxMessageOverhead + kMaxExtensionOverhead + 32);
    return agreed >= 8 * kRoom ? agreed - kRoom : agreed;
  }

  Fragmenter() = default;  // nothing is left
  // `message`, whose payload is all of `payload`, in fragments of at most `most` bytes of it. What
  // else `message` refers to is copied.
  Fragmenter(const Message& message, Buffer payload, size_t most, BufferPool& pool);

  // Bytes of payload that no fragment has had yet.
  size_t left() const { return payload_.size() - offset_; }
  // The largest fragment, without its header.
  size_t most() const { return most_; }
  // The next fragment, with its block in `block`. Valid until the next call, and while this stays
  // where it is. Not when nothing is left.
  Message Next(ExtensionBlock* block);

 private:
  Message whole_;  // without its views
  Buffer payload_;
  Buffer extension_;      // the message's own; nil: none
  uint16_t handler_ = 0;  // in it
  std::array<uint8_t, kSubrouteIdSize> subroute_;
  size_t most_ = 0;
  size_t offset_ = 0;
};

}  // namespace grid

#endif  // GRID_GRID_MUX_FRAGMENTER_H_
