// Reads C++ values from MessagePack. Internal to serialization/messagepack.h.
//
// One function, ReadValue, by type: what the wire knows is read straight from the bytes; classes
// with MSGPACK_DEFINE* field by field; everything else by msgpack-c's own conversion. Nothing is
// allocated before the limits were checked.
#ifndef GRID_SERIALIZATION_MESSAGEPACK_DECODER_H_
#define GRID_SERIALIZATION_MESSAGEPACK_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <msgpack.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "serialization/bytes.h"
#include "serialization/codec.h"
#include "serialization/messagepack_fields.h"
#include "serialization/msgpack_cursor.h"

namespace grid::internal {

// The bytes that are left, and what may still be allocated for them.
class MessagePackDecoder {
 public:
  MessagePackDecoder(BytesView bytes, const DecodeLimits& limits)
      : in_(bytes), limits_(limits), budget_(limits.max_total) {}

  MsgpackReader& in() { return in_; }

  // A str or bin of `size` bytes follows, to be copied.
  MsgpackError TakeLength(size_t size) {
    if (size > limits_.max_length) return MsgpackError::kTooLong;
    return Charge(size);
  }
  // Reads the header of an array, or of a map, whose entries take `bytes` in memory each. When that
  // is kOk, Leave() it afterwards.
  MsgpackError EnterArray(size_t bytes, uint32_t* count) {
    const MsgpackError error = in_.ReadArrayHeader(count);
    return error != MsgpackError::kOk ? error : Enter(*count, 1, bytes);
  }
  MsgpackError EnterMap(size_t bytes, uint32_t* count) {
    const MsgpackError error = in_.ReadMapHeader(count);
    return error != MsgpackError::kOk ? error : Enter(*count, 2, bytes);
  }
  // What a pointer refers to counts as a level, so that recursion ends.
  MsgpackError EnterPointee(size_t bytes) { return Enter(1, 1, bytes); }
  void Leave() { --depth_; }

  // After an error, from the inside out: where it is.
  void InField(std::string_view name);
  void InElement(size_t index);

  absl::Status Describe(MsgpackError error) const;

  // The next object as msgpack-c's tree, for types with a conversion of their own; checked against
  // the limits before. `convert` may throw what msgpack-c throws.
  template <typename Convert>
  MsgpackError ReadTree(Convert&& convert) {
    const uint8_t* begin = in_.position();
    MsgpackError error = SkipForTree();
    if (error != MsgpackError::kOk) return error;
    try {
      const msgpack::object_handle tree =
          msgpack::unpack(reinterpret_cast<const char*>(begin),
                          static_cast<size_t>(in_.position() - begin), &Reference, nullptr);
      convert(tree.get());
    } catch (const msgpack::type_error&) {
      return MsgpackError::kWrongType;
    } catch (const std::exception& thrown) {
      detail_ = thrown.what();
      return MsgpackError::kRefused;
    } catch (...) {
      detail_ = "by an exception";
      return MsgpackError::kRefused;
    }
    return MsgpackError::kOk;
  }

 private:
  // Strings of the tree stay where they are.
  static bool Reference(msgpack::type::object_type, std::size_t, void*) { return true; }
  MsgpackError SkipForTree();
  // `least`: objects that each entry has on the wire.
  MsgpackError Enter(uint32_t count, size_t least, size_t bytes) {
    if (count > in_.remaining() / least) return MsgpackError::kTruncated;
    if (count > limits_.max_elements) return MsgpackError::kTooMany;
    if (depth_ >= limits_.max_depth) return MsgpackError::kTooDeep;
    const MsgpackError error = Charge(count * bytes);
    if (error == MsgpackError::kOk) ++depth_;
    return error;
  }
  MsgpackError Charge(size_t bytes) {
    if (bytes > budget_) return MsgpackError::kTooLarge;
    budget_ -= bytes;
    return MsgpackError::kOk;
  }

  MsgpackReader in_;
  const DecodeLimits& limits_;
  size_t budget_;
  int depth_ = 0;
  std::string path_;
  std::string detail_;
};

template <typename T>
MsgpackError ReadValue(MessagePackDecoder& decoder, T& value);

// Reads a map into the fields of a class. Its msgpack_pack is passed over: it shows each name and
// each field, in the order of their definition, which is the order that peers send. So one pass
// reads all, and compares each name with the bytes that are next. Where none is next (another
// order, an unknown name, a name in a longer form than needed) the name is read, and one more pass
// looks for it.
class MapFields {
 public:
  MapFields(MessagePackDecoder& decoder, uint32_t entries) : decoder_(decoder), left_(entries) {}

  template <typename T>
  MsgpackError ReadInto(T& value) {
    while (left_ > 0) {
      const uint32_t before = left_;
      PassOver(std::as_const(value));
      if (left_ == before) FindField(value);
    }
    return error_;
  }

 private:
  // What msgpack_pack writes to: names and fields in turn.
  class Pass : public msgpack::packer<NullSink> {
   public:
    explicit Pass(MapFields& map) : packer(sink_), map_(map) {}

    Pass& pack_map(uint32_t) { return *this; }
    Pass& pack_array(uint32_t) { return *this; }

    // Names are literals, whose length their type tells.
    template <size_t kSize>
    Pass& pack(const char (&item)[kSize]) {
      is_field_ = !is_field_;
      if (is_field_) {
        Read(item);
      } else {
        name_ = std::string_view(item, kSize - 1);
        match_ = map_.IsNext(item);
      }
      return *this;
    }
    template <typename T>
    Pass& pack(const T& item) {
      is_field_ = !is_field_;
      if (is_field_) {
        Read(item);
      } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        name_ = std::string_view(item);
        match_ = map_.IsKey(name_);
      }
      return *this;
    }

   private:
    template <typename T>
    void Read(const T& field) {
      if (!match_) return;
      match_ = false;
      map_.Read(name_, const_cast<T&>(field));  // of a value that is not const
    }

    NullSink sink_;
    MapFields& map_;
    bool is_field_ = true;  // what comes next is a name
    bool match_ = false;    // what comes next is the field to read
    std::string_view name_;
  };

  template <typename T>
  void PassOver(const T& value) {
    Pass pass(*this);
    value.msgpack_pack(pass);
  }

  // Whether `name` is the next entry's; it is passed then.
  template <size_t kSize>
  bool IsNext(const char (&name)[kSize]) {
    if (has_key_) [[unlikely]] {
      return IsKey(std::string_view(name, kSize - 1));
    }
    return left_ > 0 && decoder_.in().TakeStr(name);
  }
  bool IsKey(std::string_view name) const { return has_key_ && key_ == name; }

  template <typename T>
  void Read(std::string_view name, T& field) {
    has_key_ = false;
    const MsgpackError error = ReadValue(decoder_, field);
    if (error != MsgpackError::kOk) [[unlikely]] {
      return Fail(name, error);
    }
    --left_;
  }

  // The next entry's name was none that a pass came by.
  template <typename T>
  void FindField(T& value) {
    MsgpackError error = decoder_.in().ReadStr(&key_);
    if (error != MsgpackError::kOk) return Fail("?", error);
    has_key_ = true;
    PassOver(std::as_const(value));
    if (!has_key_) return;  // found
    has_key_ = false;
    error = decoder_.in().Skip();
    if (error != MsgpackError::kOk) return Fail(key_, error);
    --left_;
  }

  void Fail(std::string_view name, MsgpackError error) {
    decoder_.InField(name);
    error_ = error;
    left_ = 0;
  }

  MessagePackDecoder& decoder_;
  uint32_t left_;  // entries; none after an error
  MsgpackError error_ = MsgpackError::kOk;
  bool has_key_ = false;  // key_ was read, and its field is looked for
  std::string_view key_;
};

// The same for an array: fields by position. What is missing keeps its value, what is more is
// skipped.
class ArrayFields : public msgpack::packer<NullSink> {
 public:
  ArrayFields(MessagePackDecoder& decoder, uint32_t elements)
      : packer(sink_), decoder_(decoder), left_(elements) {}

  template <typename T>
  MsgpackError ReadInto(T& value) {
    std::as_const(value).msgpack_pack(*this);
    for (; left_ > 0 && error_ == MsgpackError::kOk; --left_, ++index_) {
      error_ = decoder_.in().Skip();
      if (error_ != MsgpackError::kOk) decoder_.InElement(index_);
    }
    return error_;
  }

  ArrayFields& pack_map(uint32_t) { return *this; }
  ArrayFields& pack_array(uint32_t) { return *this; }
  template <typename T>
  ArrayFields& pack(const T& field) {
    if (left_ > 0 && error_ == MsgpackError::kOk) {
      error_ = ReadValue(decoder_, const_cast<T&>(field));
      if (error_ != MsgpackError::kOk) decoder_.InElement(index_);
      --left_;
      ++index_;
    }
    return *this;
  }

 private:
  NullSink sink_;
  MessagePackDecoder& decoder_;
  uint32_t left_;
  size_t index_ = 0;
  MsgpackError error_ = MsgpackError::kOk;
};

// A str, or a bin.
inline MsgpackError ReadText(MessagePackDecoder& decoder, BytesView* bytes) {
  std::string_view text;
  MsgpackError error = decoder.in().ReadStr(&text);
  if (error == MsgpackError::kOk) {
    *bytes = AsBytes(text);
  } else if (error == MsgpackError::kWrongType) {
    error = decoder.in().ReadBin(bytes);
  }
  return error != MsgpackError::kOk ? error : decoder.TakeLength(bytes->size());
}
MsgpackError ReadFloat(MessagePackDecoder& decoder, double* value);

template <typename T>
struct ValueReader {
  static MsgpackError Read(MessagePackDecoder& decoder, T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      return decoder.in().ReadBool(&value);
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      int64_t wide = 0;
      const MsgpackError error =
          decoder.in().ReadInt(std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), &wide);
      value = static_cast<T>(wide);
      return error;
    } else if constexpr (std::is_integral_v<T>) {
      uint64_t wide = 0;
      const MsgpackError error = decoder.in().ReadUint(std::numeric_limits<T>::max(), &wide);
      value = static_cast<T>(wide);
      return error;
    } else if constexpr (std::is_floating_point_v<T>) {
      double wide = 0;
      const MsgpackError error = ReadFloat(decoder, &wide);
      value = static_cast<T>(wide);
      return error;
    } else if constexpr (kShowsFields<T>) {
      switch (FieldsOf<T>()) {
        case Fields::kMap:
          return ReadMap(decoder, value);
        case Fields::kArray:
          return ReadArray(decoder, value);
        case Fields::kOther:
          break;
      }
      return ReadConverted(decoder, value);
    } else {
      return ReadConverted(decoder, value);
    }
  }

 private:
  static MsgpackError ReadMap(MessagePackDecoder& decoder, T& value) {
    uint32_t entries = 0;
    MsgpackError error = decoder.EnterMap(0, &entries);
    if (error != MsgpackError::kOk) return error;
    error = MapFields(decoder, entries).ReadInto(value);
    decoder.Leave();
    return error;
  }
  static MsgpackError ReadArray(MessagePackDecoder& decoder, T& value) {
    uint32_t elements = 0;
    MsgpackError error = decoder.EnterArray(0, &elements);
    if (error != MsgpackError::kOk) return error;
    error = ArrayFields(decoder, elements).ReadInto(value);
    decoder.Leave();
    return error;
  }
  static MsgpackError ReadConverted(MessagePackDecoder& decoder, T& value) {
    static_assert(!kBorrows<T>,
                  "a decoded value keeps nothing of the payload: use std::string or std::vector "
                  "instead of a view");
    return decoder.ReadTree([&](const msgpack::object& tree) { tree.convert(value); });
  }
};

template <>
struct ValueReader<std::string> {
  static MsgpackError Read(MessagePackDecoder& decoder, std::string& value) {
    BytesView bytes;
    const MsgpackError error = ReadText(decoder, &bytes);
    if (error != MsgpackError::kOk) return error;
    if (value.capacity() >= bytes.size()) {
      value.assign(AsText(bytes));
    } else {
      value = std::string(AsText(bytes));  // cheaper than to let assign grow it
    }
    return error;
  }
};

template <typename T>
struct ValueReader<std::optional<T>> {
  static MsgpackError Read(MessagePackDecoder& decoder, std::optional<T>& value) {
    if (decoder.in().ReadNil()) {
      value.reset();
      return MsgpackError::kOk;
    }
    return ReadValue(decoder, value.emplace());
  }
};

template <typename T>
struct ValueReader<std::vector<T>> {
  static MsgpackError Read(MessagePackDecoder& decoder, std::vector<T>& value) {
    if constexpr (kIsByte<T>) {
      BytesView bytes;
      const MsgpackError error = ReadText(decoder, &bytes);
      if (error != MsgpackError::kOk) return error;
      const auto* const data = reinterpret_cast<const T*>(bytes.data());
      value.assign(data, data + bytes.size());
      return error;
    } else {
      uint32_t count = 0;
      MsgpackError error = decoder.EnterArray(sizeof(T), &count);
      if (error != MsgpackError::kOk) return error;
      value.clear();
      value.reserve(count);
      for (uint32_t i = 0; i < count && error == MsgpackError::kOk; ++i) {
        if constexpr (std::is_same_v<T, bool>) {
          bool bit = false;
          error = ReadValue(decoder, bit);
          value.push_back(bit);
        } else {
          error = ReadValue(decoder, value.emplace_back());
        }
        if (error != MsgpackError::kOk) decoder.InElement(i);
      }
      decoder.Leave();
      return error;
    }
  }
};

// The other containers of the standard library: what each element takes in memory is charged before
// the first is made, which msgpack-c's own conversion can't do.
inline constexpr size_t kNode = 4 * sizeof(void*);

template <typename Container>
struct ArrayReader {
  using Item = typename Container::value_type;

  static MsgpackError Read(MessagePackDecoder& decoder, Container& value) {
    uint32_t count = 0;
    MsgpackError error = decoder.EnterArray(sizeof(Item) + kNode, &count);
    if (error != MsgpackError::kOk) return error;
    value.clear();
    for (uint32_t i = 0; i < count && error == MsgpackError::kOk; ++i) {
      Item item{};
      error = ReadValue(decoder, item);
      if (error != MsgpackError::kOk) {
        decoder.InElement(i);
      } else {
        value.insert(value.end(), std::move(item));
      }
    }
    decoder.Leave();
    return error;
  }
};

template <typename Container>
struct MapReader {
  using Key = typename Container::key_type;
  using Item = typename Container::mapped_type;

  static MsgpackError Read(MessagePackDecoder& decoder, Container& value) {
    uint32_t count = 0;
    MsgpackError error = decoder.EnterMap(sizeof(typename Container::value_type) + kNode, &count);
    if (error != MsgpackError::kOk) return error;
    value.clear();
    for (uint32_t i = 0; i < count && error == MsgpackError::kOk; ++i) {
      Key key{};
      error = ReadValue(decoder, key);
      if (error != MsgpackError::kOk) {
        decoder.InElement(i);
        break;
      }
      Item item{};  // of a key that comes twice, the last value
      error = ReadValue(decoder, item);
      if (error == MsgpackError::kOk) {
        value.insert_or_assign(value.end(), std::move(key), std::move(item));
      } else if constexpr (std::is_same_v<Key, std::string>) {
        decoder.InField(key);
      } else {
        decoder.InElement(i);
      }
    }
    decoder.Leave();
    return error;
  }
};

template <typename Pointer>
struct PointerReader {
  using Item = typename Pointer::element_type;

  static MsgpackError Read(MessagePackDecoder& decoder, Pointer& value) {
    value.reset();
    if (decoder.in().ReadNil()) return MsgpackError::kOk;
    MsgpackError error = decoder.EnterPointee(sizeof(Item));
    if (error != MsgpackError::kOk) return error;
    value = Pointer(new Item());
    error = ReadValue(decoder, *value);
    decoder.Leave();
    return error;
  }
};

template <typename T>
struct ValueReader<std::list<T>> : ArrayReader<std::list<T>> {};
template <typename T>
struct ValueReader<std::deque<T>> : ArrayReader<std::deque<T>> {};
template <typename T>
struct ValueReader<std::set<T>> : ArrayReader<std::set<T>> {};
template <typename T>
struct ValueReader<std::multiset<T>> : ArrayReader<std::multiset<T>> {};
template <typename T>
struct ValueReader<std::unordered_set<T>> : ArrayReader<std::unordered_set<T>> {};
template <typename K, typename T>
struct ValueReader<std::map<K, T>> : MapReader<std::map<K, T>> {};
template <typename K, typename T>
struct ValueReader<std::unordered_map<K, T>> : MapReader<std::unordered_map<K, T>> {};
template <typename T>
struct ValueReader<std::unique_ptr<T>> : PointerReader<std::unique_ptr<T>> {};
template <typename T>
struct ValueReader<std::shared_ptr<T>> : PointerReader<std::shared_ptr<T>> {};

template <typename T>
MsgpackError ReadValue(MessagePackDecoder& decoder, T& value) {
  return ValueReader<T>::Read(decoder, value);
}

}  // namespace grid::internal

#endif  // GRID_SERIALIZATION_MESSAGEPACK_DECODER_H_
