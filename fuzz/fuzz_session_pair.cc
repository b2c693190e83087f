// Two sessions joined by two pipes, under an arbitrary schedule of operations, writes, deliveries
// and time. Whatever it is, everything completes exactly once, stream messages arrive whole and in
// order, neither end ever sees the other break a rule, and at the end both tables are empty.
//
// The input is a byte of extensions, and a list of steps, each begun by a byte; its top bit chooses
// the end that acts.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "fuzz/session_actor.h"

namespace grid::fuzz {
namespace {

class Pair {
 public:
  explicit Pair(const Extensions& extensions)
      : actors_{SessionActor({.honest_peer = true, .extensions = extensions, .first_generation = 5},
                             &now_),
                SessionActor(
                    {.honest_peer = true, .extensions = extensions, .first_generation = 0xfffffff0},
                    &now_)} {}

  void Run(Input in) {
    while (!in.empty() && !Failed()) Step(in);
    if (!Failed()) ComeToRest();
    if (!Failed()) {
      for (SessionActor& actor : actors_) actor.CheckDrained();
    }
    // A lost connection ends both; either may notice first.
    const bool lost = Failed() || in.Byte() % 2 == 1;
    if (lost) {
      for (SessionActor& actor : actors_) actor.Shutdown();
    }
    for (SessionActor& actor : actors_) {
      actor.CheckOver();
      actor.CheckNoProtocolErrors();
    }
  }

 private:
  bool Failed() const { return actors_[0].failed() || actors_[1].failed(); }

  void Step(Input& in) {
    const uint8_t step = in.Byte();
    const int side = step >> 7;
    switch (step % 8) {
      case 0:
        Write(side);
        break;
      case 1:
        actors_[side].FinishWrite();
        break;
      case 2:
        Deliver(side);
        break;
      case 3: {
        const auto ms = in.Byte();
        now_ += std::chrono::milliseconds(ms) * ms;
        actors_[side].OnTimer();
        if ((step & 64) != 0) actors_[1 - side].OnTimer();
        break;
      }
      case 4:
        // All that waits in one direction, as a quick link would.
        while (Write(side)) actors_[side].FinishWrite();
        while (Deliver(1 - side)) {
        }
        break;
      default:
        actors_[side].Operate(in);
    }
  }

  bool Write(int side) {
    std::string message;
    if (!actors_[side].StartWrite(&message)) return false;
    pipes_[side].push_back(std::move(message));
    return true;
  }
  // The oldest message to `side`.
  bool Deliver(int side) {
    std::deque<std::string>& pipe = pipes_[1 - side];
    if (pipe.empty()) return false;
    const std::string message = std::move(pipe.front());
    pipe.pop_front();
    actors_[side].Receive(message);
    return true;
  }

  // Everybody answers, reads and finishes; no time passes any more.
  void ComeToRest() {
    // Both see the time that there is: an answer that came too late is dropped, so its caller must
    // hear of it too.
    for (SessionActor& actor : actors_) actor.OnTimer();
    for (bool changed = true; changed && !Failed();) {
      changed = false;
      for (int side = 0; side < 2; ++side) {
        actors_[side].FinishWrite();
        while (Write(side)) {
          actors_[side].FinishWrite();
          changed = true;
        }
        while (Deliver(side)) changed = true;
        changed |= actors_[side].Settle();
      }
    }
  }

  TimePoint now_ = TimePoint(std::chrono::hours(1));
  SessionActor actors_[2];
  std::deque<std::string> pipes_[2];  // by who writes
};

}  // namespace
}  // namespace grid::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  grid::fuzz::Input in(data, size);
  const grid::Extensions extensions =
      grid::fuzz::SomeExtensions(in, 1000);  // small ones: many are cut
  grid::fuzz::Pair(extensions).Run(in);
  return 0;
}
