// A bounds-checked reader and a writer of the MessagePack forms that the protocol's own messages
// use. Internal to serialization/: applications' values go through the typed payloads.
//
// A reader points into bytes owned by the caller and never reads beyond them; a length that is
// declared but not there is kTruncated, and nothing is ever allocated. After an error the position
// is unspecified. Any thread; one reader belongs to one caller.
//
//   MsgpackReader in(bytes);
//   uint64_t value;
//   if (in.ReadUint(UINT32_MAX, &value) != MsgpackError::kOk) ...
//
//   uint8_t* end = WriteUint(300, out);   // cd 01 2c
#ifndef GRID_SERIALIZATION_MSGPACK_CURSOR_H_
#define GRID_SERIALIZATION_MSGPACK_CURSOR_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "serialization/bytes.h"

namespace grid::internal {

// Big-endian loads and stores of unaligned integers.
inline uint16_t LoadBig16(const uint8_t* p) {
  uint16_t v;
  std::memcpy(&v, p, sizeof(v));
  return __builtin_bswap16(v);
}
inline uint32_t LoadBig32(const uint8_t* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof(v));
  return __builtin_bswap32(v);
}
inline uint64_t LoadBig64(const uint8_t* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof(v));
  return __builtin_bswap64(v);
}
inline uint8_t* StoreBig16(uint16_t v, uint8_t* p) {
  v = __builtin_bswap16(v);
  std::memcpy(p, &v, sizeof(v));
  return p + sizeof(v);
}
inline uint8_t* StoreBig32(uint32_t v, uint8_t* p) {
  v = __builtin_bswap32(v);
  std::memcpy(p, &v, sizeof(v));
  return p + sizeof(v);
}
inline uint8_t* StoreBig64(uint64_t v, uint8_t* p) {
  v = __builtin_bswap64(v);
  std::memcpy(p, &v, sizeof(v));
  return p + sizeof(v);
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the loads above swap unconditionally");

enum class MsgpackError : uint8_t {
  kOk = 0,
  kTruncated,    // the bytes end before the object does
  kWrongType,    // another type than asked for
  kOutOfRange,   // a negative integer, or one above the given limit
  kWrongLength,  // a bin or ext of another length than asked for
  kTooDeep,      // more nested containers than allowed
  kTooLong,      // a str or bin above DecodeLimits::max_length
  kTooMany,      // a container above DecodeLimits::max_elements
  kTooLarge,     // the value above DecodeLimits::max_total
  kRefused,      // by a type's own conversion
};

// "is truncated", "has the wrong type" and so on: the end of a sentence that names the field.
std::string_view DescribeMsgpackError(MsgpackError error);

class MsgpackReader {
 public:
  // Containers inside containers that Skip follows. Far above what any peer sends.
  static constexpr int kMaxSkipDepth = 64;

  explicit MsgpackReader(BytesView bytes) : pos_(bytes.data()), end_(pos_ + bytes.size()) {}

  const uint8_t* position() const { return pos_; }
  size_t remaining() const { return static_cast<size_t>(end_ - pos_); }

  // An unsigned integer of any width, or a signed one that is not negative. `max` is at least 127.
  MsgpackError ReadUint(uint64_t max, uint64_t* value) {
    if (pos_ == end_) [[unlikely]] {
      return MsgpackError::kTruncated;
    }
    if (*pos_ < 0x80) {
      *value = *pos_++;
      return MsgpackError::kOk;
    }
    return ReadWideUint(max, value);
  }

  // The view points into the reader's bytes and is never nil.
  MsgpackError ReadBin(BytesView* value) {
    const size_t left = remaining();
    if (left >= 3) [[likely]] {  // the two forms below 64 KiB
      const bool narrow = *pos_ == 0xc4;
      const size_t header = narrow ? 2 : 3;
      const size_t size = narrow ? pos_[1] : LoadBig16(pos_ + 1);
      if ((narrow || *pos_ == 0xc5) && size <= left - header) [[likely]] {
        *value = {pos_ + header, size};
        pos_ += header + size;
        return MsgpackError::kOk;
      }
    }
    return ReadWideBin(value);
  }

  // An integer of any width and sign, within [min, max]; min is at most -1, max at least 127.
  MsgpackError ReadInt(int64_t min, int64_t max, int64_t* value);
  MsgpackError ReadArrayHeader(uint32_t* count) { return ReadContainer(0x90, 0xdc, count); }
  MsgpackError ReadMapHeader(uint32_t* count) { return ReadContainer(0x80, 0xde, count); }
  MsgpackError ReadStr(std::string_view* value) {
    const size_t left = remaining();
    if (left >= 2) [[likely]] {  // the two forms below 256 bytes
      const bool fix = (*pos_ & 0xe0) == 0xa0;
      const size_t header = fix ? 1 : 2;
      const size_t size = fix ? *pos_ & 0x1f : pos_[1];
      if ((fix || *pos_ == 0xd9) && size <= left - header) [[likely]] {
        *value = AsText(BytesView(pos_ + header, size));
        pos_ += header + size;
        return MsgpackError::kOk;
      }
    }
    return ReadWideStr(value);
  }
  // True when the next object is this literal as a str of the shortest form, which is then
  // consumed.
  template <size_t kSize>
  bool TakeStr(const char (&text)[kSize]) {
    if constexpr (kSize > 32) return false;
    if (remaining() < kSize || *pos_ != (0xa0 | (kSize - 1)) ||
        std::memcmp(pos_ + 1, text, kSize - 1) != 0) {
      return false;
    }
    pos_ += kSize;
    return true;
  }
  MsgpackError ReadBool(bool* value);
  // The type is the application's (0 to 127) or predefined (negative).
  MsgpackError ReadExt(int8_t* type, BytesView* value);
  // True when the next object is nil, which is then consumed.
  bool ReadNil() {
    if (pos_ == end_ || *pos_ != 0xc0) return false;
    ++pos_;
    return true;
  }

  // What Skip has passed.
  struct Skipped {
    uint64_t objects = 0;  // keys and values count one each
    uint32_t largest = 0;  // elements of the largest array, entries of the largest map
  };
  // Passes one object of any type with everything inside, in at most `max_depth` containers, and
  // never more than kMaxSkipDepth. Bounded stack, no recursion. `skipped` may be null.
  MsgpackError Skip(int max_depth = kMaxSkipDepth, Skipped* skipped = nullptr);

 private:
  static bool IsBin(uint8_t tag) { return tag >= 0xc4 && tag <= 0xc6; }

  MsgpackError TakeBytes(size_t size, BytesView* value) {
    if (size > remaining()) [[unlikely]] {
      return MsgpackError::kTruncated;
    }
    *value = {pos_, size};
    pos_ += size;
    return MsgpackError::kOk;
  }

  // Tags 0xcc..0xcf are unsigned and 0xd0..0xd3 signed, of 1 << (tag & 3) bytes.
  MsgpackError ReadWideUint(uint64_t max, uint64_t* value) {
    const uint8_t tag = *pos_;
    if (static_cast<uint8_t>(tag - 0xcc) > 7) {
      return tag >= 0xe0 ? MsgpackError::kOutOfRange : MsgpackError::kWrongType;
    }
    const unsigned width = 1u << (tag & 3);
    uint64_t v;
    if (remaining() >= 9) [[likely]] {
      v = LoadBig64(pos_ + 1) >> (64 - 8 * width);
    } else {
      if (remaining() < 1 + width) return MsgpackError::kTruncated;
      v = LoadBig(pos_ + 1, width);
    }
    const bool negative = tag >= 0xd0 && ((v >> (8 * width - 1)) & 1) != 0;
    if (negative || v > max) return MsgpackError::kOutOfRange;
    pos_ += 1 + width;
    *value = v;
    return MsgpackError::kOk;
  }

  static uint64_t LoadBig(const uint8_t* p, unsigned width) {
    uint64_t v = 0;
    for (unsigned i = 0; i < width; ++i) v = v << 8 | p[i];
    return v;
  }

  // Reads the tag and a big-endian length of `width` bytes.
  MsgpackError ReadLength(unsigned width, size_t* length) {
    if (remaining() < 1 + width) return MsgpackError::kTruncated;
    *length = LoadBig(pos_ + 1, width);
    pos_ += 1 + width;
    return MsgpackError::kOk;
  }

  MsgpackError ReadWideBin(BytesView* value);
  MsgpackError ReadWideStr(std::string_view* value);
  MsgpackError ReadContainer(uint8_t fix_tag, uint8_t wide_tag, uint32_t* count);

  const uint8_t* pos_;
  const uint8_t* end_;
};

// Bytes of the shortest form of `v`: 1, 2, 3, 5 or 9.
inline size_t UintSize(uint64_t v) {
  return size_t{1} + (v > 0x7f) + (v > 0xff) + 2 * (v > 0xffff) + 4 * (v > 0xffffffff);
}

// The writers write the shortest form at `p`, which must have room for it, and return its end.
inline uint8_t* WriteUint(uint64_t v, uint8_t* p) {
  if (v <= 0x7f) {
    *p = static_cast<uint8_t>(v);
    return p + 1;
  }
  if (v <= 0xff) {
    p[0] = 0xcc;
    p[1] = static_cast<uint8_t>(v);
    return p + 2;
  }
  if (v <= 0xffff) {
    *p = 0xcd;
    return StoreBig16(static_cast<uint16_t>(v), p + 1);
  }
  if (v <= 0xffffffff) {
    *p = 0xce;
    return StoreBig32(static_cast<uint32_t>(v), p + 1);
  }
  *p = 0xcf;
  return StoreBig64(v, p + 1);
}

// Bytes of the shortest bin header for `size` bytes: 2, 3 or 5.
inline size_t BinHeaderSizeFor(size_t size) {
  return size_t{2} + (size > 0xff) + 2 * (size > 0xffff);
}

// `size` is at most 2^32 - 1, for str too.
inline uint8_t* WriteBinHeaderTo(size_t size, uint8_t* p) {
  if (size <= 0xff) {
    p[0] = 0xc4;
    p[1] = static_cast<uint8_t>(size);
    return p + 2;
  }
  if (size <= 0xffff) {
    *p = 0xc5;
    return StoreBig16(static_cast<uint16_t>(size), p + 1);
  }
  *p = 0xc6;
  return StoreBig32(static_cast<uint32_t>(size), p + 1);
}

// Most bytes that WriteStr writes besides the text.
inline constexpr size_t kMaxStrHeader = 5;
uint8_t* WriteStr(std::string_view text, uint8_t* p);
uint8_t* WriteBin(BytesView bytes, uint8_t* p);

// `count` is at most 15, for arrays too.
inline uint8_t* WriteFixMap(unsigned count, uint8_t* p) {
  *p = static_cast<uint8_t>(0x80 | count);
  return p + 1;
}
inline uint8_t* WriteFixArray(unsigned count, uint8_t* p) {
  *p = static_cast<uint8_t>(0x90 | count);
  return p + 1;
}
inline uint8_t* WriteBool(bool value, uint8_t* p) {
  *p = value ? 0xc3 : 0xc2;
  return p + 1;
}
inline uint8_t* WriteNil(uint8_t* p) {
  *p = 0xc0;
  return p + 1;
}

}  // namespace grid::internal

#endif  // GRID_SERIALIZATION_MSGPACK_CURSOR_H_
