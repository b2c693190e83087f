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

template <typename Member>
struct ClassOf;
template <typename Class, typename Function>
struct ClassOf<Function Class::*> {
  using type = Class;
};

// Types that have all that MSGPACK_DEFINE* make, from one class: one that is derived from such a
// class and converts itself is not read past its own msgpack_unpack.
template <typename T>
inline constexpr bool kShowsFields = false;
template <typename T>
requires requires(const T& value, DefineProbe& probe, msgpack::object* object,
                  msgpack::zone& zone) {
  value.msgpack_pack(probe);
  value.msgpack_object(object, zone);
  &T::template msgpack_pack<DefineProbe>;
  &T::msgpack_unpack;
}
inline constexpr bool kShowsFields<T> =
    std::is_same_v<typename ClassOf<decltype(&T::template msgpack_pack<DefineProbe>)>::type,
                   typename ClassOf<decltype(&T::msgpack_unpack)>::type>;

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
    try {
      T().msgpack_pack(probe);
    } catch (...) {  // of T's own
      return Fields::kOther;
    }
    if (probe.map()) return Fields::kMap;
    return probe.array() ? Fields::kArray : Fields::kOther;
  }();
  return fields;
}

template <typename T>
inline constexpr bool kIsByte =
    std::is_same_v<T, char> || std::is_same_v<T, unsigned char> || std::is_same_v<T, std::byte>;

// Views of the bytes that they were read from.
template <typename T>
inline constexpr bool kBorrows =
    std::is_same_v<T, std::string_view> || std::is_same_v<T, msgpack::object> ||
    std::is_same_v<T, msgpack::type::raw_ref> || std::is_pointer_v<T>;

}  // namespace grid::internal

#endif  // GRID_SERIALIZATION_MESSAGEPACK_FIELDS_H_
