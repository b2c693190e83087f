// Merged: several messages in one (grid/PROTOCOL.md, "Merging").
//
// Layout: a message array with Op Merged, Seq = n, no flags and an empty payload, followed by
// n x MessagePack bin, each a whole message with its own trailers.
#ifndef GRID_SERIALIZATION_MERGED_H_
#define GRID_SERIALIZATION_MERGED_H_

#include <cstddef>
#include <cstdint>

#include "serialization/bytes.h"
#include "serialization/message.h"

namespace grid {

// Largest header that WriteMergedHeaderBackward writes.
inline constexpr size_t kMaxMergedHeader = 1 + 1 + 5 + 1 + 1 + 1 + 1 + 2;
// Largest bin header in front of an inner message.
inline constexpr size_t kMaxBinHeader = 5;

// Bytes of the shortest bin header for `size` bytes: 2, 3 or 5.
size_t BinHeaderSize(size_t size);
// Writes that header at `out`; returns its end.
uint8_t* WriteBinHeader(size_t size, uint8_t* out);

// Writes the outer header of a Merged of `count` messages so that it ends right at `end`; returns
// where it begins. The kMaxMergedHeader bytes before `end` must be writable. Writing backward lets
// a batch be filled before its count is known.
uint8_t* WriteMergedHeaderBackward(uint32_t count, uint8_t* end);

// Walks the inner messages of a decoded Merged without allocating.
//
//   MergedReader reader(outer.seq, rest);
//   BytesView inner;
//   while (reader.Next(&inner)) ...
//   if (!reader.ok()) ...   // truncated: fewer messages than announced, or not a bin
class MergedReader {
 public:
  MergedReader(uint32_t count, BytesView rest);
  // True when `count` bins can't fit in `rest` (each takes at least 2 bytes): refuse before looking
  // at any of them.
  bool ImpossibleCount() const;
  bool Next(BytesView* inner);
  bool ok() const { return ok_; }

 private:
  uint32_t left_;
  BytesView rest_;
  bool ok_ = true;
};

}  // namespace grid

#endif  // GRID_SERIALIZATION_MERGED_H_
