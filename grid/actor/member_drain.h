// MemberDrain: takes our member out of service, and ends nothing: starts are refused, placement
// leaves it out, and resolvers skip its actors. The first steps of stopping a member, and what
// others may ask for:
//
//   MemberDrain drain(host, actors, *members);
//   absl::Status status = drain.Serve(manager);      // before manager.Start()
//   absl::Status told = co_await drain.Drain();      // our own
//   auto marked = co_await DrainMember(manager.Connection("http://b:1"), timeout);   // another one
//
// A member that drains does so until it is a new process. Any thread.
#ifndef GRID_GRID_ACTOR_MEMBER_DRAIN_H_
#define GRID_GRID_ACTOR_MEMBER_DRAIN_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor_system.h"
#include "grid/actor/kind_host.h"
#include "grid/connection.h"
#include "grid/membership/membership.h"
#include "handlers/completion.h"
#include "handlers/registrar.h"

namespace grid {

class MemberDrain {
 public:
  // All three must outlive it. Handlers that are served after it is gone fail with kUnavailable,
  // rejected.
  MemberDrain(KindHost& kinds, ActorSystem& actors, Membership& members);
  ~MemberDrain();
  MemberDrain(const MemberDrain&) = delete;
  MemberDrain& operator=(const MemberDrain&) = delete;

  // Registers handler 235, for other members: a client is refused, kPermissionDenied. Errors: those
  // of Registrar::RegisterSingle.
  absl::Status Serve(Registrar& registrar);

  // Completes with how many actors were marked once others can see that the member drains; with an
  // error as Membership::Change does, which then tells them as soon as that is possible.
  // Idempotent.
  template <typename Token = asio::use_awaitable_t<>>
  auto Drain(Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<uint64_t>)>(
        [](auto handler, MemberDrain* self) {
          self->StartDrain(Completion<absl::StatusOr<uint64_t>>(std::move(handler)));
        },
        token, this);
  }

 private:
  class Core;
  void StartDrain(Completion<absl::StatusOr<uint64_t>> completion);

  const std::shared_ptr<Core> core_;
};

namespace internal {
void StartDrainMember(const Connection& member, std::chrono::milliseconds timeout,
                      Completion<absl::StatusOr<uint64_t>> completion);
}

// Asks `member` to drain, and completes as its Drain does; with kPermissionDenied, rejected, when
// we are a client; with why it was not reached, after `timeout` at the latest. Each error carries
// its delivery class.
template <typename Token = asio::use_awaitable_t<>>
auto DrainMember(const Connection& member, std::chrono::milliseconds timeout,
                 Token&& token = Token()) {
  return asio::async_initiate<Token, void(absl::StatusOr<uint64_t>)>(
      [](auto handler, Connection to, std::chrono::milliseconds limit) {
        internal::StartDrainMember(to, limit,
                                   Completion<absl::StatusOr<uint64_t>>(std::move(handler)));
      },
      token, member, timeout);
}

}  // namespace grid

#endif  // GRID_GRID_ACTOR_MEMBER_DRAIN_H_
