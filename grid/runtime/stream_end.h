// StreamEnd: one end of a stream, between a session and the Stream handle of the public API.
//
// What arrived and what waits is guarded by a mutex, so that reading needs no trip to the I/O
// thread; everything that touches the session happens there. It may live longer than its link: then
// what was received can still be read, and everything else answers with how the stream ended.
#ifndef GRID_GRID_RUNTIME_STREAM_END_H_
#define GRID_GRID_RUNTIME_STREAM_END_H_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "grid/mux/session.h"
#include "grid/runtime/activity.h"
#include "grid/runtime/link.h"
#include "grid/runtime/outgoing_message.h"
#include "grid/runtime/stream_inbox.h"
#include "handlers/context.h"
#include "handlers/stream.h"

namespace grid {

// What the caller of a stream asked for; kept until there is a link.
struct OutgoingStream {
  HandlerId handler{0};
  std::optional<SubrouteId> subroute;  // for this handler
  Buffer initial;
  TimePoint deadline = TimePoint::max();
  bool has_input = false;
  uint32_t in_capacity = 1;
  uint32_t out_capacity = 1;
  StreamWindow window;
  bool read_pieces = false;
  Priority priority = Priority::kDefault;
  Compressed compressed;  // what `initial` was, if it is compressed already
  TraceContext trace;
  Buffer metadata;
};

class StreamEnd final : public StreamBackend,
                        public StreamSink,
                        public std::enable_shared_from_this<StreamEnd> {
 public:
  // Not yet connected. `home`: where completions without an executor run. `compression`: of what
  // this end sends. `read_pieces`: Read is not allowed.
  StreamEnd(std::shared_ptr<BufferPool> pool, LoopRef home, const Compression& compression,
            bool read_pieces);
  ~StreamEnd() override;

  // Loop thread of `link`: opens the stream. What was asked of it before follows.
  void Open(const std::shared_ptr<Link>& link, const OutgoingStream& out);
  // There is no link and will be none. Any thread.
  void Fail(const absl::Status& status);

  // Loop thread: the handler's end. Starts the handler; null when there is no room to run it.
  static StreamSink* Serve(std::shared_ptr<Link> link, const HandlerEntry& entry,
                           const InboundStream& stream);

  // StreamBackend
  void StartRead(ReadHandler handler) override;
  void StartWrite(PayloadRef payload, WriteHandler handler) override;
  ReadResult ReadBlocking() override;
  absl::Status WriteBlocking(PayloadRef payload) override;
  void StartReadPiece(PieceHandler handler) override;
  void StartWritePiece(PayloadRef piece, bool last, WriteHandler handler) override;
  PieceResult ReadPieceBlocking() override;
  absl::Status WritePieceBlocking(PayloadRef piece, bool last) override;
  void CloseSend() override;
  void Cancel() override;
  void Finish(absl::Status status) override;
  void Abandon() override;
  BytesView initial() const override { return initial_; }
  bool draining() const override { return draining_.load(std::memory_order_acquire); }
  void OnDrain(absl::AnyInvocable<void()> callback) override;

  // StreamSink
  void OnData(BytesView payload) override { Arrive(payload, true); }
  void OnPiece(BytesView payload, bool last) override { Arrive(payload, last); }
  void OnEof() override;
  void OnSendable() override;
  void OnDraining() override;
  void OnEnd(const absl::Status& status) override;

 private:
  // Something to do with the session. Runs on the loop's thread; with nulls, on any thread, when
  // the link is down or there never was one.
  using Action = absl::AnyInvocable<void(StreamEnd&, Session*, StreamMux*)>;
  class Task;
  // A write that waits for credit, and who waits for it.
  struct BlockedWrite {
    Buffer payload;
    OutgoingMessage message;
    WriteHandler handler;
  };

  bool is_handler() const { return context_.has_value(); }
  void Run(Action action);
  std::shared_ptr<Link> CurrentLink();
  // The stream's link, when on its thread; it stays until the caller has returned to the loop.
  Link* LinkHere() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return link_ != nullptr && link_->loop().RunningHere() ? link_.get() : nullptr;
  }
  void Later(Link* here, ReadyCompletion completion);
  absl::Status CheckMayBlock() const;

  // stream_end_reads.cc
  void StartRead(StreamReader reader);
  void Arrive(BytesView payload, bool last);
  void GiveCredits();
  void CancelRead(uint64_t number);

  // stream_end_writes.cc
  void StartWrite(PayloadRef payload, OutgoingMessage message, WriteHandler handler);
  absl::Status WriteBlocking(PayloadRef payload, OutgoingMessage message);
  void SendOrBlock(Session* session, StreamMux* mux, PayloadRef payload, OutgoingMessage* message,
                   WriteHandler handler);
  std::optional<absl::Status> Send(Session* session, StreamMux* mux, PayloadRef payload,
                                   OutgoingMessage* message);
  void FinishWrite(WriteHandler handler, absl::Status status);
  void FinishBlockedWrite(absl::Status status);
  void FailBlockedWrite();
  void CancelWrite(uint64_t number);
  void AfterWrite(Session* session, StreamMux* mux);
  absl::Status WhyClosed();
  absl::Status SendError() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void FinishNow(Session* session, StreamMux* mux, const absl::Status& status);
  void SetEnd(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const absl::Status& status);
  void Release();

  const std::shared_ptr<BufferPool> pool_;
  const LoopRef home_;
  const Compression compression_;
  const bool read_pieces_;
  // Handler's end; set before anybody else knows it.
  Buffer initial_;
  Buffer metadata_;
  std::optional<RequestContext> context_;

  // Loop thread only.
  StreamMux* mux_ = nullptr;  // null before Open, and when the session is done with it
  std::optional<BlockedWrite> blocked_write_;
  bool close_after_write_ = false;
  std::optional<absl::Status> finish_after_write_;

  std::atomic<bool> draining_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Link> link_ ABSL_GUARDED_BY(mutex_);       // null before Open and after Release
  std::shared_ptr<StreamEnd> self_ ABSL_GUARDED_BY(mutex_);  // the same: the session knows us
  Activity activity_ ABSL_GUARDED_BY(mutex_);                // handler's end, until it has finished
  std::vector<Action> before_open_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::AnyInvocable<void()>> on_drain_ ABSL_GUARDED_BY(mutex_);
  StreamInbox inbox_ ABSL_GUARDED_BY(mutex_);
  uint64_t write_number_ ABSL_GUARDED_BY(mutex_) = 0;  // tells writes apart, for cancellation
  bool write_pending_ ABSL_GUARDED_BY(mutex_) = false;
  bool send_closed_ ABSL_GUARDED_BY(mutex_) = false;  // CloseSend or Finish was called, or no input
  bool released_ ABSL_GUARDED_BY(mutex_) = false;     // no session any more
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);  // how the stream ended
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_STREAM_END_H_
