// ActorHandle: an actor of this process, for who started it. Copies are the same; dropping it ends
// nothing. Any thread; may outlive the system.
#ifndef GRID_GRID_ACTOR_ACTOR_HANDLE_H_
#define GRID_GRID_ACTOR_ACTOR_HANDLE_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/target.h"
#include "grid/directory/entry.h"
#include "grid/directory/lease_token.h"
#include "handlers/completion.h"

namespace grid {

namespace asio = boost::asio;

namespace internal {
class Resident;
}

class ActorHandle {
 public:
  explicit ActorHandle(std::shared_ptr<internal::Resident> resident)
      : resident_(std::move(resident)) {}

  // As the directory has it now; one that shares its name is another target after a lost lease.
  Target target() const;
  LeaseToken lease() const;
  bool running() const;

  // Ends the actor (StopMode). Completes as WaitStopped.
  template <typename Token = asio::use_awaitable_t<>>
  auto Stop(StopMode mode = StopMode::kAfterCurrent, Token&& token = Token()) const {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<internal::Resident> resident, StopMode how) {
          StartStop(*resident, how, Completion<absl::Status>(std::move(handler)));
        },
        token, resident_, mode);
  }

  // Completes once the actor has ended and its name is given back, with why: OK when it was
  // stopped, the error that ended it otherwise (kAborted: its lease was lost). On the associated
  // executor, otherwise on the system's control thread.
  template <typename Token = asio::use_awaitable_t<>>
  auto WaitStopped(Token&& token = Token()) const {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<internal::Resident> resident) {
          StartWait(*resident, Completion<absl::Status>(std::move(handler)));
        },
        token, resident_);
  }

  // Replaces the attributes in the directory; errors as Registration::Update. kTrustedCallers is
  // kept as it was when the actor was started.
  template <typename Token = asio::use_awaitable_t<>>
  auto Update(Attributes attributes,
              std::chrono::milliseconds timeout = std::chrono::milliseconds(0),
              Token&& token = Token()) const {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, std::shared_ptr<internal::Resident> resident, Attributes values,
           std::chrono::milliseconds limit) {
          StartUpdate(*resident, std::move(values), limit,
                      Completion<absl::Status>(std::move(handler)));
        },
        token, resident_, std::move(attributes), timeout);
  }

 private:
  static void StartStop(internal::Resident& resident, StopMode mode,
                        Completion<absl::Status> completion);
  static void StartWait(internal::Resident& resident, Completion<absl::Status> completion);
  static void StartUpdate(internal::Resident& resident, Attributes attributes,
                          std::chrono::milliseconds timeout, Completion<absl::Status> completion);

  std::shared_ptr<internal::Resident> resident_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_ACTOR_HANDLE_H_
