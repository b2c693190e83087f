#include "grid/actor/member_caller.h"

#include <utility>

#include "grid/actor/kind_host.h"
#include "grid/manager.h"

namespace grid::internal {
namespace {

class ManagerCaller final : public MemberCaller {
 public:
  ManagerCaller(Manager& manager, KindHost* host) : manager_(manager), host_(host) {}

  void Start(const std::string& member, const StartMessage& message,
             std::chrono::milliseconds timeout,
             Completion<absl::StatusOr<StartAnswer>> completion) override {
    if (!IsOwn(member)) {
      return kActorStart.Call(manager_.Connection(member), message, {.timeout = timeout},
                              std::move(completion));
    }
    absl::StatusOr<StartArguments> arguments = FromMessage(message);
    if (!arguments.ok()) {
      return completion(ToAnswer(StartAnswer::kFailed, arguments.status(), Delivery::kRejected));
    }
    arguments->caller.host = manager_.local();
    host_->Start(
        *std::move(arguments),
        Completion<StartAnswer>([completion = std::move(completion)](StartAnswer answer) mutable {
          completion(std::move(answer));
        }));
  }

  void Stop(const std::string& member, const StopMessage& message,
            std::chrono::milliseconds timeout,
            Completion<absl::StatusOr<StopAnswer>> completion) override {
    if (!IsOwn(member)) {
      return kActorStop.Call(manager_.Connection(member), message, {.timeout = timeout},
                             std::move(completion));
    }
    host_->Stop(message, Completion<StopAnswer>(
                             [completion = std::move(completion)](StopAnswer answer) mutable {
                               completion(std::move(answer));
                             }));
  }

 private:
  bool IsOwn(const std::string& member) const {
    return host_ != nullptr && member == manager_.local();
  }

  Manager& manager_;
  KindHost* const host_;
};

}  // namespace

std::unique_ptr<MemberCaller> MakeMemberCaller(Manager& manager, KindHost* host) {
  return std::make_unique<ManagerCaller>(manager, host);
}

}  // namespace grid::internal
