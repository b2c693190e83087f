// AnyMessage: a MessagePack value of whatever shape, as the JSON that says the same: for programs
// that send and show messages without knowing their types.
//
//   constexpr MessageType<std::optional<AnyMessage>, std::optional<AnyMessage>>
//   type{"counter.add"}; AnyMessage::FromText(R"({"by": 2})");   // a map
//   AnyMessage::FromText("hello");          // a string: it is no JSON
//
// Nil is std::nullopt at the top, and null below it. What JSON does not have is shown as text: of
// bytes, UTF-8 or C's escapes; of a key that is no string, its JSON; an extension as {"extension",
// "bytes"}; numbers that are not finite as "nan", "inf" and "-inf". Values; any thread.
#ifndef GRID_TOOLS_COMMON_ANY_MESSAGE_H_
#define GRID_TOOLS_COMMON_ANY_MESSAGE_H_

#include <boost/json/value.hpp>
#include <cstdint>
#include <msgpack.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace grid::tools {

struct AnyMessage {
  boost::json::value value;

  // `text` as JSON where it is that, at most 32 levels deep; otherwise the string itself. Nothing:
  // it is JSON's null.
  static std::optional<AnyMessage> FromText(std::string_view text);

  // For msgpack::packer; see serialization/messagepack.h.
  template <typename Packer>
  void msgpack_pack(Packer& packer) const {
    Pack(packer, value);
  }
  void msgpack_unpack(const msgpack::object& object);

 private:
  template <typename Packer>
  static void PackText(Packer& packer, std::string_view text) {
    packer.pack_str(static_cast<uint32_t>(text.size()));
    packer.pack_str_body(text.data(), static_cast<uint32_t>(text.size()));
  }
  template <typename Packer>
  static void Pack(Packer& packer, const boost::json::value& value);
};

template <typename Packer>
void AnyMessage::Pack(Packer& packer, const boost::json::value& value) {
  using boost::json::kind;
  switch (value.kind()) {
    case kind::null:
      packer.pack_nil();
      break;
    case kind::bool_:
      value.get_bool() ? packer.pack_true() : packer.pack_false();
      break;
    case kind::int64:
      packer.pack_int64(value.get_int64());
      break;
    case kind::uint64:
      packer.pack_uint64(value.get_uint64());
      break;
    case kind::double_:
      packer.pack_double(value.get_double());
      break;
    case kind::string:
      PackText(packer, {value.get_string().data(), value.get_string().size()});
      break;
    case kind::array:
      packer.pack_array(static_cast<uint32_t>(value.get_array().size()));
      for (const auto& element : value.get_array()) Pack(packer, element);
      break;
    case kind::object:
      packer.pack_map(static_cast<uint32_t>(value.get_object().size()));
      for (const auto& entry : value.get_object()) {
        PackText(packer, {entry.key().data(), entry.key().size()});
        Pack(packer, entry.value());
      }
      break;
  }
}

// null where there is no message.
boost::json::value ToJson(const std::optional<AnyMessage>& message);

}  // namespace grid::tools

#endif  // GRID_TOOLS_COMMON_ANY_MESSAGE_H_
