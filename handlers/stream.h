// Stream: one end of a bidirectional sequence of messages with flow control.
//
// The caller gets one from Streamer::OpenStream, a stream handler gets one as its argument. Handles
// may be used from any thread, but one Read and one Write at a time each. A Stream may outlive its
// connection and its manager: operations then complete with a status. Dropping the caller's handle
// cancels the stream.
//
//   absl::StatusOr<Stream> stream = peer.OpenStream(HandlerId{4}, AsBytes("init"), {.has_input =
//   true}); co_await stream->Write(AsBytes("m0")); stream->CloseSend(); for (;;) {
//     absl::StatusOr<std::optional<Buffer>> m = co_await stream->Read();
//     if (!m.ok()) return m.status();    // the stream failed
//     if (!*m) break;                    // the peer ended it
//   }
//
// Reading is what gives the peer credit to send more; what waits unread is limited by the stream's
// window (handlers/stream_window.h), or with a version 1 peer by its capacity in messages.
#ifndef GRID_HANDLERS_STREAM_H_
#define GRID_HANDLERS_STREAM_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <concepts>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "handlers/completion.h"
#include "handlers/context.h"
#include "handlers/stream_window.h"
#include "serialization/buffer.h"
#include "serialization/payload_ref.h"

namespace grid {

using ReadResult = absl::StatusOr<std::optional<Buffer>>;
// A part of a message, or all of it.
struct Piece {
  Buffer bytes;
  bool last = true;  // of its message
};
using PieceResult = absl::StatusOr<std::optional<Piece>>;
using ReadHandler = Completion<ReadResult>;
using PieceHandler = Completion<PieceResult>;
using WriteHandler = Completion<absl::Status>;

// What a Stream stands on; implemented by the connection (and by tests). All functions may be
// called from any thread and never block, except the four that say so. A completion may drop the
// Stream, and with it the last reference: from then on a backend touches nothing of its own.
class StreamBackend {
 public:
  virtual ~StreamBackend() = default;
  virtual void StartRead(ReadHandler handler) = 0;
  virtual void StartWrite(PayloadRef payload, WriteHandler handler) = 0;
  virtual ReadResult ReadBlocking() = 0;
  virtual absl::Status WriteBlocking(PayloadRef payload) = 0;
  virtual void StartReadPiece(PieceHandler handler);
  virtual void StartWritePiece(PayloadRef piece, bool last, WriteHandler handler);
  virtual PieceResult ReadPieceBlocking();
  virtual absl::Status WritePieceBlocking(PayloadRef piece, bool last);
  virtual void CloseSend() = 0;
  virtual void Cancel() = 0;
  virtual void Finish(absl::Status status) = 0;
  // The handle is gone: cancel (caller) or finish with an error (handler), unless ended already.
  virtual void Abandon() = 0;
  virtual BytesView initial() const = 0;
  virtual bool draining() const { return false; }
  virtual void OnDrain(absl::AnyInvocable<void()>) {}
};

class Stream {
 public:
  // A handle to nothing, as after a move: every operation fails with kFailedPrecondition, Read and
  // Write on their handler's associated executor, or before they return where it has none or is
  // already there.
  Stream() = default;
  explicit Stream(std::shared_ptr<StreamBackend> backend) : backend_(std::move(backend)) {}
  Stream(Stream&&) noexcept = default;
  Stream& operator=(Stream&& other) noexcept;
  ~Stream();

  // Completes with the next message; with nullopt when the other side sends no more and ended
  // without error; with the stream's status when it failed. What arrived before an error is read
  // first. Per-operation cancellation (terminal, partial) completes it with kCancelled and loses no
  // message.
  template <typename Token = asio::use_awaitable_t<>>
  auto Read(Token&& token = Token()) {
    return asio::async_initiate<Token, void(ReadResult)>(
        [](auto&& handler, const std::shared_ptr<StreamBackend>& backend) {
          StartRead(backend.get(), ReadHandler(std::forward<decltype(handler)>(handler)));
        },
        token, backend_);
  }

  // Completes when `payload` was taken for sending, which waits for credit, and for room in what is
  // to be written where both ends offer the extension `credits`. The bytes are copied before Write
  // returns (with an awaitable: when it is awaited). Nil is sent as empty, because version 1 can't
  // carry nil inside a stream. Fails with kFailedPrecondition after CloseSend or on a stream
  // without input, kInvalidArgument above the message size limit, kResourceExhausted while
  // max_output_bytes wait on the connection, without `credits` (the stream stays open after all of
  // these: go on, close or cancel), and the stream's status once it has ended.
  template <typename Token = asio::use_awaitable_t<>>
  auto Write(BytesView payload, Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto&& handler, const std::shared_ptr<StreamBackend>& backend, BytesView bytes) {
          StartWrite(backend.get(), bytes, WriteHandler(std::forward<decltype(handler)>(handler)));
        },
        token, backend_, payload);
  }
  // The same with a Buffer that may be taken, where the payload is large, instead of being copied.
  template <std::same_as<Buffer> Bytes, typename Token = asio::use_awaitable_t<>>
  auto Write(Bytes&& payload, Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto&& handler, const std::shared_ptr<StreamBackend>& backend, Buffer bytes) {
          StartWrite(backend.get(), std::move(bytes),
                     WriteHandler(std::forward<decltype(handler)>(handler)));
        },
        token, backend_, std::forward<Bytes>(payload));
  }

  // Messages of any length, which are nowhere whole in memory: where the other end reads in pieces
  // (StreamOptions::read_pieces, StreamSpec::read_pieces), and both offer the extensions
  // `fragments` and `credits`.

  // As Read, with the next piece of a message: at most `fragment_bytes` of one that was larger than
  // that, or written in pieces, and otherwise all of it. At most the stream's window, and one
  // fragment, wait unread. Also where nothing comes in pieces. On a stream that is read in pieces
  // Read fails with kFailedPrecondition.
  template <typename Token = asio::use_awaitable_t<>>
  auto ReadPiece(Token&& token = Token()) {
    return asio::async_initiate<Token, void(PieceResult)>(
        [](auto&& handler, const std::shared_ptr<StreamBackend>& backend) {
          StartReadPiece(backend.get(), PieceHandler(std::forward<decltype(handler)>(handler)));
        },
        token, backend_);
  }
  // As Write, with the next part of a message, of any size, also none; with `last` its end. The
  // peer gets what was written, cut or not, and where the message ends. Fails with
  // kFailedPrecondition where the peer does not read in pieces (with `fragments` or `credits` off,
  // or by its choice), and so does Write in the middle of a message. A message must be ended before
  // the stream: otherwise the peer's ReadPiece ends with kDataLoss. Cancellation has no effect once
  // a part has been sent.
  template <typename Token = asio::use_awaitable_t<>>
  auto WritePiece(BytesView piece, bool last, Token&& token = Token()) {
    return asio::async_initiate<Token, void(absl::Status)>(
        [](auto&& handler, const std::shared_ptr<StreamBackend>& backend, BytesView bytes,
           bool ends) {
          StartWritePiece(backend.get(), bytes, ends,
                          WriteHandler(std::forward<decltype(handler)>(handler)));
        },
        token, backend_, piece, last);
  }

  // The same for threads that may block: worker-pool handlers and programs' own threads. On an I/O
  // thread they fail with kFailedPrecondition instead of dead-locking.
  ReadResult ReadBlocking();
  absl::Status WriteBlocking(PayloadRef payload);
  PieceResult ReadPieceBlocking();
  absl::Status WritePieceBlocking(PayloadRef piece, bool last);

  // Caller's end: nothing more will be written; the peer's Read ends after what was sent.
  // Idempotent.
  void CloseSend();
  // Caller's end: gives the stream up. The peer's handler is told; pending operations complete with
  // kCancelled. Idempotent.
  void Cancel();
  // Handler's end, for handlers on the I/O thread (the others return the status instead): ends the
  // stream after what was written; an error reaches the caller as text.
  void Finish(absl::Status status);

  // Handler's end: the payload that opened the stream; may be nil. Valid as long as this handle.
  BytesView initial() const;

  // True once the host that serves the stream has begun to drain (Manager::Drain), at either end:
  // the stream goes on until that host closes the connection, and should come to an end before.
  // False where the two do not speak `goaway` (grid/PROTOCOL.md).
  bool draining() const { return backend_ != nullptr && backend_->draining(); }
  // Runs `callback` once when that happens, on the connection's I/O thread (do not block there); at
  // once when it already has. Dropped when the stream ends first. It must not throw, and may still
  // be running when the stream has ended.
  void OnDrain(absl::AnyInvocable<void()> callback);

  explicit operator bool() const { return backend_ != nullptr; }

 private:
  static void StartReadPiece(StreamBackend* backend, PieceHandler handler);
  static void StartWritePiece(StreamBackend* backend, PayloadRef piece, bool last,
                              WriteHandler handler);
  static void StartRead(StreamBackend* backend, ReadHandler handler);
  static void StartWrite(StreamBackend* backend, PayloadRef payload, WriteHandler handler);

  std::shared_ptr<StreamBackend> backend_;
};

}  // namespace grid

#endif  // GRID_HANDLERS_STREAM_H_
