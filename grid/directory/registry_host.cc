#include "grid/directory/registry_host.h"

#include <algorithm>

namespace grid::internal {

RegistryHost::RegistryHost(std::shared_ptr<Clock> clock, RegistryOptions options)
    : clock_(std::move(clock)), lease_(options.lease), registry_(std::move(options)) {}

TimePoint RegistryHost::Expire() {
  const TimePoint now = clock_->Now();
  std::lock_guard lock(mutex_);
  registry_.Expire(now);
  // What is opened or renewed from now on runs out a lease from now at the soonest, so nothing of
  // it comes in between.
  return std::min(registry_.NextExpiry().value_or(TimePoint::max()), now + lease_);
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
