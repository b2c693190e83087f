// MemberCaller: how starts and stops reach a member: over grid, and our own process without a
// connection.
//
// Internal to grid/actor. Any thread.
#ifndef GRID_GRID_ACTOR_MEMBER_CALLER_H_
#define GRID_GRID_ACTOR_MEMBER_CALLER_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grid/actor/start_protocol.h"
#include "handlers/completion.h"

namespace grid {

class KindHost;
class Manager;

namespace internal {

class MemberCaller {
 public:
  virtual ~MemberCaller() = default;
  // Complete with the member's answer, or with why it was not reached, with its delivery class;
  // perhaps at once.
  virtual void Start(const std::string& member, const StartMessage& message,
                     std::chrono::milliseconds timeout,
                     Completion<absl::StatusOr<StartAnswer>> completion) = 0;
  virtual void Stop(const std::string& member, const StopMessage& message,
                    std::chrono::milliseconds timeout,
                    Completion<absl::StatusOr<StopAnswer>> completion) = 0;
};

// `host` is our own; null: we have no kinds. Both must outlive it.
std::unique_ptr<MemberCaller> MakeMemberCaller(Manager& manager, KindHost* host);

}  // namespace internal
}  // namespace grid

#endif  // GRID_GRID_ACTOR_MEMBER_CALLER_H_
