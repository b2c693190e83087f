// KindStarter: starts actors somewhere in the cluster, by placement, and stops them.
//
//   absl::StatusOr<StartResult> cart = co_await starter.Start({.name = *name});
//   if (cart.ok() && cart->already_running) ...            // at cart->member, with cart->epoch
//   const StopRequest stop{.name = *name, .member = cart->member, .epoch = cart->epoch};
//   absl::StatusOr<StopResult> stopped = co_await starter.Stop(stop);
//
// A start is tried again, at another member if there is one, as the policy says of its failure's
// delivery class, and by nothing else. What an admission filter refuses is decided.
//
// Any thread. Completions run on their associated executor, otherwise on the starter's thread (do
// not block there). The Directory, the Membership and the Manager must outlive the starter;
// destroyed on its thread, it completes what is under way with kCancelled.
#ifndef GRID_GRID_ACTOR_KIND_STARTER_H_
#define GRID_GRID_ACTOR_KIND_STARTER_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/kind.h"
#include "grid/base/clock.h"
#include "grid/directory/call_policy.h"
#include "grid/directory/directory.h"
#include "grid/membership/membership.h"
#include "handlers/completion.h"

namespace grid {

namespace asio = boost::asio;

class KindHost;
class Manager;

namespace internal {
class MemberCaller;
}

struct StartRequest {
  Name name;
  // Nothing: that of the Kind, where this process has it (KindStarterOptions::host), otherwise
  // Spread. isolated() is the Kind's business.
  std::optional<Placement> placement = {};
  StartParameters parameters = {};
  Resources resources = {};
  CallPolicy policy = {};
  std::string caller = {};  // for near-caller; empty: our own process
  // How many actors of the kind run where, for Spread and Least. Nothing: the directory is asked.
  std::optional<std::map<std::string, size_t>> running = {};
};

struct StartResult {
  bool already_running = false;
  std::string member = {};  // where it runs
  uint64_t epoch = 0;
};

struct StopRequest {
  Name name;
  std::string member;  // where it runs
  uint64_t epoch = 0;  // of its registration; 0: whichever there is
  StopMode mode = StopMode::kAfterQueue;
  // It is killed when it has not stopped by then; 0: it is waited for until `timeout`.
  std::chrono::milliseconds limit{30'000};
  std::chrono::milliseconds timeout{60'000};  // for the answer
};

struct StopResult {
  bool killed = false;  // the limit had passed
};

// Totals; gauges say so.
struct KindStarterStats {
  uint64_t started = 0, already_running = 0;
  uint64_t refused = 0;    // by an admission filter
  uint64_t failed = 0;     // starts that came to an error otherwise
  uint64_t retries = 0;    // attempts after the first
  uint64_t under_way = 0;  // gauge
  uint64_t limit = 0;      // refused because of max_under_way
};

struct KindStarterOptions {
  // The starter's thread: one thread runs it. It must outlive the starter. Required.
  boost::asio::io_context* io = nullptr;
  KindHost* host = nullptr;       // of this process, if it has one; must outlive the starter
  size_t max_under_way = 10'000;  // starts; beyond it kResourceExhausted, not sent
  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
  uint64_t seed = 0;                       // of choices and pauses; 0: from the system
};

class KindStarter {
 public:
  KindStarter(Directory& directory, Membership& members, Manager& manager,
              KindStarterOptions options);
  // For tests: members that are reached in another way.
  KindStarter(Directory& directory, Membership& members,
              std::shared_ptr<internal::MemberCaller> caller, KindStarterOptions options);
  ~KindStarter();
  KindStarter(const KindStarter&) = delete;
  KindStarter& operator=(const KindStarter&) = delete;

  // Completes with where the actor runs, whether it was started or ran already. Errors, each with
  // its delivery class and, where a member answered, its name: kPermissionDenied or
  // kFailedPrecondition, rejected: the admission filter refused. kUnavailable, not sent: there is
  // no member for it. kNotFound, rejected: that member has no such kind. What the factory, the
  // actor's OnStart or the directory there came to, executed. kDeadlineExceeded, maybe executed:
  // the policy's deadline. Terminal cancellation completes with kCancelled, maybe executed. Both
  // not sent where no member was asked yet.
  template <typename Token = asio::use_awaitable_t<>>
  auto Start(StartRequest request, Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<StartResult>)>(
        [](auto handler, KindStarter* self, StartRequest what) {
          self->StartStart(std::move(what),
                           Completion<absl::StatusOr<StartResult>>(std::move(handler)));
        },
        token, this, std::move(request));
  }

  // Completes with OK once it has stopped and its name is given back. kNotFound, rejected: it is
  // not there. Not tried again.
  template <typename Token = asio::use_awaitable_t<>>
  auto Stop(StopRequest request, Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::StatusOr<StopResult>)>(
        [](auto handler, KindStarter* self, StopRequest what) {
          self->StartStop(std::move(what),
                          Completion<absl::StatusOr<StopResult>>(std::move(handler)));
        },
        token, this, std::move(request));
  }

  KindStarterStats Stats() const;

 private:
  class Core;
  struct Starting;

  void StartStart(StartRequest request, Completion<absl::StatusOr<StartResult>> completion);
  void StartStop(StopRequest request, Completion<absl::StatusOr<StopResult>> completion);

  const std::shared_ptr<Core> core_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_KIND_STARTER_H_
