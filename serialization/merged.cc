#include "serialization/merged.h"

#include "serialization/msgpack_cursor.h"

namespace grid {

size_t BinHeaderSize(size_t size) { return internal::BinHeaderSizeFor(size); }

uint8_t* WriteBinHeader(size_t size, uint8_t* out) { return internal::WriteBinHeaderTo(size, out); }

uint8_t* WriteMergedHeaderBackward(uint32_t count, uint8_t* end) {
  Message header;
  header.seq = count;
  header.op = Op::kMerged;
  uint8_t* const begin = end - EncodedSize(header);
  EncodeMessage(header, begin);
  return begin;
}

MergedReader::MergedReader(uint32_t count, BytesView rest) : left_(count), rest_(rest) {}

bool MergedReader::ImpossibleCount() const { return uint64_t{left_} * 2 > rest_.size(); }

bool MergedReader::Next(BytesView* inner) {
  if (left_ == 0 || !ok_) return false;
  internal::MsgpackReader in(rest_);
  if (in.ReadBin(inner) != internal::MsgpackError::kOk) {
    ok_ = false;
    return false;
  }
  rest_ = rest_.last(in.remaining());
  --left_;
  return true;
}

}  // namespace grid
