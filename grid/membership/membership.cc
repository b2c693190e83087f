#include "grid/membership/membership.h"

#include "absl/strings/str_cat.h"
#include "grid/membership/membership_board.h"

namespace grid {

MembershipWatcher& MembershipWatcher::operator=(MembershipWatcher&& other) noexcept {
  if (this == &other) return *this;
  Close();
  watch_ = std::move(other.watch_);
  return *this;
}

MembershipWatcher::~MembershipWatcher() { Close(); }

void MembershipWatcher::Close() {
  if (watch_ != nullptr) watch_->Close();
}

void MembershipWatcher::StartNext(std::shared_ptr<internal::MembershipWatch> watch,
                                  Completion<absl::StatusOr<ViewPtr>> completion) {
  if (watch != nullptr) return watch->StartNext(std::move(completion));
  completion.Post(absl::FailedPreconditionError("this watcher watches nothing"));
}

absl::StatusOr<Attributes> WithChanges(Attributes attributes, const AttributeChanges& changes) {
  for (const auto& [key, value] : changes) {
    if (key == Member::kUrl) {
      return absl::InvalidArgumentError(
          absl::StrCat("attribute \"", key, "\": a member's name can't be changed"));
    }
    if (value.has_value()) {
      attributes.insert_or_assign(key, *value);
    } else {
      attributes.erase(key);
    }
  }
  if (absl::Status status = CheckAttributes(attributes); !status.ok()) return status;
  return attributes;
}

}  // namespace grid
