#include "grid/actor/actor_system.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "grid/actor/system_core.h"

namespace grid {

absl::Status ActorSystemOptions::Check() const {
  if (io == nullptr) return absl::InvalidArgumentError("ActorSystemOptions::io must be set");
  if (threads < -1 || threads > 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat("ActorSystemOptions::threads must be -1 to 1024, not ", threads));
  }
  if (drain < std::chrono::milliseconds(0) || drain > std::chrono::hours(24)) {
    return absl::InvalidArgumentError(
        absl::StrCat("ActorSystemOptions::drain must be 0 to a day, not ", drain.count(), " ms"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ActorSystem>> ActorSystem::Make(Manager& manager,
                                                               Directory& directory,
                                                               ActorSystemOptions options) {
  if (absl::Status status = options.Check(); !status.ok()) return status;
  if (options.clock == nullptr) options.clock = RealClock();
  if (options.log == nullptr) options.log = DefaultLog();
  std::unique_ptr<ActorSystem> system(new ActorSystem(nullptr));
  system->core_ =
      std::make_shared<internal::SystemCore>(manager, directory, std::move(options), system.get());
  if (absl::Status status = system->core_->Serve(manager); !status.ok()) return status;
  return system;
}

ActorSystem::~ActorSystem() { core_->Close(); }

const std::string& ActorSystem::self() const { return core_->self(); }

Recipients ActorSystem::To(Selector selector, Routing routing, CallPolicy policy,
                           std::optional<Name> from) const {
  return core_->To(std::move(selector), std::move(routing), policy, std::move(from));
}

std::vector<Entry> ActorSystem::Residents() const { return core_->List(); }
size_t ActorSystem::MarkDraining() { return core_->MarkAllDraining(); }
ActorStats ActorSystem::Stats() const { return core_->Stats(); }
internal::ActorHost& ActorSystem::host() const { return *core_; }

void ActorSystem::BeginStart(std::shared_ptr<internal::SystemCore> core, Name name,
                             ActorFactory factory, ActorOptions options,
                             Completion<absl::StatusOr<ActorHandle>> completion) {
  core->Start(std::move(name), std::move(factory), std::move(options), std::move(completion));
}

void ActorSystem::BeginOpen(std::shared_ptr<internal::SystemCore> core, Name name,
                            ActorOptions options, Completion<absl::StatusOr<Mailbox>> completion) {
  core->OpenMailbox(std::move(name), std::move(options), std::move(completion));
}

void ActorSystem::BeginStop(std::shared_ptr<internal::SystemCore> core,
                            Completion<absl::Status> completion) {
  core->Stop(std::move(completion));
}

}  // namespace grid
