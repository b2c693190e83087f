// StreamHandler: a stream of values in either direction, opened by a first payload. One definition,
// shared by both ends:
//
//   // Opened with a Watch; the caller sends nothing more and receives Changes.
//   inline constexpr grid::StreamHandler<Watch, grid::NoPayload, Change> kWatch{
//       grid::HandlerId{12}, {.out = 64}};
//
//   kWatch.Register(manager, [](const Watch& watch, auto& stream, grid::RequestContext&)
//                                -> asio::awaitable<absl::Status> {
//     ...
//     absl::Status written = co_await stream.Write(change);
//   });
//
//   auto changes = kWatch.Open(peer, {.prefix = "/"});
//   if (!changes.ok()) ...
//   absl::Status ended = co_await changes->Results([](Change& change) { return Apply(change); });
//
// NoPayload stands for what is not there: as Payload, nothing opens the stream; as Req, the caller
// sends nothing; as Resp, the handler sends nothing but its status.
#ifndef GRID_HANDLERS_STREAM_HANDLER_H_
#define GRID_HANDLERS_STREAM_HANDLER_H_

#include <chrono>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "handlers/handler_id.h"
#include "handlers/registrar.h"
#include "handlers/requester.h"
#include "handlers/typed.h"
#include "handlers/typed_stream.h"

namespace grid {

// Messages that may wait unread in each direction; see StreamSpec. `in` counts only where the
// caller sends.
struct StreamCapacities {
  uint32_t in = 1;
  uint32_t out = 1;
  // Instead, in either direction, where both ends offer the extension `credits`.
  StreamWindow window = {};
};

// For one stream; see StreamOptions.
struct OpenOptions {
  std::chrono::milliseconds timeout{0};  // for the whole stream; 0: none
  bool wait_for_ready = false;
  Priority priority = Priority::kDefault;
  Compression compression = {};
  TraceContext trace = {};
  MetadataView metadata = {};
};

template <typename Payload, typename Req, typename Resp>
class StreamHandler {
 public:
  static_assert(Encodable<Payload> && Encodable<Req> && Encodable<Resp>,
                "each needs a grid::Codec");
  static constexpr bool kHasInput = !std::is_same_v<Req, NoPayload>;

  using CallerStream = TypedStream<Req, Resp>;
  using HandlerStream = TypedStream<Resp, Req>;

  // `limits` hold for what either end decodes.
  constexpr explicit StreamHandler(HandlerId id, StreamCapacities capacities = {},
                                   DecodeLimits limits = {})
      : id_(id), capacities_(capacities), limits_(limits) {}

  constexpr HandlerId id() const { return id_; }
  constexpr const StreamCapacities& capacities() const { return capacities_; }
  constexpr const DecodeLimits& limits() const { return limits_; }

  // Serves the handler with `function`, one of
  //
  //   absl::Status                   (const Payload&, HandlerStream&, RequestContext&)   may block
  //   asio::awaitable<absl::Status>  (const Payload&, HandlerStream&, RequestContext&)   I/O thread
  //   void                           (Payload, HandlerStream, RequestContext&)           I/O thread
  //
  // without the first argument where Payload is NoPayload. The first runs on the worker pool, and
  // the status that it or the second returns ends the stream. The third returns at once, keeps the
  // stream and calls Finish; the context is valid until then.
  //
  // An opening payload that can't be decoded ends the stream with an error that names the field;
  // `function` is not called. Errors: those of Registrar::RegisterStream.
  template <typename Function>
  absl::Status Register(Registrar& registrar, Function function, std::string subroute = {},
                        Priority priority = Priority::kDefault,
                        Compression compression = {}) const {
    using Result = ResultOf<Function>;
    StreamSpec spec{.id = id_,
                    .subroute = std::move(subroute),
                    .in_capacity = kHasInput ? capacities_.in : 0,
                    .out_capacity = capacities_.out,
                    .window = capacities_.window,
                    .priority = priority,
                    .compression = compression};
    if constexpr (std::is_same_v<Result, absl::Status>) {
      return registrar.RegisterStream(
          std::move(spec), StreamFunction([function = std::move(function), limits = limits_](
                                              Stream& raw, RequestContext& context) {
            Payload payload{};
            const absl::Status decoded = Decode(raw.initial(), payload, limits);
            if (!decoded.ok()) return internal::PayloadError("payload", decoded);
            HandlerStream stream(&raw, limits);
            if constexpr (kHasPayload) {
              return function(payload, stream, context);
            } else {
              return function(stream, context);
            }
          }));
    } else if constexpr (std::is_same_v<Result, asio::awaitable<absl::Status>>) {
      return registrar.RegisterStream(
          std::move(spec),
          StreamCoroutine(
              [function = std::move(function), limits = limits_](
                  Stream& raw, RequestContext& context) -> asio::awaitable<absl::Status> {
                Payload payload{};
                const absl::Status decoded = Decode(raw.initial(), payload, limits);
                if (!decoded.ok()) co_return internal::PayloadError("payload", decoded);
                HandlerStream stream(&raw, limits);
                if constexpr (kHasPayload) {
                  Result running = function(payload, stream, context);
                  co_return co_await std::move(running);
                } else {
                  Result running = function(stream, context);
                  co_return co_await std::move(running);
                }
              }));
    } else {
      static_assert(std::is_void_v<Result>,
                    "a stream handler returns absl::Status, asio::awaitable<absl::Status> or void");
      return registrar.RegisterStream(
          std::move(spec), StreamStarter([function = std::move(function), limits = limits_](
                                             Stream raw, RequestContext& context) {
            Payload payload{};
            const absl::Status decoded = Decode(raw.initial(), payload, limits);
            if (!decoded.ok()) return raw.Finish(internal::PayloadError("payload", decoded));
            if constexpr (kHasPayload) {
              function(std::move(payload), HandlerStream(std::move(raw), limits), context);
            } else {
              function(HandlerStream(std::move(raw), limits), context);
            }
          }));
    }
  }

  // Opens a stream over `to`, a Connection or a Subroute. Errors: kInvalidArgument, not sent, for a
  // payload that can't be encoded, and those of Streamer::OpenStream.
  absl::StatusOr<CallerStream> Open(const Streamer& to, const Payload& payload,
                                    OpenOptions options = {}) const {
    internal::ScratchBuffer bytes;
    const absl::Status encoded = bytes.Encode(payload);
    if (!encoded.ok()) {
      return WithDelivery(internal::PayloadError("payload", encoded), Delivery::kNotSent);
    }
    absl::StatusOr<Stream> stream = to.OpenStream(id_, bytes.view(),
                                                  {.has_input = kHasInput,
                                                   .in_capacity = capacities_.in,
                                                   .out_capacity = capacities_.out,
                                                   .window = capacities_.window,
                                                   .timeout = options.timeout,
                                                   .wait_for_ready = options.wait_for_ready,
                                                   .priority = options.priority,
                                                   .compression = options.compression,
                                                   .trace = options.trace,
                                                   .metadata = options.metadata});
    if (!stream.ok()) return stream.status();
    return CallerStream(*std::move(stream), limits_);
  }
  // The same where nothing opens the stream.
  absl::StatusOr<CallerStream> Open(const Streamer& to, OpenOptions options = {})
      const requires std::is_same_v<Payload, NoPayload> {
    return Open(to, NoPayload(), options);
  }

 private:
  static constexpr bool kHasPayload = !std::is_same_v<Payload, NoPayload>;

  template <typename Function>
  static auto ResultOfCall() {
    using Fn = const Function&;
    if constexpr (kHasPayload &&
                  std::is_invocable_v<Fn, Payload&, HandlerStream&, RequestContext&>) {
      return std::type_identity<
          std::invoke_result_t<Fn, Payload&, HandlerStream&, RequestContext&>>();
    } else if constexpr (kHasPayload &&
                         std::is_invocable_v<Fn, Payload, HandlerStream, RequestContext&>) {
      return std::type_identity<
          std::invoke_result_t<Fn, Payload, HandlerStream, RequestContext&>>();
    } else if constexpr (!kHasPayload && std::is_invocable_v<Fn, HandlerStream&, RequestContext&>) {
      return std::type_identity<std::invoke_result_t<Fn, HandlerStream&, RequestContext&>>();
    } else if constexpr (!kHasPayload && std::is_invocable_v<Fn, HandlerStream, RequestContext&>) {
      return std::type_identity<std::invoke_result_t<Fn, HandlerStream, RequestContext&>>();
    } else {
      static_assert(internal::kAlwaysFalse<Function>,
                    "a stream handler takes (const Payload&, HandlerStream&, RequestContext&), or "
                    "without the first where Payload is NoPayload, with the types of this "
                    "StreamHandler, and can be called when const");
    }
  }
  template <typename Function>
  using ResultOf = typename decltype(ResultOfCall<Function>())::type;

  HandlerId id_;
  StreamCapacities capacities_;
  DecodeLimits limits_;
};

}  // namespace grid

#endif  // GRID_HANDLERS_STREAM_HANDLER_H_
