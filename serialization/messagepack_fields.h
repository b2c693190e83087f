// What a class tells about its fields. Internal to serialization/messagepack.h.
#ifndef GRID_SERIALIZATION_MESSAGEPACK_FIELDS_H_
#define GRID_SERIALIZATION_MESSAGEPACK_FIELDS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <msgpack.hpp>
#include <string_view>
#include <type_traits>

namespace grid::internal {

// Takes what msgpack_pack writes, and drops it.
struct NullSink {
  void write(const char*, size_t) {}
};

// True for a file of msgpack-c that MSGPACK_DEFINE* expand to calls into.
bool IsDefineMacro(std::string_view file);

// Finds out whether a class was defined by MSGPACK_DEFINE_MAP or MSGPACK_DEFINE_ARRAY: whether its
// msgpack_pack is theirs, by the file that calls us. One written by hand may pack anything: its
// fields can't be told from it.
class DefineProbe : public msgpack::packer<NullSink> {
 public:
  DefineProbe() : packer(sink_) {}
  bool map() const { return map_; }
  bool array() const { return array_; }

  DefineProbe& pack_map(uint32_t, const char* file = __builtin_FILE()) {
    map_ = IsDefineMacro(file);
    return *this;
  }
  DefineProbe& pack_array(uint32_t, const char* file = __builtin_FILE()) {
    array_ = IsDefineMacro(file);
    return *this;
  }
  template <typename T>
  DefineProbe& pack(const T&) {
    return *this;
  }

 private:
  NullSink sink_;
  bool map_ = false;
  bool array_ = false;
};

// Types that carry msgpack_pack, by macro or by hand.
template <typename T>
inline constexpr bool kPacksItself = requires(const T& value, DefineProbe& probe) {
  value.msgpack_pack(probe);
}
|| requires(const T& value, msgpack::packer<NullSink>& packer) { value.msgpack_pack(packer); };

// Types whose msgpack_pack takes any packer, and so shows its fields.
template <typename T>
inline constexpr bool kShowsFields = requires(const T& value, DefineProbe& probe) {
  value.msgpack_pack(probe);
};

template <typename T>
inline constexpr bool kIsStdArray = false;
template <typename T, size_t kSize>
inline constexpr bool kIsStdArray<std::array<T, kSize>> = true;

enum class Fields { kMap, kArray, kOther };

// How T was defined; found out once.
template <typename T>
Fields FieldsOf() {
  static const Fields fields = [] {
    DefineProbe probe;
    T().msgpack_pack(probe);
    if (probe.map()) return Fields::kMap;
    return probe.array() ? Fields::kArray : Fields::kOther;
  }();
  return fields;
}

template <typename T>
inline constexpr bool kIsByte = std::is_same_v<T, char> || std::is_same_v<T, unsigned char>;

}  // namespace grid::internal

#endif  // GRID_SERIALIZATION_MESSAGEPACK_FIELDS_H_
