#include "grid/directory/registry_host.h"

#include <algorithm>
#include <boost/asio/post.hpp>

namespace grid::internal {

RegistryHost::RegistryHost(boost::asio::io_context& io, std::shared_ptr<Clock> clock,
                           RegistryOptions options)
    : io_(io), clock_(std::move(clock)), lease_(options.lease), registry_(std::move(options)) {}

void RegistryHost::Start() {
  boost::asio::post(io_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->timer_.emplace(self->io_, *self->clock_, [weak] {
      if (const auto host = weak.lock()) host->OnTimer();
    });
    self->OnTimer();
  });
}

void RegistryHost::OnTimer() {
  const TimePoint now = clock_->Now();
  std::lock_guard lock(mutex_);
  registry_.Expire(now);
  // What is opened or renewed from now on runs out a lease from now at the soonest, so nothing has
  // to set the timer in between.
  timer_->Set(std::min(registry_.NextExpiry().value_or(TimePoint::max()), now + lease_));
}

absl::StatusOr<LeaseGrant> RegistryHost::Renew(const LeaseCall& call) {
  std::lock_guard lock(mutex_);
  return registry_.Renew(call, clock_->Now());
}

absl::StatusOr<Entry> RegistryHost::Register(const RegisterCall& call) {
  std::lock_guard lock(mutex_);
  return registry_.Register(call, clock_->Now());
}

absl::Status RegistryHost::Update(const UpdateCall& call) {
  std::lock_guard lock(mutex_);
  return registry_.Update(call, clock_->Now());
}

absl::Status RegistryHost::Deregister(const DeregisterCall& call) {
  std::lock_guard lock(mutex_);
  return registry_.Deregister(call, clock_->Now());
}

void RegistryHost::End(const LeaseCall& call) {
  std::lock_guard lock(mutex_);
  registry_.End(call, clock_->Now());
}

uint64_t RegistryHost::Flush() {
  std::lock_guard lock(mutex_);
  return registry_.Flush(clock_->Now());
}

std::vector<Entry> RegistryHost::Resolve(const Selector& selector) {
  std::lock_guard lock(mutex_);
  return registry_.Resolve(selector, clock_->Now());
}

RegistryStats RegistryHost::Stats() const {
  std::lock_guard lock(mutex_);
  return registry_.Stats();
}

absl::StatusOr<std::unique_ptr<RegistryHost::Watch>> RegistryHost::StartWatch(
    const Selector& selector, absl::AnyInvocable<void()> ready) {
  std::lock_guard lock(mutex_);
  auto watch = registry_.StartWatch(selector, std::move(ready), clock_->Now());
  if (!watch.ok()) return watch.status();
  return std::unique_ptr<Watch>(new Watch(shared_from_this(), *std::move(watch)));
}

RegistryHost::Watch::~Watch() {
  std::lock_guard lock(host_->mutex_);
  watch_.reset();
}

std::optional<WatchEvent> RegistryHost::Watch::Take() {
  std::lock_guard lock(host_->mutex_);
  if (!watch_->ready()) return std::nullopt;
  return watch_->Take();
}

}  // namespace grid::internal
