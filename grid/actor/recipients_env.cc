#include "grid/actor/recipients_env.h"

#include <random>
#include <vector>

#include "grid/actor/recipients_core.h"
#include "grid/actor/target_cache.h"

namespace grid::internal {
namespace {

uint64_t SeedOrRandom(uint64_t seed) {
  if (seed != 0) return seed;
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace

RecipientsEnv::RecipientsEnv(RecipientsEnvOptions options)
    : io_(*options.io),
      clock_(options.clock != nullptr ? std::move(options.clock) : RealClock()),
      limits_(options.limits),
      letters_(options.post->letters()),
      alarms_(std::make_shared<Alarms>(io_, clock_)),
      random_(SeedOrRandom(options.seed)),
      calls_(Random()),
      post_(std::move(options.post)),
      directory_(options.directory) {}

RecipientsEnv::~RecipientsEnv() { Close(); }

void RecipientsEnv::Close() {
  std::vector<std::shared_ptr<RecipientsCore>> cores;
  std::shared_ptr<Post> post;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
    // Those whose last handle is going just now have nothing under way.
    for (RecipientsCore* core : cores_) {
      if (auto held = core->weak_from_this().lock()) cores.push_back(std::move(held));
    }
    cores_.clear();
    post = std::move(post_);
    directory_ = nullptr;
  }
  alarms_->Close();
  for (const auto& core : cores) core->Close();
}

uint64_t RecipientsEnv::Random() {
  // splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
  uint64_t z = random_.fetch_add(0x9e3779b97f4a7c15) + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t RecipientsEnv::NextCall() {
  const uint64_t call = calls_.fetch_add(1);
  return call != 0 ? call : calls_.fetch_add(1);
}

bool RecipientsEnv::WithDirectory(absl::FunctionRef<void(Directory&)> function) {
  std::lock_guard lock(mutex_);
  if (closed_) return false;
  function(*directory_);
  return true;
}

std::shared_ptr<Post> RecipientsEnv::Add(RecipientsCore& core) {
  std::lock_guard lock(mutex_);
  if (closed_) return nullptr;
  cores_.insert(&core);
  return post_;
}

void RecipientsEnv::Remove(RecipientsCore& core) {
  std::lock_guard lock(mutex_);
  cores_.erase(&core);
}

void RecipientsEnv::TellWhenConnected(const std::string& member, std::weak_ptr<TargetCache> cache) {
  std::shared_ptr<Post> post;
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    const auto [at, first] = disconnected_.try_emplace(member);
    Caches& caches = at->second;
    std::erase_if(caches, [](const auto& weak) { return weak.expired(); });
    caches.insert(std::move(cache));
    if (!first) return;
    post = post_;
  }
  post->WhenConnected(member, [weak = weak_from_this(), member](const absl::Status& connected) {
    if (const auto self = weak.lock()) self->OnConnected(member, connected);
  });
}

void RecipientsEnv::OnConnected(const std::string& member, const absl::Status& connected) {
  Caches caches;
  {
    std::lock_guard lock(mutex_);
    const auto found = disconnected_.find(member);
    if (found == disconnected_.end()) return;
    caches.swap(found->second);
    disconnected_.erase(found);
  }
  if (!connected.ok()) return;
  for (const auto& weak : caches) {
    if (const auto cache = weak.lock()) cache->Reached(member);
  }
}

}  // namespace grid::internal
