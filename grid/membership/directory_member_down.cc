// Declaring an incarnation down, and hearing that one was.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/membership/directory_member.h"

namespace grid::internal {

// --- Declaring ---

void DirectoryMember::DeclareDown(const Tombstone& tombstone, Completion<absl::Status> completion) {
  const std::string& name = tombstone.first;
  const uint64_t incarnation = tombstone.second;
  const auto refuse = [&](absl::Status why) { completion.Complete(&io(), std::move(why)); };
  if (options_.client) return refuse(absl::FailedPreconditionError("a client is no member"));
  if (left_) return refuse(absl::CancelledError("we have left the cluster"));
  const auto view = board_->View();
  const Member* const member = view->Find(name);
  if (member == nullptr || member->incarnation < incarnation || incarnation == 0) {
    return refuse(absl::NotFoundError(
        absl::StrCat(name, " is not known, or not as incarnation ", incarnation)));
  }
  const bool replaced = member->incarnation > incarnation;
  if (replaced || member->state == MemberState::kDown) return refuse(absl::OkStatus());
  if (held_up_.size() + declaring_.size() >= options_.max_tombstones) {
    ++tombstone_limit_;
    return refuse(absl::ResourceExhaustedError(
        absl::StrCat("max_tombstones (", options_.max_tombstones, ") are held up by us")));
  }
  absl::StatusOr<Name> what = TombstoneName(tombstone);
  if (!what.ok()) return refuse(what.status());
  const uint64_t number = ++last_declared_;
  declaring_.emplace(number, std::move(completion));
  WithDirectory([&](Directory& directory) {
    directory.StartRegister(
        *std::move(what), Holding::kShared, {{Member::kUrl, name}}, std::chrono::milliseconds(0),
        Then<absl::StatusOr<Registration>>(
            [number, tombstone](DirectoryMember& self, absl::StatusOr<Registration> put_up) {
              self.OnDeclared(number, tombstone, std::move(put_up));
            }));
  });
}

void DirectoryMember::OnDeclared(uint64_t number, const Tombstone& tombstone,
                                 absl::StatusOr<Registration> put_up) {
  const auto found = declaring_.find(number);
  if (found == declaring_.end()) return;  // closed
  auto completion = std::move(found->second);
  declaring_.erase(found);
  const absl::Status status = put_up.status();
  if (status.ok()) {
    ++declared_;
    options_.log->Log(LogLevel::kWarning,
                      absl::StrCat("membership: declared down: ", tombstone.first, ", incarnation ",
                                   tombstone.second));
    const TimePoint until = options_.clock->Now() + options_.forget;
    held_up_.emplace(until, *std::move(put_up));
    take_down_.Set(held_up_.begin()->first);
  }
  completion.Complete(&io(), status);
}

void DirectoryMember::TakeDown() {
  held_up_.erase(held_up_.begin(), held_up_.upper_bound(options_.clock->Now()));
  if (!held_up_.empty()) take_down_.Set(held_up_.begin()->first);
}

// --- Hearing ---

bool DirectoryMember::IsTombstone(const Entry& entry) {
  return entry.name.size() > Name::kMinSegments;
}

bool DirectoryMember::ApplyTombstones(const WatchEvent& event) {
  const bool all =
      event.kind == WatchEvent::Kind::kSnapshot || event.kind == WatchEvent::Kind::kResynchronised;
  if (all) tombstones_.Clear();
  for (const Entry& entry : event.entries) {
    if (!IsTombstone(entry)) continue;
    const std::optional<Tombstone> tombstone = TombstoneOf(entry);
    if (!tombstone.has_value()) {
      ++ignored_;
    } else if (event.kind == WatchEvent::Kind::kRemoved) {
      tombstones_.Remove(*tombstone, entry.epoch);
    } else if (!tombstones_.Put(*tombstone, entry.epoch)) {
      ++tombstone_limit_;
    }
  }
  buried_ = tombstones_.size();
  // Each time: an incarnation may be heard of after its tombstone.
  bool changed = false;
  for (const auto& [tombstone, epochs] : tombstones_.all()) {
    changed |= table_.Bury(tombstone.first, tombstone.second, options_.clock->Now());
  }
  return changed;
}

void DirectoryMember::CheckOurselves() {
  if (!registration_ || left_ || tombstones_.size() == 0) return;
  const uint64_t incarnation = registration_.entry().incarnation;
  if (!tombstones_.contains({options_.member, incarnation})) return;
  if (std::exchange(renounced_last_, incarnation) == incarnation) return;
  options_.log->Log(LogLevel::kWarning,
                    absl::StrCat("membership: we were declared down, and join again"));
  ++renounced_;
  // The registration is lost with the session, and begun again for that.
  WithDirectory([&](Directory& directory) {
    directory.Renounce(incarnation, "this incarnation was declared down");
  });
}

}  // namespace grid::internal
