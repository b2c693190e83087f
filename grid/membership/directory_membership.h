// DirectoryMembership: who is alive, as the directory has it: each member holds the name
// sys/member/<its URL as a segment> as long as its lease runs, with its attributes.
//
//   std::unique_ptr<Membership> members = *MakeDirectoryMembership(
//       *directory, {.io = &io, .member = manager.local(), .attributes = {{"zone", "east"}}});
//
// A lease that was lost is a membership that begins again, as a new incarnation, with the same
// attributes. While the directory can't be reached the view stays as it was; what it does not name
// once it can be is suspect, until it registers again or is down.
//
// Who declares an incarnation down (Membership::DeclareDown) holds a name below that of the member
// for `forget`: a shared one, with the incarnation in it.
#ifndef GRID_GRID_MEMBERSHIP_DIRECTORY_MEMBERSHIP_H_
#define GRID_GRID_MEMBERSHIP_DIRECTORY_MEMBERSHIP_H_

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grid/base/clock.h"
#include "grid/base/log.h"
#include "grid/directory/call_policy.h"
#include "grid/directory/directory.h"
#include "grid/membership/membership.h"

namespace grid {

// What members are registered under.
inline constexpr char kMemberPath[] = "sys/member";

struct DirectoryMembershipOptions {
  // The membership's thread: one thread runs it, which may be the Directory's. It must outlive the
  // Membership and its watchers, which post there as they go, and where it is another one than the
  // Directory's, the Directory, which does so too. Required.
  boost::asio::io_context* io = nullptr;
  std::string member = {};  // our name: that of the Directory. Required
  bool client = false;      // we watch, and are no member
  // With which we join; Member::kUrl is added.
  Attributes attributes = {};

  // How long a member is suspect before it is down: a lease, so that it has the time to register
  // again. And how long one that is down stays in the view. 1 ms to a day.
  std::chrono::milliseconds suspect{15'000};
  std::chrono::milliseconds forget{60'000};
  BackOff back_off = {};  // between attempts to join, to tell of changes, to watch

  size_t max_members = 10'000;  // of the view; beyond it they are left out, and counted
  size_t max_watches = 1'000;
  size_t max_tombstones = 1'000;  // incarnations declared down, by anybody; beyond it they are not

  // Null: the real clock, DefaultLog.
  std::shared_ptr<Clock> clock = nullptr;
  std::shared_ptr<LogSink> log = nullptr;
  uint64_t seed = 0;  // of pauses; 0: from the system
};

// Joins at once. `directory` must outlive the Membership, which gives its name back when it is
// destroyed, on any thread. kInvalidArgument names the option.
absl::StatusOr<std::unique_ptr<Membership>> MakeDirectoryMembership(
    Directory& directory, DirectoryMembershipOptions options);

}  // namespace grid

#endif  // GRID_GRID_MEMBERSHIP_DIRECTORY_MEMBERSHIP_H_
