// SingleHandler: a request and its answer as values. One definition, shared by both ends:
//
//   struct DiskInfoRequest { std::string drive;  MSGPACK_DEFINE_MAP(drive); };
//   struct DiskInfo { uint64_t total = 0, free = 0;  MSGPACK_DEFINE_MAP(total, free); };
//   inline constexpr grid::SingleHandler<DiskInfoRequest, DiskInfo> kDiskInfo{grid::HandlerId{9}};
//
//   kDiskInfo.Register(manager, [](const DiskInfoRequest& request, grid::RequestContext&)
//                                   -> absl::StatusOr<DiskInfo> { return Stat(request.drive); });
//
//   const DiskInfoRequest request{.drive = "/d1"};
//   absl::StatusOr<DiskInfo> info = co_await kDiskInfo.Call(peer, request);
//
// Any type that has a grid::Codec can be carried: MessagePack by default
// (serialization/messagepack.h), NoPayload for nothing, std::optional<T> where nil is a value.
//
// With g++ 12, name the request before co_await as above: that compiler destroys aggregates that
// are created inside a co_await expression twice. The request is encoded before Call returns, so
// this is right as well:  auto call = kDiskInfo.Call(peer, {.drive = "/d1"}); co_await
// std::move(call);
#ifndef GRID_HANDLERS_SINGLE_HANDLER_H_
#define GRID_HANDLERS_SINGLE_HANDLER_H_

#include <boost/asio/append.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "handlers/handler_id.h"
#include "handlers/recycled.h"
#include "handlers/registrar.h"
#include "handlers/requester.h"
#include "handlers/typed.h"

namespace grid {

// An answer that its handler keeps and others read at the same time, a cached listing say: it is
// encoded, not copied, and never recycled.
template <typename T>
using SharedResponse = std::shared_ptr<const T>;

template <typename Req, typename Resp>
class SingleHandler {
 public:
  static_assert(Encodable<Req> && Encodable<Resp>, "each needs a grid::Codec");

  // `limits` hold for what either end decodes.
  constexpr explicit SingleHandler(HandlerId id, DecodeLimits limits = {})
      : id_(id), limits_(limits) {}

  constexpr HandlerId id() const { return id_; }
  constexpr const DecodeLimits& limits() const { return limits_; }

  // Serves the handler with `function`, one of
  //
  //   absl::StatusOr<Resp>                 (const Req&, RequestContext&)
  //   absl::StatusOr<SharedResponse<Resp>> (const Req&, RequestContext&)
  //   absl::Status                         (const Req&, Resp& response, RequestContext&)
  //
  // or the same as a coroutine, returning asio::awaitable of it. The third fills a response that is
  // recycled between calls, and empty when it gets it. With NoPayload as Resp, absl::Status is
  // enough to return. Plain functions run where `options` say, coroutines on the I/O thread. The
  // request is valid until the function has returned.
  //
  // A request that can't be decoded is answered with an error that names its field; `function` is
  // not called. Errors: those of Registrar::RegisterSingle.
  template <typename Function>
  absl::Status Register(Registrar& registrar, Function function,
                        RegisterOptions options = {}) const {
    using Result =
        decltype(Invoke(std::as_const(function), std::declval<Req&>(),
                        std::declval<Filled<Function>&>(), std::declval<RequestContext&>()));
    SingleSpec spec{.id = id_,
                    .subroute = std::move(options.subroute),
                    .run_on = options.run_on,
                    .priority = options.priority,
                    .compression = options.compression};
    if constexpr (internal::kIsAwaitable<Result>) {
      return registrar.RegisterSingle(
          std::move(spec),
          SingleCoroutine([function = std::move(function), limits = limits_](
                              Buffer payload,
                              RequestContext& context) -> asio::awaitable<absl::StatusOr<Buffer>> {
            Recycled<Req> request;
            Recycled<Filled<Function>> response;
            request.Saw(payload.size());
            const absl::Status decoded = Decode(payload.view(), *request, limits);
            if (!decoded.ok()) co_return internal::PayloadError("request", decoded);
            payload = Buffer();
            Result running = Invoke(function, *request, *response, context);
            const internal::Awaited<Result> result = co_await std::move(running);
            co_return Answer(result, response, context);
          }));
    } else {
      return registrar.RegisterSingle(
          std::move(spec),
          SingleFunction([function = std::move(function), limits = limits_](
                             BytesView payload, RequestContext& context) -> absl::StatusOr<Buffer> {
            Recycled<Req> request;
            Recycled<Filled<Function>> response;
            request.Saw(payload.size());
            const absl::Status decoded = Decode(payload, *request, limits);
            if (!decoded.ok()) return internal::PayloadError("request", decoded);
            const Result result = Invoke(function, *request, *response, context);
            return Answer(result, response, context);
          }));
    }
  }

  // Calls the handler over `to`, a Connection or a Subroute, and completes with the answer.
  // `request` is encoded before Call returns; a handle that is a temporary is kept, any other must
  // live until the call is awaited. Errors: those of Requester::Request; what can't be encoded is
  // kInvalidArgument, not sent; an answer that can't be decoded is kInvalidArgument, executed, and
  // names its field.
  template <typename To, typename Token = asio::use_awaitable_t<>>
  auto Call(To&& to, const Req& request, RequestOptions options = {},
            Token&& token = Token()) const {
    static_assert(std::is_base_of_v<Requester, std::decay_t<To>>,
                  "called over a Connection, a Subroute or another Requester");
    internal::ScratchBuffer payload;
    absl::Status encoded = payload.Encode(request);
    return asio::async_initiate<Token, void(absl::StatusOr<Resp>)>(
        [](auto handler, SingleHandler self, auto target, internal::ScratchBuffer bytes,
           const absl::Status& status, const RequestOptions& opts) {
          self.Start(target, bytes.view(), status, opts, std::move(handler));
        },
        token, *this, internal::HoldTarget(std::forward<To>(to)), std::move(payload),
        std::move(encoded), options);
  }

 private:
  template <typename Function>
  static constexpr bool kFills = std::is_invocable_v<const Function&, Req&, Resp&, RequestContext&>;

  // What is made for `function` to fill; nothing where it makes its response itself.
  template <typename Function>
  using Filled = std::conditional_t<kFills<Function>, Resp, NoPayload>;

  // Calls `function` in whichever of its forms it has.
  template <typename Function>
  static auto Invoke(const Function& function, Req& request, Filled<Function>& response,
                     RequestContext& context) {
    if constexpr (kFills<Function>) {
      return function(request, response, context);
    } else if constexpr (std::is_invocable_v<const Function&, Req&, RequestContext&>) {
      return function(request, context);
    } else {
      static_assert(internal::kAlwaysFalse<Function>,
                    "a handler takes (const Req&, RequestContext&) or "
                    "(const Req&, Resp&, RequestContext&), with the types of this SingleHandler, "
                    "and can be called when const");
    }
  }

  // The payload of what a handler returned, or filled.
  template <typename Result, typename Response>
  static absl::StatusOr<Buffer> Answer(const Result& result, Recycled<Response>& response,
                                       RequestContext& context) {
    if constexpr (std::is_same_v<Result, absl::Status>) {
      static_assert(std::is_same_v<Response, Resp>,
                    "a handler that returns absl::Status fills a Resp&, or there is NoPayload");
      if (!result.ok()) return result;
      absl::StatusOr<Buffer> payload = EncodeReply(*response, context);
      if (payload.ok()) response.Saw(payload->size());
      return payload;
    } else if constexpr (std::is_same_v<Result, absl::StatusOr<Resp>>) {
      if (!result.ok()) return result.status();
      return EncodeReply(*result, context);
    } else if constexpr (std::is_same_v<Result, absl::StatusOr<SharedResponse<Resp>>>) {
      if (!result.ok()) return result.status();
      if (*result == nullptr) return absl::InternalError("the handler gave no response");
      return EncodeReply(**result, context);
    } else {
      static_assert(internal::kAlwaysFalse<Result>,
                    "a handler returns absl::StatusOr<Resp>, absl::StatusOr<SharedResponse<Resp>> "
                    "or absl::Status, with the Resp of this SingleHandler");
    }
  }

  static absl::StatusOr<Buffer> EncodeReply(const Resp& response, RequestContext& context) {
    if constexpr (std::is_same_v<Resp, NoPayload>) {
      return Buffer();
    } else {
      Buffer payload = context.NewBuffer(SizeHint(response));
      absl::Status encoded = Encode(response, payload);
      if (!encoded.ok()) return internal::PayloadError("reply", encoded);
      return payload;
    }
  }

  template <typename Handler>
  void Start(const Requester& to, BytesView payload, const absl::Status& encoded,
             const RequestOptions& options, Handler&& handler) const {
    if (!encoded.ok()) {
      asio::dispatch(
          asio::append(std::forward<Handler>(handler),
                       absl::StatusOr<Resp>(WithDelivery(internal::PayloadError("request", encoded),
                                                         Delivery::kNotSent))));
      return;
    }
    to.StartRequest(id_, payload, options,
                    ReplyHandler(std::forward<Handler>(handler), ReplyDecoder{limits_}));
  }

  struct ReplyDecoder {
    DecodeLimits limits;

    absl::StatusOr<Resp> operator()(BytesView reply) const {
      absl::StatusOr<Resp> value{absl::in_place};
      const absl::Status decoded = Decode(reply, *value, limits);
      if (!decoded.ok()) {
        value = WithDelivery(internal::PayloadError("reply", decoded), Delivery::kExecuted);
      }
      return value;
    }
    absl::StatusOr<Resp> operator()(BytesView reply, BufferPool&) const { return (*this)(reply); }
    absl::StatusOr<Resp> operator()(const Buffer& reply) const { return (*this)(reply.view()); }
  };

  HandlerId id_;
  DecodeLimits limits_;
};

}  // namespace grid

#endif  // GRID_HANDLERS_SINGLE_HANDLER_H_
