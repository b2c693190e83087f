// MessageType: a message that actors understand, and what it is answered with. One definition,
// shared by both ends:
//
//   struct Add { int64_t by = 0;  MSGPACK_DEFINE_MAP(by); };
//   inline constexpr grid::MessageType<Add, int64_t> kAdd{"counter.add"};
//
// The name travels with the message and says how it is read: an actor that has not registered it
// answers with an error. Values are carried as those of typed handlers (serialization/codec.h), by
// default as MessagePack. Any thread.
#ifndef GRID_GRID_ACTOR_MESSAGE_TYPE_H_
#define GRID_GRID_ACTOR_MESSAGE_TYPE_H_

#include <cstddef>
#include <string_view>

#include "serialization/codec.h"
#include "serialization/messagepack.h"

namespace grid {

inline constexpr size_t kMaxMessageTypeBytes = 255;

template <typename Req, typename Resp = NoPayload>
class MessageType {
 public:
  static_assert(Encodable<Req> && Encodable<Resp>, "each needs a grid::Codec");

  using Request = Req;
  using Response = Resp;

  // `name`: 1 to kMaxMessageTypeBytes bytes that live for ever. `limits` hold for what either end
  // decodes.
  constexpr explicit MessageType(std::string_view name, DecodeLimits limits = {})
      : name_(name), limits_(limits) {}

  constexpr std::string_view name() const { return name_; }
  constexpr const DecodeLimits& limits() const { return limits_; }

 private:
  std::string_view name_;
  DecodeLimits limits_;
};

}  // namespace grid

#endif  // GRID_GRID_ACTOR_MESSAGE_TYPE_H_
