// RunningCall: a request that is being served outside the I/O thread's own event: by a worker, by a
// coroutine, or by whoever holds its SingleReply.
#ifndef GRID_GRID_RUNTIME_RUNNING_CALL_H_
#define GRID_GRID_RUNTIME_RUNNING_CALL_H_

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "grid/mux/session_host.h"
#include "grid/runtime/link.h"
#include "grid/runtime/worker_pool.h"
#include "handlers/context.h"
#include "handlers/handler_table.h"
#include "handlers/single_reply.h"

namespace grid {

// Owned by whoever runs the handler (before that by the workers' queue), then, as a task, by the
// link's queue, until the answer is given. The session's pointer to it is used before that only.
class RunningCall final : public RunningRequest,
                          public LinkTask,
                          public WorkerTask,
                          public SingleReply::Call {
 public:
  // `payload`, `metadata`: the request's, copied.
  RunningCall(std::shared_ptr<Link> link, const HandlerEntry& entry, const InboundRequest& request,
              Buffer payload, Buffer metadata)
      : link_(std::move(link)),
        activity_(link_->activity()),
        entry_(entry),
        request_(request),
        payload_(std::move(payload)),
        metadata_(std::move(metadata)),
        received_(link_->Now()),
        context_(link_->caller(), entry.id, entry.subroute, request.deadline, &link_->pool()) {
    context_.set_meta(request.meta.trace, MetadataView::Of(metadata_));
  }

  RequestContext& context() { return context_; }
  // Loop thread: nobody waits for the answer any more.
  void Cancel(const absl::Status& why) {
    in_callback_ = true;
    context_.Cancel(why);
    in_callback_ = false;
  }
  // Loop thread: the server drains.
  void Drain() {
    in_callback_ = true;
    context_.Drain();
    in_callback_ = false;
  }
  Buffer TakePayload() { return std::move(payload_); }

  // Any thread: the handler has returned.
  static void Answer(std::unique_ptr<RunningCall> call, absl::StatusOr<Buffer> result) {
    call->context_.Finish();
    call->result_ = std::move(result);
    call->CompressResult();
    const std::shared_ptr<Link> keep = call->link_;
    Link& link = *keep;
    // A coroutine may run to its end before the session has noted that it is pending; one that goes
    // on elsewhere takes the queue, which waits for that.
    if (link.loop().RunningHere() && call->starting_ != nullptr) {
      *call->starting_ = std::move(call);
      return;
    }
    // From inside Cancel or Drain, where a callback has ended the handler, the answer takes the
    // queue: giving it destroys the call, and with it the context that runs the callbacks.
    if (link.loop().RunningHere() && !call->in_callback_ && !link.down()) {
      call->Run(link);
      call.reset();
      link.Changed();
      return;
    }
    std::unique_ptr<LinkTask> task = std::move(call);
    link.Post(task);  // down: the answer is dropped with the task
  }

  // Of a call that its SingleReply owns.
  void Reply(absl::StatusOr<Buffer> result) override {
    Answer(std::unique_ptr<RunningCall>(this), std::move(result));
  }

  // On a worker: a SingleFunction.
  void RunOnWorker(std::unique_ptr<WorkerTask> self) override;
  // Back on the loop's thread.
  void Run(Link& link) override { Give(link, this); }

  // While `*early` is set to take it, an answer goes there instead of to the session.
  void set_starting(std::unique_ptr<RunningCall>* early) { starting_ = early; }
  // Gives the answer to the session; `running`: null for one that never became pending.
  void Give(Link& link, RunningRequest* running) {
    if (fault_ != CompressionFault::kNone) {
      link.session().RefuseCompressed(request_, running, fault_, link.Now());
    } else if (result_.ok()) {
      link.session().Answer(request_, running, *std::move(result_), link.Now(), compressed_);
    } else {
      link.session().AnswerError(request_, running, result_.status(), link.Now());
    }
  }

 private:
  // On the thread that the handler has ended on.
  void CompressResult() {
    if (!entry_.compression.enabled || !result_.ok() || context_.cancelled()) return;
    OutgoingPayload answer = link_->compressor().Compress(entry_.compression, *result_);
    if (answer.compressed.original_bytes != 0) result_ = std::move(answer.frame);
    compressed_ = answer.compressed;
  }
  // On a worker. False: it can't be done, and the handler must not run.
  bool DecompressPayload() {
    if (request_.compressed.original_bytes == 0) return true;
    Buffer payload;
    fault_ =
        link_->services().codec->Decompress(payload_, request_.compressed, link_->pool(), &payload);
    payload_ = std::move(payload);
    return fault_ == CompressionFault::kNone;
  }

  const std::shared_ptr<Link> link_;
  const Activity activity_;
  const HandlerEntry& entry_;
  const InboundRequest request_;  // its views are not used
  Buffer payload_;
  const Buffer metadata_;
  const TimePoint received_;
  RequestContext context_;
  std::unique_ptr<RunningCall>* starting_ = nullptr;
  absl::StatusOr<Buffer> result_ = Buffer();
  Compressed compressed_;                             // what it was
  CompressionFault fault_ = CompressionFault::kNone;  // of payload_
  bool in_callback_ = false;                          // loop thread only
};

// Runs `function`; an exception becomes an internal error with its text.
template <typename Function>
auto RunGuarded(Function&& function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  } catch (...) {
    return absl::InternalError("the handler threw something that is no std::exception");
  }
}

inline void RunningCall::RunOnWorker(std::unique_ptr<WorkerTask> self) {
  context_.set_queue_time(link_->services().clock->Now() - received_);
  absl::StatusOr<Buffer> result = RunGuarded([&]() -> absl::StatusOr<Buffer> {
    // What nobody waits for is not decompressed.
    if (request_.compressed.original_bytes != 0 && context_.cancelled()) {
      return context_.cancellation();
    }
    if (!DecompressPayload()) return Buffer();
    return std::get<SingleFunction>(entry_.function)(payload_, context_);
  });
  Answer(std::unique_ptr<RunningCall>(static_cast<RunningCall*>(self.release())),
         std::move(result));
}

inline absl::Status StatusFrom(std::exception_ptr error) {
  return RunGuarded([&]() -> absl::Status { std::rethrow_exception(std::move(error)); });
}

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_RUNNING_CALL_H_
