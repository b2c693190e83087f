#include "grid/actor/resident.h"

#include <boost/asio/post.hpp>

#include "absl/strings/str_join.h"

namespace grid::internal {

Resident::Resident(boost::asio::io_context& io, Registration registration,
                   std::vector<std::string> trusted_callers)
    : io_(io),
      trusted_callers_(std::move(trusted_callers)),
      entry_(registration.entry()),
      lease_(registration.token()),
      registration_(std::move(registration)) {}

Target Resident::target() const {
  std::lock_guard lock(mutex_);
  return {.name = entry_.name, .member = entry_.member, .epoch = entry_.epoch};
}

Entry Resident::entry() const {
  std::lock_guard lock(mutex_);
  return registration_ ? registration_.entry() : entry_;
}

LeaseToken Resident::lease() const {
  std::lock_guard lock(mutex_);
  return lease_;
}

std::shared_ptr<LetterBox> Resident::letters() const {
  std::lock_guard lock(mutex_);
  return box_.letters;
}

void Resident::SetBox(Box box) {
  const std::function<void(StopMode)> stop = box.stop;
  std::optional<StopMode> asked;
  {
    std::lock_guard lock(mutex_);
    box_ = std::move(box);
    asked = asked_;
  }
  if (asked.has_value()) stop(*asked);
}

void Resident::Stop(StopMode mode) {
  std::function<void(StopMode)> stop;
  {
    std::lock_guard lock(mutex_);
    asked_ = mode;
    stop = box_.stop;
  }
  if (stop) stop(mode);
}

void Resident::LoseLease(const absl::Status& why) {
  std::function<void(const absl::Status&)> lose;
  {
    std::lock_guard lock(mutex_);
    lose = box_.lose_lease;
  }
  if (lose) lose(why);
}

bool Resident::stopping() const {
  std::lock_guard lock(mutex_);
  return asked_.has_value() || why_.has_value();
}

void Resident::StartWait(Completion<absl::Status> completion) {
  absl::Status why;
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(completion));
    if (!over_.load()) return;
    why = *why_;
  }
  OnReleased(why);
}

void Resident::StartUpdate(Attributes attributes, std::chrono::milliseconds timeout,
                           Completion<absl::Status> completion) {
  attributes.erase(kTrustedCallers);
  if (!trusted_callers_.empty()) {
    attributes[kTrustedCallers] = absl::StrJoin(trusted_callers_, ",");
  }
  {
    std::lock_guard lock(mutex_);
    if (registration_) {
      entry_.attributes = attributes;
      registration_.Update(std::move(attributes), timeout, std::move(completion));
      return;
    }
  }
  boost::asio::post(io_, [completion = std::move(completion)]() mutable {
    completion(absl::FailedPreconditionError("it has ended"));
  });
}

void Resident::MarkDraining() {
  Attributes attributes = entry().attributes;
  attributes[kDraining] = "true";
  StartUpdate(std::move(attributes), std::chrono::milliseconds(0),
              Completion<absl::Status>([](const absl::Status&) {}));
}

bool Resident::Replace(Registration registration) {
  std::lock_guard lock(mutex_);
  if (why_.has_value()) return false;
  entry_ = registration.entry();
  lease_ = registration.token();
  registration_ = std::move(registration);
  return true;
}

void Resident::End(const absl::Status& why, std::function<void()> done) {
  Registration registration;
  Box box;  // let go of at the end: not under the lock
  {
    std::lock_guard lock(mutex_);
    if (why_.has_value()) return;
    why_ = why;
    std::swap(box, box_);
    registration = std::move(registration_);
  }
  auto released = [self = shared_from_this(), why, done = std::move(done)](const absl::Status&) {
    done();
    self->OnReleased(why);
  };
  if (!registration) return released(absl::OkStatus());
  registration.Release(std::move(released));
}

void Resident::OnReleased(const absl::Status& why) {
  std::vector<Completion<absl::Status>> waiting;
  {
    std::lock_guard lock(mutex_);
    over_.store(true);
    waiting.swap(waiting_);
  }
  for (Completion<absl::Status>& completion : waiting) {
    boost::asio::post(io_,
                      [completion = std::move(completion), why]() mutable { completion(why); });
  }
}

}  // namespace grid::internal
