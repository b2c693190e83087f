#include "grid/actor/actor.h"

namespace grid {

asio::awaitable<absl::Status> Actor::OnStart(ActorContext&) { return {}; }
void Actor::OnStop(const absl::Status&) {}
void Actor::OnMailboxEnd(const absl::Status&) {}

const Actor::Behaviour* Actor::Find(std::string_view type) const {
  if (last_found_ != nullptr && last_found_->first == type) return &last_found_->second;
  const auto found = behaviours_.find(absl::string_view(type.data(), type.size()));
  if (found == behaviours_.end()) return other_.get();
  last_found_ = &*found;
  return &found->second;
}

void Actor::Set(std::string_view type, Behaviour behaviour) {
  last_found_ = nullptr;
  behaviours_.insert_or_assign(std::string(type), std::move(behaviour));
}

}  // namespace grid
