#include <malloc.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/e2e/grid_place.h"
#include "bench/e2e/idle.h"
#include "grid/base/log.h"
#include "grid/manager.h"

namespace grid::bench {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr HandlerId kKeep{9};
// Opened in one go, between which the other end gets its turn.
constexpr size_t kChunk = 256;

// Two managers with one connection, on one thread.
class Pair {
 public:
  Pair(size_t streams, uint16_t port) {
    const std::string server = absl::StrCat("http://127.0.0.1:", port);
    server_ = Make(server, streams);
    client_ = Make(ClientName(server), streams);
  }
  ~Pair() {
    opened_.clear();
    kept_.clear();
    size_t running = 2;
    server_->StopAsync([&running] { --running; });
    client_->StopAsync([&running] { --running; });
    while (running > 0) io_.run_one();
  }

  absl::Status Connect(uint16_t port) {
    absl::Status status =
        server_->RegisterStream({.id = kKeep, .in_capacity = 1, .out_capacity = 1},
                                StreamStarter([this](Stream stream, RequestContext&) {
                                  kept_.push_back(std::move(stream));
                                }));
    status.Update(server_->AddPeer(client_->local()));
    status.Update(client_->AddPeer(server_->local()));
    status.Update(server_->Start());
    status.Update(client_->Start());
    if (!status.ok()) return status;
    if (auto listening = server_->Listen(absl::StrCat("127.0.0.1:", port)); !listening.ok()) {
      return listening.status();
    }
    peer_ = client_->Connection(server_->local());
    return RunUntil([this] { return peer_.state() == ConnectionState::kConnected; });
  }

  absl::Status Open(size_t count) {
    opened_.reserve(count);
    kept_.reserve(count);
    absl::Status status;
    while (status.ok() && opened_.size() < count) {
      boost::asio::post(io_, [&] {
        for (size_t i = 0; i < kChunk && status.ok() && opened_.size() < count; ++i) {
          auto stream =
              peer_.OpenStream(kKeep, {}, {.has_input = true, .in_capacity = 1, .out_capacity = 1});
          status = stream.status();
          if (stream.ok()) opened_.push_back(*std::move(stream));
        }
      });
      const size_t before = opened_.size();
      while (status.ok() && opened_.size() == before) io_.run_one();
      status.Update(RunUntil([this] { return kept_.size() == opened_.size(); }));
    }
    return status;
  }

  absl::Status Close() {
    // The caller's end cancels; the handler's end is over once its handle has gone as well.
    boost::asio::post(io_, [this] { std::vector<Stream>().swap(opened_); });
    absl::Status status = RunUntil([this] { return client_->Stats().total.outgoing_streams == 0; });
    boost::asio::post(io_, [this] { std::vector<Stream>().swap(kept_); });
    status.Update(RunUntil([this] { return server_->Stats().total.incoming_streams == 0; }));
    return status;
  }

 private:
  std::unique_ptr<Manager> Make(const std::string& name, size_t streams) {
    ManagerOptions options;
    options.local = name;
    options.log = NullLog();
    options.io_contexts = {&io_};
    options.worker_executor = io_.get_executor();
    options.limits.max_inflight = static_cast<uint32_t>(streams) + 1;
    return std::make_unique<Manager>(std::move(options));
  }

  template <typename Condition>
  absl::Status RunUntil(Condition reached) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!reached()) {
      io_.run_one_for(std::chrono::milliseconds(10));
      if (std::chrono::steady_clock::now() >= end) {
        return absl::DeadlineExceededError("the other end did not follow");
      }
    }
    return absl::OkStatus();
  }

  boost::asio::io_context io_{1};
  std::vector<Stream> opened_;
  std::vector<Stream> kept_;
  std::unique_ptr<Manager> server_;
  std::unique_ptr<Manager> client_;
  Connection peer_;
};

}  // namespace

absl::StatusOr<std::string> MeasureStreams(size_t count, uint16_t port) {
  Pair pair(count, port);
  absl::Status status = pair.Connect(port);
  // Whatever is made once, and kept, is not a stream's.
  if (status.ok()) status = pair.Open(1);
  if (status.ok()) status = pair.Close();
  if (!status.ok()) return status;
  const int64_t before = ResidentBytes();
  status = pair.Open(count);
  if (!status.ok()) return status;
  const int64_t open = ResidentBytes();
  status = pair.Close();
  if (!status.ok()) return status;
  const int64_t closed = ResidentBytes();
  malloc_trim(0);
  const int64_t trimmed = ResidentBytes();
  // What was not given back should serve the next ones.
  status = pair.Open(count);
  if (!status.ok()) return status;
  const int64_t again = ResidentBytes();
  const auto each = static_cast<int64_t>(count);
  return absl::StrCat("{\"system\":\"idle\",\"streams\":", count,
                      ",\"bytes_per_stream\":", (open - before) / each,
                      ",\"bytes_per_stream_closed\":", (closed - before) / each,
                      ",\"bytes_per_stream_trimmed\":", (trimmed - before) / each,
                      ",\"bytes_per_stream_reopened\":", (again - before) / each, "}\n");
}

}  // namespace grid::bench
