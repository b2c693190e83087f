// Patrol: keeps as many actors of a kind running as there are to be: starts what is missing, drains
// what is too many.
//
//   absl::StatusOr<std::unique_ptr<Patrol>> patrol = Patrol::Make(
//       *directory, *members, starter, {.io = &io, .path = *Path::Parse("shop/worker"),
//                                       .count = Activation::Count(4).count()});
//
// Every member may have one for a kind, and every client of the mesh whose Directory holds names;
// the one that holds sys/patrol/<realm>.<kind> acts:
//
//   waiting --nobody holds the name, we get it--> acting --lease lost, or stopped--> waiting
//
// It looks at every change under the path, and each period, so what is missing is started within
// lease + period of the loss of whatever held it, the patrol included. It never stops trying; what
// fails is tried again after a pause. A singleton is a count of 1: <path>/0 is one at a time by its
// exclusive name, and its token ends before another one can begin.
//
// A start that the patrol before sent may still arrive: it finds the name held, or is the one that
// was missing. Two patrols never act at once, as long as both clocks run equally fast within the
// margin of the lease.
//
// Any thread, but for the destructor: on that of `io`, or when it does not run. The Directory, the
// Membership and the KindStarter must outlive it.
#ifndef GRID_GRID_ACTOR_PATROL_H_
#define GRID_GRID_ACTOR_PATROL_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/kind.h"
#include "grid/actor/kind_starter.h"
#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "grid/directory/call_policy.h"
#include "grid/directory/directory.h"
#include "grid/membership/membership.h"
#include "handlers/completion.h"

namespace grid {

namespace asio = boost::asio;

namespace internal {
class PatrolCore;
}

struct PatrolOptions {
  // The patrol's thread: one thread runs it, which is also the KindStarter's. Required.
  boost::asio::io_context* io = nullptr;
  Path path;                        // of the kind
  Activation::CountFunction count;  // required
  // As StartRequest's.
  std::optional<Placement> placement = {};
  StartParameters parameters = {};

  std::chrono::milliseconds period{1'000};  // 1 ms to a day
  // How long an actor that is too many may take to finish what waits for it; then it is killed. 0:
  // it is waited for, and told again every `stop_timeout`.
  std::chrono::milliseconds drain{30'000};
  std::chrono::milliseconds stop_timeout{60'000};
  // Of one start, with its attempts at several members.
  CallPolicy start = {.deadline = std::chrono::milliseconds(10'000), .back_off = {}};
  // Before a name is tried again whose start or stop has failed.
  BackOff back_off = {.first = std::chrono::milliseconds(1'000),
                      .most = std::chrono::milliseconds(30'000)};

  size_t max_count = 100'000;  // a count beyond it is an error, and changes nothing
  size_t max_under_way = 64;   // starts and stops at a time; others wait for their turn

  std::shared_ptr<Clock> clock = nullptr;  // null: the real one
  std::shared_ptr<LogSink> log = nullptr;  // null: DefaultLog
  uint64_t seed = 0;                       // of pauses; 0: from the system
};

// Totals; gauges say so.
struct PatrolStats {
  uint64_t acting = 0;                // gauge: 1 while it is us
  uint64_t desired = 0, running = 0;  // gauges, of the one that acts
  uint64_t started = 0, stopped = 0;
  uint64_t killed = 0;  // those that had not stopped in time
  uint64_t start_failures = 0, stop_failures = 0;
  uint64_t count_errors = 0;  // counts that threw, or were too great
  uint64_t terms = 0;         // how often it has become us
  uint64_t lost = 0;          // how often that ended with the lease
};

class Patrol {
 public:
  // kInvalidArgument names the option.
  static absl::StatusOr<std::unique_ptr<Patrol>> Make(Directory& directory, Membership& members,
                                                      KindStarter& starter, PatrolOptions options);
  ~Patrol();
  Patrol(const Patrol&) = delete;
  Patrol& operator=(const Patrol&) = delete;

  // Looked at at once. Not null.
  void SetCount(Activation::CountFunction count);
  // Whether it is us who act, right now, by the clock.
  bool acting() const;
  PatrolStats Stats() const;

  // Lets somebody else patrol: completes with OK once the name is given back. What runs, runs on;
  // starts and stops that are under way end unheard.
  template <typename Token = asio::use_awaitable_t<>>
  auto Stop(Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, Patrol* self) {
          self->StartStop(Completion<absl::Status>(std::move(handler)));
        },
        token, this);
  }

 private:
  explicit Patrol(std::shared_ptr<internal::PatrolCore> core);
  void StartStop(Completion<absl::Status> completion);

  const std::shared_ptr<internal::PatrolCore> core_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_PATROL_H_
