#include "grid/testing/virtual_clock.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <stdexcept>
#include <utility>

#include "grid/transport/loop_timer.h"

namespace grid::testing {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds{1000}};
// 2026-01-01T12:00:00Z.
constexpr WallTime kWallStart{seconds{1767268800}};

// Far beyond what any test has ready at one instant.
constexpr size_t kMaxHandlersPerInstant = 1'000'000;

// How far ahead of time interleaving may fire an alarm while handlers are ready.
constexpr Duration kSoon = std::chrono::microseconds(20);

// What an alarm calls. Shared with whoever is firing it, so that an alarm may be destroyed by its
// own callback.
using Fire = std::shared_ptr<absl::AnyInvocable<void()>>;
// The second part is the order of setting.
using Key = std::pair<TimePoint, uint64_t>;

}  // namespace

struct VirtualClock::State {
  TimePoint now = kStart;
  uint64_t settings = 0;
  std::map<Key, Fire> alarms;

  bool FireFirst() {
    if (alarms.empty()) return false;
    const auto first = alarms.begin();
    now = std::max(now, first->first.first);
    const Fire fire = std::move(first->second);
    alarms.erase(first);
    (*fire)();
    return true;
  }
};

class VirtualClock::VirtualAlarm final : public Alarm {
 public:
  VirtualAlarm(std::shared_ptr<State> state, absl::AnyInvocable<void()> fire)
      : state_(std::move(state)),
        fire_(std::make_shared<absl::AnyInvocable<void()>>(std::move(fire))) {}
  ~VirtualAlarm() override { Clear(); }

  void Set(TimePoint at) override {
    Clear();
    key_ = {at, ++state_->settings};
    state_->alarms.emplace(key_, fire_);
  }
  void Clear() override { state_->alarms.erase(key_); }

 private:
  const std::shared_ptr<State> state_;
  const Fire fire_;
  Key key_{TimePoint::min(), 0};
};

VirtualClock::VirtualClock() : state_(std::make_shared<State>()) {}
VirtualClock::~VirtualClock() = default;

TimePoint VirtualClock::Now() const { return state_->now; }

WallTime VirtualClock::WallNow() const { return kWallStart + (state_->now - kStart); }

std::unique_ptr<Alarm> VirtualClock::NewAlarm(absl::AnyInvocable<void()> fire) {
  return std::make_unique<VirtualAlarm>(state_, std::move(fire));
}

std::optional<TimePoint> VirtualClock::NextAlarm() const {
  if (state_->alarms.empty()) return std::nullopt;
  return state_->alarms.begin()->first.first;
}

bool VirtualClock::AdvanceToNextAlarm() { return state_->FireFirst(); }

void VirtualClock::Advance(Duration by) {
  const TimePoint end = state_->now + by;
  while (!state_->alarms.empty() && state_->alarms.begin()->first.first <= end) {
    state_->FireFirst();
  }
  MoveTo(end);
}

void VirtualClock::MoveTo(TimePoint at) {
  if (const auto next = NextAlarm()) at = std::min(at, *next);
  state_->now = std::max(state_->now, at);
}

size_t VirtualClock::pending() const { return state_->alarms.size(); }

size_t Drain(asio::io_context& io) {
  // poll_one() stops an io_context that is out of work, and a stopped one runs nothing.
  io.restart();
  size_t total = 0;
  while (io.poll_one() > 0) {
    if (++total > kMaxHandlersPerInstant) {
      throw std::runtime_error("handlers post each other without end at one instant");
    }
  }
  return total;
}

bool RunUntil(asio::io_context& io, VirtualClock& clock, absl::FunctionRef<bool()> predicate,
              Duration limit, Random* interleave) {
  const TimePoint end = clock.Now() + limit;
  // Fired from inside the io_context: to the code under test that is its I/O thread.
  const auto fire_next = [&] { asio::post(io, [&clock] { clock.AdvanceToNextAlarm(); }); };
  size_t at_this_instant = 0;
  for (;;) {
    if (interleave == nullptr) {
      Drain(io);
    } else {
      io.restart();
      while (io.poll_one() > 0) {
        const std::optional<TimePoint> next = clock.NextAlarm();
        if (next && *next <= std::min(end, clock.Now() + kSoon) && interleave->OneIn(4)) {
          fire_next();
        }
      }
    }
    if (predicate()) return true;
    const std::optional<TimePoint> next = clock.NextAlarm();
    if (!next || *next > end) {
      clock.MoveTo(end);
      return predicate();
    }
    if (*next > clock.Now()) at_this_instant = 0;
    if (++at_this_instant > kMaxHandlersPerInstant) {
      throw std::runtime_error("alarms set each other without end at one instant");
    }
    fire_next();
  }
}

void RunFor(asio::io_context& io, VirtualClock& clock, Duration duration, Random* interleave) {
  RunUntil(
      io, clock, [] { return false; }, duration, interleave);
}

asio::awaitable<void> Sleep(asio::io_context& io, Clock& clock, Duration duration) {
  // A wait that never ends by itself: the io_context owns the suspended coroutine, as with any
  // other operation, and cancelling it is what wakes the coroutine.
  asio::steady_timer wait(io, asio::steady_timer::time_point::max());
  LoopTimer timer(io, clock, [&wait] { wait.cancel(); });
  timer.Set(clock.Now() + duration);
  co_await wait.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace grid::testing
