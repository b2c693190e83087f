// bench_mesh: a full mesh of managers in one process and one I/O thread, everybody asking everybody
// over loopback.
//
//   bench_mesh --managers 16 --inflight 256 --size 512 --duration 2s
#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/common/cpu_meter.h"
#include "bench/common/flags.h"
#include "bench/common/load.h"
#include "bench/common/report.h"
#include "bench/e2e/batch_clock.h"
#include "bench/e2e/grid_place.h"
#include "bench/e2e/grid_server.h"
#include "grid/base/log.h"
#include "grid/manager.h"
#include "tools/common/command_line.h"
#include "tools/common/handler_memory.h"

namespace grid::bench {
namespace {

constexpr char kProgram[] = "bench_mesh";
constexpr std::chrono::seconds kConnect{30};

struct Flags {
  size_t managers = 4;
  uint16_t port = 9700;
  Workload workload{.inflight = 64,
                    .warm_up = std::chrono::milliseconds(500),
                    .duration = std::chrono::seconds(2)};
};

class Mesh {
 public:
  explicit Mesh(const Flags& flags) : workload_(flags.workload), payload_(workload_.size, 'x') {
    for (size_t i = 0; i < flags.managers; ++i) {
      ManagerOptions options;
      options.local = absl::StrCat("http://127.0.0.1:", flags.port + i);
      options.log = NullLog();
      options.limits.max_inflight = 1'000'000;  // what --inflight may be, if there is one pair only
      options.limits.max_output_bytes = size_t{1} << 30;
      options.io_contexts = {&io_};
      options.worker_executor = io_.get_executor();  // there is nothing for workers to do
      managers_.push_back(std::make_unique<Manager>(std::move(options)));
    }
  }

  // A manager on our own thread can't be waited for, so all are told first.
  ~Mesh() {
    size_t running = managers_.size();
    for (const auto& manager : managers_) manager->StopAsync([&running] { --running; });
    while (running > 0) io_.run_one();
  }

  absl::Status Connect() {
    for (const auto& manager : managers_) {
      if (absl::Status status = Start(*manager); !status.ok()) return status;
    }
    const Clock::time_point end = Clock::now() + kConnect;
    for (const Connection& pair : pairs_) {
      while (pair.state() != ConnectionState::kConnected) {
        if (io_.run_one_until(end) == 0) return absl::DeadlineExceededError("no full mesh");
      }
    }
    return absl::OkStatus();
  }

  Tally Run(const Window& window) {
    Load load(workload_, window);
    load_ = &load;
    slots_ = std::vector<Slot>(workload_.inflight);
    boost::asio::post(io_, [this] {
      for (size_t i = 0; i < slots_.size(); ++i) {
        slots_[i].mesh = this;
        slots_[i].pair = i % pairs_.size();
        Issue(slots_[i], clock_.Now());
      }
    });
    do {
      io_.run_one();
    } while (in_flight_ > 0 || !load.Over(Clock::now()));
    return load.tally();
  }

 private:
  // Room for one request in flight. It goes round all pairs, since there may be more of these.
  struct Slot {
    Mesh* mesh = nullptr;
    size_t pair = 0;
    Clock::time_point sent;
    tools::HandlerMemory memory;
  };
  struct Completion {
    using allocator_type = tools::HandlerAllocator<void>;
    allocator_type get_allocator() const { return allocator_type(&slot->memory); }
    void operator()(const absl::StatusOr<Buffer>& reply) const {
      slot->mesh->OnReply(*slot, reply);
    }
    Slot* slot;
  };

  absl::Status Start(Manager& manager) {
    absl::Status status = RegisterBenchHandlers(manager);
    for (const auto& other : managers_) {
      if (other.get() == &manager) continue;
      status.Update(manager.AddPeer(other->local()));
      pairs_.push_back(manager.Connection(other->local()));
    }
    status.Update(manager.Start());
    if (!status.ok()) return status;
    return manager.Listen(manager.local().substr(std::string("http://").size())).status();
  }

  void Issue(Slot& slot, Clock::time_point now) {
    slot.sent = load_->Begin(now);
    ++in_flight_;
    pairs_[slot.pair].StartRequest(EchoId(HandlerKind::kIo), AsBytes(payload_), {},
                                   ReplyHandler(Completion{&slot}));
  }

  void OnReply(Slot& slot, const absl::StatusOr<Buffer>& reply) {
    const Clock::time_point now = clock_.Now();
    --in_flight_;
    if (!reply.ok() || reply->size() != payload_.size()) {
      return load_->Failed(reply.ok() ? absl::DataLossError("an answer of another length")
                                      : reply.status());
    }
    load_->Answered(slot.sent, now);
    slot.pair = (slot.pair + slots_.size()) % pairs_.size();
    if (load_->Due(now)) Issue(slot, now);
  }

  const Workload workload_;
  const std::string payload_;
  std::vector<Slot> slots_;
  Load* load_ = nullptr;
  size_t in_flight_ = 0;
  boost::asio::io_context io_{1};
  BatchClock clock_{io_};
  std::vector<std::unique_ptr<Manager>> managers_;
  std::vector<Connection> pairs_;  // by who asks, then by whom
};

int Run(int argc, char** argv) {
  CLI::App app("A full mesh in one process; prints one line of JSON.", kProgram);
  Flags flags;
  Workload& workload = flags.workload;
  app.add_option("--managers", flags.managers, "nodes of the mesh")->check(CLI::Range(2, 64));
  app.add_option("--port", flags.port, "where the first listens; the others on those that follow");
  app.add_option("--inflight", workload.inflight, "requests in flight, all pairs together")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--size", workload.size, "bytes of payload")
      ->check(CLI::Range(size_t{0}, size_t{16} << 20));
  AddDurationFlag(app, "--duration", &workload.duration, "measured time, as 2s (the default)");
  AddDurationFlag(app, "--warm-up", &workload.warm_up, "before it, as 500ms (the default)");
  if (const auto parsed = tools::ParseArguments(app, argc, argv); !parsed.go()) {
    return parsed.status();
  }

  Mesh mesh(flags);
  if (absl::Status status = mesh.Connect(); !status.ok()) {
    tools::PrintError(kProgram, status.ToString());
    return tools::kExitFailure;
  }
  const Window window = WindowFrom(Clock::now(), workload);
  CpuMeter cpu(window, std::nullopt);
  const Tally tally = mesh.Run(window);
  std::fputs(FormatReport("mesh", workload, tally, cpu.Finish(),
                          absl::StrCat(",\"managers\":", flags.managers))
                 .c_str(),
             stdout);
  if (tally.errors == 0) return 0;
  tools::PrintError(kProgram, tally.first_error.ToString());
  return tools::kExitFailure;
}

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) { return grid::bench::Run(argc, argv); }
