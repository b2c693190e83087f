// Completion<Result>: what waits for the outcome of one Read, Write or the like: a completion
// handler of Asio's for void(Result), its type erased.
//
// It is called once, through its associated executor; on the I/O thread itself that is a plain
// call. The memory is the handler's associated allocator's, by default a RecyclingAllocator:
// nothing is allocated per operation once warm.
//
//   Completion<absl::Status> done(std::move(handler));
//   done.Complete(&io, absl::OkStatus());          // in an event of the I/O thread's
//   later.push_back(done.With(absl::OkStatus()));  // the handler is called by later[0].Run(&io)
#ifndef GRID_HANDLERS_COMPLETION_H_
#define GRID_HANDLERS_COMPLETION_H_

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/system_executor.hpp>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "handlers/operation.h"

namespace grid {

namespace internal {

class ReadyOperation {
 public:
  ReadyOperation() = default;
  ReadyOperation(const ReadyOperation&) = delete;
  ReadyOperation& operator=(const ReadyOperation&) = delete;

  // Each of these ends the operation.
  virtual void Run(asio::io_context* io) = 0;
  virtual void Post() = 0;
  virtual void Drop() = 0;

 protected:
  ~ReadyOperation() = default;
};

template <typename Result>
class CompletionOperation : public ReadyOperation {
 public:
  explicit CompletionOperation(asio::cancellation_slot slot) : slot_(slot) {}

  asio::cancellation_slot slot() const { return slot_; }
  void Keep(Result result) { kept_.emplace(std::move(result)); }

  // Ends the operation.
  virtual void Complete(asio::io_context* io, Result result) = 0;

  void Run(asio::io_context* io) final { Complete(io, TakeKept()); }

 protected:
  ~CompletionOperation() = default;
  Result TakeKept() { return *std::move(kept_); }

 private:
  const asio::cancellation_slot slot_;
  std::optional<Result> kept_;
};

template <typename Handler, typename Result>
class CompletionOperationFor final : public CompletionOperation<Result> {
 public:
  static CompletionOperationFor* New(Handler handler) {
    return Memory::New(Memory::AllocatorOf(handler), [&](void* memory) {
      return new (memory) CompletionOperationFor(std::move(handler));
    });
  }

  void Complete(asio::io_context* io, Result result) override {
    if (io == nullptr) {
      return DispatchTo(asio::get_associated_executor(handler_, asio::system_executor()),
                        std::move(result));
    }
    const auto executor = asio::get_associated_executor(handler_, io->get_executor());
    if (!RunsHere(executor, *io)) return DispatchTo(executor, std::move(result));
    Take()(std::move(result));
  }

  void Post() override {
    const auto executor = asio::get_associated_executor(handler_, asio::system_executor());
    Result result = this->TakeKept();
    PostOn(executor, [handler = Take(), result = std::move(result)]() mutable {
      std::move(handler)(std::move(result));
    });
  }

  void Drop() override { Take(); }

 private:
  using Memory = OperationMemory<CompletionOperationFor, Handler>;

  explicit CompletionOperationFor(Handler handler)
      : CompletionOperation<Result>(asio::get_associated_cancellation_slot(handler)),
        handler_(std::move(handler)) {}
  ~CompletionOperationFor() = default;

  // Gives the memory back: before the handler is called, as it may start the next operation in it.
  Handler Take() {
    const auto allocator = Memory::AllocatorOf(handler_);
    Handler taken(std::move(handler_));
    this->~CompletionOperationFor();
    Memory::Free(allocator, this);
    return taken;
  }

  template <typename Executor>
  void DispatchTo(const Executor& executor, Result result) {
    asio::dispatch(executor, [handler = Take(), result = std::move(result)]() mutable {
      std::move(handler)(std::move(result));
    });
  }

  Handler handler_;
};

}  // namespace internal

// A handler together with what it is to be called with.
class ReadyCompletion {
 public:
  explicit ReadyCompletion(internal::ReadyOperation* operation) : operation_(operation) {}

  // As Completion::Complete.
  void Run(asio::io_context* io) { operation_.release()->Run(io); }
  // As Completion::Post.
  void Post() { operation_.release()->Post(); }

 private:
  std::unique_ptr<internal::ReadyOperation, internal::OperationDropper> operation_;
};

template <typename Result>
class Completion {
 public:
  Completion() = default;
  // From a completion handler for void(Result).
  template <typename Handler>
  requires(!std::is_same_v<std::decay_t<Handler>, Completion>) explicit Completion(
      Handler&& handler)
      : operation_(internal::CompletionOperationFor<std::decay_t<Handler>, Result>::New(
            std::forward<Handler>(handler))) {}

  explicit operator bool() const { return operation_ != nullptr; }
  // Where the caller cancels the operation; may be unconnected.
  asio::cancellation_slot cancellation_slot() const { return operation_->slot(); }

  // Each of these leaves this one empty.

  // Calls the handler. `io` is the connection's, on its thread; null on any other thread. Not from
  // inside the function that starts the operation.
  void Complete(asio::io_context* io, Result result) {
    operation_.release()->Complete(io, std::move(result));
  }
  void operator()(Result result) { Complete(nullptr, std::move(result)); }
  // Calls it later, on its executor, by default a thread of the system's. Any thread.
  void Post(Result result) { With(std::move(result)).Post(); }
  // Calls it later, when the ReadyCompletion is run; never, if that is dropped.
  ReadyCompletion With(Result result) {
    operation_->Keep(std::move(result));
    return ReadyCompletion(operation_.release());
  }

 private:
  std::unique_ptr<internal::CompletionOperation<Result>, internal::OperationDropper> operation_;
};

}  // namespace grid

#endif  // GRID_HANDLERS_COMPLETION_H_
