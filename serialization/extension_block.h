// The extension block of a message: what stands between its array and its trailers when the
// Extended flag is set (grid/PROTOCOL.md, "Extensions"). A MessagePack map with small integers as
// keys, of at most 255 bytes.
//
// Pure functions and plain data, any thread; nothing is allocated.
//
//   ExtensionBlock block;
//   if (!block.Write({.delivery = 3})) ...           // more than fits
//   message.extension = block.view();
//
//   ExtensionFields fields;
//   if (!ReadExtension(message.extension, &fields)) ...  // malformed
#ifndef GRID_SERIALIZATION_EXTENSION_BLOCK_H_
#define GRID_SERIALIZATION_EXTENSION_BLOCK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "serialization/bytes.h"

namespace grid {

inline constexpr size_t kMaxExtensionBytes = 255;

// Fields that are at their default are not written. Views point into what was read.
struct ExtensionFields {
  // credits. On a credit message: how many more messages, and bytes of payload, may come.
  uint32_t grant_messages = 0;  // key 1
  uint64_t grant_bytes = 0;     // key 2
  // credits. On ConnectMux and AckMux: what the sender lets come before it grants more.
  uint32_t window_messages = 0;  // key 3
  uint64_t window_bytes = 0;     // key 4
  // fragments. Bytes of the payload in earlier fragments; whether others follow.
  uint64_t offset = 0;  // key 5
  bool more = false;    // key 6
  // zstd. Bytes of the payload before compression; the dictionary that it needs, or 0.
  uint64_t original_bytes = 0;  // key 7
  uint32_t dictionary = 0;      // key 8
  // meta. A W3C traceparent; a map of strings to strings, as MessagePack.
  std::string_view traceparent = {};  // key 9
  BytesView metadata = {};            // key 10, as a bin
  // status. absl::StatusCode; Delivery. Of the error in the payload.
  uint8_t code = 0;      // key 11
  uint8_t delivery = 0;  // key 12
  // handlers16. The handler's id, when it does not fit the array's field, which is 0 then.
  uint16_t handler = 0;  // key 13
  // On Request and ConnectMux: in which class the answers go.
  uint8_t priority = 0;  // key 14
  // fragments and credits. On ConnectMux and AckMux: the sender reads large messages in pieces.
  bool pieces = false;  // key 15
};

class ExtensionBlock {
 public:
  // False when it is more than kMaxExtensionBytes; the block is empty then.
  bool Write(const ExtensionFields& fields);
  // Valid while the block is.
  BytesView view() const { return {bytes_.data(), size_}; }

 private:
  static constexpr size_t kMaxFixedPart = 96;  // every field but the views

  std::array<uint8_t, kMaxExtensionBytes + kMaxFixedPart> bytes_;
  size_t size_ = 0;
};

// Keys that are not known are skipped. False for anything that is no such map: *fields is
// unspecified then.
bool ReadExtension(BytesView block, ExtensionFields* fields);

}  // namespace grid

#endif  // GRID_SERIALIZATION_EXTENSION_BLOCK_H_
