// TcpProxy: a link of real sockets that takes time: passes on TCP connections, each byte late by a
// fixed delay and no faster than a rate.
//
// It has a thread of its own; the object is made, used and destroyed on any one other.
//
//   testing::TcpProxy proxy({.delay = 25ms, .bytes_per_second = 100'000'000});
//   options.local = "http://" + proxy.address();    // what the peers dial
//   ...
//   proxy.Forward(*manager.Listen("127.0.0.1:0"));  // where it really listens
//
// The end of either direction, once all before it was passed on, closes the whole connection. Each
// direction of each connection holds at most `queue_bytes`; whoever sends more waits, as TCP
// waits. So a rate is reached only with a queue of rate times delay and more.
#ifndef GRID_GRID_TESTING_TCP_PROXY_H_
#define GRID_GRID_TESTING_TCP_PROXY_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace grid::testing {

struct TcpProxyOptions {
  std::chrono::microseconds delay{0};  // in each direction
  uint64_t bytes_per_second = 0;       // in each direction of each connection; 0: no limit
  size_t queue_bytes = size_t{16} << 20;
};

class TcpProxy {
 public:
  // Listens on a port of 127.0.0.1 that was free; throws boost::system::system_error when it can't.
  explicit TcpProxy(const TcpProxyOptions& options);
  // Closes all its connections.
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  // "127.0.0.1:4711".
  const std::string& address() const;
  // Where connections are passed on to from now on: a port of 127.0.0.1. Until it is called they
  // are closed at once.
  void Forward(uint16_t port);
  // Ends all connections there are.
  void CloseConnections();

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace grid::testing

#endif  // GRID_GRID_TESTING_TCP_PROXY_H_
