// TcpChannel: a socket with a queue of bytes at each end; what waits is sent in one call, what has
// arrived is received in one. Used by one thread.
#ifndef GRID_BENCH_PEERS_TCP_CHANNEL_H_
#define GRID_BENCH_PEERS_TCP_CHANNEL_H_

#include <boost/asio/ip/tcp.hpp>
#include <chrono>

#include "absl/status/status.h"
#include "bench/common/workload.h"
#include "bench/peers/byte_queue.h"

namespace grid::bench {

class TcpChannel {
 public:
  // Spins for `poll` before it blocks, again in every call.
  TcpChannel(boost::asio::ip::tcp::socket socket, std::chrono::nanoseconds poll);

  ByteQueue& in() { return in_; }
  ByteQueue& out() { return out_; }

  // Sends out() as far as the socket takes it, and waits until something has been added to in() or
  // it is `until`. What the socket did not take goes as soon as it does.
  absl::Status Exchange(Clock::time_point until);
  // Sends all of out(), however long that takes.
  absl::Status Flush();

 private:
  absl::Status Send(int flags);
  absl::Status Receive(int flags);
  void WaitReady(Clock::time_point now, Clock::time_point until);

  boost::asio::ip::tcp::socket socket_;
  const std::chrono::nanoseconds poll_;
  ByteQueue in_;
  ByteQueue out_;
};

}  // namespace grid::bench

#endif  // GRID_BENCH_PEERS_TCP_CHANNEL_H_
