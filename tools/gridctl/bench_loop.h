// BenchLoop: keeps a number of requests or stream messages in flight over one connection, and
// measures them: the closed loop of `gridctl bench`.
//
// Everything but the constructor and Result runs on the connection's I/O thread, which is the one
// thread that runs `io`.
#ifndef GRID_TOOLS_GRIDCTL_BENCH_LOOP_H_
#define GRID_TOOLS_GRIDCTL_BENCH_LOOP_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "grid/connection.h"
#include "tools/common/histogram.h"

namespace grid::tools {

struct BenchOptions {
  HandlerId handler{78};
  int inflight = 1;
  size_t size = 0;        // payload bytes
  uint32_t capacity = 1;  // streams: the handler's, both ways
};

// What happened in the measured time.
struct BenchCounts {
  uint64_t requests = 0;  // answered, or stream messages received
  uint64_t errors = 0;
  uint64_t bytes = 0;  // of payload, both directions
  LatencyHistogram latency;
  absl::Status first_error;
};

class BenchLoop {
 public:
  using Clock = std::chrono::steady_clock;

  struct Window {
    Clock::time_point begin;
    Clock::time_point end;
  };

  virtual ~BenchLoop() = default;
  // Starts everything; what is completed inside the window counts. Nothing new is begun after its
  // end, and `done` is called once when nothing is in flight any more.
  virtual void Start(Window window, std::function<void()> done) = 0;
  // After `done`.
  const BenchCounts& counts() const { return counts_; }

 protected:
  void CountAnswer(Window window, Clock::time_point sent, Clock::time_point now, size_t bytes) {
    if (now < window.begin || now >= window.end) return;
    ++counts_.requests;
    counts_.bytes += bytes;
    counts_.latency.Record(now - sent);
  }
  void CountError(const absl::Status& status) {
    ++counts_.errors;
    if (counts_.first_error.ok()) counts_.first_error = status;
  }

 private:
  BenchCounts counts_;
};

// `inflight` single requests; the answers must be as long as the payload.
std::unique_ptr<BenchLoop> MakeEchoLoop(boost::asio::io_context& io, Connection peer,
                                        const BenchOptions& options);
// Two-way streams with together `inflight` messages in flight, at most `capacity` each.
std::unique_ptr<BenchLoop> MakeStreamLoop(Connection peer, const BenchOptions& options);
// Streams that the peer fills: `inflight` is the sum of their capacities. The latency is the time
// between one message of a stream and the next; the payloads are the handler's.
std::unique_ptr<BenchLoop> MakeOneWayLoop(Connection peer, const BenchOptions& options);

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDCTL_BENCH_LOOP_H_
