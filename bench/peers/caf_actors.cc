// CAF: requests to a remote actor that answers with what it gets, each a message with one string.
//
// As its options are, but for one thread of its scheduler on each side, where there is one core.
#include <algorithm>
#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "bench/common/address.h"
#include "bench/common/load.h"
#include "bench/common/program.h"
#include "bench/common/stop.h"

namespace grid::bench {
namespace {

class Config : public caf::actor_system_config {
 public:
  Config() {
    load<caf::io::middleman>();
    set("scheduler.max-threads", size_t{1});
  }
};

caf::behavior Echo() {
  return {[](std::string& text) { return std::move(text); }};
}

// The actor that asks: keeps the requests in flight, and tells when it is done.
class Asker : public caf::event_based_actor {
 public:
  Asker(caf::actor_config& config, caf::actor echo, const Workload& workload, const Window& window,
        std::promise<Tally>* done)
      : event_based_actor(config),
        echo_(std::move(echo)),
        inflight_(workload.inflight),
        payload_(workload.size, 'x'),
        load_(workload, window),
        done_(done) {}

  caf::behavior make_behavior() override {
    return {[this](caf::atom_value) {
      waiting_ = false;
      Fill();
    }};
  }

 private:
  void Fill() {
    const Clock::time_point now = Clock::now();
    while (in_flight_ < inflight_ && load_.Due(now)) Ask(load_.Begin(now));
    if (!load_.Over(now)) {
      if (in_flight_ < inflight_) Wait(now);
    } else if (in_flight_ == 0 && done_ != nullptr) {
      std::exchange(done_, nullptr)->set_value(load_.tally());
    }
  }

  void Ask(Clock::time_point sent) {
    ++in_flight_;
    request(echo_, caf::infinite, payload_)
        .then(
            [this, sent](const std::string& text) {
              --in_flight_;
              if (text.size() == payload_.size()) {
                load_.Answered(sent, Clock::now());
              } else {
                load_.Failed(absl::DataLossError("an answer of another length"));
              }
              Fill();
            },
            [this](const caf::error& error) {
              --in_flight_;
              --inflight_;  // it would fail again
              load_.Failed(absl::UnavailableError(home_system().render(error)));
              Fill();
            });
  }

  // For an open loop: until the next request is due, or the end.
  void Wait(Clock::time_point now) {
    if (waiting_ || inflight_ == 0) return;
    waiting_ = true;
    const auto left = std::min(load_.due(), load_.end()) - now;
    delayed_send(this, std::max<Clock::duration>(left, Clock::duration(1)), caf::atom("due"));
  }

  const caf::actor echo_;
  size_t inflight_;
  const std::string payload_;
  Load load_;
  size_t in_flight_ = 0;
  bool waiting_ = false;
  std::promise<Tally>* done_;
};

class CafClient final : public Client {
 public:
  explicit CafClient(const Workload& workload) : workload_(workload), system_(config_) {}

  absl::Status Connect(const std::string& host, uint16_t port) {
    caf::expected<caf::actor> echo = system_.middleman().remote_actor(host, port);
    if (!echo) return absl::UnavailableError(system_.render(echo.error()));
    echo_ = *std::move(echo);
    return absl::OkStatus();
  }

  Tally Run(const Window& window) override {
    std::promise<Tally> done;
    const caf::actor asker = system_.spawn<Asker>(echo_, workload_, window, &done);
    caf::anon_send(asker, caf::atom("go"));
    Tally tally = done.get_future().get();
    caf::anon_send_exit(asker, caf::exit_reason::user_shutdown);
    return tally;
  }

 private:
  const Workload workload_;
  Config config_;
  caf::actor_system system_;
  caf::actor echo_;
};

class Caf final : public System {
 public:
  std::string name() const override { return "caf"; }
  std::set<Mode> modes() const override { return {Mode::kEcho}; }

  absl::Status Serve(const Place& place) override {
    ExitOnStop();
    const auto at = ParseEndpoint(place.address);
    if (!at.ok()) return at.status();
    Config config;
    caf::actor_system system(config);
    const auto port = system.middleman().publish(system.spawn(Echo), at->port(),
                                                 at->address().to_string().c_str());
    if (!port) return absl::UnavailableError(system.render(port.error()));
    PrintReady(place.address);
    system.await_all_actors_done();
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Client>> Connect(const Place& place,
                                                  const Workload& workload) override {
    const auto at = ParseEndpoint(place.address);
    if (!at.ok()) return at.status();
    auto client = std::make_unique<CafClient>(workload);
    absl::Status status = client->Connect(at->address().to_string(), at->port());
    if (!status.ok()) return status;
    return client;
  }
};

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) {
  grid::bench::Caf caf;
  return grid::bench::Main(caf, argc, argv);
}
