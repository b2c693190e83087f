#include "tools/gridctl/output.h"

#include <boost/json/serialize.hpp>
#include <cstdio>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "handlers/delivery.h"

namespace grid::tools {
namespace {

namespace json = boost::json;

}  // namespace

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80                   ? 1
                          : lead >= 0xc2 && lead < 0xe0 ? 2
                          : lead >= 0xe0 && lead < 0xf0 ? 3
                          : lead >= 0xf0 && lead < 0xf5 ? 4
                                                        : 0;
    if (length == 0 || text.size() - i < length) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    }
    i += length;
  }
  return true;
}

json::object PayloadToJson(BytesView payload) {
  const std::string_view text = AsText(payload);
  json::object out;
  out["nil"] = IsNil(payload);
  out["size"] = payload.size();
  out["payload_hex"] = absl::BytesToHexString(absl::string_view(text.data(), text.size()));
  if (IsUtf8(text)) out["text"] = json::string_view(text.data(), text.size());
  return out;
}

json::object ErrorToJson(const absl::Status& status) {
  json::object out;
  out["error"] = std::string(status.message());
  out["code"] = absl::StatusCodeToString(status.code());
  out["delivery"] = std::string(DeliveryName(DeliveryOf(status)));
  out["remote"] = IsRemote(status);
  return out;
}

bool Print(BytesView bytes) {
  if (bytes.empty()) return true;  // of nil, which fwrite may not be given
  return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
         std::fflush(stdout) == 0;
}

bool PrintJson(const json::object& object) {
  const std::string line = json::serialize(object) + "\n";
  return Print(AsBytes(line));
}

}  // namespace grid::tools
