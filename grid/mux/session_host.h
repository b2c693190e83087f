// What a session needs from, and tells, the world around it: the callbacks of calls, streams and
// handlers.
//
// All are called on the session's thread, from inside a call to the session. They may call the
// session again (start, answer, cancel), but must neither shut it down nor destroy it.
#ifndef GRID_GRID_MUX_SESSION_HOST_H_
#define GRID_GRID_MUX_SESSION_HOST_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "grid/base/clock.h"
#include "grid/mux/counters.h"
#include "handlers/handler_table.h"
#include "handlers/pending_call.h"
#include "handlers/priority.h"
#include "serialization/bytes.h"
#include "serialization/metadata.h"
#include "serialization/trace_context.h"
#include "serialization/zstd_codec.h"

namespace grid {

struct ClientMux;
struct StreamMux;

// Receives what happens on one stream, at either end.
class StreamSink {
 public:
  // One message; holds a credit of the peer's until Session::Consumed.
  virtual void OnData(BytesView payload) = 0;
  // A part of one, on a stream that is read in pieces; the credit is given back with the last.
  virtual void OnPiece(BytesView, bool /*last*/) {}
  // Handler's end: the caller sends nothing more.
  virtual void OnEof() = 0;
  // Send may succeed again after it returned kNoCredit.
  virtual void OnSendable() = 0;
  // The side that serves the stream has begun to drain: it goes on, and should come to an end.
  // At most once.
  virtual void OnDraining() {}
  // The stream is over; nothing else follows. Caller's end: OK when the peer ended it without
  // error; the StreamMux is gone. Handler's end: never OK; the StreamMux stays valid until
  // Session::Finish.
  virtual void OnEnd(const absl::Status& status) = 0;

 protected:
  ~StreamSink() = default;
};

// What is said of a call besides its payload (the extension `meta`).
struct CallMeta {
  TraceContext trace = {};
  MetadataView metadata = {};

  bool empty() const { return !trace && metadata.empty(); }
};
inline const CallMeta kNoMeta;

struct InboundRequest {
  uint64_t mux_id = 0;
  uint32_t seq = 0;
  TimePoint deadline;
  BytesView payload;                       // valid during the call
  Priority priority = Priority::kDefault;  // of the answer
  // The payload still is compressed, and has passed ZstdCodec::Check: only for a handler that runs
  // on a worker, which decompresses it there.
  Compressed compressed = {};
  CallMeta meta = {};  // its views are valid during the call
};

struct InboundStream {
  StreamMux* mux = nullptr;   // valid until Session::Finish
  TimePoint deadline;         // TimePoint::max() for none
  BytesView initial;          // valid during the call
  bool input_closed = false;  // the caller sends nothing
  CallMeta meta = {};         // its views are valid during the call
};

// A request that is being served; made by the host, opaque to the session.
struct RunningRequest {};

class SessionHost {
 public:
  // The outcome of a call that Session::StartCall has begun: one of the two, once, unless
  // Session::CancelCall gives it back. The session knows nothing of it any more.
  virtual void OnReply(PendingCall* call, BytesView payload) = 0;  // nil and empty differ
  virtual void OnCallFailed(PendingCall* call, const absl::Status& status) = 0;

  enum class Admit { kAnswered, kPending, kRefused };

  // Runs the handler of a request. kAnswered: Session::Answer was called already. kPending: it will
  // be, later; *running then identifies the request in OnRequestCancelled. kRefused: no room to run
  // it; the session tells the caller.
  virtual Admit OnRequest(const HandlerEntry& entry, const InboundRequest& request,
                          RunningRequest** running) = 0;
  // Nobody waits for the answer any more. It is to be given all the same (and dropped).
  virtual void OnRequestCancelled(RunningRequest* running, const absl::Status& why) = 0;

  // We have begun to drain: the request goes on. At most once.
  virtual void OnRequestDraining(RunningRequest*) {}
  // The peer has begun to drain: it takes no new calls. At most once.
  virtual void OnPeerDraining() {}

  // Runs the handler of a stream, which must end in Session::Finish. Null: no room to run it.
  virtual StreamSink* OnStream(const HandlerEntry& entry, const InboundStream& stream) = 0;

  // The connection can't go on. The session ignores all further input; the host closes the
  // transport and calls Session::Shutdown, later. Nothing of the session may be called from inside
  // this one: it may come from the middle of any other.
  virtual void OnSessionEnd(SessionEnd why, std::string_view detail) = 0;

 protected:
  ~SessionHost() = default;
};

}  // namespace grid

#endif  // GRID_GRID_MUX_SESSION_HOST_H_
