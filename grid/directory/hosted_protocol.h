// What a hosted directory says over grid: the handlers that the serving member hosts, and their
// messages. Ids 224 to 230 of the library's own.
//
// An answer of the table that is no success travels in the reply (Outcome), so that its code and
// the holder of a name arrive whatever extensions the connection has; an error of the call itself
// means that the table was not reached. Names and selectors travel as text. The member is the
// caller of the connection.
//
// Internal to grid/directory.
#ifndef GRID_GRID_DIRECTORY_HOSTED_PROTOCOL_H_
#define GRID_GRID_DIRECTORY_HOSTED_PROTOCOL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/directory/entry.h"
#include "handlers/single_handler.h"
#include "handlers/stream_handler.h"

namespace grid::internal {

struct EntryMessage {
  std::string name = {};
  bool shared = false;
  uint64_t epoch = 0;
  std::string member = {};
  uint64_t incarnation = 0;
  Attributes attributes = {};
  MSGPACK_DEFINE_MAP(name, shared, epoch, member, incarnation, attributes);
};
EntryMessage ToMessage(const Entry& entry);
// kInvalidArgument names what is wrong.
absl::StatusOr<Entry> FromMessage(EntryMessage message);

struct Outcome {
  int32_t code = 0;  // of absl::Status; 0: done
  std::string text = {};
  bool fresh = false;                     // of a renewal; see LeaseGrant
  uint64_t count = 0;                     // of a flush: registrations removed
  EntryMessage entry = {};                // of a registration: what was registered
  std::vector<EntryMessage> holder = {};  // who holds the name instead
  MSGPACK_DEFINE_MAP(code, text, fresh, count, entry, holder);
};
Outcome ToOutcome(const absl::Status& status);
absl::Status StatusOf(const Outcome& outcome);

struct LeaseMessage {
  uint64_t incarnation = 0;
  uint64_t seen_epoch = 0;
  uint64_t holds = 0;
  MSGPACK_DEFINE_MAP(incarnation, seen_epoch, holds);
};
struct RegisterMessage {
  uint64_t incarnation = 0;
  uint64_t request = 0;
  std::string name = {};
  bool shared = false;
  Attributes attributes = {};
  uint64_t claim = 0;
  MSGPACK_DEFINE_MAP(incarnation, request, name, shared, attributes, claim);
};
struct UpdateMessage {
  uint64_t incarnation = 0;
  std::string name = {};
  uint64_t epoch = 0;
  Attributes attributes = {};
  MSGPACK_DEFINE_MAP(incarnation, name, epoch, attributes);
};
struct DeregisterMessage {
  uint64_t incarnation = 0;
  std::string name = {};
  uint64_t epoch = 0;
  uint64_t request = 0;
  MSGPACK_DEFINE_MAP(incarnation, name, epoch, request);
};
struct WatchMessage {
  std::string selector = {};
  bool follow = true;  // false: the stream ends behind what there is
  MSGPACK_DEFINE_MAP(selector, follow);
};
// A part of an event: those that hold everything may come in several.
struct WatchEventMessage {
  enum Kind : uint8_t { kAll = 0, kPut = 1, kRemove = 2 };
  uint8_t kind = kAll;
  bool more = false;  // of kAll: the next message goes on with it
  std::vector<EntryMessage> entries = {};
  MSGPACK_DEFINE_MAP(kind, more, entries);
};
// How many entries, with everything that they hold, go into one message: 256 of the largest are
// some 5 MiB.
inline constexpr size_t kEntriesPerMessage = 256;

inline constexpr SingleHandler<LeaseMessage, Outcome> kDirectoryRenew{HandlerId{224}};
inline constexpr SingleHandler<RegisterMessage, Outcome> kDirectoryRegister{HandlerId{225}};
inline constexpr SingleHandler<UpdateMessage, Outcome> kDirectoryUpdate{HandlerId{226}};
inline constexpr SingleHandler<DeregisterMessage, Outcome> kDirectoryDeregister{HandlerId{227}};
inline constexpr SingleHandler<LeaseMessage, Outcome> kDirectoryEnd{HandlerId{228}};
inline constexpr StreamHandler<WatchMessage, NoPayload, WatchEventMessage> kDirectoryWatch{
    HandlerId{229}, {.out = 16}};
inline constexpr SingleHandler<NoPayload, Outcome> kDirectoryFlush{HandlerId{230}};

}  // namespace grid::internal

#endif  // GRID_GRID_DIRECTORY_HOSTED_PROTOCOL_H_
