// Requester and Streamer: where requests and streams start. Implemented by Connection and Subroute
// (and by tests), so typed handlers are written and tested without any connection.
//
//   absl::StatusOr<Buffer> reply = co_await peer.Request(HandlerId{78}, AsBytes("hello"));
//   peer.Request(HandlerId{78}, AsBytes("hello"), {.timeout = 2s},
//                [](absl::StatusOr<Buffer> reply) { ... });
//   std::future<absl::StatusOr<Buffer>> f = peer.Request(HandlerId{78}, payload, {},
//   asio::use_future);
#ifndef GRID_HANDLERS_REQUESTER_H_
#define GRID_HANDLERS_REQUESTER_H_

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "handlers/compression.h"
#include "handlers/handler_id.h"
#include "handlers/priority.h"
#include "handlers/reply_handler.h"
#include "handlers/stream.h"
#include "serialization/buffer.h"
#include "serialization/metadata.h"
#include "serialization/payload_ref.h"
#include "serialization/trace_context.h"

namespace grid {

struct RequestOptions {
  // From the call until the answer; 1 ms to 49 days (longer is cut). 0: the manager's default (1
  // minute). What is not positive otherwise fails with kDeadlineExceeded, not sent.
  std::chrono::milliseconds timeout{0};
  // While there is no connection: wait for one until the time-out instead of failing at once.
  bool wait_for_ready = false;
  Priority priority = Priority::kDefault;  // of the request and its answer
  Compression compression = {};            // of the request; see there before it is enabled
  // The trace that the call belongs to: from within a handler context.trace(), or a Child of it.
  TraceContext trace = {};
  // What else the handler is told. The bytes must live as the payload's. This and `trace` are left
  // out, and counted, where the peer does not offer the extension `meta`.
  MetadataView metadata = {};
};

struct StreamOptions {
  // True: the caller will Write, and CloseSend. False: the peer is told at once that nothing
  // follows.
  bool has_input = false;
  // The handler's registered capacities (StreamSpec); both ends must agree, unless both offer the
  // extension `credits`.
  uint32_t in_capacity = 1;
  uint32_t out_capacity = 1;
  // What may come from the handler unread, instead of out_capacity, with the extension `credits`.
  StreamWindow window = {};
  // The caller reads with ReadPiece: what the handler writes may then be of any length, and comes
  // in pieces where both ends offer the extensions `fragments` and `credits`.
  bool read_pieces = false;
  // For the whole stream; 0: none.
  std::chrono::milliseconds timeout{0};
  bool wait_for_ready = false;
  Priority priority = Priority::kDefault;  // of what both ends send
  Compression compression = {};            // of what we send; see there before it is enabled
  // As in RequestOptions; both are copied before OpenStream returns.
  TraceContext trace = {};
  MetadataView metadata = {};
};

class Requester {
 public:
  virtual ~Requester() = default;

  // Sends `payload` to `handler` and completes exactly once, with the reply (nil stays nil) or with
  // a status that carries its delivery class (handlers/delivery.h). A handler's own error is remote
  // and kExecuted, its text the message. The bytes are copied before Request returns (with an
  // awaitable: when it is awaited). Any thread. The completion runs on the handler's associated
  // executor, otherwise on the connection's I/O thread (do not block there), or, when the call
  // fails at once, possibly inside Request. Terminal cancellation through the handler's
  // cancellation slot completes with kCancelled and tells the peer.
  template <typename Token = asio::use_awaitable_t<>>
  auto Request(HandlerId handler, BytesView payload, RequestOptions options = {},
               Token&& token = Token()) const {
    return asio::async_initiate<Token, void(absl::StatusOr<Buffer>)>(
        [](auto completion, const Requester* self, HandlerId id, BytesView bytes,
           const RequestOptions& opts) {
          self->StartRequest(id, bytes, opts, ReplyHandler(std::move(completion)));
        },
        token, this, handler, payload, options);
  }
  // The same with a Buffer that may be taken, where the payload is large, instead of being copied.
  template <std::same_as<Buffer> Bytes, typename Token = asio::use_awaitable_t<>>
  auto Request(HandlerId handler, Bytes&& payload, RequestOptions options = {},
               Token&& token = Token()) const {
    return asio::async_initiate<Token, void(absl::StatusOr<Buffer>)>(
        [](auto completion, const Requester* self, HandlerId id, Buffer bytes,
           const RequestOptions& opts) {
          self->StartRequest(id, std::move(bytes), opts, ReplyHandler(std::move(completion)));
        },
        token, this, handler, std::forward<Bytes>(payload), options);
  }

  virtual void StartRequest(HandlerId handler, PayloadRef payload, const RequestOptions& options,
                            ReplyHandler completion) const = 0;
};

class Streamer {
 public:
  virtual ~Streamer() = default;

  // Opens a stream to `handler` with `initial` as its first payload (nil: none). Does not wait for
  // the peer: what goes wrong later (unknown handler, say) is the status of the stream's Read and
  // Write. Fails at once with kInvalidArgument for what can't be sent, and with "disconnected",
  // kNotSent, while there is no connection (unless wait_for_ready). Any thread.
  virtual absl::StatusOr<Stream> OpenStream(HandlerId handler, BytesView initial,
                                            StreamOptions options) const = 0;
};

}  // namespace grid

#endif  // GRID_HANDLERS_REQUESTER_H_
