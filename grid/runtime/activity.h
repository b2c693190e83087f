// Activity: counts what a stopping manager has to wait for (open links, running handlers).
#ifndef GRID_GRID_RUNTIME_ACTIVITY_H_
#define GRID_GRID_RUNTIME_ACTIVITY_H_

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"

namespace grid {

// A share in an Activity; when the last one is gone, `idle` has been called, once, on the thread
// that dropped it.
//
//   auto activity = MakeActivity([] { ... });    // the owner's own share
//   Activity share = activity;                   // held by whatever has to end first
using Activity = std::shared_ptr<void>;

inline Activity MakeActivity(absl::AnyInvocable<void()> idle) {
  auto* callback = new absl::AnyInvocable<void()>(std::move(idle));
  return Activity(callback, [](absl::AnyInvocable<void()>* done) {
    (*done)();
    delete done;
  });
}

}  // namespace grid

#endif  // GRID_GRID_RUNTIME_ACTIVITY_H_
