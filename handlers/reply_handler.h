// ReplyHandler: what waits for the outcome of one request: a completion handler of Asio's, its type
// erased, together with how its value is made of the reply's bytes.
//
// It is called once, through its associated executor; on the I/O thread itself that is a plain
// call, and the value is made from the bytes where they arrived. The memory is the handler's
// associated allocator's, by default Asio's recycling one: nothing is allocated per request once
// warm.
#ifndef GRID_HANDLERS_REPLY_HANDLER_H_
#define GRID_HANDLERS_REPLY_HANDLER_H_

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/system_executor.hpp>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "handlers/operation.h"
#include "handlers/pending_call.h"
#include "serialization/buffer.h"
#include "serialization/buffer_pool.h"
#include "serialization/bytes.h"
#include "serialization/payload_ref.h"

namespace grid {

namespace internal {

// How a request completes with the bytes of its reply; nil stays nil.
struct KeepBytes {
  absl::StatusOr<Buffer> operator()(BytesView reply, BufferPool& pool) const {
    return pool.Copy(reply);
  }
  absl::StatusOr<Buffer> operator()(Buffer reply) const { return reply; }
};

class ReplyOperation : public PendingCall {
 public:
  explicit ReplyOperation(asio::cancellation_slot slot) : slot_(slot) {}
  ReplyOperation(const ReplyOperation&) = delete;
  ReplyOperation& operator=(const ReplyOperation&) = delete;

  asio::cancellation_slot slot() const { return slot_; }

  // Each of these ends the operation.
  virtual void Reply(asio::io_context& io, BufferPool& pool, PayloadRef reply) = 0;
  virtual void Fail(asio::io_context* io, absl::Status why) = 0;
  virtual void Drop() = 0;

 protected:
  ~ReplyOperation() = default;

 private:
  const asio::cancellation_slot slot_;
};

template <typename Handler, typename Decode>
class ReplyOperationFor final : public ReplyOperation {
 public:
  static ReplyOperation* New(Handler handler, Decode decode) {
    return Memory::New(Memory::AllocatorOf(handler), [&](void* memory) {
      return new (memory) ReplyOperationFor(std::move(handler), std::move(decode));
    });
  }

  void Reply(asio::io_context& io, BufferPool& pool, PayloadRef reply) override {
    const auto executor = asio::get_associated_executor(handler_, io.get_executor());
    auto [handler, decode] = Take();
    if (RunsHere(executor, io)) {
      std::move(handler)(reply.is_owned() ? decode(reply.Take(pool)) : decode(reply.view(), pool));
    } else {
      asio::dispatch(executor, [handler = std::move(handler), decode = std::move(decode),
                                copy = reply.Take(pool)]() mutable {
        std::move(handler)(decode(std::move(copy)));
      });
    }
  }

  void Fail(asio::io_context* io, absl::Status why) override {
    if (io != nullptr) {
      const auto executor = asio::get_associated_executor(handler_, io->get_executor());
      asio::dispatch(executor, Failure(std::move(why)));
    } else {
      const auto executor = asio::get_associated_executor(handler_, asio::system_executor());
      PostOn(executor, Failure(std::move(why)));
    }
  }

  void Drop() override { Take(); }

 private:
  using Result = std::invoke_result_t<const Decode&, Buffer>;
  using Memory = OperationMemory<ReplyOperationFor, Handler>;

  ReplyOperationFor(Handler handler, Decode decode)
      : ReplyOperation(asio::get_associated_cancellation_slot(handler)),
        handler_(std::move(handler)),
        decode_(std::move(decode)) {}
  ~ReplyOperationFor() = default;

  // Gives the memory back: before the handler is called, as it may start the next request in it.
  std::pair<Handler, Decode> Take() {
    const auto allocator = Memory::AllocatorOf(handler_);
    std::pair<Handler, Decode> taken(std::move(handler_), std::move(decode_));
    this->~ReplyOperationFor();
    Memory::Free(allocator, this);
    return taken;
  }

  auto Failure(absl::Status why) {
    return [handler = Take().first, result = Result(std::move(why))]() mutable {
      std::move(handler)(std::move(result));
    };
  }

  Handler handler_;
  Decode decode_;
};

}  // namespace internal

class ReplyHandler {
 public:
  ReplyHandler() = default;
  // From a completion handler for void(absl::StatusOr<Buffer>).
  template <typename Handler>
  requires(!std::is_same_v<std::decay_t<Handler>, ReplyHandler>) explicit ReplyHandler(
      Handler&& handler)
      : ReplyHandler(std::forward<Handler>(handler), internal::KeepBytes()) {}
  // From one for what `decode` makes: a function object that takes (BytesView, BufferPool&), the
  // bytes being valid during the call, and (Buffer), for handlers that run elsewhere and for large
  // replies, which come in one of their own. It is called where the handler runs, and gives an
  // absl::StatusOr.
  template <typename Handler, typename Decode>
  ReplyHandler(Handler&& handler, Decode decode)
      : operation_(internal::ReplyOperationFor<std::decay_t<Handler>, Decode>::New(
            std::forward<Handler>(handler), std::move(decode))) {}

  // As what a session keeps, and back; each leaves the other without it.
  PendingCall* Release() { return operation_.release(); }
  static ReplyHandler Of(PendingCall* released) {
    ReplyHandler handler;
    handler.operation_.reset(static_cast<internal::ReplyOperation*>(released));
    return handler;
  }

  // Where the caller cancels the request; may be unconnected.
  asio::cancellation_slot cancellation_slot() const { return operation_->slot(); }

  // Each of these calls the handler, and leaves this one empty. `io` is the connection's, on its
  // thread, and then not from inside a function that starts a request. Null when that does not run
  // any more: the handler is called later, on its executor, by default a thread of the system's.
  void Reply(asio::io_context& io, BufferPool& pool, PayloadRef reply) {
    operation_.release()->Reply(io, pool, reply);
  }
  void Fail(asio::io_context* io, absl::Status why) {
    operation_.release()->Fail(io, std::move(why));
  }

 private:
  std::unique_ptr<internal::ReplyOperation, internal::OperationDropper> operation_;
};

}  // namespace grid

#endif  // GRID_HANDLERS_REPLY_HANDLER_H_
