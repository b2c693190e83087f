// bench_grid_sends: one actor sends numbers to another of the same process, as a program does: by
// Recipients, which find it by its name.
#include <CLI/CLI.hpp>
#include <boost/asio/use_future.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "bench/common/sends.h"
#include "bench/e2e/io_threads.h"
#include "grid/actor/actor_system.h"
#include "grid/base/log.h"
#include "grid/directory/local_directory.h"
#include "grid/manager.h"

namespace grid::bench {
namespace {

constexpr MessageType<uint64_t> kAdd{"bench.add"};
constexpr MessageType<NoPayload, uint64_t> kSum{"bench.sum"};
constexpr MessageType<NoPayload> kGo{"bench.go"};

Selector Named(const char* name) { return Selector::Of({*Name::Parse(name)}); }

class Counter final : public Actor {
 public:
  Counter() {
    On(kAdd, [this](uint64_t by, ActorContext&) {
      sum_ += by;
      return absl::OkStatus();
    });
    On(kSum, [this](NoPayload, ActorContext&) -> absl::StatusOr<uint64_t> { return sum_; });
  }

 private:
  uint64_t sum_ = 0;
};

class Sender final : public Actor {
 public:
  // `tally` is filled by the time kGo is answered.
  Sender(Recipients to, Recipients asked, const Workload& workload, const Window& window,
         Tally& tally)
      : to_(std::move(to)),
        asked_(std::move(asked)),
        burst_(workload.inflight),
        load_(workload, window),
        tally_(tally) {
    On(kGo, [this](NoPayload, ActorContext&) { return Run(); });
  }

 private:
  asio::awaitable<absl::Status> Run() {
    Clock::time_point now = Clock::now();
    uint64_t sent = 0;
    absl::StatusOr<Answer<uint64_t>> sum = absl::UnknownError("no time");
    while (!load_.Over(now)) {
      for (size_t i = 0; i < burst_; ++i) {
        to_.Send(kAdd, 1, [this](const absl::Status& status) {
          if (!status.ok()) load_.Failed(status);
        });
      }
      sent += burst_;
      sum = co_await asked_.Call(kSum, {});
      now = Clock::now();
      if (!sum.ok()) load_.Failed(sum.status());
      load_.Arrived(now, burst_);
    }
    // Not earlier: the first of all, which wait for the directory, may come behind the question.
    if (sum.ok() && sum->value != sent) load_.Failed(absl::DataLossError("another sum"));
    tally_ = load_.tally();
    co_return absl::OkStatus();
  }

  const Recipients to_;
  const Recipients asked_;  // the same actor
  const size_t burst_;
  Load load_;
  Tally& tally_;
};

class GridSends final : public SendingSystem {
 public:
  const char* name() const override { return "grid_sends"; }

  void AddFlags(CLI::App& app) override {
    const std::map<std::string, Acknowledgement> levels = {
        {"accepted", Acknowledgement::kAccepted},
        {"delivered", Acknowledgement::kDelivered},
        {"processed", Acknowledgement::kProcessed}};
    app.add_option("--acknowledge", acknowledge_, "what each send waits for")
        ->transform(CLI::CheckedTransformer(levels));
  }

  absl::Status Start() override {
    ManagerOptions options;
    options.local = kSelf;
    options.log = NullLog();
    options.io_contexts = {&threads_.at(0)};
    manager_ = std::make_unique<Manager>(std::move(options));
    table_ = std::make_unique<LocalDirectory>(LocalDirectoryOptions{.io = &threads_.at(0)});
    DirectoryOptions member;
    member.io = &threads_.at(0);
    member.member = kSelf;
    auto names = table_->Join(std::move(member));
    if (!names.ok()) return names.status();
    names_ = *std::move(names);
    auto system = ActorSystem::Make(*manager_, *names_,
                                    {.io = &threads_.at(0), .threads = 0, .log = NullLog()});
    if (!system.ok()) return system.status();
    system_ = *std::move(system);
    absl::Status status = manager_->Start();
    status.Update(StartActor("bench/counter/1", [] { return std::make_unique<Counter>(); }));
    return status;
  }

  Tally Run(const Workload& workload, const Window& window) override {
    CallPolicy policy;
    policy.acknowledge = acknowledge_;
    Tally tally;
    absl::Status status = StartActor("bench/sender/1", [&] {
      const Selector counter = Named("bench/counter/1");
      return std::make_unique<Sender>(system_->To(counter, {}, policy), system_->To(counter),
                                      workload, window, tally);
    });
    const Recipients sender = system_->To(Named("bench/sender/1"));
    if (status.ok()) status = sender.Send(kGo, {}, asio::use_future).get();
    if (tally.first_error.ok()) tally.first_error = status;
    return tally;
  }

 private:
  static constexpr const char* kSelf = "http://127.0.0.1:1";

  absl::Status StartActor(const char* name, ActorFactory factory) {
    ActorOptions options;
    options.mailbox.capacity = 1'000'000;  // any burst
    return system_->Start(*Name::Parse(name), std::move(factory), options, asio::use_future)
        .get()
        .status();
  }

  Acknowledgement acknowledge_ = CallPolicy().acknowledge;
  IoThreads threads_{1};
  std::unique_ptr<Manager> manager_;
  std::unique_ptr<LocalDirectory> table_;
  std::unique_ptr<Directory> names_;
  std::unique_ptr<ActorSystem> system_;
};

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) {
  grid::bench::GridSends sends;
  return grid::bench::MainOfSends(sends, argc, argv);
}
