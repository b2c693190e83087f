#include "grid/actor/actor_handle.h"

#include "grid/actor/resident.h"

namespace grid {

Target ActorHandle::target() const { return resident_->target(); }
LeaseToken ActorHandle::lease() const { return resident_->lease(); }
bool ActorHandle::running() const { return !resident_->over(); }

void ActorHandle::StartStop(internal::Resident& resident, StopMode mode,
                            Completion<absl::Status> completion) {
  resident.StartWait(std::move(completion));
  resident.Stop(mode);
}

void ActorHandle::StartWait(internal::Resident& resident, Completion<absl::Status> completion) {
  resident.StartWait(std::move(completion));
}

void ActorHandle::StartUpdate(internal::Resident& resident, Attributes attributes,
                              std::chrono::milliseconds timeout,
                              Completion<absl::Status> completion) {
  resident.StartUpdate(std::move(attributes), timeout, std::move(completion));
}

}  // namespace grid
