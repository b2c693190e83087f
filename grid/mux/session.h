// Session: one end of one established connection, as a state machine without I/O.
//
// Messages in (OnMessage), batches of messages out (StartWrite / FinishWrite), the time as an
// argument. It keeps calls, streams, credits, keep-alive and merging by the rules of PROTOCOL.md,
// knows no thread, no socket and no clock, and allocates nothing per message once warm. What it
// completes, it completes through the plain callbacks of session_host.h, after its own state is
// final, so they may call it again.
//
// Owned by a Link (grid/runtime), which moves the bytes; every call comes from one thread.
//
//   Session s(config, handlers, pool, host, now);
//   s.StartCall({.handler = 78, .payload = AsBytes("hi"), .deadline = now + 1s}, call, now);
//   while (s.CanStartWrite()) { transport.Write(s.StartWrite()); ... s.FinishWrite(); }
//   s.OnMessage(bytes, now);       // ... host.OnReply(call, payload)
#ifndef GRID_GRID_MUX_SESSION_H_
#define GRID_GRID_MUX_SESSION_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/mux/counters.h"
#include "grid/mux/mux_table.h"
#include "grid/mux/output_queue.h"
#include "grid/mux/rate_limit.h"
#include "grid/mux/reassembly.h"
#include "grid/mux/session_host.h"
#include "grid/mux/stream_mux.h"
#include "grid/mux/timer_wheel.h"
#include "handlers/delivery.h"
#include "handlers/handler_table.h"
#include "handlers/priority.h"
#include "handlers/stream_window.h"
#include "serialization/buffer_pool.h"
#include "serialization/control_payloads.h"
#include "serialization/extensions.h"
#include "serialization/message.h"
#include "serialization/payload_ref.h"
#include "serialization/subroute_id.h"
#include "serialization/zstd_codec.h"

namespace grid {

struct SessionConfig {
  // Set the CRC on messages: unless both hosts are https.
  bool checksums = true;
  // What both ends speak.
  Extensions extensions = {};
  std::shared_ptr<ZstdCodec> codec = nullptr;  // where they speak zstd
  size_t max_message_bytes = size_t{32} << 20;
  ReassemblyLimits reassembly = {};  // where both ends speak fragments
  size_t max_output_bytes = size_t{64} << 20;
  uint32_t max_inflight = 100'000;     // per direction; below 1 << MuxTable::kIndexBits
  uint32_t max_resets = 10'000;        // by the peer, at once,
  uint32_t resets_per_second = 1'000;  // and in the long run
  uint64_t max_window_bytes = uint64_t{256} << 20;
  std::chrono::milliseconds default_timeout{60'000};
  std::chrono::milliseconds ping_interval{10'000};
  std::chrono::milliseconds stream_ping_interval{15'000};
  // Where mux ids begin: random, per connection.
  uint32_t first_generation = 0;
  // The wall clock at the `now` of the constructor: what pings carry.
  WallTime wall_start;
};

struct CallArgs {
  uint16_t handler = 0;
  const SubrouteId* subroute = nullptr;  // already for this handler
  PayloadRef payload = {};
  TimePoint deadline = {};
  Priority priority = Priority::kDefault;
  Compressed compressed = {};  // what `payload` was; only where zstd is spoken
  const CallMeta& meta = kNoMeta;
};

struct StreamArgs {
  uint16_t handler = 0;
  const SubrouteId* subroute = nullptr;
  BytesView initial = {};
  TimePoint deadline = TimePoint::max();
  bool has_input = false;
  uint32_t in_capacity = 1;
  uint32_t out_capacity = 1;
  StreamWindow window = {};  // instead of out_capacity, where credits are spoken
  bool read_pieces = false;  // OnPiece, where fragments are spoken too
  Priority priority = Priority::kDefault;
  Compressed compressed = {};  // what `initial` was
  CallMeta meta = {};
};

class Session {
 public:
  // `handlers`, `pool`, `counters` and `host` must outlive the session.
  Session(const SessionConfig& config, const HandlerTable& handlers, BufferPool& pool,
          SessionCounters& counters, SessionHost& host, TimePoint now);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // --- The wire ---

  // One whole WebSocket message.
  void OnMessage(BytesView message, TimePoint now);
  bool CanStartWrite() const { return output_.CanStartWrite(); }
  bool ShouldWrite() const { return output_.IsRipe(calls_.size()); }
  // The answers to one WebSocket message, at an end that only answers: what the peer sent together
  // it can go on with together.
  bool ShouldAnswer() const { return calls_.size() == 0 && output_.PaysForWrite(); }
  // What waits is only large payloads: whoever writes may look after other things first.
  bool OnlyBulkWaits() const { return output_.OnlyLanesWait(); }
  MutableBytes StartWrite() { return output_.StartWrite(); }
  void FinishWrite() {
    output_.FinishWrite();
    GoOn();
  }
  // What waits for the output to become shorter. To be called after an event, too: calls that end
  // take what they had there with them.
  void GoOn() {
    if (!output_waiters_.empty()) ResumeWaiters();
    if (answer_due_) AnswerDrain();
  }

  // --- Time ---

  // When OnTimer is due; may be earlier than needed.
  TimePoint NextTimer() const { return wheel_.Next(); }
  void OnTimer(TimePoint now);

  // --- Calls ---

  // Sends a request; returns its mux id, and keeps `call`, which must not be null, until the host
  // is told its outcome or CancelCall gives it back: one that is destroyed without Shutdown tells
  // nothing. On an error (which carries its delivery class) it is not kept.
  absl::StatusOr<uint64_t> StartCall(const CallArgs& args, PendingCall* call, TimePoint now);
  // Forgets a call, tells the peer, and gives back what StartCall was given. Null when it has ended
  // already.
  PendingCall* CancelCall(uint64_t mux_id);

  // Answers a request. `running`: what OnRequest gave, or nullptr inside OnRequest. A late answer
  // is dropped.
  void Answer(const InboundRequest& request, RunningRequest* running, PayloadRef payload,
              TimePoint now, const Compressed& compressed = {});
  void AnswerError(const InboundRequest& request, RunningRequest* running,
                   const absl::Status& error, TimePoint now);
  // Instead, when the request's payload could not be decompressed: the handler has not run.
  void RefuseCompressed(const InboundRequest& request, RunningRequest* running,
                        CompressionFault fault, TimePoint now);

  // --- Streams ---

  absl::StatusOr<StreamMux*> OpenStream(const StreamArgs& args, StreamSink* sink, TimePoint now);

  enum class SendResult { kSent, kNoCredit, kTooBig, kOutputFull, kClosed, kInPieces, kNoPieces };
  // Sends one message, if there is credit. kNoCredit: OnSendable will follow. kTooBig, kOutputFull:
  // a limit (payload_limit(), max_output_bytes); nothing was sent. kClosed: after CloseSend,
  // Finish or the end. Where the extension `credits` is on, windows are large: messages wait, as
  // without credit, while they would make more than half of max_output_bytes.
  // kInPieces: this one is for SendPiece: a message has been begun there, or the peer reads in
  // pieces and it is larger than a fragment, and not compressed.
  SendResult Send(StreamMux* mux, PayloadRef payload, const Compressed& compressed = {});
  // Sends the next part of a message, its end if `last`; `*sent` bytes of `payload` have been sent
  // already, and what is sent now is added. kNoCredit: the rest, as soon as OnSendable comes.
  // kNoPieces: the peer does not read this stream in pieces.
  SendResult SendPiece(StreamMux* mux, BytesView payload, bool last, size_t* sent);
  // So many messages have been read, `bytes` of payload together: gives the peer credit for others,
  // sooner or later.
  void Consumed(StreamMux* mux, uint32_t messages, size_t bytes, TimePoint now);
  // Caller's end: nothing more follows. Idempotent.
  void CloseSend(StreamMux* mux);
  // Caller's end: gives up, tells the peer. The sink is not called; `mux` is gone.
  void CancelStream(StreamMux* mux);
  // Handler's end: it has returned. The end is sent as soon as there is a credit for it. `mux` is
  // not to be used afterwards, and the sink is not called any more.
  void Finish(StreamMux* mux, const absl::Status& status);
  // Either end: ends the stream with `status`, which must not be OK, and tells the peer. The sink
  // gets OnEnd, unless the stream is over already (handler's end).
  void Abort(StreamMux* mux, const absl::Status& status);

  // --- Draining ---

  // Takes no new calls of the peer any more (rejected), tells it so where both speak `goaway`, and
  // tells the handlers that run, which go on. `deadline`: when the connection will be closed at the
  // latest. Idempotent.
  void Drain(TimePoint deadline, TimePoint now);
  // After Drain: no call of the peer's runs or is on its way, and all answers have been written. Of
  // a peer without `goaway` calls may be on their way.
  bool Drained() const {
    return draining_ && drain_answered_ && serving_.empty() && output_.bytes() == 0;
  }
  // The peer drains: our new calls fail (rejected).
  bool peer_draining() const { return peer_draining_; }

  // --- The end ---

  // Ends every call and stream with `status` (made not-sent for calls that never left), tells
  // handlers, and refuses everything afterwards. Idempotent.
  void Shutdown(const absl::Status& status);

  // Inside OnRequest, OnReply and OnData: the payload, if it came in fragments or compressed, so
  // that it need not be copied; otherwise nil. Once. The view that came with the callback stays
  // valid while the Buffer is.
  Buffer TakePayload() { return std::move(assembled_); }

  bool ended() const { return ended_; }
  // The largest payload that can be sent, and the option that says so.
  size_t payload_limit() const {
    return config_.extensions.fragments != 0 ? config_.reassembly.max_payload_bytes
                                             : config_.max_message_bytes - kMaxMessageOverhead;
  }
  std::string_view payload_limit_name() const {
    return config_.extensions.fragments != 0 ? "max_payload_bytes" : "max_message_bytes";
  }
  size_t output_bytes() const { return output_.bytes(); }
  const SessionCounters& counters() const { return counters_; }
  // For tests: nothing is left in any table.
  bool Idle() const { return calls_.size() == 0 && serving_.empty() && reassembly_.empty(); }

 private:
  enum TimerKind : uint8_t {
    kCallDeadline,
    kRequestDeadline,
    kStreamDeadline,
    kStreamPing,
    kPing,
    kReassembly,
  };

  // A request or stream of the peer's.
  struct ServerMux {
    TimerNode deadline_timer;  // of a request
    uint64_t id = 0;
    uint32_t seq = 0;
    bool cancelled = false;  // nobody waits for the answer
    RunningRequest* running = nullptr;
    std::unique_ptr<StreamMux> stream;
  };

  // A stream that has been told to wait for room in the output; it may have ended.
  struct Waiter {
    uint64_t id;
    StreamMux::Side side;
  };

  // session.cc
  void Dispatch(BytesView bytes, bool inside_merged);
  void Process(const Message& message);
  void Handle(const Message& message);
  void Fail(SessionEnd why, std::string_view detail);
  void OnPing(const Message& message);
  void OnPong(const Message& message);
  void OnPingTimer();
  void SendPing();
  void SendPong(const Message& ping, const PongMessage& pong);
  // Completes the flags. `payload`: that of the message, if it may be taken; anything else is not
  // looked at.
  OutputQueue::Ticket Push(Message& message, Priority priority = Priority::kDefault,
                           PayloadRef payload = {});
  // With `payload`, which `compressed` tells of, and a block if that or `fields` (may be null) has
  // something to say.
  OutputQueue::Ticket PushPayload(Message& message, Priority priority, PayloadRef payload,
                                  const Compressed& compressed, ExtensionFields* fields = nullptr) {
    message.payload = payload.view();
    if (fields == nullptr && !compressed.tried()) return Push(message, priority, payload);
    return PushCompressed(message, priority, payload, compressed, fields);
  }
  OutputQueue::Ticket PushExtended(Message message, const ExtensionFields& fields,
                                   Priority priority, PayloadRef payload = {});
  void PushError(Message message, const absl::Status& error, Priority priority);
  void PushWithStatus(Message message, const absl::Status& error, Priority priority);
  absl::Status RemoteError(std::string_view text, absl::StatusCode code, Delivery delivery) const;
  bool TakeFields(Message* message);
  Message CopyOf(const Message& message) const;
  void CheckOutput();
  bool OutputAllows(size_t payload) const;
  WireTime WallAt(TimePoint at) const;
  Priority AnswerPriority(const HandlerEntry& entry) const;

  // session_calls.cc
  void OnRequest(const Message& message);
  void OnResponse(const Message& message);
  void OnMuxConnectError(const Message& message);
  void OnDisconnectClientMux(const Message& message);
  void OnDisconnectServerMux(const Message& message);
  void OnCallDeadline(ClientMux* mux);
  void OnRequestDeadline(ServerMux* mux);
  PendingCall* ForgetCall(ClientMux* mux);
  void EndCall(ClientMux* mux, const absl::Status& status);
  void SendMuxConnectError(const Message& request, const absl::Status& why,
                           Priority priority = Priority::kDefault);
  void RefuseUnknownHandler(const Message& request);
  static absl::Status NoRoomError();
  static uint32_t RemainingMs(TimePoint deadline, TimePoint now);
  bool EndRunning(const InboundRequest& request, RunningRequest* running);
  std::string TooBig(std::string_view what, size_t payload) const;
  // `payload`: its bytes, before it was compressed to `wire`; `extension`: those of a block.
  absl::Status CheckOutgoing(uint16_t handler, size_t payload, size_t wire, size_t extension);
  bool AdmitInbound(const Message& message);
  ServerMux* AddServer(uint64_t id);
  ServerMux* FindServer(uint64_t id);
  void RemoveServer(ServerMux* mux);
  void CountServed();

  // session_meta.cc
  // Whether a Request or ConnectMux needs an extension block.
  bool IsExtended(uint16_t handler, Priority priority, const CallMeta& meta) const {
    const Extensions& spoken = config_.extensions;
    return (spoken.meta != 0 && !meta.empty()) || handler > UINT8_MAX ||
           (spoken.fragments != 0 && priority != Priority::kDefault);
  }
  void CountLeftOut(const CallMeta& meta) {
    if (config_.extensions.meta == 0 && !meta.empty()) counters_.Count(Drop::kMetadataNotSent);
  }
  OutputQueue::Ticket PushOpening(Message& message, Priority priority, PayloadRef payload,
                                  const Compressed& compressed, const CallMeta& meta,
                                  ExtensionFields fields);
  bool TakeMeta(const Message& message, CallMeta* meta);

  // session_drain.cc
  void OnDisconnect(const Message& message);
  void AnswerDrain();
  absl::Status PeerDrainingError();
  bool RefuseDraining(const Message& message);
  void CountReset();

  // session_streams.cc
  void OnConnectMux(const Message& message);
  void OnAckMux(const Message& message);
  void OnStreamMessage(const Message& message, StreamMux::Side side);
  void OnStreamData(const Message& message, StreamMux* mux);
  StreamMux* FindStream(uint64_t id, StreamMux::Side side);
  StreamMux* FindAlive(uint64_t id, StreamMux::Side side);
  bool CheckSequence(const Message& message, StreamMux* mux);
  bool CheckCredit(StreamMux* mux);
  void EndCallerStream(StreamMux* mux, const absl::Status& status);
  void EndHandlerStream(StreamMux* mux, const absl::Status& status);
  void SendEnd(StreamMux* mux);
  void SendStreamOp(StreamMux* mux, Op op, uint8_t flags, PayloadRef payload,
                    const Compressed& compressed = {}, ExtensionFields* fields = nullptr);
  void SendStreamError(StreamMux* mux, const absl::Status& error);
  void SendDisconnect(uint64_t mux_id, Op op, const absl::Status& error,
                      Priority priority = Priority::kDefault);
  std::unique_ptr<StreamMux> NewStream(StreamMux::Side side, uint64_t id, TimePoint deadline);

  // session_credits.cc
  void OnUnblock(const Message& message, StreamMux* mux);
  void TakeCredits(StreamMux* mux, Credits credits);
  bool WaitForOutput(StreamMux* mux, size_t payload);
  void ResumeWaiters();
  void SendGrant(StreamMux* mux, Op op, uint8_t flags, PayloadRef payload,
                 const Compressed& compressed = {});
  static void AddWindow(const ReceiveWindow& window, ExtensionFields* fields);
  void OpenReceiveWindow(StreamMux* mux, const StreamWindow& window);
  uint64_t TakeWindowBytes(uint64_t wanted);
  void ReleaseWindow(const StreamMux& mux);
  void MeasureRoundTrip();

  // session_stream_timers.cc
  void OnMuxPing(const Message& message);
  void OnMuxPong(const Message& message);
  void OnStreamDeadline(StreamMux* mux);
  void OnStreamPingTimer(StreamMux* mux);
  void StartStreamTimers(StreamMux* mux);

  // session_fragments.cc
  OutputQueue::Ticket Schedule(const Message& message, Priority priority, PayloadRef payload);
  void OnFragmentOrWhole(const Message& message);
  Reassembly::Partial* BeginPayload(const Message& message, MuxDirection from);
  bool AdmitPayload(const Message& message, Drop late = Drop::kLateFragment);
  void AwaitMore(Reassembly::Partial* partial);
  void FinishPayload(const Message& last, Reassembly::Partial* partial);
  void RefusePayload(const Message& fragment, Op op, Drop why, std::string_view what);
  void GiveUpPayload(Reassembly::Partial* partial);
  void DropPartsOfCaller(uint64_t id);
  void DropPartsOfHandler(uint64_t id);

  // session_compression.cc
  OutputQueue::Ticket PushCompressed(Message& message, Priority priority, PayloadRef payload,
                                     const Compressed& compressed, ExtensionFields* fields);
  Compressed CompressedIn(const Message& message) const;
  void HandleCompressed(const Message& message);
  std::string DescribeFault(CompressionFault fault, const Compressed& compressed) const;
  // session_pieces.cc
  bool SpeaksPieces() const {
    return config_.extensions.credits != 0 && config_.extensions.fragments != 0;
  }
  void ReadInPieces(StreamMux* mux, ExtensionFields* fields);
  bool OnPiece(const Message& message);
  void OnPiece(const Message& message, StreamMux* mux);
  void SendPart(StreamMux* mux, BytesView part, bool ends);
  void RefusePiece(StreamMux* mux, std::string_view what);

  const SessionConfig config_;
  const HandlerTable& handlers_;
  BufferPool& pool_;
  SessionCounters& counters_;
  SessionHost& host_;
  const uint8_t base_flags_;
  const uint8_t known_flags_;
  const uint8_t compressed_flag_;  // as it must not be ignored: 0 with version 1
  const TimePoint start_;

  // Of the message being processed: its extension block, if any.
  ExtensionFields fields_;
  bool has_fields_ = false;
  TimePoint now_;        // of the call being processed
  bool failed_ = false;  // OnSessionEnd was called: input is ignored
  bool ended_ = false;   // Shutdown was called

  bool draining_ = false;        // Drain was called
  bool drain_answered_ = false;  // no call of the peer's is behind what it has answered
  bool peer_draining_ = false;
  bool answer_due_ = false;  // the answer to that, once our calls have left
  RateLimit resets_;

  OutputQueue output_;
  Reassembly reassembly_;
  Buffer assembled_;  // of the message being processed, if it came in fragments or compressed
  TimerWheel wheel_;
  MuxTable calls_;
  absl::flat_hash_map<uint64_t, ServerMux*> serving_;
  uint32_t serving_streams_ = 0;  // of these, how many are streams
  uint64_t window_bytes_ = 0;     // that streams let come, together
  uint32_t piece_readers_ = 0;    // streams that we read in pieces
  std::vector<Waiter> output_waiters_;
  std::vector<std::unique_ptr<ServerMux>> server_pool_;  // all of them
  std::vector<ServerMux*> server_free_;
  std::vector<std::unique_ptr<StreamMux>> stream_free_;
  Buffer scratch_;  // control payloads are encoded here

  TimerNode ping_timer_;
  TimePoint last_pong_;  // or the start
  TimePoint ping_sent_;
  Duration round_trip_ = Duration::max();  // the shortest that a ping took; max: none has yet
  TimePoint next_ping_;
};

}  // namespace grid

#endif  // GRID_GRID_MUX_SESSION_H_
