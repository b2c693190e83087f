// RequestContext: what a handler knows about the call it serves: who calls, on which subroute,
// until when, and whether anybody still waits.
//
// The library makes it; a handler gets a reference that is valid until the handler has finished
// (for a coroutine: until it has returned). What tells of cancellation and draining may be used
// from any thread.
#ifndef GRID_HANDLERS_CONTEXT_H_
#define GRID_HANDLERS_CONTEXT_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "handlers/handler_id.h"
#include "serialization/buffer_pool.h"
#include "serialization/control_payloads.h"
#include "serialization/metadata.h"
#include "serialization/trace_context.h"

namespace grid {

// The process at the other end of the connection.
struct Caller {
  std::string host = {};         // its name in the mesh, as stated in the handshake
  bool is_client = false;        // it is no member of the mesh: any name that its token allows
  InstanceId instance{};         // new with every start of that process
  std::string address = {};      // remote address of the socket, "127.0.0.1:4711"
  std::string tls_subject = {};  // subject of its TLS certificate; empty without one
};

class RequestContext {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr TimePoint kNoDeadline = TimePoint::max();

  // `caller` and `subroute` must outlive the context, and so must `pool`, which may be null.
  RequestContext(const Caller& caller, HandlerId handler, std::string_view subroute,
                 TimePoint deadline, BufferPool* pool = nullptr)
      : caller_(caller), handler_(handler), subroute_(subroute), deadline_(deadline), pool_(pool) {}
  RequestContext(const RequestContext&) = delete;
  RequestContext& operator=(const RequestContext&) = delete;
  ~RequestContext();  // Finish(), unless that was; also in a callback that OnCancel runs at once

  const Caller& caller() const { return caller_; }
  HandlerId handler() const { return handler_; }
  // The subroute that the handler was registered on; empty for none.
  std::string_view subroute() const { return subroute_; }
  // On the manager's clock. kNoDeadline for a stream without one.
  TimePoint deadline() const { return deadline_; }
  // How long the call waited for a worker, on the manager's clock; 0 for what runs on the I/O
  // thread.
  std::chrono::nanoseconds queue_time() const { return queue_time_; }

  // The trace that the caller has named, and what else it has told us; none where it hasn't, or
  // where the two ends do not speak the extension `meta`. A call that belongs to this one carries
  // them on: {.trace = context.trace(), .metadata = context.metadata()}.
  const TraceContext& trace() const { return trace_; }
  MetadataView metadata() const { return metadata_; }  // valid as long as the context

  // An empty Buffer of at least `capacity` bytes for the answer, from the manager's pool.
  Buffer NewBuffer(size_t capacity) const;

  // True once nobody waits for the answer any more: the caller cancelled, the deadline passed, or
  // the connection is gone. Work done after that is wasted.
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }
  // Why; OK while cancelled() is false.
  absl::Status cancellation() const;
  // Runs `callback` once when the call is cancelled, on the thread that cancels (an I/O thread: do
  // not block); at once, on this thread, when it already is. It must not throw, and may end the
  // handler. Never runs after the handler has finished.
  void OnCancel(absl::AnyInvocable<void()> callback);

  // True once this server has begun to drain (Manager::Drain): the call goes on, and should come to
  // an end before the drain's does. A stream that would go on for ever ends itself.
  bool draining() const { return draining_.load(std::memory_order_acquire); }
  // Runs `callback` once when the server begins to drain; for the rest as OnCancel.
  void OnDrain(absl::AnyInvocable<void()> callback);

  // For the runtime, before the handler starts. What `metadata` views must outlive the context.
  void set_meta(const TraceContext& trace, MetadataView metadata) {
    trace_ = trace;
    metadata_ = metadata;
  }
  // For the runtime: the handler starts only now.
  void set_queue_time(std::chrono::nanoseconds waited) { queue_time_ = waited; }
  // For the runtime: marks the call as cancelled (`why` must not be OK) and runs the callbacks. The
  // first reason stays. The context must outlive the call, whatever the callbacks do.
  void Cancel(const absl::Status& why);
  // For the runtime: the server drains; runs the callbacks, as Cancel does. Idempotent.
  void Drain();
  // For the runtime: the handler has finished. Drops the callbacks that have not run, and waits for
  // one that runs on another thread, so what a callback refers to may be destroyed afterwards.
  // Idempotent.
  void Finish();
  // For the runtime: the same for a function that has returned. What it has let other threads do
  // with the context has happened by then, so this stops for none: a locked instruction waits for
  // every store before it, as those of the answer.
  void FinishReturned();

 private:
  struct Watchers;

  Watchers& watchers();
  void FinishWatchers();

  const Caller& caller_;
  HandlerId handler_;
  std::string_view subroute_;
  TimePoint deadline_;
  BufferPool* pool_;
  TraceContext trace_;
  MetadataView metadata_;
  std::chrono::nanoseconds queue_time_{0};
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> draining_{false};

  std::atomic<bool> finished_{false};
  // Made when first asked for: most calls are neither cancelled nor watched.
  std::atomic<Watchers*> watchers_{nullptr};
};

}  // namespace grid

#endif  // GRID_HANDLERS_CONTEXT_H_
