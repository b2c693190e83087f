// What starting and stopping actors on other members says over grid, and asking a member to drain:
// the handlers that every member with kinds hosts, and their messages. Ids 232, 233 and 235 of the
// library's own.
//
// What became of it travels in the reply, so that "already running at ..." is an answer like
// "started", and codes arrive whatever extensions the connection has; an error of the call itself
// means that the member was not reached. Names and selectors travel as text. Who asks is the caller
// of the connection.
//
// Internal to grid/actor.
#ifndef GRID_GRID_ACTOR_START_PROTOCOL_H_
#define GRID_GRID_ACTOR_START_PROTOCOL_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor_options.h"
#include "grid/actor/kind.h"
#include "handlers/single_handler.h"

namespace grid::internal {

struct StartMessage {
  std::string name = {};
  std::map<std::string, std::string> parameters = {};
  std::map<std::string, std::string> resources = {};
  MSGPACK_DEFINE_MAP(name, parameters, resources);
};
StartMessage ToMessage(const Name& name, const StartParameters& parameters,
                       const Resources& resources);
// Without the caller. kInvalidArgument names what is wrong.
absl::StatusOr<StartArguments> FromMessage(StartMessage message);

struct StartAnswer {
  enum What : uint8_t {
    kStarted = 0,
    kAlreadyRunning = 1,  // at member, with epoch
    kRefused = 2,         // by the kind's admission filter
    kNoKind = 3,          // this member hosts no kind for the name
    kFailed = 4,          // the factory, the actor or the directory did
  };
  uint8_t what = kStarted;
  std::string member = {};
  uint64_t epoch = 0;
  int32_t code = 0;  // of absl::Status, where there is no actor
  std::string text = {};
  uint8_t delivery = 0;  // of the same: a Delivery
  MSGPACK_DEFINE_MAP(what, member, epoch, code, text, delivery);
};
StartAnswer ToAnswer(StartAnswer::What what, const absl::Status& status, Delivery delivery);
// Why there is no actor; OK where there is one. Carries its delivery class, as from `member`.
absl::Status StatusOf(const StartAnswer& answer, const std::string& member);

struct StopMessage {
  std::string name = {};
  uint64_t epoch = 0;  // of the registration; 0: whichever there is
  uint8_t mode = 0;    // a StopMode
  // It is killed when it has not stopped by then; 0: never.
  uint64_t limit_ms = 0;
  MSGPACK_DEFINE_MAP(name, epoch, mode, limit_ms);
};
struct StopAnswer {
  int32_t code = 0;  // of absl::Status; 0: it has stopped
  std::string text = {};
  uint8_t delivery = 0;
  bool killed = false;  // the limit had passed
  MSGPACK_DEFINE_MAP(code, text, delivery, killed);
};
absl::Status StatusOf(const StopAnswer& answer, const std::string& member);

struct DrainAnswer {
  int32_t code = 0;  // of absl::Status; 0: it drains, and others can see that
  std::string text = {};
  uint8_t delivery = 0;
  uint64_t actors = 0;  // that it has marked
  MSGPACK_DEFINE_MAP(code, text, delivery, actors);
};
absl::Status StatusOf(const DrainAnswer& answer, const std::string& member);

inline constexpr SingleHandler<StartMessage, StartAnswer> kActorStart{HandlerId{232}};
inline constexpr SingleHandler<StopMessage, StopAnswer> kActorStop{HandlerId{233}};
inline constexpr SingleHandler<NoPayload, DrainAnswer> kMemberDrain{HandlerId{235}};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_START_PROTOCOL_H_
