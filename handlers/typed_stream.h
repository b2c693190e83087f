// TypedStream: a Stream whose messages are values. Both ends of a StreamHandler get one.
//
//   TypedStream<Put, Ack>& stream = ...;             // writes Put, reads Ack
//   absl::Status written = co_await stream.Write(put);
//   stream.CloseSend();
//   absl::Status ended = co_await stream.Results([](Ack& ack) { return Note(ack); });
//
// Everything said of Stream (handlers/stream.h) holds here: one Read and one Write at a time each,
// dropping the caller's handle cancels. An awaitable Read or Write refers to this object until it
// is awaited.
#ifndef GRID_HANDLERS_TYPED_STREAM_H_
#define GRID_HANDLERS_TYPED_STREAM_H_

#include <boost/asio/append.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "handlers/stream.h"
#include "handlers/typed.h"

namespace grid {

// `Out` is what this end writes, `In` what it reads; NoPayload where nothing is.
template <typename Out, typename In>
class TypedStream {
 public:
  using Result = absl::StatusOr<std::optional<In>>;

  // A stream of our own, which ends with this object.
  explicit TypedStream(Stream stream, DecodeLimits limits = {})
      : own_(std::move(stream)), limits_(limits) {}
  // Somebody else's stream (a running handler's), which must outlive this object.
  explicit TypedStream(Stream* stream, DecodeLimits limits = {})
      : borrowed_(stream), limits_(limits) {}

  // Completes with the next value; with nullopt when the other side sends no more and ended without
  // error; with kInvalidArgument, which names the field, for a message that can't be decoded (the
  // next Read goes on behind it); otherwise with the stream's status.
  template <typename Token = asio::use_awaitable_t<>>
  auto Read(Token&& token = Token()) {
    static_assert(!std::is_same_v<In, NoPayload>, "this end of the stream reads nothing");
    return asio::async_initiate<Token, void(Result)>(
        [](auto handler, TypedStream* self) {
          self->raw().Read(internal::Converting(
              std::move(handler),
              [limits = self->limits_](ReadResult message) { return Decoded(message, limits); }));
        },
        token, this);
  }

  // Completes when `value` was taken for sending, which waits for credit. It is encoded before
  // Write returns. kInvalidArgument for what can't be encoded, and the errors of Stream::Write.
  template <typename Token = asio::use_awaitable_t<>>
  auto Write(const Out& value, Token&& token = Token()) {
    static_assert(!std::is_same_v<Out, NoPayload>, "this end of the stream writes nothing");
    internal::ScratchBuffer payload;
    absl::Status encoded = payload.Encode(value);
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto handler, TypedStream* self, internal::ScratchBuffer bytes, absl::Status status) {
          if (!status.ok()) {
            asio::dispatch(
                asio::append(std::move(handler), internal::PayloadError("message", status)));
            return;
          }
          self->raw().Write(bytes.view(), std::move(handler));
        },
        token, this, std::move(payload), std::move(encoded));
  }

  // The same for threads that may block; see Stream::ReadBlocking.
  Result ReadBlocking() { return Decoded(raw().ReadBlocking(), limits_); }
  absl::Status WriteBlocking(const Out& value) {
    internal::ScratchBuffer payload;
    const absl::Status encoded = payload.Encode(value);
    if (!encoded.ok()) return internal::PayloadError("message", encoded);
    return raw().WriteBlocking(payload.view());
  }

  // Reads to the end, and gives each value to `callback`, absl::Status(In&). Its first error
  // cancels the stream (the caller's end; a handler returns the error, which ends it) and is
  // returned; otherwise the status the stream ended with.
  template <typename Callback>
  asio::awaitable<absl::Status> Results(Callback callback) {
    for (;;) {
      Result next = co_await Read();
      const std::optional<absl::Status> done = Take(next, callback);
      if (done.has_value()) co_return *done;
    }
  }
  template <typename Callback>
  absl::Status ResultsBlocking(Callback callback) {
    for (;;) {
      Result next = ReadBlocking();
      const std::optional<absl::Status> done = Take(next, callback);
      if (done.has_value()) return *done;
    }
  }

  // See Stream.
  void CloseSend() { raw().CloseSend(); }
  void Cancel() { raw().Cancel(); }
  void Finish(absl::Status status) { raw().Finish(std::move(status)); }

  // The stream below, for raw messages.
  Stream& raw() { return borrowed_ != nullptr ? *borrowed_ : own_; }

 private:
  static Result Decoded(const ReadResult& message, const DecodeLimits& limits) {
    if (!message.ok()) return message.status();
    if (!message->has_value()) return std::optional<In>();
    std::optional<In> value(std::in_place);
    const absl::Status decoded = Decode((*message)->view(), *value, limits);
    if (!decoded.ok()) return internal::PayloadError("message", decoded);
    return value;
  }

  // What ends the loop of Results, if anything does.
  template <typename Callback>
  std::optional<absl::Status> Take(Result& next, Callback& callback) {
    if (next.ok() && !next->has_value()) return absl::OkStatus();
    absl::Status status = next.ok() ? std::invoke(callback, **next) : next.status();
    if (status.ok()) return std::nullopt;
    // After a failed stream there is nothing left to cancel; it does no harm.
    if (borrowed_ == nullptr) raw().Cancel();
    return status;
  }

  Stream own_;
  Stream* borrowed_ = nullptr;
  DecodeLimits limits_;
};

}  // namespace grid

#endif  // GRID_HANDLERS_TYPED_STREAM_H_
