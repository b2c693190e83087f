#include "grid/membership/directory_member.h"

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>

#include "absl/strings/str_cat.h"

namespace grid::internal {
namespace {

absl::Status Left() { return absl::CancelledError("we have left the cluster"); }

}  // namespace

DirectoryMember::DirectoryMember(Directory& directory, DirectoryMembershipOptions options,
                                 Name name)
    : options_(std::move(options)),
      name_(std::move(name)),
      board_(std::make_shared<MembershipBoard>(*options_.io, options_.max_watches)),
      directory_(&directory),
      random_(options_.seed != 0 ? options_.seed : std::random_device()()),
      attributes_(options_.attributes),
      retry_(*options_.io, *options_.clock, [this] { Sync(); }),
      table_({.suspect = options_.suspect,
              .forget = options_.forget,
              .max_members = options_.max_members}),
      tombstones_(options_.max_tombstones),
      watch_retry_(*options_.io, *options_.clock, [this] { Watch(); }),
      table_timer_(*options_.io, *options_.clock, [this] { OnTableTimer(); }),
      take_down_(*options_.io, *options_.clock, [this] { TakeDown(); }) {
  attributes_.insert_or_assign(Member::kUrl, options_.member);
}

MembershipStats DirectoryMember::Stats() const {
  return {.members = members_.load(),
          .joined = joined_.load(),
          .views = board_->View()->number,
          .lost = lost_.load(),
          .suspected = suspected_.load(),
          .retries = retries_.load(),
          .tombstones = buried_.load(),
          .declared = declared_.load(),
          .renounced = renounced_.load(),
          .ignored = ignored_.load(),
          .member_limit = member_limit_.load(),
          .watch_limit = board_->watch_limit(),
          .tombstone_limit = tombstone_limit_.load()};
}

void DirectoryMember::LetGoOfDirectory() {
  std::lock_guard lock(directory_mutex_);
  directory_ = nullptr;
}

void DirectoryMember::Start() {
  if (!options_.client) {
    table_.Put(
        Member{.name = options_.member, .state = MemberState::kJoining, .attributes = attributes_});
  }
  Watch();
  Sync();
}

void DirectoryMember::Close() {
  left_ = true;
  retry_.Clear();
  watch_retry_.Clear();
  table_timer_.Clear();
  take_down_.Clear();
  held_up_.clear();
  watcher_ = Watcher();
  registration_ = Registration();
  joined_ = 0;
  Finish(version_, Left());
  for (auto& completion : std::exchange(leaving_, {})) completion.Complete(&io(), Left());
  for (auto& [number, done] : std::exchange(declaring_, {})) done.Complete(&io(), Left());
  board_->End(absl::CancelledError("the membership has ended"));
}

// --- Our own registration ---

void DirectoryMember::Change(const AttributeChanges& changes, Completion<absl::Status> completion) {
  if (options_.client) {
    return completion.Complete(&io(), absl::FailedPreconditionError("a client is no member"));
  }
  if (left_) return completion.Complete(&io(), Left());
  absl::StatusOr<Attributes> attributes = WithChanges(attributes_, changes);
  if (!attributes.ok()) return completion.Complete(&io(), attributes.status());
  attributes_ = *std::move(attributes);
  waiters_.push_back({.version = ++version_, .completion = std::move(completion)});
  Sync();
}

void DirectoryMember::Leave(Completion<absl::Status> completion) {
  leaving_.push_back(std::move(completion));
  left_ = true;
  retry_.Clear();
  Finish(version_, Left());
  Sync();
}

void DirectoryMember::Sync() {
  if (options_.client || busy_) {
    if (options_.client && left_) {
      for (auto& done : std::exchange(leaving_, {})) done.Complete(&io(), absl::OkStatus());
    }
    return;
  }
  if (left_) {
    joined_ = 0;
    auto leaving = std::exchange(leaving_, {});
    if (!registration_) {
      for (auto& done : leaving) done.Complete(&io(), absl::OkStatus());
      return;
    }
    busy_ = true;
    registration_.Release(asio::bind_executor(
        io().get_executor(),
        [weak = weak_from_this(), leaving = std::move(leaving)](absl::Status status) mutable {
          const auto self = weak.lock();
          if (self == nullptr) return;
          self->busy_ = false;
          for (auto& done : leaving) done.Complete(&self->io(), status);
          self->Sync();
        }));
    return;
  }
  if (registration_ && told_ == version_) return;
  busy_ = true;
  const uint64_t version = version_;
  if (registration_) {
    registration_.Update(attributes_, std::chrono::milliseconds(0),
                         asio::bind_executor(io().get_executor(),
                                             [weak = weak_from_this(), version](absl::Status told) {
                                               const auto self = weak.lock();
                                               if (self != nullptr) self->OnTold(version, told);
                                             }));
    return;
  }
  WithDirectory([&](Directory& directory) {
    directory.StartRegister(
        name_, Holding::kExclusive, attributes_, std::chrono::milliseconds(0),
        Then<absl::StatusOr<Registration>>(
            [version](DirectoryMember& self, absl::StatusOr<Registration> registered) {
              self.OnRegistered(version, std::move(registered));
            }));
  });
}

void DirectoryMember::OnRegistered(uint64_t version, absl::StatusOr<Registration> registered) {
  const absl::Status told = registered.status();
  if (told.ok()) {
    registration_ = *std::move(registered);
    joined_ = 1;
    // On the directory's thread, or at once.
    registration_.token().OnLost(
        [weak = weak_from_this(), &io = io(), epoch = registration_.epoch()] {
          asio::post(io, [weak, epoch] {
            if (const auto self = weak.lock()) self->OnLost(epoch);
          });
        });
    CheckOurselves();
  } else if (!left_) {
    options_.log->Log(LogLevel::kWarning, absl::StrCat("membership: can't join as ", name_.text(),
                                                       ": ", told.message()));
  }
  OnTold(version, told);
}

void DirectoryMember::OnTold(uint64_t version, const absl::Status& told) {
  busy_ = false;
  if (told.ok()) {
    told_ = version;
    failures_ = 0;
  }
  Finish(version, told);
  if (told.ok() || left_) return Sync();
  ++failures_;
  ++retries_;
  retry_.Set(options_.clock->Now() + PauseAfter(failures_));
}

void DirectoryMember::OnLost(uint64_t epoch) {
  if (!registration_ || registration_.epoch() != epoch || left_) return;
  options_.log->Log(LogLevel::kWarning,
                    absl::StrCat("membership: ", name_.text(), " is lost, joining again: ",
                                 registration_.token().why().message()));
  registration_ = Registration();
  joined_ = 0;
  ++lost_;
  // An attempt to tell of a change fails by itself, and goes on from there.
  if (!busy_) Sync();
}

void DirectoryMember::Finish(uint64_t version, const absl::Status& status) {
  std::vector<Waiter> finished;
  const auto later = std::partition(waiters_.begin(), waiters_.end(),
                                    [&](const Waiter& waiter) { return waiter.version > version; });
  std::move(later, waiters_.end(), std::back_inserter(finished));
  waiters_.erase(later, waiters_.end());
  for (Waiter& waiter : finished) waiter.completion.Complete(&io(), status);
}

Duration DirectoryMember::PauseAfter(uint32_t failures) {
  const double random = std::uniform_real_distribution<double>(0, 1)(random_);
  // A pause of nothing would go round without time passing.
  return std::max<Duration>(options_.back_off.Pause(failures + 1, random),
                            std::chrono::milliseconds(1));
}

// --- Everybody's ---

void DirectoryMember::Watch() {
  absl::StatusOr<Watcher> watcher = absl::CancelledError("closed");
  WithDirectory([&](Directory& directory) {
    watcher = directory.Watch(Selector::Under(*Path::Parse(kMemberPath)));
  });
  if (!watcher.ok()) return OnEvent(watcher.status());
  watcher_ = *std::move(watcher);
  watcher_.Next(
      Then<absl::StatusOr<WatchEvent>>([](DirectoryMember& self, absl::StatusOr<WatchEvent> event) {
        self.OnEvent(std::move(event));
      }));
}

void DirectoryMember::OnEvent(absl::StatusOr<WatchEvent> event) {
  if (event.ok()) {
    watch_failures_ = 0;
    Apply(*event);
    watcher_.Next(Then<absl::StatusOr<WatchEvent>>(
        [](DirectoryMember& self, absl::StatusOr<WatchEvent> next) {
          self.OnEvent(std::move(next));
        }));
    return;
  }
  // Closed by us, or the directory was stopped.
  if (absl::IsCancelled(event.status())) return;
  options_.log->Log(LogLevel::kWarning,
                    absl::StrCat("membership: can't watch ", std::string(kMemberPath), ": ",
                                 event.status().message()));
  ++retries_;
  watch_retry_.Set(options_.clock->Now() + PauseAfter(++watch_failures_));
}

std::optional<Member> DirectoryMember::MemberOf(const Entry& entry) {
  const absl::StatusOr<std::string> segment = SegmentOf(entry.member);
  // Somebody has registered another's name, or one that is none.
  if (!segment.ok() || entry.name.key() != *segment || entry.name.size() != Name::kMinSegments) {
    ++ignored_;
    return std::nullopt;
  }
  Member member{
      .name = entry.member, .incarnation = entry.incarnation, .attributes = entry.attributes};
  if (member.Attribute(Member::kDraining) == "true") member.state = MemberState::kLeaving;
  return member;
}

void DirectoryMember::Apply(const WatchEvent& event) {
  const TimePoint now = options_.clock->Now();
  std::vector<Member> members;
  for (const Entry& entry : event.entries) {
    if (IsTombstone(entry)) continue;
    if (std::optional<Member> member = MemberOf(entry)) members.push_back(*std::move(member));
  }
  bool changed = false;
  switch (event.kind) {
    case WatchEvent::Kind::kSnapshot:
      // The first view there is, also when it is empty.
      table_.Reset(std::move(members), now);
      changed = true;
      break;
    case WatchEvent::Kind::kResynchronised:
      changed = table_.Reset(std::move(members), now);
      break;
    case WatchEvent::Kind::kAdded:
    case WatchEvent::Kind::kChanged:
      for (Member& member : members) changed |= table_.Put(std::move(member));
      break;
    case WatchEvent::Kind::kRemoved:
      for (const Member& member : members) {
        changed |= table_.Remove(member.name, member.incarnation, now);
      }
      break;
  }
  changed |= ApplyTombstones(event);
  Publish(changed);
  CheckOurselves();
}

void DirectoryMember::OnTableTimer() { Publish(table_.Tick(options_.clock->Now())); }

void DirectoryMember::Publish(bool changed) {
  const TimePoint next = table_.next();
  next == TimePoint::max() ? table_timer_.Clear() : table_timer_.Set(next);
  members_ = table_.size();
  suspected_ = table_.suspected();
  member_limit_ = table_.limit_reached();
  if (changed) board_->Publish(table_.Members());
}

}  // namespace grid::internal
