// bench_grid: the library itself, two processes.
#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "bench/common/address.h"
#include "bench/common/program.h"
#include "bench/common/stop.h"
#include "bench/e2e/grid_actors.h"
#include "bench/e2e/grid_client.h"
#include "bench/e2e/grid_place.h"
#include "bench/e2e/grid_server.h"
#include "bench/e2e/io_threads.h"
#include "grid/base/log.h"
#include "grid/manager.h"

namespace grid::bench {
namespace {

class GridSystem final : public System {
 public:
  std::string name() const override { return "grid"; }
  bool polls() const override { return true; }

  void AddServeFlags(CLI::App& serve) override {
    AddThreads(serve);
    serve.add_option("--workers", workers_, "threads for handlers that may block")
        ->check(CLI::Range(1, 4096));
  }

  void AddRunFlags(CLI::App& run) override {
    AddThreads(run);
    const std::map<std::string, HandlerKind> kinds = {{"io", HandlerKind::kIo},
                                                      {"worker", HandlerKind::kWorker},
                                                      {"typed", HandlerKind::kTyped},
                                                      {"actor", HandlerKind::kActor}};
    run.add_option(
           "--handler", handler_,
           "what serves: bytes on the I/O thread (io) or on a worker (worker); for requests "
           "also a typed handler (typed), or an actor (actor)")
        ->transform(CLI::CheckedTransformer(kinds));
    run.add_option("--peers", peers_,
                   "servers to spread the load over, at ADDRESS and the ports that follow")
        ->check(CLI::Range(1, 1000));
    run.add_option("--bulk", bulk_bytes_,
                   "send requests of so many bytes beside the load, on the same connections, as "
                   "fast as they are answered; they are not counted");
    run.add_option("--fragments", fragment_bytes_, "bytes of a fragment; 0: none");
  }

  absl::Status Serve(const Place& place) override {
    BlockStop();
    IoThreads threads(io_threads_,
                      std::chrono::duration_cast<std::chrono::microseconds>(place.poll));
    ManagerOptions options;
    options.local = ServerName(place.address);
    options.log = NullLog();
    for (int i = 0; i < io_threads_; ++i) options.io_contexts.push_back(&threads.at(i));
    options.worker_threads = workers_;
    options.sockets = sockets_;
    Manager manager(std::move(options));
    absl::Status status = RegisterBenchHandlers(manager);
    status.Update(manager.AddPeer(ClientName(manager.local())));
    const auto actors = ActorNode::Make(manager, manager.local(), threads.at(0));
    status.Update(actors.status());
    status.Update(manager.Start());
    if (status.ok()) status = (*actors)->StartEcho();
    if (!status.ok()) return status;
    if (const auto port = manager.Listen(place.address); !port.ok()) return port.status();
    PrintReady(place.address);
    WaitForStop();
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Client>> Connect(const Place& place,
                                                  const Workload& workload) override {
    const auto first = ParseEndpoint(place.address);
    if (!first.ok()) return first.status();
    GridClientOptions options{
        .handler = handler_,
        .io_threads = io_threads_,
        .poll = std::chrono::duration_cast<std::chrono::microseconds>(place.poll),
        .bulk_bytes = bulk_bytes_,
        .sockets = sockets_,
        .fragment_bytes = fragment_bytes_};
    for (int i = 0; i < peers_; ++i) {
      options.addresses.push_back(
          absl::StrCat(first->address().to_string(), ":", first->port() + i));
    }
    return GridClient::Connect(options, workload);
  }

 private:
  void AddThreads(CLI::App& command) {
    command.add_option("--io-threads", io_threads_, "threads that own connections")
        ->check(CLI::Range(1, 256));
    command.add_option_function<int>(
        "--socket-buffer",
        [this](int bytes) {
          sockets_.send_buffer_bytes = bytes;
          sockets_.receive_buffer_bytes = bytes;
        },
        "bytes of the kernel's buffers, in each direction; 0: the system's");
    command.add_option("--no-delay", sockets_.no_delay, "TCP_NODELAY, 1 or 0");
    command.add_option("--unsent", sockets_.unsent_bytes, "TCP_NOTSENT_LOWAT, in bytes; 0: none");
    command.add_flag("--quick-ack", sockets_.quick_ack, "TCP_QUICKACK");
    command.add_option("--congestion", sockets_.congestion_control, "TCP_CONGESTION, as cubic");
  }

  int io_threads_ = 1;
  int workers_ = 8;
  int peers_ = 1;
  size_t bulk_bytes_ = 0;
  SocketOptions sockets_;
  uint32_t fragment_bytes_ = ExtensionOptions().fragment_bytes;
  HandlerKind handler_ = HandlerKind::kIo;
};

}  // namespace
}  // namespace grid::bench

int main(int argc, char** argv) {
  grid::bench::GridSystem grid;
  return grid::bench::Main(grid, argc, argv);
}
