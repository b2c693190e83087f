// ManagerCore: draining, and the end.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/internal/incoming.h"
#include "grid/internal/manager_core.h"
#include "grid/internal/peer.h"
#include "grid/transport/adopter.h"
#include "handlers/delivery.h"

namespace grid::internal {

void ManagerCore::Drain(std::chrono::milliseconds limit, absl::AnyInvocable<void()> stopped) {
  constexpr std::chrono::milliseconds kLongest{UINT32_MAX};
  const TimePoint deadline =
      clock()->Now() + std::clamp(limit, std::chrono::milliseconds(0), kLongest);
  std::vector<std::shared_ptr<Peer>> peers;
  Activity activity, serving;
  {
    std::lock_guard lock(mutex_);
    if (phase_ == Phase::kRunning) {
      on_stopped_.push_back(std::move(stopped));
      stopped = nullptr;
      if (drain_deadline_.has_value()) return;
      drain_deadline_ = deadline;
      activity = activity_;
      serving = std::move(serving_);
      peers = AllPeers();
    }
  }
  if (stopped != nullptr) return StopAsync(std::move(stopped));
  const ConnectionStats now = Stats().total;
  Log(LogLevel::kInfo, absl::StrCat("draining: ", now.incoming_requests, " requests and ",
                                    now.incoming_streams, " streams are being served"));
  loops_->PostTo(0, [&](asio::io_context* io) {
    if (io == nullptr) return;
    asio::post(
        *io, [self = shared_from_this(), activity, deadline] { self->StartDrainTimer(deadline); });
  });
  for (const auto& peer : peers) peer->Drain(deadline);
}

void ManagerCore::StartDrainTimer(TimePoint deadline) {
  {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::kRunning) return;
  }
  drain_timer_ = std::make_unique<LoopTimer>(loops_->at(0).io(), *clock(), [this] {
    Log(LogLevel::kWarning, "the drain took too long: what runs is cancelled");
    StopAsync([] {});
  });
  drain_timer_->Set(deadline);
}

std::optional<TimePoint> ManagerCore::drain_deadline() const {
  std::lock_guard lock(mutex_);
  return drain_deadline_;
}

Activity ManagerCore::serving() const {
  std::lock_guard lock(mutex_);
  return serving_shares_.lock();
}

void ManagerCore::StopAsync(absl::AnyInvocable<void()> stopped) {
  std::vector<std::shared_ptr<Peer>> peers;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::shared_ptr<Adopter> adopter;
  Activity activity, serving;
  {
    std::lock_guard lock(mutex_);
    if (phase_ == Phase::kNew || phase_ == Phase::kRunning) peers = AllPeers();
    if (phase_ == Phase::kNew) phase_ = Phase::kStopped;
    if (phase_ != Phase::kStopped) {
      on_stopped_.push_back(std::move(stopped));
      stopped = nullptr;
    }
    if (phase_ == Phase::kRunning) {
      phase_ = Phase::kStopping;
      activity = std::move(activity_);
      activity_ = nullptr;
      serving = std::move(serving_);
      listeners.swap(listeners_);
      adopter.swap(adopter_);
      // Each takes itself out, under this lock, before it goes away.
      for (Incoming* incoming : incoming_) incoming->Cancel();
    }
  }
  listeners.clear();
  if (adopter != nullptr) adopter->Stop();
  adopter.reset();
  const absl::Status why =
      DisconnectedError("the manager has been stopped", Delivery::kMaybeExecuted);
  for (const auto& peer : peers) peer->Shutdown(why, activity);
  if (activity != nullptr) {
    loops_->PostTo(0, [&](asio::io_context* io) {
      if (io == nullptr) return;
      asio::post(*io, [self = shared_from_this(), activity] { self->drain_timer_.reset(); });
    });
  }
  activity.reset();
  if (stopped != nullptr) stopped();
}

void ManagerCore::OnIdle() {
  // What the last events posted (completions, the listeners' end) runs before `stopped` is called:
  // every loop is passed once more.
  const Activity passing = MakeActivity([self = shared_from_this()] { self->OnPassed(); });
  for (size_t i = 0; i < loops_->size(); ++i) {
    loops_->PostTo(i, [&](asio::io_context* io) {
      if (io != nullptr) asio::post(*io, [passing] {});
    });
  }
}

void ManagerCore::OnPassed() {
  // The host program may destroy its io_contexts as soon as it is told, while handles remain.
  if (!options_.io_contexts.empty()) loops_->Stop();
  std::vector<absl::AnyInvocable<void()>> stopped;
  {
    std::lock_guard lock(mutex_);
    phase_ = Phase::kStopped;
    stopped.swap(on_stopped_);
  }
  for (auto& callback : stopped) callback();
}

void ManagerCore::Join() {
  std::lock_guard lock(join_mutex_);
  workers_.Stop();
  loops_->Stop();
}

void ManagerCore::Clear() {
  std::map<std::string, std::shared_ptr<Peer>> peers;
  std::unique_ptr<HandlerTable> handlers;
  std::lock_guard lock(mutex_);
  peers.swap(peers_);
  // Handlers may own Connections, and those share this.
  if (phase_ == Phase::kStopped) handlers = std::move(handlers_);
}

}  // namespace grid::internal
