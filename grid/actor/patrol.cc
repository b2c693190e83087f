#include "grid/actor/patrol.h"

#include <boost/asio/post.hpp>

#include "absl/strings/str_cat.h"
#include "grid/actor/patrol_core.h"
#include "grid/actor/patrol_plan.h"

namespace grid {

Patrol::Patrol(std::shared_ptr<internal::PatrolCore> core) : core_(std::move(core)) {}

absl::StatusOr<std::unique_ptr<Patrol>> Patrol::Make(Directory& directory, Membership& members,
                                                     KindStarter& starter, PatrolOptions options) {
  const auto refused = [](const char* field, const char* range) {
    return absl::InvalidArgumentError(absl::StrCat("PatrolOptions::", field, " must be ", range));
  };
  const auto day = std::chrono::hours(24);
  if (options.io == nullptr) return refused("io", "set");
  if (options.count == nullptr) return refused("count", "set");
  if (options.period < std::chrono::milliseconds(1) || options.period > day) {
    return refused("period", "1 ms to a day");
  }
  if (options.drain < std::chrono::milliseconds(0) || options.drain > day) {
    return refused("drain", "0 to a day");
  }
  if (options.stop_timeout < std::chrono::milliseconds(1) || options.stop_timeout > day) {
    return refused("stop_timeout", "1 ms to a day");
  }
  if (options.max_under_way < 1) return refused("max_under_way", "at least 1");
  absl::Status status = options.start.Check();
  status.Update(CheckStartParameters(options.parameters));
  if (options.placement.has_value()) status.Update(options.placement->Check());
  absl::StatusOr<Name> name = PatrolName(options.path);
  status.Update(name.status());
  // The longest of the names that it may ever start.
  status.Update(PatrolledName(options.path, options.max_count).status());
  if (!status.ok()) return status;
  if (options.clock == nullptr) options.clock = RealClock();
  if (options.log == nullptr) options.log = DefaultLog();
  auto core = std::make_shared<internal::PatrolCore>(directory, members, starter,
                                                     std::move(options), *std::move(name));
  asio::post(core->io(), [core] { core->Start(); });
  return std::unique_ptr<Patrol>(new Patrol(std::move(core)));
}

Patrol::~Patrol() { core_->Close(); }

void Patrol::SetCount(Activation::CountFunction count) {
  asio::post(core_->io(), [core = core_, count = std::move(count)]() mutable {
    core->SetCount(std::move(count));
  });
}

bool Patrol::acting() const { return core_->acting(); }
PatrolStats Patrol::Stats() const { return core_->Stats(); }

void Patrol::StartStop(Completion<absl::Status> completion) {
  asio::post(core_->io(), [core = core_, completion = std::move(completion)]() mutable {
    core->Stop(std::move(completion));
  });
}

}  // namespace grid
