// BeastSession: batches over a Beast WebSocket, set up to be as fast as Beast is. A message may
// have a frame to itself, or share it with whatever was ready when the last write ended (group
// commit).
//
// Used by the one thread that runs its io_context; keeps itself alive while something is under way.
#ifndef GRID_BENCH_PEERS_BEAST_SESSION_H_
#define GRID_BENCH_PEERS_BEAST_SESSION_H_

#include <boost/beast/websocket/stream.hpp>
#include <cstddef>
#include <memory>

#include "bench/peers/buffered_socket.h"
#include "bench/peers/byte_queue.h"

namespace grid::bench {

enum class Framing { kOnePerMessage, kPacked };

class BeastSession : public std::enable_shared_from_this<BeastSession> {
 public:
  BeastSession(BufferedSocket::Socket socket, Framing framing);
  virtual ~BeastSession() = default;
  BeastSession(const BeastSession&) = delete;
  BeastSession& operator=(const BeastSession&) = delete;

  // One of them, first; they block.
  boost::system::error_code Accept();
  boost::system::error_code Handshake();

  // Begins to read.
  void Start() { Read(); }
  // Messages to be written, as batch.h has them; Flush sees to it. While a write is under way, or
  // more input is at hand that may add to them, they wait and go together.
  ByteQueue& out() { return out_; }
  void Flush();

 protected:
  // More has come. What is used is to be consumed; messages may be in two parts.
  virtual void OnBytes(ByteQueue& in) = 0;
  // All of out() has been written.
  virtual void OnSent() {}
  virtual void OnEnd(const boost::system::error_code&) {}

 private:
  void Read();
  void Write();
  size_t NextFrame() const;

  boost::beast::websocket::stream<BufferedSocket, false> ws_;
  const Framing framing_;
  ByteQueue in_;
  ByteQueue out_;
  ByteQueue writing_;  // what is being written; out_ fills meanwhile
  bool busy_ = false;
};

}  // namespace grid::bench

#endif  // GRID_BENCH_PEERS_BEAST_SESSION_H_
