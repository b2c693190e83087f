// Link: one established connection at work: a Session, the Transport under it, and the I/O thread
// that both belong to. Moves the bytes, runs the handlers, and lets other threads in through a
// queue.
//
// Life: made by a Peer after the handshake -> Start -> Close (or the transport or session fails) ->
// "down": every call and stream has ended, nothing gets in -> "gone": the transport is closed. A
// Link never comes back; the next connection is another one. Shared by its Peer, by running
// handlers and by streams.
//
//   loop thread:   OnMessage -> session -> completions, handlers -> Flush -> transport.Write
//   other threads: Post(task) -> woken once per batch -> session -> Flush
//
// Unless it says otherwise a function belongs to the loop's thread.
#ifndef GRID_GRID_RUNTIME_LINK_H_
#define GRID_GRID_RUNTIME_LINK_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "grid/base/clock.h"
#include "grid/mux/session.h"
#include "grid/runtime/activity.h"
#include "grid/runtime/io_loop.h"
#include "grid/runtime/payload_compressor.h"
#include "grid/runtime/task_queue.h"
#include "grid/runtime/worker_pool.h"
#include "grid/transport/loop_timer.h"
#include "grid/transport/transport.h"
#include "handlers/completion.h"
#include "handlers/requester.h"

namespace grid {

class Link;
class StreamEnd;

// Told on the loop's thread; outlives the link.
class LinkOwner {
 public:
  // Every call has ended. `why`: for the log. `cause`: label of the counter, "close-ping-timeout".
  virtual void OnLinkDown(Link& link, const absl::Status& why, std::string_view cause) = 0;
  // After Drain: no call of the peer's runs any more, and every answer has been written.
  virtual void OnLinkDrained(Link& link) = 0;
  // The peer drains: it refuses new calls.
  virtual void OnPeerDraining(Link& link) = 0;

 protected:
  ~LinkOwner() = default;
};

struct LinkConfig {
  SessionConfig session;
  std::chrono::milliseconds write_stall{3'500};
};

// What all links of a manager share; outlives them.
struct LinkServices {
  std::shared_ptr<Clock> clock;
  const HandlerTable* handlers = nullptr;
  std::shared_ptr<BufferPool> pool;
  WorkerPool* workers = nullptr;
  std::shared_ptr<ZstdCodec> codec;
  std::shared_ptr<IoLoops> loops;
};

// Connects the cancellation slot of a request with its place in a session. Made only for requests
// whose completion has a slot.
struct CallCancellation {
  std::mutex mutex;
  bool cancelled ABSL_GUARDED_BY(mutex) = false;
  std::weak_ptr<Link> link ABSL_GUARDED_BY(mutex);  // once one was chosen
  uint64_t mux_id = 0;                              // loop thread only

  bool IsCancelled() {
    std::lock_guard lock(mutex);
    return cancelled;
  }
};

class Link final : public std::enable_shared_from_this<Link>,
                   private TransportHandler,
                   private SessionHost {
 public:
  // `activity` is released when the link is gone.
  Link(const LinkConfig& config, const LinkServices& services, IoLoop& loop, Caller caller,
       std::unique_ptr<Transport> transport, std::shared_ptr<LinkOwner> owner, Activity activity);
  ~Link() override;

  // Takes over from the handshake. `first`: a message to write before anything else (may be nil);
  // with `writing` one that the transport has been given, of which OnWritten has still to come.
  void Start(Buffer first, bool writing);
  // Ends every call with `status`, then closes the transport. Idempotent; not from inside a session
  // callback.
  void Close(const absl::Status& status, CloseCode code, std::string_view cause);

  // Refuses new calls of the peer, and tells it and the handlers so. Idempotent.
  void Drain(TimePoint deadline);

  // Any thread. False when the link is down; `task` stays with the caller then.
  bool Post(std::unique_ptr<LinkTask>& task);

  // Runs `task` on a worker, from the end of the present event on. False: no room, and it is gone.
  bool RunOnWorker(std::unique_ptr<WorkerTask> task);

  // Sends a request, its payload compressed as `compression` says unless that was tried already;
  // completes through the loop.
  void StartCall(CallArgs&& args, const Compression& compression, ReplyHandler handler,
                 const std::shared_ptr<CallCancellation>& cancellation);
  void CancelCall(CallCancellation& cancellation);
  // For StreamEnd: the session to work on; changes are written after the present event.
  Session& session() { return session_; }
  void Changed();
  // Calls a completion handler once the caller has returned: at the end of the present event,
  // before what came of it is written, or else in an event of its own. Also while the link goes
  // down.
  void Later(ReadyCompletion completion);

  IoLoop& loop() const { return loop_; }
  LoopRef home() const { return {services_.loops, loop_.index()}; }
  const Caller& caller() const { return caller_; }
  BufferPool& pool() const { return *services_.pool; }
  const LinkServices& services() const { return services_; }
  const Activity& activity() const { return activity_; }
  // Loop thread. During an event the time when it began: the clock is read once for many messages.
  TimePoint Now() const { return in_event_ ? now_ : services_.clock->Now(); }
  bool down() const { return down_; }
  void CountBufferedLimit() { counters_.Count(Drop::kBufferedLimit); }
  // Any thread.
  const SessionCounters& counters() const { return counters_; }
  const PayloadCompressor& compressor() const { return compressor_; }

 private:
  class Event;

  // TransportHandler
  void OnMessage(BytesView message) override;
  void OnReadEnd() override;
  void OnWritten() override;
  void OnClosed(CloseCause cause, std::string_view detail) override;
  // SessionHost
  void OnReply(PendingCall* call, BytesView payload) override;
  void OnCallFailed(PendingCall* call, const absl::Status& status) override;
  Admit OnRequest(const HandlerEntry& entry, const InboundRequest& request,
                  RunningRequest** running) override;
  void OnRequestCancelled(RunningRequest* running, const absl::Status& why) override;
  void OnRequestDraining(RunningRequest* running) override;
  void OnPeerDraining() override;
  StreamSink* OnStream(const HandlerEntry& entry, const InboundStream& stream) override;
  void OnSessionEnd(SessionEnd why, std::string_view detail) override;

  void RunTasks();
  void RunReady();
  void Settle();
  void HandOver();
  void PostEvent();
  void BeginEvent();
  void EndEvent();
  void Flush();
  bool Write(MutableBytes message);
  void AwaitWritten();
  void Down(const absl::Status& status, std::string_view cause);
  void ArmTimer();
  void OnSessionTimer();
  void OnStallTimer();

  const LinkConfig config_;
  const LinkServices services_;
  IoLoop& loop_;
  const Caller caller_;
  const std::shared_ptr<LinkOwner> owner_;
  Activity activity_;
  std::shared_ptr<Link> self_;  // from Start until the transport is closed

  SessionCounters counters_;
  Session session_;
  const PayloadCompressor compressor_;
  std::unique_ptr<Transport> transport_;
  TaskQueue tasks_;
  WorkerTasks for_workers_;  // until the event ends

  Buffer first_;
  bool in_event_ = false;      // Settle follows by itself
  bool alone_ = true;          // no other link of this loop has read since the last event
  TimePoint now_;              // of the event
  bool event_posted_ = false;  // or an event has been posted
  // Completions for the end of the event, oldest first. While there are any, an event is under way
  // or posted.
  std::vector<ReadyCompletion> ready_;
  bool writing_ = false;
  bool down_ = false;
  bool drained_ = false;  // the owner was told
  // What ended the session, until Settle acts on it.
  std::optional<SessionEnd> session_end_;
  std::string session_end_detail_;

  std::optional<LoopTimer> timer_;
  TimePoint timer_at_ = TimePoint::max();
  std::optional<LoopTimer> stall_timer_;
  bool stall_armed_ = false;
  uint64_t stall_progress_ = 0;
  TimePoint stall_since_;
};

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_LINK_H_
