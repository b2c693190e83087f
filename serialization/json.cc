#include "serialization/json.h"

#include <boost/json.hpp>

namespace grid {

std::string Json::Text() const { return boost::json::serialize(value) + '\n'; }

void Json::msgpack_unpack(const msgpack::object& object) {
  const bool is_bin = object.type == msgpack::type::BIN;
  if (!is_bin && object.type != msgpack::type::STR) throw msgpack::type_error();
  const boost::json::string_view text(is_bin ? object.via.bin.ptr : object.via.str.ptr,
                                      is_bin ? object.via.bin.size : object.via.str.size);
  value = boost::json::parse(text);  // its parser's own limit: 32 levels
}

}  // namespace grid
