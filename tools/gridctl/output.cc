#include "tools/gridctl/output.h"

#include <boost/json/serialize.hpp>
#include <cstdio>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "handlers/delivery.h"
#include "tools/common/utf8.h"

namespace grid::tools {
namespace {

namespace json = boost::json;

}  // namespace

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
