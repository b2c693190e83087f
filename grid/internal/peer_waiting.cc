// Peer: who waits for a connection.
#include <algorithm>
#include <atomic>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/internal/manager_core.h"
#include "grid/internal/peer.h"
#include "grid/runtime/complete.h"
#include "handlers/delivery.h"

namespace grid::internal {
namespace {

// Longest that the protocol's 32-bit field can say.
constexpr std::chrono::milliseconds kLongestTimeout{UINT32_MAX};

}  // namespace

absl::Status Peer::NotConnected() {
  if (state_ == ConnectionState::kShutdown) {
    return WithDelivery(shutdown_why_, Delivery::kNotSent);
  }
  if (peer_draining_) {
    Count(Drop::kPeerDraining);
    return WithDelivery(
        absl::UnavailableError(absl::StrCat(host_, " drains: it takes no new calls")),
        Delivery::kRejected);
  }
  return DisconnectedError(last_error_.empty()
                               ? absl::StrCat("not connected to ", host_)
                               : absl::StrCat("not connected to ", host_, ": ", last_error_),
                           Delivery::kNotSent);
}

// Without overflow.
TimePoint Peer::Deadline(TimePoint now, std::chrono::milliseconds timeout) {
  return now + std::clamp(timeout, std::chrono::milliseconds(-1), kLongestTimeout);
}
TimePoint Peer::Deadline(std::chrono::milliseconds timeout) const {
  return Deadline(core_->clock()->Now(), timeout);
}

// Returns the waiter's number; 0 when `ready` is on its way already.
absl::StatusOr<uint64_t> Peer::Wait(TimePoint deadline, Ready ready) {
  uint64_t number;
  {
    std::lock_guard lock(mutex_);
    if (state_ == ConnectionState::kShutdown) return NotConnected();
    if (const auto link = Usable(); link != nullptr) {
      // Connected since the caller looked. Posted with the lock held: as long as the link is ours,
      // its loop runs what it is given.
      asio::post(link->loop().io(), [link, ready = std::move(ready)]() mutable {
        ready(link);
        link->Changed();
      });
      return 0;
    }
    if (waiters_.size() >= core_->options().limits.max_waiting) {
      Count("waiting-limit");
      return WithDelivery(
          absl::ResourceExhaustedError(absl::StrCat(
              "max_waiting (", waiters_.size(), ") requests wait for the connection to ", host_)),
          Delivery::kRejected);
    }
    number = next_waiter_++;
    waiters_.push_back({number, deadline, std::move(ready)});
  }
  home_.loops->PostTo(home_.index, [&](asio::io_context* io) {
    if (io == nullptr) return;
    asio::post(*io, [self = shared_from_this()] { self->ExpireWaiters(); });
  });
  return number;
}

void Peer::EndWaiter(uint64_t number, const absl::Status& why) {
  std::list<Waiter> ended;
  {
    std::lock_guard lock(mutex_);
    for (auto it = waiters_.begin(); it != waiters_.end(); ++it) {
      if (it->number != number) continue;
      ended.splice(ended.begin(), waiters_, it);
      break;
    }
  }
  for (Waiter& waiter : ended) waiter.ready(why);
}

// Home loop: ends who has waited long enough, and sets the timer for the next.
void Peer::ExpireWaiters() {
  const TimePoint now = core_->clock()->Now();
  std::list<Waiter> expired;
  TimePoint next = TimePoint::max();
  absl::Status why;
  {
    std::lock_guard lock(mutex_);
    if (state_ == ConnectionState::kShutdown) return;
    for (auto it = waiters_.begin(); it != waiters_.end();) {
      const auto current = it++;
      if (current->deadline <= now) {
        expired.splice(expired.end(), waiters_, current);
      } else {
        next = std::min(next, current->deadline);
      }
    }
    why = WithDelivery(
        absl::DeadlineExceededError(absl::StrCat("no connection to ", host_, " before the deadline",
                                                 last_error_.empty() ? "" : ": ", last_error_)),
        Delivery::kNotSent);
  }
  for (Waiter& waiter : expired) waiter.ready(why);
  if (next == TimePoint::max()) return;
  if (wait_timer_ == nullptr) {
    wait_timer_ = std::make_unique<LoopTimer>(home_.loop().io(), *core_->clock(),
                                              [this] { ExpireWaiters(); });
  }
  wait_timer_->Set(next);
}

void Peer::StartWaitConnected(std::chrono::milliseconds timeout, WriteHandler handler) {
  {
    std::lock_guard lock(mutex_);
    if (Usable() != nullptr) {
      return CompleteLater(home_, handler.With(absl::OkStatus()));
    }
  }
  auto number = std::make_shared<std::atomic<uint64_t>>(0);
  auto slot = handler.cancellation_slot();
  if (slot.is_connected()) {
    slot.assign([weak = weak_from_this(), number](asio::cancellation_type) {
      if (auto self = weak.lock())
        self->EndWaiter(number->load(), absl::CancelledError("cancelled"));
    });
  }
  auto shared = std::make_shared<WriteHandler>(std::move(handler));
  const auto waiting =
      Wait(Deadline(timeout), [shared, home = home_](absl::StatusOr<std::shared_ptr<Link>> link) {
        CompleteLater(home, shared->With(link.status()));
      });
  if (!waiting.ok()) return CompleteLater(home_, shared->With(waiting.status()));
  number->store(*waiting);
}

}  // namespace grid::internal
