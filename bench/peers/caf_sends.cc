// CAF: one actor sends numbers to another of the same process, both on the one thread of the
// scheduler.
#include <caf/all.hpp>
#include <future>
#include <optional>

#include "bench/common/sends.h"

namespace grid::bench {
namespace {

class Config : public caf::actor_system_config {
 public:
  Config() { set("scheduler.max-threads", size_t{1}); }
};

// Adds up what it is sent; a message without a number is answered with the sum.
struct Counter {
  uint64_t sum = 0;
};
caf::behavior CounterBehavior(caf::stateful_actor<Counter>* self) {
  return {[self](uint64_t by) { self->state.sum += by; },
          [self](caf::atom_value) { return self->state.sum; }};
}

class Sender : public caf::event_based_actor {
 public:
  Sender(caf::actor_config& config, caf::actor to, const Workload& workload, const Window& window,
         std::promise<Tally>* done)
      : event_based_actor(config),
        to_(std::move(to)),
        burst_(workload.inflight),
        load_(workload, window),
        done_(done) {}

  caf::behavior make_behavior() override {
    return {[this](caf::atom_value) { SendBurst(); }};
  }

 private:
  void SendBurst() {
    for (size_t i = 0; i < burst_; ++i) send(to_, uint64_t{1});
    sent_ += burst_;
    request(to_, caf::infinite, caf::atom("sum")).then([this](uint64_t sum) {
      const Clock::time_point now = Clock::now();
      if (sum != sent_) load_.Failed(absl::DataLossError("another sum"));
      load_.Arrived(now, burst_);
      if (!load_.Over(now)) return SendBurst();
      done_->set_value(load_.tally());
      quit();
    });
  }

  const caf::actor to_;
  const size_t burst_;
  uint64_t sent_ = 0;
  Load load_;
  std::promise<Tally>* const done_;
};

class CafSends final : public SendingSystem {
 public:
  const char* name() const override { return "caf_sends"; }

  absl::Status Start() override {
    system_.emplace(config_);
    return absl::OkStatus();
  }

  Tally Run(const Workload& workload, const Window& window) override {
    std::promise<Tally> done;
    const caf::actor to = system_->spawn(CounterBehavior);
    caf::anon_send(system_->spawn<Sender>(to, workload, window, &done), caf::atom("go"));
    Tally tally = done.get_future().get();
    caf::anon_send_exit(to, caf::exit_reason::user_shutdown);
    return tally;
  }

 private:
  Config config_;
  std::optional<caf::actor_system> system_;
};

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) {
  grid::bench::CafSends sends;
  return grid::bench::MainOfSends(sends, argc, argv);
}
