#include "grid/actor/target.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"

namespace grid {
namespace {

constexpr absl::string_view kNoSuchTargetUrl = "grid/no-such-target";

}  // namespace

std::string Target::ToString() const { return absl::StrCat(name.text(), " at ", member); }

absl::Status NoSuchTargetError(std::string_view name, uint64_t epoch, uint64_t view) {
  absl::Status status = absl::NotFoundError(
      absl::StrCat(absl::string_view(name.data(), name.size()), " is not here under epoch ", epoch,
                   "; the view of this member is ", view));
  status.SetPayload(kNoSuchTargetUrl, absl::Cord(absl::StrCat(view)));
  return WithDelivery(std::move(status), Delivery::kRejected);
}

bool IsNoSuchTarget(const absl::Status& status) {
  return status.GetPayload(kNoSuchTargetUrl).has_value();
}

}  // namespace grid
