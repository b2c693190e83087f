// Probe: the completion handler of a test. Fails the test when it is never called, or called twice;
// keeps what it was called with.
//
// The Probe and its handler may go in either order; the failure is reported when the Probe goes.
// Needs googletest. One thread.
//
//   testing::Probe<absl::StatusOr<Buffer>> reply("echo");
//   peer.Request(HandlerId{78}, payload, {}, reply.Handler());
//   ASSERT_TRUE(cluster.RunUntil([&] { return reply.done(); }, 1s));
//   EXPECT_TRUE(reply.value().ok());
#ifndef GRID_GRID_TESTING_PROBE_H_
#define GRID_GRID_TESTING_PROBE_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace grid::testing {

template <typename T>
class Probe {
 public:
  explicit Probe(std::string name = "completion")
      : state_(std::make_shared<State>()), name_(std::move(name)) {}
  Probe(Probe&&) noexcept = default;
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  ~Probe() {
    if (state_ == nullptr || !state_->handed_out || state_->calls > 0) return;
    ADD_FAILURE() << name_ << " was never called";
  }

  // What to pass as completion token. Once per Probe.
  auto Handler() {
    state_->handed_out = true;
    return [state = state_, name = name_](T value) {
      if (++state->calls > 1) {
        ADD_FAILURE() << name << " was called " << state->calls << " times";
        return;
      }
      state->value.emplace(std::move(value));
    };
  }

  bool handed_out() const { return state_->handed_out; }
  bool done() const { return state_->calls > 0; }
  int calls() const { return state_->calls; }
  // Only once done().
  T& value() { return *state_->value; }

 private:
  struct State {
    bool handed_out = false;
    int calls = 0;
    std::optional<T> value;
  };

  std::shared_ptr<State> state_;
  std::string name_;
};

}  // namespace grid::testing

#endif  // GRID_GRID_TESTING_PROBE_H_
