#include "grid/actor/actor_options.h"

#include "absl/strings/str_cat.h"

namespace grid {
namespace {

absl::Status OutOfRange(const char* field, const char* range) {
  return absl::InvalidArgumentError(absl::StrCat(field, " must be ", range));
}

}  // namespace

absl::Status MailboxOptions::Check() const {
  if (capacity < 1 || capacity > 1'000'000) {
    return OutOfRange("MailboxOptions::capacity", "1 to 1000000");
  }
  if (max_bytes < 1) return OutOfRange("MailboxOptions::max_bytes", "at least 1");
  if (max_waiting > 1'000'000) return OutOfRange("MailboxOptions::max_waiting", "0 to 1000000");
  return absl::OkStatus();
}

absl::Status ActorOptions::Check() const {
  if (absl::Status status = mailbox.Check(); !status.ok()) return status;
  if (concurrency < 1 || concurrency > 10'000) {
    return OutOfRange("ActorOptions::concurrency", "1 to 10000");
  }
  if (max_restarts < 0 || max_restarts > 1'000'000) {
    return OutOfRange("ActorOptions::max_restarts", "0 to 1000000");
  }
  if (restart_window < std::chrono::milliseconds(1) ||
      restart_window > std::chrono::milliseconds(UINT32_MAX)) {
    return OutOfRange("ActorOptions::restart_window", "1 ms to 49 days");
  }
  for (const std::string& caller : trusted_callers) {
    if (caller.empty() || caller.find(',') != std::string::npos) {
      return OutOfRange("ActorOptions::trusted_callers",
                        "names without commas, none of them empty");
    }
  }
  return CheckAttributes(attributes);
}

}  // namespace grid
