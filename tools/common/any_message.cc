#include "tools/common/any_message.h"

#include <boost/json.hpp>
#include <cmath>

#include "tools/common/utf8.h"

namespace grid::tools {
namespace {

namespace json = boost::json;

json::value FromObject(const msgpack::object& object) {
  switch (object.type) {
    case msgpack::type::NIL:
      return nullptr;
    case msgpack::type::BOOLEAN:
      return object.via.boolean;
    case msgpack::type::POSITIVE_INTEGER:
      return object.via.u64;
    case msgpack::type::NEGATIVE_INTEGER:
      return object.via.i64;
    case msgpack::type::FLOAT32:
    case msgpack::type::FLOAT64:
      if (std::isfinite(object.via.f64)) return object.via.f64;
      return std::isnan(object.via.f64) ? "nan" : object.via.f64 < 0 ? "-inf" : "inf";
    case msgpack::type::STR:
      return json::string(Shown({object.via.str.ptr, object.via.str.size}));
    case msgpack::type::BIN:
      return json::string(Shown({object.via.bin.ptr, object.via.bin.size}));
    case msgpack::type::EXT:
      return json::object{{"extension", object.via.ext.type()},
                          {"bytes", Shown({object.via.ext.data(), object.via.ext.size})}};
    case msgpack::type::ARRAY: {
      json::array out;
      for (uint32_t i = 0; i < object.via.array.size; ++i) {
        out.push_back(FromObject(object.via.array.ptr[i]));
      }
      return out;
    }
    case msgpack::type::MAP: {
      json::object out;
      for (uint32_t i = 0; i < object.via.map.size; ++i) {
        const msgpack::object_kv& entry = object.via.map.ptr[i];
        const json::value key = FromObject(entry.key);
        out[key.is_string() ? key.get_string() : json::string(json::serialize(key))] =
            FromObject(entry.val);
      }
      return out;
    }
  }
  throw msgpack::type_error();
}

}  // namespace

std::optional<AnyMessage> AnyMessage::FromText(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) value = json::string_view(text.data(), text.size());
  if (value.is_null()) return std::nullopt;
  return AnyMessage{.value = std::move(value)};
}

void AnyMessage::msgpack_unpack(const msgpack::object& object) { value = FromObject(object); }

json::value ToJson(const std::optional<AnyMessage>& message) {
  return message.has_value() ? message->value : nullptr;
}

}  // namespace grid::tools
