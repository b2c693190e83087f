#include "grid/internal/check_options.h"

#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/mux/mux_table.h"
#include "grid/runtime/handshake.h"
#include "grid/transport/url.h"
#include "serialization/extensions.h"
#include "serialization/zstd_codec.h"

namespace grid::internal {
namespace {

absl::Status OutOfRange(std::string_view field, std::string_view range) {
  return absl::InvalidArgumentError(
      absl::StrCat("ManagerOptions::", std::string(field), " must be ", std::string(range)));
}

}  // namespace

absl::Status CheckOptions(const ManagerOptions& options) {
  const auto url = ParseHostUrl(options.local);
  if (options.client && !options.extensions.client) {
    return absl::InvalidArgumentError(
        "ManagerOptions::client: extensions.client must be offered, too");
  }
  if (options.client && !IsClientName(options.local)) {
    return OutOfRange("local", "1 to 255 printable characters without spaces");
  }
  if (!options.client && !url.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("ManagerOptions::local: ", std::string(url.status().message())));
  }
  if (options.route.empty() || options.route[0] != '/') {
    return OutOfRange("route", "a path that begins with /");
  }
  if (options.authenticator != nullptr && !options.token.empty()) {
    return absl::InvalidArgumentError(
        "ManagerOptions::token and authenticator: only one of them may be set");
  }
  if (options.io_threads < 1 || options.io_threads > 256) {
    return OutOfRange("io_threads", "1 to 256");
  }
  if (options.worker_threads < 1 || options.worker_threads > 4096) {
    return OutOfRange("worker_threads", "1 to 4096");
  }
  if (options.poll_budget.count() < 0 || options.poll_budget > std::chrono::milliseconds(1)) {
    return OutOfRange("poll_budget", "0 to 1 ms");
  }
  const Limits& limits = options.limits;
  if (limits.max_message_bytes < 1024)
    return OutOfRange("limits.max_message_bytes", "1024 or more");
  if (limits.max_message_bytes > UINT32_MAX) {
    return OutOfRange("limits.max_message_bytes", "at most 4 GiB");
  }
  if (limits.max_payload_bytes < 1024) {
    return OutOfRange("limits.max_payload_bytes", "1024 or more");
  }
  if (limits.max_reassemblies < 1) return OutOfRange("limits.max_reassemblies", "at least 1");
  const uint32_t fragment = options.extensions.fragment_bytes;
  if (fragment != 0 && (fragment < kMinFragmentBytes || fragment > 16u << 20)) {
    return OutOfRange("extensions.fragment_bytes", "0, or 1 KiB to 16 MiB");
  }
  if (options.extensions.zstd_level > static_cast<uint32_t>(ZstdCodec::kMaxLevel)) {
    return OutOfRange("extensions.zstd_level", "0 to 12");
  }
  if (limits.max_inflight < 1 || limits.max_inflight >= 1u << MuxTable::kIndexBits) {
    return OutOfRange("limits.max_inflight", "1 to 1048575");
  }
  for (const auto& [name, value] : {std::pair("max_resets", limits.max_resets),
                                    std::pair("resets_per_second", limits.resets_per_second)}) {
    if (value < 1 || value > 1'000'000'000) {
      return OutOfRange(absl::StrCat("limits.", name), "1 to 1000000000");
    }
  }
  const Timeouts& timeouts = options.timeouts;
  for (const auto& [name, value] :
       {std::pair("request", timeouts.request), std::pair("dial", timeouts.dial),
        std::pair("redial_min", timeouts.redial_min), std::pair("handshake", timeouts.handshake),
        std::pair("ping", timeouts.ping), std::pair("stream_ping", timeouts.stream_ping),
        std::pair("write_stall", timeouts.write_stall), std::pair("close", timeouts.close)}) {
    if (value.count() < 1) return OutOfRange(absl::StrCat("timeouts.", name), "at least 1 ms");
  }
  if (timeouts.redial_max < timeouts.redial_min) {
    return OutOfRange("timeouts.redial_max", "at least redial_min");
  }
  return absl::OkStatus();
}

}  // namespace grid::internal
