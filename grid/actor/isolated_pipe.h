// IsolatedPipe: what the process of an isolated actor and its parent say to each other, over a
// socketpair: frames, each a header and the bytes of a message.
//
//   uint32 size of all that follows | uint32 size of the header | header, MessagePack | payload
//
// Little-endian; both ends are the same program. Times are those of the machine's steady clock,
// which is the same for both.
//
// Internal to grid/actor.
#ifndef GRID_GRID_ACTOR_ISOLATED_PIPE_H_
#define GRID_GRID_ACTOR_ISOLATED_PIPE_H_

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "grid/actor/letter.h"
#include "grid/actor/start_protocol.h"
#include "grid/base/clock.h"
#include "serialization/buffer.h"
#include "serialization/messagepack.h"

namespace grid::internal {

namespace asio = boost::asio;

struct IsolatedFrame {
  enum What : uint8_t {
    kStart = 0,    // to the process, first: start, epoch, time (of the lease), the caller's
                   // process, settings
    kStarted = 1,  // from it: the outcome
    kLetter = 2,   // to it: id, the sender, time (the deadline); the message is the payload
    kCancel = 3,   // to it: id
    kAnswer = 4,   // from it: id, the outcome; the answer is the payload
    kLease = 5,    // to it: time, until when the lease holds
    kStop = 6,     // to it: the actor stops after what it handles
    kStopped = 7,  // from it, last: why
  };
  uint8_t what = kStart;
  uint64_t id = 0;
  StartMessage start = {};
  std::map<std::string, std::string> settings = {};
  uint64_t epoch = 0;
  int64_t time = 0;              // ns
  uint64_t max_frame_bytes = 0;  // of kStart: what the host takes
  // Of a letter.
  uint32_t type_bytes = 0;
  bool nil = false;  // no payload, or no body
  std::string host = {}, address = {}, tls_subject = {}, actor = {};
  bool client = false;
  std::vector<uint64_t> published = {};  // WirePublication
  // An outcome.
  int32_t code = 0;
  std::string text = {};
  uint8_t delivery = 0;
  MSGPACK_DEFINE_MAP(what, id, start, settings, epoch, time, max_frame_bytes, type_bytes, nil, host,
                     address, tls_subject, actor, client, published, code, text, delivery);
};

// A status in the fields of an outcome, and back.
void SetStatus(const absl::Status& status, IsolatedFrame& frame);
absl::Status StatusOf(const IsolatedFrame& frame);
int64_t ToWire(TimePoint time);
TimePoint FromWire(int64_t time);
// The process that has sent something.
void SetCaller(const Caller& caller, IsolatedFrame& frame);
Caller CallerOf(const IsolatedFrame& frame);

// One end. On the thread of `io`.
class IsolatedPipe final : public std::enable_shared_from_this<IsolatedPipe> {
 public:
  using FrameFunction = absl::AnyInvocable<void(IsolatedFrame frame, Buffer payload)>;
  using EndFunction = absl::AnyInvocable<void()>;

  // `fd` is a connected socket, and becomes ours.
  IsolatedPipe(asio::io_context& io, int fd, size_t max_frame_bytes);

  // `on_end` is called once, when the other end is gone or says what can't be read; not after
  // Close.
  void Start(FrameFunction on_frame, EndFunction on_end);
  void SetMaxFrameBytes(size_t max_frame_bytes) { max_frame_bytes_ = max_frame_bytes; }
  // kResourceExhausted: larger than a frame may be; nothing is sent.
  absl::Status Send(const IsolatedFrame& frame, BytesView payload = {});
  // Runs `function` once all that was sent is with the kernel.
  void WhenSent(EndFunction function);
  void Close();

 private:
  static constexpr size_t kPrefix = 8;

  void ReadPrefix();
  void ReadRest(size_t size, size_t header_size);
  void Write();
  void End();

  asio::local::stream_protocol::socket socket_;
  size_t max_frame_bytes_;
  FrameFunction on_frame_;
  EndFunction on_end_;  // null once it was called, or closed
  std::array<uint8_t, kPrefix> prefix_{};
  Buffer rest_;
  std::deque<Buffer> output_;  // the first is being written
  EndFunction when_sent_;
  bool closed_ = false;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ISOLATED_PIPE_H_
