#include "serialization/msgpack_cursor.h"

#include <algorithm>

namespace grid::internal {

std::string_view DescribeMsgpackError(MsgpackError error) {
  switch (error) {
    case MsgpackError::kOk:
      return "is fine";
    case MsgpackError::kTruncated:
      return "is truncated";
    case MsgpackError::kWrongType:
      return "has the wrong type";
    case MsgpackError::kOutOfRange:
      return "is out of range";
    case MsgpackError::kWrongLength:
      return "has the wrong length";
    case MsgpackError::kTooDeep:
      return "is nested too deep";
    case MsgpackError::kTooLong:
      return "is longer than the limit";
    case MsgpackError::kTooMany:
      return "has more elements than the limit";
    case MsgpackError::kTooLarge:
      return "takes more memory than the limit";
    case MsgpackError::kRefused:
      return "was refused";
  }
  return "is invalid";
}

MsgpackError MsgpackReader::ReadContainer(uint8_t fix_tag, uint8_t wide_tag, uint32_t* count) {
  if (pos_ == end_) return MsgpackError::kTruncated;
  const uint8_t tag = *pos_;
  if ((tag & 0xf0) == fix_tag) {
    *count = tag & 0x0f;
    ++pos_;
    return MsgpackError::kOk;
  }
  if (tag != wide_tag && tag != wide_tag + 1) return MsgpackError::kWrongType;
  size_t length = 0;
  const MsgpackError error = ReadLength(tag == wide_tag ? 2 : 4, &length);
  *count = static_cast<uint32_t>(length);
  return error;
}

MsgpackError MsgpackReader::ReadWideBin(BytesView* value) {
  if (pos_ == end_) return MsgpackError::kTruncated;
  if (!IsBin(*pos_)) return MsgpackError::kWrongType;
  size_t size = 0;
  const MsgpackError error = ReadLength(1u << (*pos_ - 0xc4), &size);
  return error != MsgpackError::kOk ? error : TakeBytes(size, value);
}

MsgpackError MsgpackReader::ReadWideStr(std::string_view* value) {
  if (pos_ == end_) return MsgpackError::kTruncated;
  const uint8_t tag = *pos_;
  size_t size = tag & 0x1f;
  if ((tag & 0xe0) == 0xa0) {
    ++pos_;
  } else if (tag >= 0xd9 && tag <= 0xdb) {
    const MsgpackError error = ReadLength(1u << (tag - 0xd9), &size);
    if (error != MsgpackError::kOk) return error;
  } else {
    return MsgpackError::kWrongType;
  }
  BytesView bytes;
  const MsgpackError error = TakeBytes(size, &bytes);
  *value = AsText(bytes);
  return error;
}

MsgpackError MsgpackReader::ReadInt(int64_t min, int64_t max, int64_t* value) {
  if (pos_ == end_) return MsgpackError::kTruncated;
  const uint8_t tag = *pos_;
  const bool is_signed = tag >= 0xd0 && tag <= 0xd3;
  if (tag < 0xe0 && !is_signed) {
    uint64_t wide = 0;
    const MsgpackError error = ReadUint(static_cast<uint64_t>(max), &wide);
    *value = static_cast<int64_t>(wide);
    return error;
  }
  int64_t v = static_cast<int8_t>(tag);
  size_t width = 0;
  if (is_signed) {
    width = size_t{1} << (tag & 3);
    if (remaining() < 1 + width) return MsgpackError::kTruncated;
    const uint64_t bits = LoadBig(pos_ + 1, static_cast<unsigned>(width));
    const unsigned unused = 64 - 8 * static_cast<unsigned>(width);
    v = static_cast<int64_t>(bits << unused) >> unused;
  }
  if (v < min || v > max) return MsgpackError::kOutOfRange;
  pos_ += 1 + width;
  *value = v;
  return MsgpackError::kOk;
}

MsgpackError MsgpackReader::ReadBool(bool* value) {
  if (pos_ == end_) return MsgpackError::kTruncated;
  if ((*pos_ & 0xfe) != 0xc2) return MsgpackError::kWrongType;
  *value = *pos_++ == 0xc3;
  return MsgpackError::kOk;
}

MsgpackError MsgpackReader::ReadExt(int8_t* type, BytesView* value) {
  if (pos_ == end_) return MsgpackError::kTruncated;
  const uint8_t tag = *pos_;
  size_t size = 0;
  if (tag >= 0xd4 && tag <= 0xd8) {
    size = size_t{1} << (tag - 0xd4);
    ++pos_;
  } else if (tag >= 0xc7 && tag <= 0xc9) {
    const MsgpackError error = ReadLength(1u << (tag - 0xc7), &size);
    if (error != MsgpackError::kOk) return error;
  } else {
    return MsgpackError::kWrongType;
  }
  if (pos_ == end_) return MsgpackError::kTruncated;
  *type = static_cast<int8_t>(*pos_++);
  return TakeBytes(size, value);
}

namespace {

// What follows a tag: `fixed` bytes, then as many as a length of `length_width` bytes says.
struct Shape {
  uint8_t fixed;
  uint8_t length_width;
};

// Tags 0xc0 to 0xdf that are no containers.
constexpr Shape kShapes[32] = {
    {0, 0}, {0, 0}, {0, 0}, {0, 0},           // nil, never used, false, true
    {0, 1}, {0, 2}, {0, 4},                   // bin
    {1, 1}, {1, 2}, {1, 4},                   // ext: the type byte comes after the length
    {4, 0}, {8, 0},                           // float
    {1, 0}, {2, 0}, {4, 0}, {8, 0},           // uint
    {1, 0}, {2, 0}, {4, 0}, {8, 0},           // int
    {2, 0}, {3, 0}, {5, 0}, {9, 0}, {17, 0},  // fixext
    {0, 1}, {0, 2}, {0, 4},                   // str
    {0, 0}, {0, 0}, {0, 0}, {0, 0},           // array and map, not read from here
};

}  // namespace

MsgpackError MsgpackReader::Skip(int max_depth, Skipped* skipped) {
  max_depth = std::min(max_depth, kMaxSkipDepth);
  // Objects still to pass at each level; level 0 is the one object asked for.
  uint64_t left[kMaxSkipDepth + 1] = {1};
  int depth = 0;
  for (;;) {
    while (left[depth] == 0) {
      if (depth == 0) return MsgpackError::kOk;
      --depth;
    }
    --left[depth];
    if (pos_ == end_) return MsgpackError::kTruncated;
    const uint8_t tag = *pos_;
    const bool is_map = (tag & 0xf0) == 0x80 || tag == 0xde || tag == 0xdf;
    const bool is_array = (tag & 0xf0) == 0x90 || tag == 0xdc || tag == 0xdd;
    if (is_map || is_array) {
      uint32_t count = 0;
      const MsgpackError error = is_map ? ReadMapHeader(&count) : ReadArrayHeader(&count);
      if (error != MsgpackError::kOk) return error;
      const uint64_t objects = uint64_t{count} * (is_map ? 2 : 1);
      // Each object takes at least a byte, so a larger count is refused without walking.
      if (objects > remaining()) return MsgpackError::kTruncated;
      if (skipped != nullptr) {
        skipped->objects += objects;
        skipped->largest = std::max(skipped->largest, count);
      }
      if (depth >= max_depth) return MsgpackError::kTooDeep;
      left[++depth] = objects;
      continue;
    }
    size_t size = 0;
    if (tag < 0x80 || tag >= 0xe0) {  // fixint
      ++pos_;
    } else if (tag < 0xc0) {  // fixstr
      ++pos_;
      size = tag & 0x1f;
    } else if (tag == 0xc1) {  // the one tag that MessagePack never uses
      return MsgpackError::kWrongType;
    } else {
      const Shape shape = kShapes[tag - 0xc0];
      const MsgpackError error = ReadLength(shape.length_width, &size);
      if (error != MsgpackError::kOk) return error;
      size += shape.fixed;
    }
    if (size > remaining()) return MsgpackError::kTruncated;
    pos_ += size;
  }
}

uint8_t* WriteStr(std::string_view text, uint8_t* p) {
  const size_t size = text.size();
  if (size <= 31) {
    *p++ = static_cast<uint8_t>(0xa0 | size);
  } else if (size <= 0xff) {
    *p++ = 0xd9;
    *p++ = static_cast<uint8_t>(size);
  } else if (size <= 0xffff) {
    *p = 0xda;
    p = StoreBig16(static_cast<uint16_t>(size), p + 1);
  } else {
    *p = 0xdb;
    p = StoreBig32(static_cast<uint32_t>(size), p + 1);
  }
  if (size != 0) std::memcpy(p, text.data(), size);
  return p + size;
}

uint8_t* WriteBin(BytesView bytes, uint8_t* p) {
  p = WriteBinHeaderTo(bytes.size(), p);
  if (!bytes.empty()) std::memcpy(p, bytes.data(), bytes.size());
  return p + bytes.size();
}

}  // namespace grid::internal
