#include "grid/actor/actor.h"

namespace grid {

asio::awaitable<absl::Status> Actor::OnStart(ActorContext&) { return {}; }
void Actor::OnStop(const absl::Status&) {}
void Actor::OnMailboxEnd(const absl::Status&) {}

const Actor::Behaviour* Actor::Find(std::string_view type) const {
  const auto found = behaviours_.find(absl::string_view(type.data(), type.size()));
  return found != behaviours_.end() ? &found->second : other_.get();
}

void Actor::Set(std::string_view type, Behaviour behaviour) {
  behaviours_.insert_or_assign(std::string(type), std::move(behaviour));
}

}  // namespace grid
