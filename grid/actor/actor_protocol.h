// What actor systems say over grid: the handlers that each hosts, and their messages. Ids 231 and
// 234 of the library's own; 232 and 233 are those of kinds (start_protocol.h).
//
//   231  one letter to one target           | header bytes (4, big-endian) | header | type | body |
//   234  one letter to several targets of   the same; a stream: the answer of each target as it
//        one member                         comes, in front of it its index (4, big-endian)
//
// The header is MessagePack (DeliverHeader). The body reaches the actor as it was sent, in the
// block that it came in; of several targets each gets a copy. An answer's first byte says what
// follows it: the answer's bytes, nothing (nil), or an error (ErrorMessage), so that delivery
// classes and details arrive whatever extensions the connection has; an error of the call itself
// means that the member was not reached, or of 234 that it could not read the header.
//
// Internal to grid/actor. Pure functions.
#ifndef GRID_GRID_ACTOR_ACTOR_PROTOCOL_H_
#define GRID_GRID_ACTOR_ACTOR_PROTOCOL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/letter.h"
#include "grid/actor/post.h"
#include "grid/actor/publication.h"
#include "grid/actor/target.h"
#include "handlers/handler_id.h"
#include "serialization/buffer.h"
#include "serialization/bytes.h"
#include "serialization/messagepack.h"

namespace grid::internal {

inline constexpr HandlerId kActorDeliver{231};
inline constexpr HandlerId kActorDeliverMany{234};
// Answers that may be on their way unread; both ends must agree.
inline constexpr uint32_t kDeliverManyCapacity = 64;

struct TargetMessage {
  std::string name = {};
  uint64_t epoch = 0;
  MSGPACK_DEFINE_ARRAY(name, epoch);
};

struct DeliverHeader {
  std::vector<TargetMessage> targets = {};
  uint32_t type_bytes = 0;
  bool nil_body = false;
  uint8_t acknowledge = 0;  // Acknowledgement
  uint64_t call = 0;        // see Message::call
  uint64_t deduplicate_ms = 0;
  std::string from = {};                 // the actor that sends; empty: none
  std::vector<uint64_t> published = {};  // WirePublication
  MSGPACK_DEFINE_ARRAY(targets, type_bytes, nil_body, acknowledge, call, deduplicate_ms, from,
                       published);
};

// A delivery as it came, checked.
struct ArrivedDelivery {
  DeliverHeader header;
  size_t type_offset = 0;  // in the payload
  std::optional<Name> from;
  std::optional<Publication> publication;
};

// kInvalidArgument names what can't be encoded: a type's name that is empty or too long.
absl::StatusOr<Buffer> EncodeDelivery(std::span<const Target> targets, const Message& message);
// kInvalidArgument names the field that is wrong; `max_targets` at the most.
absl::StatusOr<ArrivedDelivery> DecodeDelivery(BytesView payload, size_t max_targets);

// A publication as it travels: publisher, incarnation, sequence; none: empty.
std::vector<uint64_t> WirePublication(const std::optional<Publication>& publication);
// kInvalidArgument for what is neither: of another length, or with a 0.
absl::StatusOr<std::optional<Publication>> PublicationFrom(const std::vector<uint64_t>& wire);

// Appends the outcome to `out`.
void EncodeOutcome(const LetterOutcome& outcome, Buffer& out);
// Errors come marked as the peer's. Of what is no outcome: kInvalidArgument, kMaybeExecuted.
LetterOutcome DecodeOutcome(BytesView bytes);
// The same; the answer stays in this memory.
LetterOutcome DecodeOutcome(Buffer bytes);

// The 4 bytes in front of each answer of kActorDeliverMany.
void EncodeIndex(uint32_t index, Buffer& out);
// nullopt: there are not as many.
std::optional<uint32_t> DecodeIndex(BytesView bytes);
inline constexpr size_t kIndexBytes = 4;

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ACTOR_PROTOCOL_H_
