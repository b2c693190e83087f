// What SingleHandler and StreamHandler have in common: options, and values to payloads and back.
#ifndef GRID_HANDLERS_TYPED_H_
#define GRID_HANDLERS_TYPED_H_

#include <boost/asio/associator.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "handlers/delivery.h"
#include "handlers/recycled.h"
#include "handlers/registrar.h"
#include "serialization/codec.h"
#include "serialization/messagepack.h"

namespace grid {

struct RegisterOptions {
  std::string subroute = {};               // parts joined with "/"; empty: none
  RunOn run_on = RunOn::kWorkerPool;       // ignored for coroutines
  Priority priority = Priority::kDefault;  // of answers whose caller asks for none
  Compression compression = {};            // of answers; see there before it is enabled
};

namespace internal {

// "request: field "drive" has the wrong type".
inline absl::Status PayloadError(const char* which, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(which, ": ", status.message()));
}

// A Buffer to encode into, from those that this thread has used before: at most kMaxIdle of at most
// kMaxBytes each.
class ScratchBuffer {
 public:
  static constexpr size_t kMaxIdle = 8;
  static constexpr size_t kMaxBytes = size_t{64} << 10;

  ScratchBuffer() : buffer_(Take()) {}
  ScratchBuffer(ScratchBuffer&&) = default;
  ScratchBuffer& operator=(ScratchBuffer&&) = delete;
  ~ScratchBuffer() {
    if (buffer_.capacity() == 0 || buffer_.capacity() > kMaxBytes) return;
    std::vector<Buffer>* idle = ThreadIdle<Buffer>();
    if (idle == nullptr || idle->size() == kMaxIdle) return;
    buffer_.Resize(0);
    idle->push_back(std::move(buffer_));
  }

  // Nil stays nil: a payload that was not encoded at all.
  template <typename T>
  absl::Status Encode(const T& value) {
    if constexpr (std::is_same_v<T, NoPayload>) return absl::OkStatus();
    encoded_ = true;
    return grid::Encode(value, buffer_);
  }
  BytesView view() const { return encoded_ ? buffer_.view() : BytesView(); }

 private:
  static Buffer Take() {
    std::vector<Buffer>* idle = ThreadIdle<Buffer>();
    if (idle == nullptr || idle->empty()) return Buffer();
    Buffer buffer = std::move(idle->back());
    idle->pop_back();
    return buffer;
  }

  Buffer buffer_;
  bool encoded_ = false;
};

// A completion handler for payloads around one for values: passes on what `Convert` makes of it,
// with the same executor, allocator and cancellation slot.
template <typename Handler, typename Convert>
struct ConvertingHandler {
  Handler handler;
  Convert convert;

  template <typename Result>
  void operator()(Result result) {
    std::move(handler)(convert(std::move(result)));
  }
};

template <typename Handler, typename Convert>
ConvertingHandler<std::decay_t<Handler>, Convert> Converting(Handler&& handler, Convert convert) {
  return {std::forward<Handler>(handler), std::move(convert)};
}

// What an operation that starts later keeps of the handle it goes over: a temporary itself,
// otherwise a reference. Either converts to the Requester& or Streamer& it is.
template <typename To>
auto HoldTarget(To&& to) {
  if constexpr (std::is_lvalue_reference_v<To>) {
    return std::reference_wrapper<std::remove_reference_t<To>>(to);
  } else {
    return std::forward<To>(to);
  }
}

template <typename T>
inline constexpr bool kIsAwaitable = false;
template <typename T>
inline constexpr bool kIsAwaitable<boost::asio::awaitable<T>> = true;

template <typename T>
struct AwaitedType {
  using type = T;
};
template <typename T>
struct AwaitedType<boost::asio::awaitable<T>> {
  using type = T;
};
// T itself, or what awaiting it gives.
template <typename T>
using Awaited = typename AwaitedType<T>::type;

template <typename T>
inline constexpr bool kAlwaysFalse = false;

}  // namespace internal
}  // namespace grid

namespace boost::asio {

template <template <typename, typename> class Associator, typename Handler, typename Convert,
          typename Default>
struct associator<Associator, grid::internal::ConvertingHandler<Handler, Convert>, Default>
    : Associator<Handler, Default> {
  static auto get(const grid::internal::ConvertingHandler<Handler, Convert>& handler) noexcept {
    return Associator<Handler, Default>::get(handler.handler);
  }
  static auto get(const grid::internal::ConvertingHandler<Handler, Convert>& handler,
                  const Default& fallback) noexcept {
    return Associator<Handler, Default>::get(handler.handler, fallback);
  }
};

}  // namespace boost::asio

#endif  // GRID_HANDLERS_TYPED_H_
