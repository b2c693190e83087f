#include "grid/directory/directory_options.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace grid {
namespace {

using std::chrono::milliseconds;

absl::Status OutOfRange(const char* field, const char* range) {
  return absl::InvalidArgumentError(absl::StrCat("DirectoryOptions::", field, " must be ", range));
}

}  // namespace

absl::Status DirectoryOptions::Check() const {
  if (io == nullptr) return OutOfRange("io", "set");
  if (member.empty() || member.size() > 255 || member.find(' ') != std::string::npos) {
    return OutOfRange("member", "1 to 255 characters without spaces");
  }
  if (lease < milliseconds(1000) || lease > std::chrono::hours(24)) {
    return OutOfRange("lease", "1 s to a day");
  }
  const milliseconds early = margin.count() == 0 ? lease / 3 : margin;
  const milliseconds every = renew.count() == 0 ? lease / 5 : renew;
  if (early < milliseconds(1) || early >= lease) {
    return OutOfRange("margin", "0, or at least 1 ms and less than lease");
  }
  if (every < milliseconds(1) || every >= lease - early) {
    return OutOfRange("renew", "0, or at least 1 ms and less than lease without margin");
  }
  for (const auto& [field, value] :
       {std::pair("timeout", timeout), std::pair("attempt", attempt), std::pair("stop", stop)}) {
    if (value < milliseconds(1) || value > milliseconds(UINT32_MAX)) {
      return OutOfRange(field, "1 ms to 49 days");
    }
  }
  CallPolicy policy;
  policy.back_off = back_off;
  if (absl::Status status = policy.Check(); !status.ok()) return status;
  if (limits.max_watch_events < 1) return OutOfRange("limits.max_watch_events", "at least 1");
  return absl::OkStatus();
}

}  // namespace grid
