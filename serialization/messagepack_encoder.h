// Writes C++ values as MessagePack. Internal to serialization/messagepack.h.
//
// One function, WriteValue, by type, as in messagepack_decoder.h; the bytes are those of
// msgpack::packer, which writes what has a conversion of its own.
#ifndef GRID_SERIALIZATION_MESSAGEPACK_ENCODER_H_
#define GRID_SERIALIZATION_MESSAGEPACK_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <msgpack.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "serialization/buffer.h"
#include "serialization/bytes.h"
#include "serialization/messagepack_fields.h"
#include "serialization/msgpack_cursor.h"

namespace grid::internal {

// The end of a Buffer that grows; what msgpack::packer writes to.
class BufferSink {
 public:
  explicit BufferSink(Buffer& out) : out_(out), pos_(out.data() + out.size()), end_(End(out)) {}

  // Where the next `size` bytes at most go; Advance to the end of those that were written.
  uint8_t* Room(size_t size) {
    if (static_cast<size_t>(end_ - pos_) < size) [[unlikely]] {
      Grow(size);
    }
    return pos_;
  }
  void Advance(uint8_t* end) { pos_ = end; }

  void write(const char* bytes, size_t size) {
    std::memcpy(Room(size), bytes, size);
    pos_ += size;
  }

  // The Buffer has what was written from here on.
  void Finish() { out_.Resize(static_cast<size_t>(pos_ - out_.data())); }

 private:
  static uint8_t* End(Buffer& out) { return out.data() + out.capacity(); }
  void Grow(size_t size);

  Buffer& out_;
  uint8_t* pos_;
  uint8_t* end_;
};

using Packer = msgpack::packer<BufferSink>;

template <typename T>
void WriteValue(BufferSink& sink, const T& value);

// Most bytes of an integer or of the header of anything.
inline constexpr size_t kMaxHeader = 9;

// MessagePack counts in 32 bits.
inline size_t CheckLength(size_t size) {
  if (size > UINT32_MAX) throw std::length_error("longer than MessagePack can say");
  return size;
}

// Passed to the msgpack_pack of a class with MSGPACK_DEFINE_MAP: names and fields in turn.
class MapWriter : public Packer {
 public:
  explicit MapWriter(BufferSink& sink) : Packer(sink), sink_(sink) {}

  // Flattened, a name is written as the constant that it is.
  template <typename T>
  [[gnu::flatten]] void Pass(const T& value) {
    value.msgpack_pack(*this);
  }

  template <size_t kSize>
  MapWriter& pack(const char (&item)[kSize]) {
    is_field_ = !is_field_;
    if (is_field_ || kSize > 32) {
      Packer::pack(item);
    } else {
      uint8_t* p = sink_.Room(kSize);
      *p = static_cast<uint8_t>(0xa0 | (kSize - 1));
      std::memcpy(p + 1, item, kSize - 1);  // a literal: as long as its type says
      sink_.Advance(p + kSize);
    }
    return *this;
  }
  template <typename T>
  MapWriter& pack(const T& item) {
    is_field_ = !is_field_;
    WriteValue(sink_, item);
    return *this;
  }

 private:
  BufferSink& sink_;
  bool is_field_ = true;  // what comes next is a name
};

// The same for MSGPACK_DEFINE: fields only.
class ArrayWriter : public Packer {
 public:
  explicit ArrayWriter(BufferSink& sink) : Packer(sink), sink_(sink) {}

  template <typename T>
  ArrayWriter& pack(const T& field) {
    WriteValue(sink_, field);
    return *this;
  }

 private:
  BufferSink& sink_;
};

template <typename T>
struct ValueWriter {
  static void Write(BufferSink& sink, const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      sink.Advance(WriteBool(value, sink.Room(1)));
    } else if constexpr (std::is_integral_v<T> && std::is_unsigned_v<T>) {
      sink.Advance(WriteUint(value, sink.Room(kMaxHeader)));
    } else if constexpr (std::is_integral_v<T>) {
      if (value >= 0) {
        sink.Advance(WriteUint(static_cast<uint64_t>(value), sink.Room(kMaxHeader)));
      } else {
        Packer(sink).pack(value);
      }
    } else if constexpr (kShowsFields<T>) {
      switch (FieldsOf<T>()) {
        case Fields::kMap: {
          MapWriter writer(sink);
          return writer.Pass(value);
        }
        case Fields::kArray: {
          ArrayWriter writer(sink);
          return value.msgpack_pack(writer);
        }
        case Fields::kOther:
          Packer(sink).pack(value);
      }
    } else {
      Packer(sink).pack(value);
    }
  }
};

template <>
struct ValueWriter<std::string> {
  static void Write(BufferSink& sink, const std::string& value) {
    sink.Advance(WriteStr(value, sink.Room(kMaxHeader + CheckLength(value.size()))));
  }
};

template <typename T>
struct ValueWriter<std::optional<T>> {
  static void Write(BufferSink& sink, const std::optional<T>& value) {
    if (value.has_value()) {
      WriteValue(sink, *value);
    } else {
      sink.Advance(WriteNil(sink.Room(1)));
    }
  }
};

template <typename T>
struct ValueWriter<std::vector<T>> {
  static void Write(BufferSink& sink, const std::vector<T>& value) {
    if constexpr (kIsByte<T>) {
      const BytesView bytes(reinterpret_cast<const uint8_t*>(value.data()), value.size());
      sink.Advance(WriteBin(bytes, sink.Room(kMaxHeader + CheckLength(value.size()))));
    } else {
      Packer(sink).pack_array(static_cast<uint32_t>(CheckLength(value.size())));
      for (const auto& item : value) WriteValue<T>(sink, item);
    }
  }
};

template <typename T>
struct ValueWriter<std::map<std::string, T>> {
  static void Write(BufferSink& sink, const std::map<std::string, T>& value) {
    Packer(sink).pack_map(static_cast<uint32_t>(CheckLength(value.size())));
    for (const auto& [key, item] : value) {
      WriteValue(sink, key);
      WriteValue(sink, item);
    }
  }
};

template <typename T>
void WriteValue(BufferSink& sink, const T& value) {
  ValueWriter<T>::Write(sink, value);
}

}  // namespace grid::internal

#endif  // GRID_SERIALIZATION_MESSAGEPACK_ENCODER_H_
