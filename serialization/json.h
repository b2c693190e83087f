// Json: a JSON document as a payload: MessagePack bin with the text and a newline, byte-compatible
// with version 1. Nil (std::optional<Json>) is "no document".
#ifndef GRID_SERIALIZATION_JSON_H_
#define GRID_SERIALIZATION_JSON_H_

#include <boost/json/value.hpp>
#include <msgpack.hpp>
#include <string>
#include <string_view>

namespace grid {

struct Json {
  boost::json::value value;

  // For msgpack::packer; see serialization/messagepack.h.
  template <typename Packer>
  void msgpack_pack(Packer& packer) const {
    const std::string text = Text();
    packer.pack_bin(static_cast<uint32_t>(text.size()));
    packer.pack_bin_body(text.data(), static_cast<uint32_t>(text.size()));
  }
  // Throws msgpack::type_error for anything but a bin or str, std::system_error for what is no
  // JSON. At most 32 levels deep.
  void msgpack_unpack(const msgpack::object& object);

 private:
  std::string Text() const;
};

}  // namespace grid

#endif  // GRID_SERIALIZATION_JSON_H_
