// ActorHost: what runs the actors of one process, as far as starting and stopping them goes. The
// ActorSystem is one; tests have theirs.
//
// Internal to grid/actor. Any thread.
#ifndef GRID_GRID_ACTOR_ACTOR_HOST_H_
#define GRID_GRID_ACTOR_ACTOR_HOST_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grid/actor/actor.h"
#include "grid/actor/actor_options.h"
#include "grid/directory/name.h"
#include "handlers/completion.h"

namespace grid::internal {

class ActorHost {
 public:
  virtual ~ActorHost() = default;

  // Our own member.
  virtual const std::string& self() const = 0;

  // Registers the name and starts the actor; completes with the epoch once it runs, with
  // kAlreadyExists (HolderOf) when the name is held, and otherwise with why it does not run.
  virtual void StartActor(const Name& name, ActorFactory factory, ActorOptions options,
                          Completion<absl::StatusOr<uint64_t>> completion) = 0;

  // Marks the registration kDraining, so that resolvers skip it. Without effect when it is not
  // there; nobody waits for it.
  virtual void MarkDraining(const Name& name, uint64_t epoch) = 0;

  // Completes with OK once the actor has stopped and its name is given back; several may wait for
  // one, and a later mode may be harder than the earlier one. `epoch`: of the registration; 0:
  // whichever there is. kNotFound when it is not here.
  virtual void StopActor(const Name& name, uint64_t epoch, StopMode mode,
                         Completion<absl::Status> completion) = 0;
};

}  // namespace grid::internal

#endif  // GRID_GRID_ACTOR_ACTOR_HOST_H_
